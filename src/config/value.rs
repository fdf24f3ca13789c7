//! One value of the file -> one typed setting, or a problem and the default, so that the checks go on.
use super::problem::Problems;
use super::raw::Field;
use super::{Environment, quantity};
use crate::identity::read_private;
use crate::secret::SecretText;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// What every check works with.
pub(super) struct Reader<'r, 't> {
    pub(super) problems: &'r mut Problems<'t>,
    pub(super) folder: &'r Path,
    pub(super) environment: Environment<'r>,
}

/// The two fields that may say where a secret is.
pub(super) struct SecretPlace<'a> {
    pub(super) file: &'a Field<String>,
    pub(super) variable: &'a Field<String>,
    /// The fields' name, without `_file` and `_env`.
    pub(super) field: &'a str,
    /// What it is, for people.
    pub(super) what: &'static str,
}

// === impl Reader ===

impl Reader<'_, '_> {
    /// Reports at a value.
    pub(super) fn wrong<T>(&mut self, at: &Spanned<T>, field: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.problems.add(Some(at.span().start), field, what, fix);
    }

    /// A text that has to be there and not be empty. `parent` is where its table stands.
    pub(super) fn required(
        &mut self,
        value: &Field<String>,
        field: &str,
        parent: Option<usize>,
        example: &str,
    ) -> Option<String> {
        match value {
            Some(text) if !text.get_ref().trim().is_empty() => Some(text.get_ref().clone()),
            Some(text) => {
                self.wrong(text, field, "it is empty", format!("write for example {example}"));
                None
            }
            None => {
                self.problems.add(parent, field, "it is missing", format!("add {example}"));
                None
            }
        }
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        value: &Field<String>,
        field: &str,
        default: Duration,
        allowed: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = value else { return default };
        match quantity::duration(text.get_ref()) {
            Ok(given) if allowed.contains(&given) => given,
            Ok(_) => {
                let (low, high) = (quantity::show_duration(*allowed.start()), quantity::show_duration(*allowed.end()));
                self.wrong(text, field, "it is out of bounds", format!("choose {low} to {high}"));
                default
            }
            Err(what) => {
                let fix = format!("the default is \"{}\"", quantity::show_duration(default));
                self.wrong(text, field, what, fix);
                default
            }
        }
    }

    /// A size within bounds, bytes.
    pub(super) fn size(
        &mut self,
        value: &Field<String>,
        field: &str,
        default: usize,
        allowed: RangeInclusive<usize>,
    ) -> usize {
        let Some(text) = value else { return default };
        match quantity::size(text.get_ref()).map(usize::try_from) {
            Ok(Ok(given)) if allowed.contains(&given) => given,
            Ok(_) => {
                let show = |bytes: &usize| quantity::show_size(*bytes as u64);
                let bounds = format!("choose {} to {}", show(allowed.start()), show(allowed.end()));
                self.wrong(text, field, "it is out of bounds", bounds);
                default
            }
            Err(what) => {
                self.wrong(text, field, what, format!("the default is \"{}\"", quantity::show_size(default as u64)));
                default
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn count(&mut self, value: &Field<i64>, field: &str, default: u32, allowed: RangeInclusive<u32>) -> u32 {
        let Some(number) = value else { return default };
        match u32::try_from(*number.get_ref()) {
            Ok(given) if allowed.contains(&given) => given,
            _ => {
                let bounds = format!("choose {} to {}", allowed.start(), allowed.end());
                self.wrong(number, field, "it is out of bounds", bounds);
                default
            }
        }
    }

    /// One word of a list.
    pub(super) fn choice<T: Copy>(&mut self, value: &Field<String>, field: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = value.as_ref()?;
        let found = choices.iter().find(|(word, _)| word == text.get_ref());
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let what = format!("{:?} is not known", text.get_ref());
            self.wrong(text, field, what, format!("choose one of {}", words.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// A secret, out of a private file or an environment variable. The outer `None`: a problem was reported; the inner: neither was named.
    pub(super) fn secret(&mut self, place: &SecretPlace<'_>) -> Option<Option<SecretText>> {
        let SecretPlace { file, variable, field, what } = place;
        let (in_file, in_variable) = (format!("{field}_file"), format!("{field}_env"));
        let text = match (file, variable) {
            (None, None) => return Some(None),
            (Some(file), None) => match read_private(&self.path(file.get_ref())) {
                Ok(text) => text.trim().to_owned(),
                Err(why) => {
                    let fix = format!("put the {what} alone into that file, mode 0600");
                    self.wrong(file, &in_file, why.to_string(), fix);
                    return None;
                }
            },
            (None, Some(variable)) => match (self.environment)(variable.get_ref()) {
                Some(text) => text.trim().to_owned(),
                None => {
                    let missing = format!("the environment variable {:?} is not set", variable.get_ref());
                    self.wrong(variable, &in_variable, missing, format!("set it to the {what} before the start"));
                    return None;
                }
            },
            (Some(file), Some(_)) => {
                let name = |field: &str| field.rsplit('.').next().unwrap_or_default().to_owned();
                let fix = format!("give either {} or {}", name(&in_file), name(&in_variable));
                self.wrong(file, &in_file, format!("two places for one {what}"), fix);
                return None;
            }
        };
        Some(Some(SecretText::new(text)))
    }

    /// The same, which has to be there and not be empty. `parent` is where its table stands.
    pub(super) fn required_secret(&mut self, place: &SecretPlace<'_>, parent: usize) -> Option<SecretText> {
        let in_file = format!("{}_file", place.field);
        let Some(secret) = self.secret(place)? else {
            let name = place.field.rsplit('.').next().unwrap_or_default();
            let fix = format!("give either {name}_file or {name}_env");
            self.problems.add(Some(parent), in_file, "it is missing", fix);
            return None;
        };
        if secret.expose().is_empty() {
            let what = place.what;
            self.problems.add(Some(parent), in_file, format!("the {what} is empty"), format!("put the {what} there"));
            return None;
        }
        Some(secret)
    }

    /// An access key id and its secret, of the table at `path` that stands at `at`.
    pub(super) fn access_key(
        &mut self,
        (path, at): (&str, usize),
        id: &Field<String>,
        file: &Field<String>,
        variable: &Field<String>,
    ) -> (Option<String>, Option<SecretText>) {
        let id = self.required(id, &format!("{path}.access_key_id"), Some(at), "access_key_id = \"...\"");
        let field = format!("{path}.secret_access_key");
        (id, self.required_secret(&SecretPlace { file, variable, field: &field, what: "secret" }, at))
    }

    /// A PEM file with extra certificate authorities. The outer `None`: a problem was reported; the inner: none was asked for.
    pub(super) fn authorities(&mut self, value: &Field<String>, field: &str) -> Option<Option<Vec<u8>>> {
        let Some(file) = value else { return Some(None) };
        let path = self.path(file.get_ref());
        let what = match std::fs::read(&path) {
            Ok(pem) if pem.windows(17).any(|w| w == b"BEGIN CERTIFICATE") => return Some(Some(pem)),
            Ok(_) => format!("{} holds no PEM certificate", path.display()),
            Err(why) => format!("{} cannot be read: {why}", path.display()),
        };
        self.wrong(file, field, what, "name a PEM file with the authority's certificate, or remove the line");
        None
    }

    /// A path, relative to the folder of the configuration file.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// A path to a file that has to exist.
    pub(super) fn existing_file(&mut self, value: &Spanned<String>, field: &str, fix: &str) -> PathBuf {
        let path = self.path(value.get_ref());
        if let Err(why) = std::fs::File::open(&path) {
            self.wrong(value, field, format!("{} cannot be read: {why}", path.display()), fix);
        } else if !path.is_file() {
            self.wrong(value, field, format!("{} is no file", path.display()), fix);
        }
        path
    }
}

//! One value of the file -> one typed setting, or a problem and the default, so that the checks go on.
use super::problem::Problems;
use super::raw::Field;
use super::{Environment, quantity};
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
                let bounds = format!("choose {}KiB to {}KiB", allowed.start() >> 10, allowed.end() >> 10);
                self.wrong(text, field, "it is out of bounds", bounds);
                default
            }
            Err(what) => {
                self.wrong(text, field, what, format!("the default is \"{}KiB\"", default >> 10));
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

//! The credentials file: `[[credential]]` tables in TOML, or `{"credential": [...]}` in a file named `.json`.
use super::{Credential, Credentials, IdentityError, SiteUser, read_private, write_private};
use crate::secret::SecretText;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    credential: Vec<RawCredential>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredential {
    name: String,
    access_key_id: String,
    secret_access_key: String,
    /// By site.
    #[serde(default)]
    at: BTreeMap<String, RawUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    access_key_id: String,
    secret_access_key: String,
}

/// Loads a credentials file (mode 0600 or stricter).
///
/// # Errors
/// Names the file and, where there is one, the line. Nothing of the file's text is repeated: any line may
/// hold a secret.
pub fn load(path: &Path) -> Result<Credentials, IdentityError> {
    let text = read_private(path).map_err(|e| IdentityError(e.to_string()))?;
    let json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    let raw = if json { parse_json(&text) } else { parse_toml(&text) };
    let raw = raw.map_err(|why| IdentityError(format!("{}:{why}", path.display())))?;
    let list = raw.credential.into_iter().map(|raw| Credential {
        access_key_id: raw.access_key_id,
        secret_access_key: SecretText::new(raw.secret_access_key),
        name: raw.name,
        at: raw.at.into_iter().map(|(site, user)| user.at(site)).collect(),
    });
    Credentials::new(list.collect()).map_err(|e| IdentityError(format!("{}: {}", path.display(), e.0)))
}

impl RawUser {
    fn at(self, site: String) -> SiteUser {
        let secret_access_key = SecretText::new(self.secret_access_key);
        SiteUser { site, access_key_id: self.access_key_id, secret_access_key }
    }
}

/// Writes a new credentials file (0600, TOML) with one credential; never overwrites.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn save_new(path: &Path, credential: &Credential) -> Result<(), IdentityError> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let text = zeroize::Zeroizing::new(format!(
        "# Who may talk to Strongroom. One [[credential]] per application; keep this file private (mode 0600).\n\
         [[credential]]\nname = {}\naccess_key_id = {}\nsecret_access_key = {}\n",
        quoted(&credential.name),
        quoted(&credential.access_key_id),
        quoted(credential.secret_access_key.expose()),
    ));
    write_private(path, &text).map_err(|e| IdentityError(e.to_string()))
}

fn parse_toml(text: &str) -> Result<RawFile, String> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("{line}: {}", redact(e.message()))
    })
}

fn parse_json(text: &str) -> Result<RawFile, String> {
    serde_json::from_str(text).map_err(|e| format!("{}: {}", e.line(), redact(&e.to_string())))
}

/// Keeps of a parser's message only what cannot hold a value of the file.
fn redact(message: &str) -> String {
    const EXPECTED: &str = "every [[credential]] has name, access_key_id and secret_access_key, each a text in quotes, \
                            and where its user is somebody else at the sites than the proxy, for every site a \
                            [credential.at.SITE] with access_key_id and secret_access_key";
    let known = ["missing field `name`", "missing field `access_key_id`", "missing field `secret_access_key`"];
    match known.iter().find(|k| message.starts_with(**k)) {
        Some(known) => format!("{known}; {EXPECTED}"),
        None if message.starts_with("unknown field") => format!("an unknown field; {EXPECTED}"),
        None if message.starts_with("invalid type") => format!("a value that is no text; {EXPECTED}"),
        None => format!("not readable as a credentials file; {EXPECTED}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        write_private(&path, text).unwrap_or_else(|e| panic!("{e}"));
        path
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"))
    }

    fn refusal(name: &str, text: &str) -> String {
        let folder = folder();
        load(&written(&folder, name, text)).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let folder = folder();
        let toml = "[[credential]]\nname = 'erp'\naccess_key_id = 'AK'\nsecret_access_key = '0123456789abcdef'\n";
        let json = r#"{"credential":[{"name":"erp","access_key_id":"AK","secret_access_key":"0123456789abcdef"}]}"#;
        for path in [written(&folder, "c.toml", toml), written(&folder, "c.json", json)] {
            let all = load(&path).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(all.secret("AK").map(SecretText::expose), Some("0123456789abcdef"));
        }
    }

    #[test]
    fn who_a_caller_is_at_the_sites_stands_below_them() {
        let folder = folder();
        let toml = "[[credential]]\nname = 'erp'\naccess_key_id = 'AK'\nsecret_access_key = '0123456789abcdef'\n\
                    [credential.at.primary]\naccess_key_id = 'P'\nsecret_access_key = 'p'\n\
                    [[credential]]\nname = 'scan'\naccess_key_id = 'SK'\nsecret_access_key = '0123456789abcdef'\n";
        let json = r#"{"credential":[
            {"name":"erp","access_key_id":"AK","secret_access_key":"0123456789abcdef",
             "at":{"primary":{"access_key_id":"P","secret_access_key":"p"}}},
            {"name":"scan","access_key_id":"SK","secret_access_key":"0123456789abcdef"}]}"#;
        for path in [written(&folder, "c.toml", toml), written(&folder, "c.json", json)] {
            let all = load(&path).unwrap_or_else(|e| panic!("{e}"));
            let found: Vec<_> = all
                .site_users()
                .flat_map(|(who, at)| at.iter().map(move |user| (&*who.name, &*user.site, &*user.access_key_id)))
                .collect();
            assert_eq!(found, [("erp", "primary", "P")]);
        }
        let empty = toml.replace("'p'", "''");
        let error = refusal("c.toml", &empty);
        assert!(error.contains("\"erp\"") && error.contains("at \"primary\""), "{error}");
    }

    #[test]
    fn a_saved_credential_loads_whatever_its_name_holds() {
        let folder = folder();
        let path = folder.path().join("credentials.toml");
        let mut credential = Credential::generate("x").unwrap_or_else(|e| panic!("{e}"));
        credential.name = "会计 \"quoted\" \\".to_owned();
        save_new(&path, &credential).unwrap_or_else(|e| panic!("{e}"));
        let all = load(&path).unwrap_or_else(|e| panic!("{e}"));
        let principal = all.principal(&credential.access_key_id);
        assert_eq!(principal.map(|p| p.name.to_string()), Some(credential.name.clone()));
        assert!(save_new(&path, &credential).is_err(), "a second save must not overwrite");
    }

    #[test]
    fn a_broken_file_names_its_line_and_shows_nothing_of_its_text() {
        let head = "[[credential]]\nname = 'erp'\naccess_key_id = 'AK'\n";
        for (tail, line, hint) in [
            ("secret_access_key = 31337\n", ":4:", "no text"),
            ("secret_access_key = 'hunter2-hunter2-hunter2\n", ":4:", "not readable"),
            ("hunter2 = 'x'\n", ":4:", "unknown field"),
            ("", ":1:", "missing field `secret_access_key`"),
        ] {
            let error = refusal("c.toml", &format!("{head}{tail}"));
            assert!(error.contains(line) && error.contains(hint), "{tail}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("31337"), "{error}");
        }
        let error = refusal("c.json", "{\"credential\":[\n{\"name\":5}]}");
        assert!(error.contains(":2:") && error.contains("no text"), "{error}");
    }

    #[test]
    fn an_empty_file_and_an_exposed_file_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        assert!(refusal("c.toml", "").contains("none is defined"));
        let folder = folder();
        let path = written(&folder, "c.toml", "");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap_or_else(|e| panic!("{e}"));
        assert!(load(&path).is_err_and(|e| e.to_string().contains("chmod 600")));
    }
}

//! Where a custodian's own secret lies: given once, or in a file that is read anew each time, so that somebody else may change it meanwhile.
use crate::keys::private;
use crate::secret::SecretText;
use std::path::PathBuf;

/// Bytes of the longest secret that is taken.
const LIMIT: u64 = 16 * 1024;

/// A secret, or where it lies. No `Debug`.
pub enum SecretSource {
    /// Given when the configuration was read.
    Given(SecretText),
    /// Alone in this file, of mode 0600 or stricter.
    File(PathBuf),
}

// === impl SecretSource ===

impl SecretSource {
    /// The secret as it is now, without white space around it.
    pub(super) fn read(&self) -> Result<SecretText, String> {
        let path = match self {
            Self::Given(secret) => return Ok(SecretText::new(secret.expose().to_owned())),
            Self::File(path) => path,
        };
        let bytes = private::read(path, LIMIT, "it is read at each use")?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?.trim();
        if text.is_empty() {
            return Err(format!("{} is empty", path.display()));
        }
        Ok(SecretText::new(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_read_each_time_and_only_when_it_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let source = SecretSource::File(path.clone());
        let now = || source.read().map(|secret| secret.expose().to_owned());
        assert!(now().is_err());
        for text in ["first", "second"] {
            std::fs::write(&path, format!(" {text}\n")).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
            assert_eq!(now().as_deref(), Ok(text));
        }
        std::fs::write(&path, " \n").expect("written");
        assert!(now().is_err_and(|e| e.contains("empty")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(now().is_err_and(|e| e.contains("chmod 600")));
    }
}

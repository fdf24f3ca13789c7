//! Files that hold secrets: read only when nobody else may read them, written so that nobody else can.
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest secret file read, bytes.
const MAX_LEN: u64 = 1024 * 1024;

/// Why a file with a secret was not read or written. Never holds its content.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// Others may read or change it.
    #[error("{path} may be read or changed by others (mode {mode:04o}); run `chmod 600 {path}`")]
    Exposed { path: PathBuf, mode: u32 },
    /// Not a regular file, too large, or not UTF-8.
    #[error("{path} {what}")]
    Unusable { path: PathBuf, what: &'static str },
}

/// Reads a text file whose mode gives group and others nothing (0600 or stricter).
///
/// # Errors
/// When it is missing, exposed, no regular file, larger than 1 MiB or not UTF-8.
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let io_error = |source| PrivateFileError::Io { path: path.to_owned(), source };
    let unusable = |what| PrivateFileError::Unusable { path: path.to_owned(), what };
    let file = fs::File::open(path).map_err(io_error)?;
    // The opened file is judged, not the name: no time passes between the look and the use.
    let metadata = file.metadata().map_err(io_error)?;
    if !metadata.is_file() {
        return Err(unusable("is not a regular file"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_LEN {
        return Err(unusable("is larger than 1 MiB; that is no file of secrets"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.take(MAX_LEN + 1).read_to_end(&mut bytes).map_err(io_error)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Writes a new file with mode 0600 and makes it durable; never overwrites.
///
/// # Errors
/// When the file exists already or cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<(), PrivateFileError> {
    let io_error = |source| PrivateFileError::Io { path: path.to_owned(), source };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io_error)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn what_is_written_is_private_and_reads_back() {
        let folder = folder();
        let path = folder.path().join("secret");
        write_private(&path, "text\n").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(fs::metadata(&path).map(|m| m.permissions().mode() & 0o777).ok(), Some(0o600));
        assert_eq!(read_private(&path).map(|t| t.to_string()).ok().as_deref(), Some("text\n"));
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let folder = folder();
        let path = folder.path().join("secret");
        write_private(&path, "first").unwrap_or_else(|e| panic!("{e}"));
        assert!(write_private(&path, "second").is_err());
        assert_eq!(read_private(&path).map(|t| t.to_string()).ok().as_deref(), Some("first"));
    }

    #[test]
    fn a_file_that_others_may_read_or_change_is_refused_with_the_fix() {
        let folder = folder();
        let path = folder.path().join("secret");
        write_private(&path, "text").unwrap_or_else(|e| panic!("{e}"));
        for mode in [0o640, 0o604, 0o620, 0o610, 0o644, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap_or_else(|e| panic!("{e}"));
            let error = read_private(&path).map(|_| String::new()).unwrap_or_else(|e| e.to_string());
            assert!(error.contains("chmod 600") && error.contains(&format!("{mode:04o}")), "{error}");
        }
    }

    #[test]
    fn folders_missing_files_and_binary_files_are_refused() {
        let folder = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(read_private(folder.path()), Err(PrivateFileError::Unusable { .. })));
        assert!(matches!(read_private(&folder.path().join("none")), Err(PrivateFileError::Io { .. })));
        let binary = folder.path().join("binary");
        write_private(&binary, "x").unwrap_or_else(|e| panic!("{e}"));
        fs::write(&binary, [0xff, 0xfe]).unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(read_private(&binary), Err(PrivateFileError::Unusable { .. })));
    }
}

//! A plain file under way: written under a temporary name, renamed when it is known to be right.
use crate::clock;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something is there already.
    #[error("{0} exists already; choose an empty output folder, or allow overwriting")]
    Exists(PathBuf),
}

/// Removes the temporary file when dropped unfinished.
pub(super) struct Target {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    overwrite: bool,
    finished: bool,
}

// === impl Target ===

impl Target {
    /// Starts the file that will be `path`; makes the folders above it.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<Self, TargetError> {
        refuse_existing(path, overwrite)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let fail = |path: &Path, source| TargetError::Io { path: path.to_owned(), source };
        if folder != Path::new("") {
            fs::create_dir_all(folder).map_err(|e| fail(folder, e))?;
        }
        // A name of its own length: the final name may already be as long as the file system allows.
        let mut random = [0u8; 8];
        clock::random(&mut random).map_err(|e| fail(path, io::Error::other(e)))?;
        let temporary = folder.join(format!(".strongroom-{}.partial", hex::encode(random)));
        // Plaintext that was sealed a moment ago: private until somebody decides otherwise.
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create_new(true).mode(0o600).open(&temporary).map_err(|e| fail(&temporary, e))?;
        Ok(Self { file, temporary, path: path.to_owned(), overwrite, finished: false })
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), TargetError> {
        self.file.write_all(bytes).map_err(|source| TargetError::Io { path: self.temporary.clone(), source })
    }

    /// Gives the file its time (seconds since the Unix epoch) and its name.
    pub(super) fn finish(mut self, written_at: u64) -> Result<(), TargetError> {
        let result = self.settle(written_at);
        result.map_err(|source| TargetError::Io { path: self.path.clone(), source })?;
        refuse_existing(&self.path, self.overwrite)?;
        fs::rename(&self.temporary, &self.path)
            .map_err(|source| TargetError::Io { path: self.path.clone(), source })?;
        self.finished = true;
        Ok(())
    }

    fn settle(&self, written_at: u64) -> io::Result<()> {
        if let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(written_at)) {
            self.file.set_modified(time)?;
        }
        self.file.sync_data()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing to be done about a failure here; the name says what the file is.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn refuse_existing(path: &Path, overwrite: bool) -> Result<(), TargetError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !overwrite || found.is_dir() => Err(TargetError::Exists(path.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"))
    }

    fn entries(folder: &tempfile::TempDir) -> usize {
        fs::read_dir(folder.path()).map(Iterator::count).unwrap_or(0)
    }

    fn begin(path: &Path, overwrite: bool) -> Target {
        let mut target = Target::create(path, overwrite).unwrap_or_else(|e| panic!("{e}"));
        target.write(b"plain").unwrap_or_else(|e| panic!("{e}"));
        target
    }

    #[test]
    fn a_finished_file_has_its_name_its_bytes_and_its_time() {
        let folder = folder();
        let path = folder.path().join("deep/er/name");
        begin(&path, false).finish(1_700_000_000).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(fs::read(&path).ok().as_deref(), Some(&b"plain"[..]));
        let modified = fs::metadata(&path).and_then(|m| m.modified()).ok();
        assert_eq!(modified, SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1_700_000_000)));
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_behind() {
        let folder = folder();
        drop(begin(&folder.path().join("name"), false));
        assert_eq!(entries(&folder), 0);
    }

    #[test]
    fn an_existing_file_is_kept_unless_overwriting_was_asked_for() {
        let folder = folder();
        let path = folder.path().join("name");
        fs::write(&path, "old").unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(Target::create(&path, false), Err(TargetError::Exists(_))));
        assert_eq!(fs::read(&path).ok().as_deref(), Some(&b"old"[..]));
        begin(&path, true).finish(0).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(fs::read(&path).ok().as_deref(), Some(&b"plain"[..]));
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_kept_too() {
        let folder = folder();
        let path = folder.path().join("name");
        let target = begin(&path, false);
        fs::write(&path, "other").unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(target.finish(0), Err(TargetError::Exists(_))));
        assert_eq!((fs::read(&path).ok().as_deref(), entries(&folder)), (Some(&b"other"[..]), 1));
    }

    #[test]
    fn a_name_as_long_as_the_file_system_allows_is_no_problem() {
        let folder = folder();
        begin(&folder.path().join("n".repeat(255)), false).finish(0).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(entries(&folder), 1);
    }
}

//! The state folder and its files: nobody else's to read.
use super::StateError;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Creates the folder (0700) or takes other people's rights away from it.
pub(super) fn prepare(folder: &Path) -> Result<(), StateError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| restrict(folder, 0o700)).map_err(|e| at(folder, &e))
}

/// Creates an empty database file (0600), durably, or restricts the one that is there. SQLite gives `-wal` and `-shm`
/// the mode of the file they belong to.
pub(super) fn prepare_file(folder: &Path, name: &str) -> Result<(), StateError> {
    let path = folder.join(name);
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    made.and_then(|_| restrict(&path, 0o600)).map_err(|e| at(&path, &e))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| at(folder, &e))
}

/// Removes a database with what SQLite keeps beside it.
pub(super) fn remove_file(folder: &Path, name: &str) -> Result<(), StateError> {
    for suffix in ["", "-wal", "-shm"] {
        let path = folder.join(format!("{name}{suffix}"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// Never widens: a stricter mode stays.
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    let found = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if found & !mode == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(found & mode))
}

pub(super) fn at(path: &Path, error: &io::Error) -> StateError {
    StateError(format!("{}: {error}", path.display()))
}

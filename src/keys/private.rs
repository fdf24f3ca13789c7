//! Files of roots and envelopes: read only when nobody else may use them; written beside and then put in place, so that a running proxy never
//! sees half of one.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The content of a file of mode 0600 or stricter, at most `limit` bytes of it. The error says what is wrong, and never what is in it.
pub(super) fn read(path: &Path, limit: u64, what_makes_one: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let failed = |e: io::Error| format!("{shown}: {e} ({what_makes_one})");
    let file = File::open(path).map_err(failed)?;
    // Of the open file, so that it cannot be exchanged between the check and the read.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o7177 != 0 {
        return Err(format!("{shown} has mode {mode:04o}, others may use it: run `chmod 600 {shown}`"));
    }
    // Room for all of it first, so that no copy is left behind by a reallocation.
    let mut text = Zeroizing::new(Vec::with_capacity(limit as usize));
    file.take(limit).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Writes a new file, durably; never overwrites.
pub(super) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    // A link, unlike a rename, never replaces.
    let linked = written(&beside, content).and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    linked?;
    sync_folder(path)
}

/// Writes a file in the place of another, durably: whoever reads it has the old one or the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let renamed = written(&beside, content).and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed?;
    sync_folder(path)
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    beside.into()
}

/// Written, synced and read back.
fn written(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    let back = Zeroizing::new(fs::read(path)?);
    if back.as_slice() == content { Ok(()) } else { Err(io::Error::other("what was written does not read back")) }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

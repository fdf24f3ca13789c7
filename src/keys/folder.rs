//! The keyring out of a folder: what `rclone sync` of a system bucket leaves.
use super::document::{DocumentError, PREFIX};
use super::settle::Settled;
use super::{KeyError, Roots};
use crate::seal::{SealError, VaultKeyId};
use crate::site::SMALL_LIMIT;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Every key in `FOLDER/keyring/v1/`, or in `FOLDER` itself where there is no such folder.
///
/// # Errors
/// See [`super::Keyring::open_folder`].
pub(super) fn read(roots: &Roots, folder: &Path) -> Result<BTreeMap<VaultKeyId, Settled>, KeyError> {
    let nested = folder.join(PREFIX);
    let nested = nested.is_dir().then_some(nested);
    // In a folder of the operator's own making, files that are no keyring objects may lie about.
    let lenient = nested.is_none();
    let folder = nested.as_deref().unwrap_or(folder);
    let shown = || folder.display().to_string();
    let unreadable = |e: io::Error| KeyError::Unsettled(format!("{}: {e}", shown()));
    let mut settled = BTreeMap::new();
    for file in std::fs::read_dir(folder).map_err(unreadable)? {
        let file = file.map_err(unreadable)?;
        let Some(id) = file.file_name().to_str().and_then(|name| VaultKeyId::parse(name).ok()) else { continue };
        if !file.path().is_file() {
            continue;
        }
        let sealed = small_file(&file.path()).map_err(unreadable)?;
        match roots.open(&id, &sealed) {
            Ok(document) => drop(settled.insert(id, Settled { document, sealed })),
            Err(DocumentError::Closed(SealError::NotSealed(_))) if lenient => {}
            Err(DocumentError::Closed(source)) => return Err(KeyError::WrongRoot { site: shown(), source }),
            Err(DocumentError::Malformed(detail)) => return Err(KeyError::Malformed { site: shown(), detail }),
        }
    }
    if settled.is_empty() {
        return Err(KeyError::Unsettled(format!(
            "there is no keyring in {}: copy the objects under {PREFIX} of a site's system bucket there",
            shown()
        )));
    }
    Ok(settled)
}

fn small_file(path: &Path) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SMALL_LIMIT).read_to_end(&mut bytes)?;
    Ok(Bytes::from(bytes))
}

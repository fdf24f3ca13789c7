//! The keyring without the proxy: out of a copy of one site's system bucket; the site is only read.
use super::system_copy::{self, CopyError};
use crate::clock::{self, RandomError};
use crate::keys::{KeyError, Keyring, Roots};
use crate::s3::BucketName;
use crate::site::Site;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Why a site's keyring does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// It cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// It does not open with this root key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No name for a temporary folder.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// No temporary folder.
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
}

/// Opens the keyring of one site; `None` when there is none yet.
///
/// # Errors
/// When the site cannot be read or the keyring opens with none of these root keys.
pub async fn open(site: &Site, system_bucket: &BucketName, roots: Roots) -> Result<Option<Keyring>, RingError> {
    let mut random = [0u8; 8];
    clock::random(&mut random)?;
    let folder = std::env::temp_dir().join(format!("strongroom-keyring-{}", hex::encode(random)));
    DirBuilder::new().mode(0o700).create(&folder).map_err(|e| RingError::Folder(folder.clone(), e))?;
    let copied = system_copy::copy(site, system_bucket, &folder).await;
    let opened = match copied {
        Ok(0) => Ok(None),
        Ok(_) => Keyring::open_folder(roots, &folder).map(Some).map_err(RingError::from),
        Err(error) => Err(error.into()),
    };
    // It holds sealed bytes only; a leftover harms nobody.
    let _ = std::fs::remove_dir_all(&folder);
    opened
}

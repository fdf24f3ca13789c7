//! Vault keys: the root key wraps vault-key versions; they live in the keyring, a few small sealed objects in the system bucket of
//! every site, changed by conditional writes. A site plus the root key rebuild everything.
//!
//! | file | holds |
//! |---|---|
//! | [`root`] | the root key: file or environment |
//! | [`record`] | one vault key's file: its versions, serial, sealing |
//! | [`copies`] | what each site holds, and which copy is right |
//! | [`ring`] | the opened keyring: lookups without I/O |
mod copies;
mod record;
mod ring;
mod root;

#[cfg(test)]
mod tests;

use crate::seal::{Entropy, SealError};
use crate::site::SiteError;
pub use ring::Keyring;
pub use root::{RootKey, RootSource};

/// What can go wrong with keys. Maps to S3's KMS codes in `gateway::respond`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No such key or version.
    #[error("vault key {0} version {1} is not in the keyring")]
    NotFound(String, u32),
    /// The keyring at a site does not open under this root key.
    #[error("the keyring at site {site} does not open with this root key: {source}")]
    WrongRoot {
        /// The site.
        site: String,
        /// What sealing said.
        source: SealError,
    },
    /// A site could not be asked, and without its answer it is not safe to go on.
    #[error("the keyring cannot be settled: {0}")]
    Unsettled(String),
    /// Sites hold different keyrings that cannot be reconciled.
    #[error("the sites' keyrings contradict each other: {0}")]
    Conflict(String),
    /// The root key is unusable (missing, zero, wrong length, readable by others).
    #[error("root key: {0}")]
    Root(String),
    /// A site failed.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Randomness from the operating system.
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
        crate::clock::random(out).map_err(|_| SealError::NoEntropy)
    }
}

//! Vault keys: the root key wraps vault-key versions; they live in the keyring, a few small sealed objects in
//! the system bucket of every site, changed by conditional writes.
//!
//! CONTRACT SKELETON.
use crate::s3::BucketName;
use crate::seal::{Entropy, SealError, VaultKey, VaultKeyId, VaultKeyRef};
use crate::secret::SecretBytes;
use crate::site::{SiteError, Sites};
use std::sync::Arc;

/// What can go wrong with keys. Maps to S3's KMS codes in `gateway::respond`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No such key or version.
    #[error("vault key {0} version {1} is not in the keyring")]
    NotFound(String, u32),
    /// The keyring at a site does not open under this root key.
    #[error("the keyring at site {site} does not open with this root key: {source}")]
    WrongRoot { site: String, source: SealError },
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

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// A file with 64 hex digits, mode 0600 or stricter.
    File(std::path::PathBuf),
    /// An environment variable with 64 hex digits.
    Environment(String),
}

/// The root key: 32 secret bytes and a public fingerprint.
pub struct RootKey(pub SecretBytes<32>);

#[allow(unused_variables)]
impl RootKey {
    /// Loads and checks it.
    pub fn load(source: &RootSource) -> Result<Self, KeyError> {
        unimplemented!()
    }
    /// Makes a new one and writes it to `path` (0600, never overwrites).
    pub fn create(path: &std::path::Path, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        unimplemented!()
    }
}

/// The opened keyring, in memory. Lookups never do I/O.
pub struct Keyring {}

#[allow(unused_variables)]
impl Keyring {
    /// Reads the keyring from every reachable site, reconciles copies, creates what `wanted` lacks (only when
    /// it is certain that no site holds it), verifies by unwrapping, writes stale copies anew.
    pub async fn open(
        root: RootKey,
        sites: &Sites,
        system_bucket: &BucketName,
        wanted: &[VaultKeyId],
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyError> {
        unimplemented!()
    }
    /// From a folder that holds the system bucket's objects (offline: `unseal`).
    pub fn open_folder(root: RootKey, folder: &std::path::Path) -> Result<Self, KeyError> {
        unimplemented!()
    }
    /// The newest enabled version, for sealing.
    pub fn for_sealing(&self, id: &VaultKeyId) -> Result<Arc<VaultKey>, KeyError> {
        unimplemented!()
    }
    /// Exactly this version, for opening.
    pub fn for_opening(&self, reference: &VaultKeyRef) -> Result<Arc<VaultKey>, KeyError> {
        unimplemented!()
    }
    /// Tries again to bring stale or missing copies up to date; how many sites still lack one.
    pub async fn sync_copies(&self, sites: &Sites) -> usize {
        unimplemented!()
    }
}

/// Randomness from the operating system.
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
        crate::clock::random(out).map_err(|_| SealError::NoEntropy)
    }
}

//! What can go wrong with keys, in words that say what to do.
use super::state::{KeyState, Use};
use super::tally::Counted;
use crate::seal::{SealError, VaultKeyRef};
use crate::site::SiteError;

/// What can go wrong with keys. Maps to S3's KMS codes in `gateway::respond`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No such key or version.
    #[error("vault key {0} version {1} is not in the keyring")]
    NotFound(String, u32),
    /// The key is there and may not be used in the state that it is in.
    #[error("vault key {0} is {1}")]
    State(String, KeyState),
    /// No key may be used: the custodians of the root do not let it be used.
    #[error("no vault key may be used now: {0}")]
    Withheld(&'static str),
    /// The root is missing, so nothing is sealed.
    #[error("nothing can be written now: no custodian can be asked for the root key ({0})")]
    ReadOnly(String),
    /// The key lies under a root that is missing, or may.
    #[error("vault key {0} does not open now: no custodian can be asked for a root key that it may lie under ({1})")]
    OutOfReach(String, String),
    /// The key's newest version has sealed as much as it may, and there is no newer one yet.
    #[error(
        "vault key {key} has sealed as many {what} under version {version} as it may, and cannot be rotated now ({why}); until then it only opens. \
         See `strongroom key show {key}`"
    )]
    Spent {
        /// Its name.
        key: String,
        /// Its newest version.
        version: u32,
        /// Objects or bytes.
        what: Counted,
        /// Why there is no newer one.
        why: String,
    },
    /// What is not counted is not sealed.
    #[error("what is sealed under vault keys cannot be counted now: {0}")]
    Uncounted(String),
    /// A limit of the key does not let this caller use it.
    #[error("vault key {0} may not be used by {1:?} to {2}")]
    Forbidden(String, String, Use),
    /// A change that the key's state does not allow.
    #[error("vault key {0}: {1}")]
    Refused(String, String),
    /// The keyring at a site does not open under this root key.
    #[error(
        "the keyring at site {site} does not open with this root key: {source}. Start with the root key that made the \
         keyring (the log names its fingerprint at every start); if the object itself was damaged, put it back from a \
         copy of that site's system bucket. Nothing was changed"
    )]
    WrongRoot {
        /// The site (or folder) whose copy does not open.
        site: String,
        /// Why.
        source: SealError,
    },
    /// A keyring object opens under the root key and does not make sense.
    #[error("the keyring at site {site} opens but cannot be used: {detail}")]
    Malformed {
        /// The site (or folder).
        site: String,
        /// What is wrong. Never key material.
        detail: String,
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

// === impl KeyError ===

impl KeyError {
    /// [`KeyError::Spent`], of this version.
    pub(super) fn spent(key: &VaultKeyRef, what: Counted, why: impl Into<String>) -> Self {
        Self::Spent { key: key.id.as_str().to_owned(), version: key.version, what, why: why.into() }
    }
}

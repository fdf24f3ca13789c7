//! One vault key's file in the keyring: JSON, sealed under the root key and bound to its own name.
//!
//! ```json
//! {"format":1,"id":"default","serial":1,"versions":[{"version":1,"state":"enabled","created":"2026-01-01T00:00:00Z","key":"<64 hex>"}]}
//! ```
use super::{KeyError, RootKey};
use crate::seal::{Entropy, SealError, VaultKey, VaultKeyId, VaultKeyRef, open_blob, seal_blob};
use crate::secret::SecretBytes;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const FORMAT: u32 = 1;

/// Where a key's file lies in the system bucket; its name is also what its seal is bound to.
pub(super) const PREFIX: &str = "keyring/v1/";

/// A key's file, opened. No `Debug`; zeroised on drop.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    pub(super) id: String,
    /// Raised by every change: the newest copy has the highest.
    pub(super) serial: u64,
    versions: Vec<Version>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Version {
    version: u32,
    state: State,
    created: String,
    key: String,
}

#[derive(Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum State {
    Enabled,
}

impl Zeroize for State {
    fn zeroize(&mut self) {}
}

// === impl Record ===

impl Record {
    /// A new key with one version.
    pub(super) fn create(id: &VaultKeyId, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        let created = crate::clock::now().format(&time::format_description::well_known::Rfc3339);
        let created = created.map_err(|error| KeyError::Unsettled(format!("the clock: {error}")))?;
        let version = Version { version: 1, state: State::Enabled, created, key: hex::encode(bytes.as_slice()) };
        Ok(Self { format: FORMAT, id: id.as_str().to_owned(), serial: 1, versions: vec![version] })
    }

    pub(super) fn seal(&self, root: &RootKey, entropy: &dyn Entropy) -> Result<Vec<u8>, KeyError> {
        // Room for all of it at once, so that no copy is left behind by a reallocation.
        let mut json = Zeroizing::new(Vec::with_capacity(256 + 256 * self.versions.len()));
        serde_json::to_writer(&mut *json, self)
            .map_err(|error| KeyError::Unsettled(format!("encoding a key: {error}")))?;
        Ok(seal_blob(&root.0, &label(&self.id), &json, entropy)?)
    }

    pub(super) fn open(root: &RootKey, id: &str, sealed: &[u8]) -> Result<Self, SealError> {
        let json = open_blob(&root.0, &label(id), sealed)?;
        let record: Self = serde_json::from_slice(&json).map_err(|_| SealError::Malformed("a keyring file"))?;
        if record.format != FORMAT {
            return Err(SealError::Unsupported("keyring format"));
        }
        if record.id != id || record.versions.is_empty() {
            return Err(SealError::Malformed("a keyring file"));
        }
        Ok(record)
    }

    /// Every version, ready for use, oldest first.
    pub(super) fn keys(&self) -> Result<Vec<VaultKey>, SealError> {
        let id = VaultKeyId::parse(&self.id)?;
        let key = |version: &Version| {
            let mut bytes = Zeroizing::new([0u8; 32]);
            hex::decode_to_slice(&version.key, bytes.as_mut_slice())
                .map_err(|_| SealError::Malformed("a keyring file"))?;
            VaultKey::new(VaultKeyRef { id: id.clone(), version: version.version }, SecretBytes::new(*bytes))
        };
        let mut keys = self.versions.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(|key| key.reference.version);
        let twice = keys.windows(2).any(|pair| pair[0].reference.version == pair[1].reference.version);
        if twice { Err(SealError::Malformed("a keyring file names a version twice")) } else { Ok(keys) }
    }
}

fn label(id: &str) -> String {
    format!("{PREFIX}{id}")
}

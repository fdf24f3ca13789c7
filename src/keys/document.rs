//! A keyring object: one vault key, all its versions.
//!
//! ```text
//! {"format":1,"id":"default","serial":1,"versions":[
//!   {"version":1,"state":"enabled","created":"2026-08-01T12:00:00Z","key":"64 hex digits"}]}
//! ```
//! sealed under the root key with its object key as the label, so that a copy put in another key's place does not open.
use crate::seal::{Entropy, SealError, VaultKey, VaultKeyId, VaultKeyRef, open_blob, seal_blob};
use crate::secret::SecretBytes;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

/// The prefix of every keyring object.
pub(super) const PREFIX: &str = "keyring/v1/";
/// The one format this build reads and writes.
const FORMAT: u32 = 1;

/// What a keyring object says. No `Debug`: it holds keys.
#[derive(Deserialize, Serialize)]
pub(super) struct Document {
    format: u32,
    id: String,
    /// Raised by every change; the highest authentic copy counts.
    pub(super) serial: u64,
    versions: Vec<Version>,
}

#[derive(Deserialize, Serialize)]
struct Version {
    version: u32,
    state: VersionState,
    created: String,
    key: Secret,
}

/// What a version may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum VersionState {
    /// Sealing and opening.
    Enabled,
    /// Neither, for now.
    Disabled,
}

/// 32 bytes as 64 hex digits, never in a `String` of its own.
struct Secret(SecretBytes<32>);

/// One version, ready for use.
pub(super) struct Usable {
    pub(super) state: VersionState,
    pub(super) key: VaultKey,
}

/// Why an object is no keyring document.
pub(super) enum DocumentError {
    /// It does not open: another root key, another place, or damage.
    Closed(SealError),
    /// It opens and makes no sense.
    Malformed(String),
}

/// The object key (and label) of a vault key.
pub(super) fn object_name(id: &VaultKeyId) -> String {
    format!("{PREFIX}{}", id.as_str())
}

// === impl Document ===

impl Document {
    /// A new key with one version of fresh randomness.
    ///
    /// # Errors
    /// [`SealError::NoEntropy`].
    pub(super) fn create(id: &VaultKeyId, now: OffsetDateTime, entropy: &dyn Entropy) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let key = Secret(SecretBytes::new(*bytes));
        let created = now.format(&Rfc3339).unwrap_or_default();
        let version = Version { version: 1, state: VersionState::Enabled, created, key };
        Ok(Self { format: FORMAT, id: id.as_str().to_owned(), serial: 1, versions: vec![version] })
    }

    /// Sealed for the system bucket.
    ///
    /// # Errors
    /// As [`seal_blob`].
    pub(super) fn seal(
        &self,
        root: &SecretBytes<32>,
        id: &VaultKeyId,
        entropy: &dyn Entropy,
    ) -> Result<Bytes, SealError> {
        // Large enough from the start: growing would leave copies of keys behind.
        let mut text = Zeroizing::new(Vec::with_capacity(512 + 256 * self.versions.len()));
        serde_json::to_writer(&mut *text, self).map_err(|_| SealError::Malformed("keyring"))?;
        seal_blob(root, &object_name(id), &text, entropy).map(Bytes::from)
    }

    /// Opens and checks a copy.
    pub(super) fn open(root: &SecretBytes<32>, id: &VaultKeyId, sealed: &[u8]) -> Result<Self, DocumentError> {
        let text = open_blob(root, &object_name(id), sealed).map_err(DocumentError::Closed)?;
        // serde's own message could quote the text, which holds keys.
        let parsed: Self = serde_json::from_slice(&text).map_err(|e| {
            DocumentError::Malformed(format!("not a keyring document of format 1 (column {})", e.column()))
        })?;
        parsed.check(id).map(|()| parsed).map_err(DocumentError::Malformed)
    }

    fn check(&self, id: &VaultKeyId) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {} (this build knows {FORMAT}): start a newer build", self.format));
        }
        if self.id != id.as_str() {
            return Err(format!("the object of key {} speaks of key {}", id.as_str(), self.id));
        }
        if self.versions.is_empty() {
            return Err(format!("key {} has no versions", id.as_str()));
        }
        let ascending = self.versions.windows(2).all(|pair| pair[0].version < pair[1].version);
        if self.versions[0].version == 0 || !ascending {
            return Err(format!("the versions of key {} are not numbered upwards from 1", id.as_str()));
        }
        match self.versions.iter().find(|version| version.key.0.is_zero()) {
            Some(zero) => Err(format!("version {} of key {} is all zero", zero.version, id.as_str())),
            None => Ok(()),
        }
    }

    /// The versions, oldest first.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for a key that must not be used.
    pub(super) fn usable(&self, id: &VaultKeyId) -> Result<Vec<Usable>, SealError> {
        let usable = |version: &Version| {
            let reference = VaultKeyRef { id: id.clone(), version: version.version };
            let key = VaultKey::new(reference, version.key.0.duplicate())?;
            Ok(Usable { state: version.state, key })
        };
        self.versions.iter().map(usable).collect()
    }

    /// True when both say the same, keys included. The sealed forms differ all the same (random nonces).
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.serial == other.serial
            && self.versions.len() == other.versions.len()
            && self.versions.iter().zip(&other.versions).all(|(a, b)| {
                let same: bool = a.key.0.expose().ct_eq(b.key.0.expose()).into();
                same && (a.version, a.state) == (b.version, b.state)
            })
    }
}

// === impl Secret ===

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = Zeroizing::new([0u8; 64]);
        hex::encode_to_slice(self.0.expose(), digits.as_mut()).map_err(ser::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(digits.as_ref()).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HexVisitor)
    }
}

/// Decodes straight from the parser's buffer.
struct HexVisitor;

impl de::Visitor<'_> for HexVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("64 hex digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text, bytes.as_mut()).map_err(|_| E::custom("not 64 hex digits"))?;
        Ok(Secret(SecretBytes::new(*bytes)))
    }
}

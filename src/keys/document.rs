//! A keyring object: one vault key, all its versions.
//!
//! ```text
//! {"format":1,"id":"default","serial":1,"versions":[
//!   {"version":1,"state":"enabled","created":"2026-08-01T12:00:00Z","key":"64 hex digits"}]}
//! ```
//! sealed under the root key (`FORMAT.md`, section 8: format 2 has the members of a key's life besides) with its object key as the label, so that a copy put in another key's place does not open.
use super::RootKey;
use super::roots::Sealing;
use super::state::{KeyState, Limits};
use crate::seal::{Entropy, SealError, VaultKey, VaultKeyId, VaultKeyRef, open_blob, seal_blob};
use crate::secret::SecretBytes;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

/// The prefix of every keyring object.
pub(super) const PREFIX: &str = "keyring/v1/";
/// What a key is as long as nothing was ever changed about it.
const FORMAT: u32 = 1;
/// With any of the members below `versions`: a build that does not know them must not take the key for an enabled one.
const FORMAT_OF_CHANGED: u32 = 2;

/// What a keyring object says. No `Debug`: it holds keys.
#[derive(Deserialize, Serialize)]
pub(super) struct Document {
    format: u32,
    id: String,
    /// Raised by every change; the highest authentic copy counts.
    pub(super) serial: u64,
    versions: Vec<Version>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) state: KeyState,
    /// While deletion is pending: when the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) window_ends: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) limits: Limits,
    /// The last change, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<Changed>,
    /// Fingerprints of the roots under which the keyring lay before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) past_roots: Vec<String>,
    /// Of a destroyed key: the last root that could open its versions. Until that root is gone, an old copy brings them back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shredded_under: Option<String>,
    /// What it is sealed under; always there in an opened or new one.
    #[serde(skip)]
    pub(super) under: Option<Arc<RootKey>>,
}

/// Who changed a key last, when and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Changed {
    /// RFC 3339, UTC.
    pub at: String,
    /// As the command was told, or `USER@HOST`.
    pub by: String,
    /// The change.
    pub what: String,
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
pub enum VersionState {
    /// Sealing and opening.
    Enabled,
    /// Neither, for now.
    Disabled,
}

/// How a version stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: VersionState,
    /// There is a newer one that seals.
    pub(super) is_replaced: bool,
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
    pub(super) fn create(
        id: &VaultKeyId,
        now: OffsetDateTime,
        sealing: Sealing,
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let key = Secret(SecretBytes::new(*bytes));
        let created = now.format(&Rfc3339).unwrap_or_default();
        let version = Version { version: 1, state: VersionState::Enabled, created, key };
        Ok(Self {
            format: if sealing.past.is_empty() { FORMAT } else { FORMAT_OF_CHANGED },
            id: id.as_str().to_owned(),
            serial: 1,
            versions: vec![version],
            state: KeyState::Enabled,
            window_ends: None,
            limits: Limits::default(),
            changed: None,
            past_roots: sealing.past,
            shredded_under: None,
            under: Some(sealing.root),
        })
    }

    /// The next serial of the same key, to be changed.
    pub(super) fn next(&self, changed: Changed) -> Self {
        let copy = |version: &Version| Version {
            version: version.version,
            state: version.state,
            created: version.created.clone(),
            key: Secret(version.key.0.duplicate()),
        };
        Self {
            format: FORMAT_OF_CHANGED,
            id: self.id.clone(),
            serial: self.serial + 1,
            versions: self.versions.iter().map(copy).collect(),
            state: self.state,
            window_ends: self.window_ends.clone(),
            limits: self.limits.clone(),
            changed: Some(changed),
            past_roots: self.past_roots.clone(),
            shredded_under: self.shredded_under.clone(),
            under: self.under.clone(),
        }
    }

    /// Adds a version of fresh randomness; from now on it seals.
    ///
    /// # Errors
    /// [`SealError::NoEntropy`].
    pub(super) fn add_version(&mut self, now: OffsetDateTime, entropy: &dyn Entropy) -> Result<(), SealError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let version = self.versions.last().map_or(1, |last| last.version + 1);
        let created = now.format(&Rfc3339).unwrap_or_default();
        let key = Secret(SecretBytes::new(*bytes));
        self.versions.push(Version { version, state: VersionState::Enabled, created, key });
        Ok(())
    }

    /// Forgets every version's key.
    pub(super) fn shred(&mut self) {
        self.versions.clear();
        self.shredded_under = Some(self.root_fingerprint());
    }

    /// How a version stands; `None` when there is none of this number (any more).
    pub(super) fn standing(&self, version: u32) -> Option<Standing> {
        let state = self.versions.iter().find(|known| known.version == version)?.state;
        let mut newer = self.versions.iter().filter(|other| other.version > version);
        Some(Standing { state, is_replaced: newer.any(|other| other.state == VersionState::Enabled) })
    }

    /// Puts a version into this state.
    pub(super) fn set_version(&mut self, version: u32, state: VersionState) {
        self.versions.iter_mut().filter(|known| known.version == version).for_each(|known| known.state = state);
    }

    /// Forgets a version's key. Its number is not used again, because the newest version stays.
    pub(super) fn forget_version(&mut self, version: u32) {
        self.versions.retain(|known| known.version != version);
    }

    /// The fingerprint of the root that it is sealed under.
    pub(super) fn root_fingerprint(&self) -> String {
        self.under.as_ref().map(|root| root.fingerprint()).unwrap_or_default()
    }

    /// Number, state and time of making of every version, oldest first.
    pub(super) fn outline(&self) -> impl Iterator<Item = (u32, VersionState, &str)> {
        self.versions.iter().map(|version| (version.version, version.state, version.created.as_str()))
    }

    /// Sealed for the system bucket.
    ///
    /// # Errors
    /// As [`seal_blob`].
    pub(super) fn seal(&self, id: &VaultKeyId, entropy: &dyn Entropy) -> Result<Bytes, SealError> {
        let root = &self.under.as_ref().ok_or(SealError::BadKey("no root to seal under"))?.0;
        // Large enough from the start: growing would leave copies of keys behind.
        let mut text = Zeroizing::new(Vec::with_capacity(512 + 256 * self.versions.len()));
        serde_json::to_writer(&mut *text, self).map_err(|_| SealError::Malformed("keyring"))?;
        seal_blob(root, &object_name(id), &text, entropy).map(Bytes::from)
    }

    /// Opens and checks a copy.
    pub(super) fn open(root: &Arc<RootKey>, id: &VaultKeyId, sealed: &[u8]) -> Result<Self, DocumentError> {
        let text = open_blob(&root.0, &object_name(id), sealed).map_err(DocumentError::Closed)?;
        // serde's own message could quote the text, which holds keys.
        let mut parsed: Self = serde_json::from_slice(&text).map_err(|e| {
            DocumentError::Malformed(format!("not a keyring document of format 1 (column {})", e.column()))
        })?;
        parsed.under = Some(root.clone());
        parsed.check(id).map(|()| parsed).map_err(DocumentError::Malformed)
    }

    fn check(&self, id: &VaultKeyId) -> Result<(), String> {
        if ![FORMAT, FORMAT_OF_CHANGED].contains(&self.format) {
            return Err(format!(
                "format {} (this build knows {FORMAT} and {FORMAT_OF_CHANGED}): start a newer build",
                self.format
            ));
        }
        if self.id != id.as_str() {
            return Err(format!("the object of key {} speaks of key {}", id.as_str(), self.id));
        }
        if self.versions.is_empty() != (self.state == KeyState::Destroyed) {
            return Err(format!("key {} is {} and has {} versions", id.as_str(), self.state, self.versions.len()));
        }
        let ascending = self.versions.windows(2).all(|pair| pair[0].version < pair[1].version);
        if self.versions.first().is_some_and(|first| first.version == 0) || !ascending {
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
        (self.serial, self.state, &self.window_ends) == (other.serial, other.state, &other.window_ends)
            && self.limits == other.limits
            && self.versions.len() == other.versions.len()
            && self.versions.iter().zip(&other.versions).all(|(a, b)| {
                let same: bool = a.key.0.expose().ct_eq(b.key.0.expose()).into();
                same && (a.version, a.state) == (b.version, b.state)
            })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

//! Sealed user metadata: one text for one backend header.
//!
//! ```text
//! value := base64url without padding of ( version 1 || salt[24] || AEAD(key, nonce, no AAD, plain) || tag[16] )
//! ```
//! The trailer keeps the tag, so a value of another version of the object is noticed.
use super::aead::{Aead, Fast, TAG};
use super::derive::{Derived, SALT};
use super::error::SealError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const VERSION: u8 = 1;
/// Most bytes of plain metadata.
const MAX: usize = 16 * 1024;

/// Sealed user metadata: `value` goes into one backend metadata header (base64url text).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMetadata {
    /// Text for the backend's metadata header.
    pub value: String,
    /// What the trailer remembers of it.
    pub tag: [u8; 16],
}

/// A parsed value: at least a version, a salt and a tag.
pub(super) struct Parsed(Vec<u8>);

pub(super) fn seal(derived: &Derived, salt: &[u8; SALT], plain: &[u8]) -> Result<SealedMetadata, SealError> {
    if plain.len() > MAX {
        return Err(SealError::TooLarge("metadata ends at 16 KiB"));
    }
    let mut out = Vec::with_capacity(1 + SALT + plain.len() + TAG);
    out.push(VERSION);
    out.extend_from_slice(salt);
    out.extend_from_slice(plain);
    let tag = Fast::new(&derived.key)?.seal(derived.nonce, &[], &mut out[1 + SALT..])?;
    out.extend_from_slice(&tag);
    Ok(SealedMetadata { value: URL_SAFE_NO_PAD.encode(out), tag })
}

pub(super) fn parse(value: &str) -> Result<Parsed, SealError> {
    let bytes =
        URL_SAFE_NO_PAD.decode(value).map_err(|_| SealError::Authentication("the metadata is not base64url"))?;
    match bytes.first() {
        Some(&VERSION) if bytes.len() >= 1 + SALT + TAG && bytes.len() <= 1 + SALT + MAX + TAG => Ok(Parsed(bytes)),
        Some(&VERSION) => Err(SealError::Authentication("the metadata has an impossible length")),
        _ => Err(SealError::Unsupported("metadata version")),
    }
}

pub(super) fn open(derived: &Derived, mut sealed: Parsed) -> Result<Vec<u8>, SealError> {
    let opened = Fast::new(&derived.key)?.open(derived.nonce, &[], &mut sealed.0[1 + SALT..]);
    let plain = opened.map_err(|_| SealError::Authentication("the metadata does not authenticate"))?;
    Ok(plain.to_vec())
}

// === impl Parsed ===

impl Parsed {
    pub(super) fn salt(&self) -> &[u8; SALT] {
        // `parse` made sure of the length; the zero salt could only fail to authenticate.
        self.0[1..].first_chunk().unwrap_or(&[0; SALT])
    }

    pub(super) fn tag(&self) -> [u8; TAG] {
        self.0.last_chunk().copied().unwrap_or_default()
    }
}

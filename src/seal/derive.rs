//! Every derivation and every label, in one place. HKDF is RFC 5869's with SHA-512.
//!
//! DEKs, vault keys and root keys are uniformly random 32-byte keys, so Expand is used on them directly, as C2SP's
//! chunked-encryption does (HMAC pads a 32-byte key with zeros to its block, so does [`Expander`]).
//!
//! ```text
//! id[17]    = suite[1] || object id[16]
//! message:  key[32] || base nonce[12] || commitment[32] = Expand(DEK, CHUNKED || salt[24] || MESSAGE || id)
//! trailer:  key[32] || nonce[12] || commitment[32]      = Expand(DEK, TRAILER || id || trailer salt[24])
//! index:    key[32] || nonce[12]                        = Expand(DEK, INDEX || id || trailer salt[24])
//! metadata: key[32] || nonce[12]                        = Expand(DEK, METADATA || id || salt[24])
//! part:     key[32] || nonce[12]                        = Expand(DEK, PART || id || salt[24])
//! wrap:     key[32]                                     = Expand(vault key, WRAP || id)
//! blob:     key[32] || nonce[12]                        = Expand(root key, BLOB || salt[24])
//! ```
use super::aead::NONCE;
use super::error::SealError;
use crate::secret::SecretBytes;
use sha2::Sha512;
use zeroize::Zeroizing;

/// Suite 1: AES-256-GCM with HKDF-SHA-512.
pub(super) const SUITE_AES: u8 = 1;
/// Bytes of every salt.
pub(super) const SALT: usize = 24;
/// Bytes of a key commitment.
pub(super) const COMMITMENT: usize = 32;

/// C2SP chunked-encryption's label, the AEAD's IANA name and a zero byte.
pub(super) const CHUNKED: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
pub(super) const MESSAGE: &[u8] = b"strongroom.v1.message";
pub(super) const TRAILER: &[u8] = b"strongroom.v1.trailer";
pub(super) const INDEX: &[u8] = b"strongroom.v1.index";
pub(super) const METADATA: &[u8] = b"strongroom.v1.metadata";
pub(super) const PART: &[u8] = b"strongroom.v1.part";
pub(super) const WRAP: &[u8] = b"strongroom.v1.wrap";
pub(super) const BLOB: &[u8] = b"strongroom.v1.blob";

/// HKDF-Expand under one key, its HMAC key schedule done once.
pub(super) struct Expander(hkdf::Hkdf<Sha512>);

/// A derived key and nonce, and for messages and trailers the commitment.
pub(super) struct Derived {
    pub(super) key: SecretBytes<32>,
    pub(super) nonce: [u8; NONCE],
    pub(super) commitment: [u8; COMMITMENT],
}

/// The suite and object id that every derivation of an object is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity([u8; 17]);

// === impl Expander ===

impl Expander {
    /// Under a 32-byte key; the zero key is refused.
    pub(super) fn new(key: &SecretBytes<32>) -> Result<Self, SealError> {
        if key.is_zero() {
            return Err(SealError::BadKey("all bytes are zero"));
        }
        let mut padded = Zeroizing::new([0u8; 64]);
        padded[..32].copy_from_slice(key.expose());
        hkdf::Hkdf::from_prk(padded.as_slice()).map(Self).map_err(|_| SealError::BadKey("length"))
    }

    /// Key, nonce and commitment for the concatenation of `info`.
    pub(super) fn derive(&self, info: &[&[u8]]) -> Result<Derived, SealError> {
        let mut out = Zeroizing::new([0u8; 32 + NONCE + COMMITMENT]);
        self.0.expand_multi_info(info, out.as_mut_slice()).map_err(|_| SealError::Malformed("derivation length"))?;
        let mut derived = Derived { key: SecretBytes::new([0; 32]), nonce: [0; NONCE], commitment: [0; COMMITMENT] };
        derived.key.expose_mut().copy_from_slice(&out[..32]);
        derived.nonce.copy_from_slice(&out[32..32 + NONCE]);
        derived.commitment.copy_from_slice(&out[32 + NONCE..]);
        Ok(derived)
    }

    /// One message's key, base nonce and commitment, for any context (C2SP chunked-encryption@v1).
    pub(super) fn message(&self, salt: &[u8; SALT], context: &[&[u8]]) -> Result<Derived, SealError> {
        let mut info: Vec<&[u8]> = Vec::with_capacity(2 + context.len());
        info.push(CHUNKED);
        info.push(salt);
        info.extend_from_slice(context);
        self.derive(&info)
    }
}

// === impl Identity ===

impl Identity {
    pub(super) fn new(suite: u8, object_id: [u8; 16]) -> Self {
        let mut id = [suite; 17];
        id[1..].copy_from_slice(&object_id);
        Self(id)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn suite(&self) -> u8 {
        self.0[0]
    }

    pub(super) fn object_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[1..]);
        id
    }
}

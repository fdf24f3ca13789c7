//! Every derivation and every label, in one place. HKDF is RFC 5869's, with SHA-512 in suite 1 and SM3 in suite 2.
//!
//! DEKs, vault keys and root keys are uniformly random 32-byte keys, so Expand is used on them directly, as C2SP's
//! chunked-encryption does (HMAC pads a 32-byte key with zeros to its block, so does [`Expander`]).
//!
//! ```text
//! K         = 32 in suite 1, 16 in suite 2
//! id[17]    = suite[1] || object id[16]
//! message:  key[K] || base nonce[12] || commitment[32] = Expand(DEK, CHUNKED || salt[24] || MESSAGE || id)
//! trailer:  key[K] || nonce[12] || commitment[32]      = Expand(DEK, TRAILER || id || trailer salt[24])
//! index:    key[K] || nonce[12]                        = Expand(DEK, INDEX || id || trailer salt[24])
//! metadata: key[K] || nonce[12]                        = Expand(DEK, METADATA || id || salt[24])
//! part:     key[K] || nonce[12]                        = Expand(DEK, PART || id || salt[24])
//! wrap:     key[K]                                     = Expand(vault key, WRAP || id)
//! content:  key[32]                                    = Expand(DEK, CUSTOMER || id || customer key[32])
//! check:    check[32]                                  = Expand(DEK, CUSTOMER_CHECK || id || customer key[32])
//! blob:     key[32] || nonce[12]                       = Expand(root key, BLOB || salt[24]), suite 1 always
//! ```
use super::aead::{AeadKey, NONCE};
use super::error::SealError;
use crate::s3::Suite;
use crate::secret::SecretBytes;
use hkdf::Hkdf;
use sha2::Sha512;
use sm3::Sm3;
use zeroize::Zeroizing;

/// Bytes of every salt.
pub(super) const SALT: usize = 24;
/// Bytes of a key commitment.
pub(super) const COMMITMENT: usize = 32;

pub(super) const MESSAGE: &[u8] = b"strongroom.v1.message";
pub(super) const TRAILER: &[u8] = b"strongroom.v1.trailer";
pub(super) const INDEX: &[u8] = b"strongroom.v1.index";
pub(super) const METADATA: &[u8] = b"strongroom.v1.metadata";
pub(super) const PART: &[u8] = b"strongroom.v1.part";
pub(super) const CUSTOMER: &[u8] = b"strongroom.v1.customer";
pub(super) const CUSTOMER_CHECK: &[u8] = b"strongroom.v1.customer-check";
pub(super) const WRAP: &[u8] = b"strongroom.v1.wrap";
pub(super) const BLOB: &[u8] = b"strongroom.v1.blob";

/// HKDF-Expand of one suite under one key, its HMAC key schedule done once.
pub(super) enum Expander {
    Sha512(Hkdf<Sha512>),
    Sm3(Hkdf<Sm3>),
}

/// A derived key and nonce, and for messages and trailers the commitment.
pub(super) struct Derived {
    pub(super) key: AeadKey,
    pub(super) nonce: [u8; NONCE],
    pub(super) commitment: [u8; COMMITMENT],
}

/// The suite and object id that every derivation of an object is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    suite: Suite,
    bytes: [u8; 17],
}

// === impl Expander ===

impl Expander {
    /// Under a 32-byte key; the zero key is refused.
    pub(super) fn new(suite: Suite, key: &SecretBytes<32>) -> Result<Self, SealError> {
        if key.is_zero() {
            return Err(SealError::BadKey("all bytes are zero"));
        }
        // Both hashes' HMAC pads to its block, which is no shorter.
        let mut padded = Zeroizing::new([0u8; 64]);
        padded[..32].copy_from_slice(key.expose());
        let expander = match suite {
            Suite::Aes256Gcm => Hkdf::from_prk(padded.as_slice()).map(Self::Sha512),
            Suite::Sm4Gcm => Hkdf::from_prk(padded.as_slice()).map(Self::Sm3),
        };
        expander.map_err(|_| SealError::BadKey("length"))
    }

    const fn suite(&self) -> Suite {
        match self {
            Self::Sha512(_) => Suite::Aes256Gcm,
            Self::Sm3(_) => Suite::Sm4Gcm,
        }
    }

    /// Bytes for the concatenation of `info`.
    pub(super) fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), SealError> {
        let expanded = match self {
            Self::Sha512(hkdf) => hkdf.expand_multi_info(info, out),
            Self::Sm3(hkdf) => hkdf.expand_multi_info(info, out),
        };
        expanded.map_err(|_| SealError::Malformed("derivation length"))
    }

    /// Key, nonce and commitment for the concatenation of `info`.
    pub(super) fn derive(&self, info: &[&[u8]]) -> Result<Derived, SealError> {
        let suite = self.suite();
        let mut room = Zeroizing::new([0u8; AeadKey::LONGEST + NONCE + COMMITMENT]);
        let out = &mut room[..AeadKey::length(suite) + NONCE + COMMITMENT];
        self.expand(info, out)?;
        let (key, rest) = out.split_at(AeadKey::length(suite));
        let mut derived = Derived { key: AeadKey::new(suite, key)?, nonce: [0; NONCE], commitment: [0; COMMITMENT] };
        derived.nonce.copy_from_slice(&rest[..NONCE]);
        derived.commitment.copy_from_slice(&rest[NONCE..]);
        Ok(derived)
    }

    /// One message's key, base nonce and commitment, for any context (C2SP chunked-encryption@v1).
    pub(super) fn message(&self, salt: &[u8; SALT], context: &[&[u8]]) -> Result<Derived, SealError> {
        let mut info: Vec<&[u8]> = Vec::with_capacity(2 + context.len());
        info.push(chunked(self.suite()));
        info.push(salt);
        info.extend_from_slice(context);
        self.derive(&info)
    }
}

/// C2SP chunked-encryption's label, the AEAD's IANA name (RFC 5116, RFC 8998) and a zero byte.
const fn chunked(suite: Suite) -> &'static [u8] {
    match suite {
        Suite::Aes256Gcm => b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0",
        Suite::Sm4Gcm => b"c2sp.org/chunked-encryption@v1+AEAD_SM4_GCM\0",
    }
}

// === impl Identity ===

impl Identity {
    pub(super) fn new(suite: Suite, object_id: [u8; 16]) -> Self {
        let mut bytes = [suite.number(); 17];
        bytes[1..].copy_from_slice(&object_id);
        Self { suite, bytes }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn object_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.bytes[1..]);
        id
    }
}

//! The AEADs of the suites, AES-256-GCM (NIST SP 800-38D) and SM4-GCM (RFC 8998), behind one trait.
//!
//! [`Fast`] is the hot path (`aws-lc-rs`, and the kernel in `crates/sm4-kernel`); what it is compared with in tests is `reference`.
use super::error::SealError;
use crate::s3::Suite;
use crate::secret::SecretBytes;
use aws_lc_rs::aead as aws;

/// Bytes of an authentication tag.
pub(super) const TAG: usize = 16;
/// Bytes of a nonce.
pub(super) const NONCE: usize = 12;

/// A key, as long as its suite's AEAD wants it.
pub(super) enum AeadKey {
    Aes256(SecretBytes<32>),
    Sm4(SecretBytes<16>),
}

/// An AEAD key ready for use.
pub(super) trait Aead: Sized {
    /// Takes a key of any suite.
    fn new(key: &AeadKey) -> Result<Self, SealError>;
    /// Encrypts `data` in place; the tag.
    fn seal(&self, nonce: [u8; NONCE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SealError>;
    /// Verifies and decrypts `data` (ciphertext then tag) in place; the plaintext. On failure `data` holds nothing of use.
    fn open<'d>(&self, nonce: [u8; NONCE], aad: &[u8], data: &'d mut [u8]) -> Result<&'d mut [u8], SealError>;
}

/// `aws-lc-rs`, or our kernel.
pub(super) enum Fast {
    Aes256(aws::LessSafeKey),
    Sm4(Box<sm4_kernel::Sm4Gcm>),
}

// === impl AeadKey ===

impl AeadKey {
    /// Bytes of a suite's key.
    pub(super) const fn length(suite: Suite) -> usize {
        match suite {
            Suite::Aes256Gcm => 32,
            Suite::Sm4Gcm => 16,
        }
    }

    /// The longest of them.
    pub(super) const LONGEST: usize = 32;

    /// From exactly [`Self::length`] derived bytes.
    pub(super) fn new(suite: Suite, bytes: &[u8]) -> Result<Self, SealError> {
        Ok(match suite {
            Suite::Aes256Gcm => Self::Aes256(filled(bytes)?),
            Suite::Sm4Gcm => Self::Sm4(filled(bytes)?),
        })
    }
}

/// Copied once, to where it is zeroised.
fn filled<const N: usize>(bytes: &[u8]) -> Result<SecretBytes<N>, SealError> {
    let mut key = SecretBytes::new([0; N]);
    key.expose_mut().copy_from_slice(bytes.as_array::<N>().ok_or(SealError::BadKey("length"))?);
    Ok(key)
}

// === impl Fast ===

impl Aead for Fast {
    fn new(key: &AeadKey) -> Result<Self, SealError> {
        match key {
            AeadKey::Aes256(key) => {
                let key = aws::UnboundKey::new(&aws::AES_256_GCM, key.expose());
                Ok(Self::Aes256(aws::LessSafeKey::new(key.map_err(|_| SealError::BadKey("refused by the cipher"))?)))
            }
            AeadKey::Sm4(key) => Ok(Self::Sm4(Box::new(sm4_kernel::Sm4Gcm::new(key.expose())))),
        }
    }

    fn seal(&self, nonce: [u8; NONCE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SealError> {
        const TOO_LARGE: SealError = SealError::TooLarge("more bytes than the cipher takes at once");
        match self {
            Self::Aes256(key) => {
                let nonce = aws::Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, aws::Aad::from(aad), data).map_err(|_| TOO_LARGE)?;
                tag.as_ref().try_into().map_err(|_| SealError::Malformed("tag length"))
            }
            Self::Sm4(key) => key.seal_in_place(&nonce, aad, data).map_err(|_| TOO_LARGE),
        }
    }

    fn open<'d>(&self, nonce: [u8; NONCE], aad: &[u8], data: &'d mut [u8]) -> Result<&'d mut [u8], SealError> {
        const MISMATCH: SealError = SealError::Authentication("tag mismatch");
        match self {
            Self::Aes256(key) => {
                let nonce = aws::Nonce::assume_unique_for_key(nonce);
                key.open_in_place(nonce, aws::Aad::from(aad), data).map_err(|_| MISMATCH)
            }
            Self::Sm4(key) => {
                let (text, tag) = split_tag(data)?;
                key.open_in_place(&nonce, aad, text, &tag).map_err(|_| MISMATCH)?;
                Ok(text)
            }
        }
    }
}

/// Ciphertext and tag.
pub(super) fn split_tag(data: &mut [u8]) -> Result<(&mut [u8], [u8; TAG]), SealError> {
    let (text, tag) = data.split_last_chunk_mut().ok_or(SealError::Authentication("shorter than a tag"))?;
    Ok((text, *tag))
}

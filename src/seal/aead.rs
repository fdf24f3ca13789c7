//! AES-256-GCM (NIST SP 800-38D), two implementations behind one trait.
//!
//! [`Fast`] (`aws-lc-rs`) is the hot path; [`Reference`] (`aes-gcm`) is what it is compared with in tests.
use super::error::SealError;
use crate::secret::SecretBytes;

/// Bytes of an authentication tag.
pub(super) const TAG: usize = 16;
/// Bytes of a nonce.
pub(super) const NONCE: usize = 12;

/// An AEAD key ready for use.
pub(super) trait Aead: Sized {
    /// Takes a 256-bit key.
    fn new(key: &SecretBytes<32>) -> Result<Self, SealError>;
    /// Encrypts `data` in place; the tag.
    fn seal(&self, nonce: [u8; NONCE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SealError>;
    /// Verifies and decrypts `data` (ciphertext then tag) in place; the plaintext. On failure `data` holds nothing of use.
    fn open<'d>(&self, nonce: [u8; NONCE], aad: &[u8], data: &'d mut [u8]) -> Result<&'d mut [u8], SealError>;
}

/// `aws-lc-rs`.
pub(super) struct Fast(aws_lc_rs::aead::LessSafeKey);

/// `aes-gcm`.
#[cfg_attr(not(test), allow(dead_code, reason = "the reference that tests compare the fast one with"))]
pub(super) struct Reference(aes_gcm::Aes256Gcm);

// === impl Fast ===

impl Aead for Fast {
    fn new(key: &SecretBytes<32>) -> Result<Self, SealError> {
        let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, key.expose());
        Ok(Self(aws_lc_rs::aead::LessSafeKey::new(key.map_err(|_| SealError::BadKey("refused by the cipher"))?)))
    }

    fn seal(&self, nonce: [u8; NONCE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SealError> {
        let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, aws_lc_rs::aead::Aad::from(aad), data);
        let tag = tag.map_err(|_| SealError::TooLarge("more bytes than the cipher takes at once"))?;
        tag.as_ref().try_into().map_err(|_| SealError::Malformed("tag length"))
    }

    fn open<'d>(&self, nonce: [u8; NONCE], aad: &[u8], data: &'d mut [u8]) -> Result<&'d mut [u8], SealError> {
        let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, aws_lc_rs::aead::Aad::from(aad), data);
        opened.map_err(|_| SealError::Authentication("tag mismatch"))
    }
}

// === impl Reference ===

impl Aead for Reference {
    fn new(key: &SecretBytes<32>) -> Result<Self, SealError> {
        use aes_gcm::KeyInit;
        Ok(Self(aes_gcm::Aes256Gcm::new(key.expose().into())))
    }

    fn seal(&self, nonce: [u8; NONCE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SealError> {
        use aes_gcm::aead::AeadInOut;
        let tag = self.0.encrypt_inout_detached(&nonce.into(), aad, data.into());
        Ok(tag.map_err(|_| SealError::TooLarge("more bytes than the cipher takes at once"))?.into())
    }

    fn open<'d>(&self, nonce: [u8; NONCE], aad: &[u8], data: &'d mut [u8]) -> Result<&'d mut [u8], SealError> {
        use aes_gcm::aead::AeadInOut;
        let at = data.len().checked_sub(TAG).ok_or(SealError::Authentication("shorter than a tag"))?;
        let (text, tag) = data.split_at_mut(at);
        let tag: [u8; TAG] = (&*tag).try_into().map_err(|_| SealError::Malformed("tag length"))?;
        let opened = self.0.decrypt_inout_detached(&nonce.into(), aad, (&mut *text).into(), &tag.into());
        opened.map_err(|_| SealError::Authentication("tag mismatch"))?;
        Ok(text)
    }
}

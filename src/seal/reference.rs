//! The AEADs again, by RustCrypto: what the fast ones are compared with.
use super::aead::{Aead, AeadKey, NONCE, TAG, split_tag};
use super::error::SealError;
use aes_gcm::KeyInit;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aes::cipher::consts::U12;

/// `aes-gcm`, over `aes` or over `sm4`.
#[expect(clippy::large_enum_variant, reason = "tests make one at a time")]
pub(super) enum Reference {
    Aes256(aes_gcm::Aes256Gcm),
    Sm4(aes_gcm::AesGcm<sm4::Sm4, U12>),
}

// === impl Reference ===

impl Aead for Reference {
    fn new(key: &AeadKey) -> Result<Self, SealError> {
        Ok(match key {
            AeadKey::Aes256(key) => Self::Aes256(aes_gcm::Aes256Gcm::new(key.expose().into())),
            AeadKey::Sm4(key) => Self::Sm4(aes_gcm::AesGcm::new(key.expose().into())),
        })
    }

    fn seal(&self, nonce: [u8; NONCE], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SealError> {
        let tag = match self {
            Self::Aes256(key) => key.encrypt_inout_detached(&nonce.into(), aad, data.into()),
            Self::Sm4(key) => key.encrypt_inout_detached(&nonce.into(), aad, data.into()),
        };
        Ok(tag.map_err(|_| SealError::TooLarge("more bytes than the cipher takes at once"))?.into())
    }

    fn open<'d>(&self, nonce: [u8; NONCE], aad: &[u8], data: &'d mut [u8]) -> Result<&'d mut [u8], SealError> {
        let (text, tag) = split_tag(data)?;
        let (nonce, tag) = (nonce.into(), tag.into());
        let opened = match self {
            Self::Aes256(key) => key.decrypt_inout_detached(&nonce, aad, (&mut *text).into(), &tag),
            Self::Sm4(key) => key.decrypt_inout_detached(&nonce, aad, (&mut *text).into(), &tag),
        };
        opened.map_err(|_| SealError::Authentication("tag mismatch"))?;
        Ok(text)
    }
}

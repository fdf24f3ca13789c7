//! Vault keys by name and version, and the wrapping of a DEK under one of them.
use super::aead::{Aead, Fast, NONCE, TAG};
use super::derive::{Expander, Identity, WRAP};
use super::error::{Entropy, SealError, random};
use crate::s3::Suite;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// The name of a vault key, for example `default` or `client-4711`: 1-64 of `a-z0-9._-`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultKeyId(Arc<str>);

/// One version of one vault key, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultKeyRef {
    /// Which key.
    pub id: VaultKeyId,
    /// Which version, from 1.
    pub version: u32,
}

/// One version of a vault key: 32 secret bytes and their name. No `Debug`.
pub struct VaultKey {
    /// Its name.
    pub reference: VaultKeyRef,
    /// For objects of each suite.
    aes: Expander,
    sm4: Expander,
}

/// Bytes of a wrapped DEK: nonce, ciphertext, tag.
pub(super) const WRAPPED: usize = NONCE + 32 + TAG;

// === impl VaultKeyId ===

impl VaultKeyId {
    /// Longest name.
    pub const MAX: usize = 64;

    /// Parses a name.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for anything that is not a name.
    pub fn parse(name: &str) -> Result<Self, SealError> {
        let legal = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if begins && name.len() <= Self::MAX && name.bytes().all(legal) {
            Ok(Self(name.into()))
        } else {
            Err(SealError::BadKey("a key's name is 1-64 of a-z 0-9 . _ - and begins with a letter or digit"))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for VaultKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl VaultKey ===

impl VaultKey {
    /// Takes 32 uniformly random bytes.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for the all-zero key or version 0.
    pub fn new(reference: VaultKeyRef, secret: SecretBytes<32>) -> Result<Self, SealError> {
        if reference.version == 0 {
            return Err(SealError::BadKey("versions begin at 1"));
        }
        let expander = |suite| Expander::new(suite, &secret);
        Ok(Self { aes: expander(Suite::Aes256Gcm)?, sm4: expander(Suite::Sm4Gcm)?, reference })
    }

    /// The key that wraps the DEK of one object, of the object's suite.
    fn wrapping(&self, id: &Identity) -> Result<Fast, SealError> {
        let expander = match id.suite() {
            Suite::Aes256Gcm => &self.aes,
            Suite::Sm4Gcm => &self.sm4,
        };
        Fast::new(&expander.derive(&[WRAP, id.bytes()])?.key)
    }

    /// Wraps a DEK for one object, under a fresh nonce.
    pub(super) fn wrap(
        &self,
        id: &Identity,
        dek: &SecretBytes<32>,
        entropy: &dyn Entropy,
    ) -> Result<[u8; WRAPPED], SealError> {
        let mut out = [0; WRAPPED];
        let nonce = random::<NONCE>(entropy)?;
        let cipher = self.wrapping(id)?;
        let mut text = zeroize::Zeroizing::new(*dek.expose());
        let tag = cipher.seal(nonce, &self.aad(), text.as_mut_slice())?;
        out[..NONCE].copy_from_slice(&nonce);
        out[NONCE..NONCE + 32].copy_from_slice(text.as_slice());
        out[NONCE + 32..].copy_from_slice(&tag);
        Ok(out)
    }

    /// Unwraps what [`Self::wrap`] made.
    pub(super) fn unwrap(&self, id: &Identity, wrapped: &[u8; WRAPPED]) -> Result<SecretBytes<32>, SealError> {
        let cipher = self.wrapping(id)?;
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&wrapped[..NONCE]);
        let mut text = zeroize::Zeroizing::new([0u8; 32 + TAG]);
        text.copy_from_slice(&wrapped[NONCE..]);
        let opened = cipher.open(nonce, &self.aad(), text.as_mut_slice());
        let opened = opened.map_err(|_| SealError::Authentication("the object's key does not unwrap"))?;
        let mut dek = SecretBytes::new([0; 32]);
        dek.expose_mut().copy_from_slice(opened);
        Ok(dek)
    }

    /// What a wrap is bound to: the key's name (length-prefixed) and version.
    fn aad(&self) -> Vec<u8> {
        let name = self.reference.id.as_str().as_bytes();
        let mut aad = Vec::with_capacity(1 + name.len() + 4);
        aad.push(name.len() as u8);
        aad.extend_from_slice(name);
        aad.extend_from_slice(&self.reference.version.to_be_bytes());
        aad
    }
}

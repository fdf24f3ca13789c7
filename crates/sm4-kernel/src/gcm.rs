//! Galois/Counter mode (NIST SP 800-38D) with SM4 (RFC 8998): 96-bit nonces, 128-bit tags.
use crate::backend::Backend;
use crate::block::Sm4;
use crate::ghash::{Ghash, HashKey};
use subtle::ConstantTimeEq;

/// Bytes of a tag.
pub const TAG: usize = 16;
/// Bytes that are encrypted and authenticated while they are in the processor's nearest cache.
const STRIP: usize = 8192;
/// NIST SP 800-38D section 5.2.1.1: a plaintext has at most 2^39 - 256 bits.
const MOST_TEXT: u64 = (1 << 36) - 32;
/// The same section: associated data has at most 2^64 - 1 bits.
const MOST_AAD: u64 = (1 << 61) - 1;

/// SM4-GCM under one key. Zeroised on drop; no `Debug`.
#[derive(Clone)]
pub struct Sm4Gcm {
    cipher: Sm4,
    hash: HashKey,
}

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// More than GCM takes under one nonce: 2^36 - 32 bytes of text, 2^61 - 1 of associated data.
    TooLong,
    /// The tag is not the one of this key, nonce, associated data and text.
    Authentication,
}

// === impl Sm4Gcm ===

impl Sm4Gcm {
    /// Under a 128-bit key, by the fastest back end here.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self::over(Sm4::new(key))
    }

    /// Under a 128-bit key, by a given back end; `None` when this machine lacks it. For tests and measurements.
    #[must_use]
    pub fn with_backend(key: &[u8; 16], backend: Backend) -> Option<Self> {
        Sm4::with_backend(key, backend).map(Self::over)
    }

    fn over(cipher: Sm4) -> Self {
        let mut zero = [[0; 16]];
        cipher.encrypt_blocks(&mut zero);
        let hash = HashKey::new(&zero[0], cipher.available());
        zeroize::Zeroize::zeroize(&mut zero);
        Self { cipher, hash }
    }

    /// Encrypts `data` in place; the tag. A nonce must never be used twice under one key.
    ///
    /// # Errors
    /// [`Error::TooLong`]; `data` is as it was.
    pub fn seal_in_place(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], Error> {
        check_lengths(aad, data)?;
        let mut hash = Ghash::new(&self.hash, aad);
        let mut counter = 2u32;
        for strip in data.chunks_mut(STRIP) {
            self.cipher.xor_keystream(nonce, counter, strip);
            hash.update(strip);
            counter = counter.wrapping_add((STRIP / 16) as u32);
        }
        Ok(self.tag(nonce, hash))
    }

    /// Verifies `tag`, then decrypts `data` in place.
    ///
    /// # Errors
    /// [`Error::Authentication`] (`data` is still the ciphertext), [`Error::TooLong`].
    pub fn open_in_place(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; TAG]) -> Result<(), Error> {
        check_lengths(aad, data)?;
        let mut hash = Ghash::new(&self.hash, aad);
        hash.update(data);
        if !bool::from(self.tag(nonce, hash).ct_eq(tag)) {
            return Err(Error::Authentication);
        }
        self.cipher.xor_keystream(nonce, 2, data);
        Ok(())
    }

    /// The hash under the key stream's first block, whose counter is 1.
    fn tag(&self, nonce: &[u8; 12], hash: Ghash<'_>) -> [u8; TAG] {
        let mut tag = hash.finish();
        self.cipher.xor_keystream(nonce, 1, &mut tag);
        tag
    }
}

fn check_lengths(aad: &[u8], data: &[u8]) -> Result<(), Error> {
    if data.len() as u64 <= MOST_TEXT && aad.len() as u64 <= MOST_AAD { Ok(()) } else { Err(Error::TooLong) }
}

// === impl Error ===

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "more bytes than SM4-GCM takes at once",
            Self::Authentication => "the tag does not match",
        })
    }
}

impl core::error::Error for Error {}

//! One message: Cobblestone-256 of C2SP chunked-encryption@v1 (<https://c2sp.org/chunked-encryption>); in suite 2 the same
//! construction over SM4-GCM and HKDF-SM3.
//!
//! ```text
//! message  := salt[24] || commitment[32] || chunk(0) || ... || chunk(k)
//! chunk(i) := AEAD(key, base nonce XOR i, no AAD, 16384 bytes; the last one fewer, possibly none) || tag[16]
//! ```
use super::aead::{Aead, Fast, NONCE, TAG};
use super::derive::{COMMITMENT, Derived, SALT};
use super::error::SealError;
use super::length::{CHUNK, HEADER};
use super::limits::MAX_CHUNKS;
use crate::s3::PlainLen;
use bytes::BytesMut;

/// Seals one message incrementally. Ciphertext is appended to a caller's buffer. No `Debug`: it holds a key.
pub struct MessageSealer {
    cipher: ChunkCipher,
    salt: [u8; SALT],
    commitment: [u8; COMMITMENT],
    started: bool,
    /// Plaintext of a chunk that is not full yet; zeroised on drop.
    pending: zeroize::Zeroizing<Vec<u8>>,
    plain: u64,
}

/// What a finished message leaves behind for the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSummary {
    /// Plain bytes sealed.
    pub plain_len: PlainLen,
    /// The message's random salt.
    pub salt: [u8; SALT],
}

/// A message's key, chunk by chunk.
pub(super) struct ChunkCipher {
    cipher: Fast,
    base: [u8; NONCE],
    next: u64,
}

// === impl MessageSealer ===

impl MessageSealer {
    pub(super) fn new(derived: &Derived, salt: [u8; SALT]) -> Result<Self, SealError> {
        Ok(Self {
            cipher: ChunkCipher::new(derived)?,
            salt,
            commitment: derived.commitment,
            started: false,
            pending: zeroize::Zeroizing::new(Vec::new()),
            plain: 0,
        })
    }

    /// Appends the ciphertext of as many whole chunks as `plain` completes (the 56-byte message header goes out first). `out`
    /// grows by at most `plain.len()`, its tags, one chunk and 56.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] past the format's limits.
    pub fn update(&mut self, mut plain: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        self.start(out);
        self.plain = self.plain.checked_add(plain.len() as u64).ok_or(SealError::TooLarge("message"))?;
        if !self.pending.is_empty() {
            let (head, rest) = plain.split_at(plain.len().min(CHUNK as usize - self.pending.len()));
            self.pending.extend_from_slice(head);
            plain = rest;
            if self.pending.len() < CHUNK as usize {
                return Ok(());
            }
            self.cipher.seal(&self.pending, out)?;
            self.pending.clear();
        }
        let (chunks, rest) = plain.as_chunks::<{ CHUNK as usize }>();
        for chunk in chunks {
            self.cipher.seal(chunk, out)?;
        }
        if !rest.is_empty() {
            self.pending.reserve_exact(CHUNK as usize);
            self.pending.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Appends the last, always shorter, chunk.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] past the format's limits.
    pub fn finish(mut self, out: &mut BytesMut) -> Result<MessageSummary, SealError> {
        self.start(out);
        self.cipher.seal(&self.pending, out)?;
        Ok(MessageSummary { plain_len: PlainLen(self.plain), salt: self.salt })
    }

    fn start(&mut self, out: &mut BytesMut) {
        if !self.started {
            out.reserve(HEADER as usize);
            out.extend_from_slice(&self.salt);
            out.extend_from_slice(&self.commitment);
            self.started = true;
        }
    }
}

// === impl ChunkCipher ===

impl ChunkCipher {
    pub(super) fn new(derived: &Derived) -> Result<Self, SealError> {
        Ok(Self { cipher: Fast::new(&derived.key)?, base: derived.nonce, next: 0 })
    }

    /// Starts at a later chunk (range reads).
    pub(super) fn starting_at(derived: &Derived, chunk: u64) -> Result<Self, SealError> {
        Ok(Self { next: chunk, ..Self::new(derived)? })
    }

    /// Appends one sealed chunk.
    fn seal(&mut self, plain: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        let nonce = self.nonce()?;
        out.reserve(plain.len() + TAG);
        let at = out.len();
        out.extend_from_slice(plain);
        let tag = self.cipher.seal(nonce, &[], &mut out[at..])?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Appends the plaintext of one sealed chunk; nothing is appended when it does not authenticate.
    pub(super) fn open(&mut self, sealed: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        let nonce = self.nonce()?;
        let at = out.len();
        out.extend_from_slice(sealed);
        let opened = self.cipher.open(nonce, &[], &mut out[at..]).map(|plain| plain.len());
        let plain = opened.inspect_err(|_| out.truncate(at));
        out.truncate(at + plain.map_err(|_| SealError::Authentication("a chunk does not authenticate"))?);
        Ok(())
    }

    fn nonce(&mut self) -> Result<[u8; NONCE], SealError> {
        if self.next >= MAX_CHUNKS {
            return Err(SealError::TooLarge("chunks of one message"));
        }
        let mut nonce = self.base;
        for (byte, counter) in nonce[NONCE - 8..].iter_mut().zip(self.next.to_be_bytes()) {
            *byte ^= counter;
        }
        self.next += 1;
        Ok(nonce)
    }
}

/// Opens a whole message held in memory under any context: the C2SP operation itself, for its vectors.
#[cfg(test)]
pub(super) fn open_message(
    key: &crate::secret::SecretBytes<32>,
    context: &[u8],
    message: &[u8],
) -> Result<BytesMut, SealError> {
    use super::length::SEALED_CHUNK;
    let (header, body) = message.split_at_checked(HEADER as usize).ok_or(SealError::Authentication("short header"))?;
    let (salt, commitment) = header.split_at(SALT);
    let salt = salt.try_into().map_err(|_| SealError::Malformed("salt"))?;
    let derived = super::derive::Expander::new(crate::s3::Suite::Aes256Gcm, key)?.message(salt, &[context])?;
    check_commitment(&derived.commitment, commitment)?;
    let mut cipher = ChunkCipher::new(&derived)?;
    let mut out = BytesMut::new();
    let chunks = body.len() / SEALED_CHUNK as usize;
    for chunk in body.chunks(SEALED_CHUNK as usize) {
        cipher.open(chunk, &mut out)?;
    }
    if body.len() - chunks * (SEALED_CHUNK as usize) < TAG {
        return Err(SealError::Authentication("the last chunk is missing"));
    }
    Ok(out)
}

/// Compares in constant time.
pub(super) fn check_commitment(expected: &[u8; COMMITMENT], found: &[u8]) -> Result<(), SealError> {
    use subtle::ConstantTimeEq;
    if bool::from(expected.as_slice().ct_eq(found)) {
        Ok(())
    } else {
        Err(SealError::Authentication("the key commitment does not match"))
    }
}

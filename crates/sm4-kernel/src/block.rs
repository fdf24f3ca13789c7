//! SM4 on blocks and as a key stream, over any back end.
use crate::backend::{Available, Backend};
use crate::schedule::RoundKeys;
use zeroize::Zeroize;

/// Most blocks whose key stream is in memory at a time (the portable way, and the ends of the others).
pub(crate) const BATCH: usize = 256;

/// SM4 under one key, encryption only. Zeroised on drop; no `Debug`.
#[derive(Clone)]
pub struct Sm4 {
    keys: RoundKeys,
    backend: Available,
}

/// One back end's way to encrypt.
pub(crate) trait Engine {
    /// Encrypts every block.
    fn encrypt(self, keys: &RoundKeys, blocks: &mut [[u8; 16]]);

    /// XORs the beginning of `data` with the key stream: as many whole blocks as suit the engine, possibly none; the bytes done.
    fn xor_keystream(self, keys: &RoundKeys, nonce: &[u8; 12], counter: u32, data: &mut [u8]) -> usize;
}

/// `$body` for whichever engine it is.
macro_rules! with_engine {
    ($available:expr, $engine:ident => $body:expr) => {
        match $available {
            #[cfg(target_arch = "x86_64")]
            Available::Avx512Gfni($engine) => $body,
            #[cfg(target_arch = "x86_64")]
            Available::Avx2Gfni($engine) => $body,
            #[cfg(target_arch = "x86_64")]
            Available::Avx2Vaes($engine) => $body,
            #[cfg(target_arch = "x86_64")]
            Available::Avx2AesNi($engine) => $body,
            Available::Portable($engine) => $body,
        }
    };
}

// === impl Sm4 ===

impl Sm4 {
    /// Under a 128-bit key, by the fastest back end here.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self { keys: RoundKeys::new(key), backend: Available::best().0 }
    }

    /// Under a 128-bit key, by a given back end; `None` when this machine lacks it. For tests and measurements.
    #[must_use]
    pub fn with_backend(key: &[u8; 16], backend: Backend) -> Option<Self> {
        Some(Self { keys: RoundKeys::new(key), backend: Available::check(backend)? })
    }

    /// Encrypts every block by itself.
    pub fn encrypt_blocks(&self, blocks: &mut [[u8; 16]]) {
        with_engine!(self.backend, engine => engine.encrypt(&self.keys, blocks));
    }

    /// XORs `data` with the key stream: the encryptions of `nonce || u32(counter)`, `nonce || u32(counter + 1)` and so on, big-endian and
    /// modulo 2^32 (the counter mode of NIST SP 800-38D, `GCTR`).
    pub fn xor_keystream(&self, nonce: &[u8; 12], counter: u32, data: &mut [u8]) {
        let done = with_engine!(self.backend, engine => engine.xor_keystream(&self.keys, nonce, counter, data));
        self.xor_by_blocks(nonce, counter.wrapping_add((done / 16) as u32), &mut data[done..]);
    }

    pub(crate) fn available(&self) -> Available {
        self.backend
    }

    /// The same for any length, by way of blocks in memory.
    fn xor_by_blocks(&self, nonce: &[u8; 12], mut counter: u32, data: &mut [u8]) {
        let mut stream = [[0; 16]; BATCH];
        for piece in data.chunks_mut(16 * BATCH) {
            let stream = &mut stream[..piece.len().div_ceil(16)];
            for block in stream.iter_mut() {
                block[..12].copy_from_slice(nonce);
                block[12..].copy_from_slice(&counter.to_be_bytes());
                counter = counter.wrapping_add(1);
            }
            self.encrypt_blocks(stream);
            for (byte, key) in piece.iter_mut().zip(stream.as_flattened()) {
                *byte ^= key;
            }
        }
        // Only what was used: an input of a few bytes should not pay for all of it.
        stream[..data.len().div_ceil(16).min(BATCH)].as_flattened_mut().zeroize();
    }
}

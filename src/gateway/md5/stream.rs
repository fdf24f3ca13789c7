//! One running MD5 (RFC 1321): what it has taken so far, and how it ends. Pure.
use super::kernel::{BLOCK, Compress, INITIAL, Words};

/// A running MD5: the chaining words, the bytes of an unfinished block, the total.
pub(super) struct Stream {
    pub(super) words: Words,
    tail: [u8; BLOCK],
    tail_len: usize,
    pub(super) total: u64,
}

// === impl Stream ===

impl Stream {
    pub(super) fn new() -> Self {
        Self { words: INITIAL, tail: [0; BLOCK], tail_len: 0, total: 0 }
    }

    /// Hashes `bytes` here and now, alone.
    pub(super) fn absorb(&mut self, bytes: &[u8]) {
        let rest = self.top_up(bytes);
        let whole = rest.len() - rest.len() % BLOCK;
        self.compress(&rest[..whole]);
        self.keep(&rest[whole..]);
    }

    /// Completes a started block from `bytes`; what is left of them. Afterwards either no block is started or nothing is left.
    pub(super) fn top_up<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.tail_len == 0 {
            return bytes;
        }
        let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - self.tail_len));
        self.keep(head);
        if self.tail_len == BLOCK {
            let block = self.tail;
            self.tail_len = 0;
            self.total -= BLOCK as u64;
            self.compress(&block);
        }
        rest
    }

    /// Keeps fewer bytes than a block for later.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.tail[self.tail_len..self.tail_len + bytes.len()].copy_from_slice(bytes);
        self.tail_len += bytes.len();
        self.total += bytes.len() as u64;
    }

    fn compress(&mut self, blocks: &[u8]) {
        let mut words = [self.words];
        Compress { data: &[blocks], words: &mut words }.run(pulp::Arch::Scalar);
        [self.words] = words;
        self.total += blocks.len() as u64;
    }

    /// RFC 1321 sections 3.1 and 3.2: the padding, the length in bits, the last blocks.
    pub(super) fn digest(mut self) -> [u8; 16] {
        let bits = self.total.wrapping_mul(8).to_le_bytes();
        let mut padding = [0u8; 2 * BLOCK];
        padding[0] = 0x80;
        let zeros = (2 * BLOCK - 8 - self.tail_len - 1) % BLOCK;
        padding[1 + zeros..1 + zeros + 8].copy_from_slice(&bits);
        self.absorb(&padding[..1 + zeros + 8]);
        let mut digest = [0; 16];
        for (out, word) in digest.chunks_exact_mut(4).zip(self.words) {
            out.copy_from_slice(&word.to_le_bytes());
        }
        digest
    }
}

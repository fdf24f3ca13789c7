//! SM4's key schedule (GB/T 32907-2016 section 7.3), in constant time: 32 round keys from a 128-bit key.
use crate::tower::sbox;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Rounds of SM4.
pub(crate) const ROUNDS: usize = 32;

/// The round keys for encryption; zeroised on drop. No `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct RoundKeys(pub(crate) [u32; ROUNDS]);

/// The standard's FK.
const SYSTEM: [u32; 4] = [0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc];

// === impl RoundKeys ===

impl RoundKeys {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let mut words = [0; 4];
        for ((word, bytes), system) in words.iter_mut().zip(key.as_chunks::<4>().0).zip(SYSTEM) {
            *word = u32::from_be_bytes(*bytes) ^ system;
        }
        let mut keys = Self([0; ROUNDS]);
        for (round, out) in keys.0.iter_mut().enumerate() {
            let [first, second, third, fourth] = words;
            let mixed = tau(second ^ third ^ fourth ^ constant(round));
            *out = first ^ mixed ^ mixed.rotate_left(13) ^ mixed.rotate_left(23);
            words = [second, third, fourth, *out];
        }
        words.zeroize();
        keys
    }
}

/// The standard's CK: byte j of constant i is `7 · (4 i + j)` modulo 256, the first byte highest.
const fn constant(round: usize) -> u32 {
    let first = 4 * round as u8;
    let (a, b, c, d) = (first, first + 1, first + 2, first + 3);
    u32::from_be_bytes([a.wrapping_mul(7), b.wrapping_mul(7), c.wrapping_mul(7), d.wrapping_mul(7)])
}

/// The S-box on the four bytes of a word.
fn tau(word: u32) -> u32 {
    // Bit i of byte b becomes bit 8 b of plane i; NOT touches the bits between them, which the mask takes off again.
    let planes = core::array::from_fn(|bit| word >> bit & 0x0101_0101);
    sbox(planes).iter().enumerate().fold(0, |word, (bit, plane)| word | (plane & 0x0101_0101) << bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_keys_are_the_standards_example() {
        // GB/T 32907-2016 annex A.1: the first and the last round keys.
        let key = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10];
        let keys = RoundKeys::new(&key);
        assert_eq!(keys.0[..4], [0xf121_86f9, 0x4166_2b61, 0x5a6a_b19a, 0x7ba9_2077]);
        assert_eq!(keys.0[31], 0x9124_a012);
    }

    #[test]
    fn the_constants_are_the_standards() {
        assert_eq!([constant(0), constant(1), constant(31)], [0x0007_0e15, 0x1c23_2a31, 0x646b_7279]);
    }
}

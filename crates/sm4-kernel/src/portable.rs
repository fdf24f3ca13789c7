//! The back end for any machine: bit-sliced, so that no address and no branch depends on a secret.
//!
//! A block is four 32-bit words. Bit i of word w of every block of a batch lies in plane `x[w][i]`; a round is then the S-box circuit on
//! planes, and a rotation costs nothing: it is another plane. `Lanes<N>` is N words wide, so that the compiler can use the machine's vectors.
use crate::block::Engine;
use crate::schedule::{ROUNDS, RoundKeys};
use crate::tower::{Plane, sbox};
use core::ops::{BitAnd, BitXor, Not};

/// Blocks of one `Lanes<N>`.
const BITS: usize = u32::BITS as usize;
/// How wide the batches of long inputs are: 256 blocks.
const WIDE: usize = 8;

/// N words.
#[derive(Clone, Copy)]
struct Lanes<const N: usize>([u32; N]);

/// The 32 bits of one word of every block.
type Word<const N: usize> = [Lanes<N>; BITS];

/// The engine that needs no proof.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

// === impl Portable ===

impl Engine for Portable {
    fn encrypt(self, keys: &RoundKeys, blocks: &mut [[u8; 16]]) {
        let (wide, rest) = blocks.as_chunks_mut::<{ BITS * WIDE }>();
        for batch in wide {
            encrypt_batch::<WIDE>(keys, batch);
        }
        for batch in rest.chunks_mut(BITS) {
            encrypt_batch::<1>(keys, batch);
        }
    }

    fn xor_keystream(self, _: &RoundKeys, _: &[u8; 12], _: u32, _: &mut [u8]) -> usize {
        // Always by blocks in memory.
        0
    }
}

/// Encrypts at most 32 N blocks.
fn encrypt_batch<const N: usize>(keys: &RoundKeys, blocks: &mut [[u8; 16]]) {
    let mut x = [[Lanes([0; N]); BITS]; 4];
    for (at, block) in blocks.iter().enumerate() {
        for (word, bytes) in x.iter_mut().zip(block.as_chunks::<4>().0) {
            word[at % BITS].0[at / BITS] = u32::from_be_bytes(*bytes);
        }
    }
    x.iter_mut().for_each(transpose);
    for four in keys.0.as_chunks::<4>().0 {
        for (at, key) in four.iter().enumerate() {
            let mixed = core::array::from_fn(|bit| {
                let key = Lanes([0u32.wrapping_sub(key >> bit & 1); N]);
                x[(at + 1) % 4][bit] ^ x[(at + 2) % 4][bit] ^ x[(at + 3) % 4][bit] ^ key
            });
            add_linear(&mut x[at], &tau(&mixed));
        }
    }
    const { assert!(ROUNDS.is_multiple_of(4)) };
    x.iter_mut().for_each(transpose);
    for (at, block) in blocks.iter_mut().enumerate() {
        // The result is the last four words, in reverse.
        for (word, bytes) in x.iter().rev().zip(block.as_chunks_mut::<4>().0) {
            *bytes = word[at % BITS].0[at / BITS].to_be_bytes();
        }
    }
}

/// The S-box on the four bytes.
#[inline(always)]
fn tau<const N: usize>(x: &Word<N>) -> Word<N> {
    let mut out = [Lanes([0; N]); BITS];
    for (out, x) in out.as_chunks_mut::<8>().0.iter_mut().zip(x.as_chunks::<8>().0) {
        *out = sbox(*x);
    }
    out
}

/// `x += L(t)`, where `L(t) = t + (t <<< 2) + (t <<< 10) + (t <<< 18) + (t <<< 24)`.
#[inline(always)]
fn add_linear<const N: usize>(x: &mut Word<N>, t: &Word<N>) {
    for (bit, plane) in x.iter_mut().enumerate() {
        let rotated = |by: usize| t[(bit + BITS - by) % BITS];
        *plane = *plane ^ rotated(0) ^ rotated(2) ^ rotated(10) ^ rotated(18) ^ rotated(24);
    }
}

/// Swaps rows and columns of the 32 x 32 bits of every lane: first halves of 16, then of 8, 4, 2 and 1.
fn transpose<const N: usize>(rows: &mut Word<N>) {
    let (mut half, mut mask) = (BITS / 2, 0x0000_ffffu32);
    while half > 0 {
        for low in (0..BITS).filter(|row| row & half == 0) {
            for lane in 0..N {
                let (a, b) = (rows[low].0[lane], rows[low + half].0[lane]);
                let swap = (a >> half ^ b) & mask;
                rows[low].0[lane] = a ^ swap << half;
                rows[low + half].0[lane] = b ^ swap;
            }
        }
        half /= 2;
        mask ^= mask << half;
    }
}

// === impl Lanes ===

impl<const N: usize> Plane for Lanes<N> {}

impl<const N: usize> Default for Lanes<N> {
    #[inline(always)]
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> BitXor for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn bitxor(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a ^= b;
        }
        self
    }
}

impl<const N: usize> BitAnd for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn bitand(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a &= b;
        }
        self
    }
}

impl<const N: usize> Not for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn not(mut self) -> Self {
        for a in &mut self.0 {
            *a = !*a;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_moves_bit_j_of_row_i_to_bit_i_of_row_j() {
        for (row, bit) in [(0, 0), (0, 31), (31, 0), (5, 17), (16, 15)] {
            let mut rows = [Lanes([0; 2]); BITS];
            rows[row].0[1] = 1 << bit;
            transpose(&mut rows);
            let mut expected = [0; BITS];
            expected[bit] = 1 << row;
            assert_eq!(rows.map(|lanes| lanes.0[1]), expected, "row {row}, bit {bit}");
            assert_eq!(rows.map(|lanes| lanes.0[0]), [0; BITS]);
        }
    }
}

//! The S-box by GFNI: an affine map, then the inversion followed by another affine map.
use super::{add_linear, engine256, mix, rotations};
use crate::block::Engine;
use crate::field::{Affine, Field, Matrix, sbox_around_inversion};
use crate::schedule::RoundKeys;
use crate::x86::Avx2Gfni;
use core::arch::x86_64::*;
use zeroize::Zeroizing;

engine256!(Avx2Gfni, "avx2,gfni", step);

const AROUND: (Affine, Affine) = sbox_around_inversion(Field::Aes.best_isomorphism());
/// The matrix and the constant before the inversion, for GF2P8AFFINEQB.
pub(crate) const BEFORE: i64 = packed(AROUND.0.matrix);
pub(crate) const BEFORE_CONSTANT: i32 = AROUND.0.constant as i32;
/// The matrix and the constant after the inversion, for GF2P8AFFINEINVQB.
pub(crate) const AFTER: i64 = packed(AROUND.1.matrix);
pub(crate) const AFTER_CONSTANT: i32 = AROUND.1.constant as i32;

const ROTATIONS: [[u8; 32]; 4] = rotations([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

/// As the instructions take it: the row for bit i of the result is byte 7 - i.
const fn packed(matrix: Matrix) -> i64 {
    i64::from_be_bytes(matrix.0)
}

/// `x + L(S(a + b + c + key))`.
#[inline]
#[target_feature(enable = "avx2,gfni")]
fn step(x: __m256i, a: __m256i, b: __m256i, c: __m256i, key: __m256i) -> __m256i {
    let before = _mm256_gf2p8affine_epi64_epi8::<BEFORE_CONSTANT>(mix(a, b, c, key), _mm256_set1_epi64x(BEFORE));
    let t = _mm256_gf2p8affineinv_epi64_epi8::<AFTER_CONSTANT>(before, _mm256_set1_epi64x(AFTER));
    add_linear(x, t, &ROTATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_matrix_says_what_the_instruction_reads() {
        // Intel's pseudo-code of GF2P8AFFINEQB: bit i of the result is the parity of (byte 7 - i of the matrix AND x), and of bit i of b.
        let matrix = AROUND.0.matrix;
        let bytes = packed(matrix).to_le_bytes();
        for x in 0..=255u8 {
            let value = (0..8).fold(0, |out, i| out | ((bytes[7 - i] & x).count_ones() as u8 & 1) << i);
            assert_eq!(value, matrix.apply(x));
        }
    }
}

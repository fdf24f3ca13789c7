//! The S-box by the AES instructions: 256 bits at once (VAES), or AES-NI on each half.
//!
//! AES's last round without a key is `ShiftRows(SubBytes(x))`, and SubBytes is an affine map after the inversion. What undoes that map
//! and leads to SM4's own is one affine map, done as two look-ups of four bits inside of registers (VPSHUFB: constant time). ShiftRows
//! moves whole bytes, and so do the rotations that L begins with: one shuffle does both.
use super::{add_linear, load, mix, rotations};
use crate::field::{AES_AFFINE, Affine, Field, sbox_around_inversion};
use core::arch::x86_64::*;

pub(in crate::x86) mod aesni {
    //! AES-NI.
    use super::{after, before, finish};
    use crate::block::Engine;
    use crate::schedule::RoundKeys;
    use crate::x86::Avx2AesNi;
    use crate::x86::avx2::engine256;
    use core::arch::x86_64::*;
    use zeroize::Zeroizing;

    engine256!(Avx2AesNi, "avx2,aes", step);

    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn step(x: __m256i, a: __m256i, b: __m256i, c: __m256i, key: __m256i) -> __m256i {
        let (input, zero) = (before(a, b, c, key), _mm_setzero_si128());
        let low = _mm_aesenclast_si128(_mm256_castsi256_si128(input), zero);
        let high = _mm_aesenclast_si128(_mm256_extracti128_si256::<1>(input), zero);
        finish(x, after(_mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)))
    }
}

pub(in crate::x86) mod vaes {
    //! VAES.
    use super::{after, before, finish};
    use crate::block::Engine;
    use crate::schedule::RoundKeys;
    use crate::x86::Avx2Vaes;
    use crate::x86::avx2::engine256;
    use core::arch::x86_64::*;
    use zeroize::Zeroizing;

    engine256!(Avx2Vaes, "avx2,vaes", step);

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    fn step(x: __m256i, a: __m256i, b: __m256i, c: __m256i, key: __m256i) -> __m256i {
        finish(x, after(_mm256_aesenclast_epi128(before(a, b, c, key), _mm256_setzero_si256())))
    }
}

const AROUND: (Affine, Affine) = sbox_around_inversion(Field::Aes.best_isomorphism());
const BEFORE: [[u8; 32]; 2] = nibbles(AROUND.0);
const AFTER: [[u8; 32]; 2] = nibbles(AROUND.1.after(AES_AFFINE.inverse()));
const ROTATIONS: [[u8; 32]; 4] = rotations(UNSHIFTED_ROWS);

/// Where each byte has gone in ShiftRows (FIPS 197 section 5.1.2: byte `4 c + r` comes from column `c + r`), so where it is fetched from.
const UNSHIFTED_ROWS: [u8; 16] = {
    let mut out = [0; 16];
    let mut at = 0;
    while at < 16 {
        let (column, row) = (at / 4, at % 4);
        out[at] = ((column + 4 - row) % 4 * 4 + row) as u8;
        at += 1;
    }
    out
};

/// The map on bytes with only low bits and on those with only high bits; their sum is the map. Twice 16 bytes: VPSHUFB reads each lane's own.
const fn nibbles(map: Affine) -> [[u8; 32]; 2] {
    let mut out = [[0; 32]; 2];
    let mut at = 0;
    while at < 32 {
        let nibble = (at % 16) as u8;
        out[0][at] = map.apply(nibble);
        out[1][at] = map.matrix.apply(nibble << 4);
        at += 1;
    }
    out
}

/// SubBytes' input for `S(a + b + c + key)`.
#[inline]
#[target_feature(enable = "avx2")]
fn before(a: __m256i, b: __m256i, c: __m256i, key: __m256i) -> __m256i {
    affine(mix(a, b, c, key), &BEFORE)
}

/// From what the AES instruction gives to the S-box's value, its rows still shifted.
#[inline]
#[target_feature(enable = "avx2")]
fn after(y: __m256i) -> __m256i {
    affine(y, &AFTER)
}

/// `x + L(t)`, for `t` with its rows shifted.
#[inline]
#[target_feature(enable = "avx2")]
fn finish(x: __m256i, shifted: __m256i) -> __m256i {
    add_linear(x, shifted, &ROTATIONS)
}

#[inline]
#[target_feature(enable = "avx2")]
fn affine(x: __m256i, [low, high]: &[[u8; 32]; 2]) -> __m256i {
    let nibble = _mm256_set1_epi8(0x0f);
    let low = _mm256_shuffle_epi8(load(low), _mm256_and_si256(x, nibble));
    let high = _mm256_shuffle_epi8(load(high), _mm256_and_si256(_mm256_srli_epi16::<4>(x), nibble));
    _mm256_xor_si256(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::tests::{inverse, sbox};

    #[test]
    fn the_tables_lead_from_aes_to_sm4() {
        let look_up = |tables: &[[u8; 32]; 2], x: u8| tables[0][usize::from(x & 15)] ^ tables[1][usize::from(x >> 4)];
        for x in 0..=255 {
            let sub_bytes = AES_AFFINE.apply(inverse(Field::Aes, look_up(&BEFORE, x)));
            assert_eq!(look_up(&AFTER, sub_bytes), sbox(x));
        }
    }

    #[test]
    fn unshifting_undoes_the_shifting_of_rows() {
        // FIPS 197 figure 8: row r is rotated by r columns to the left.
        let shifted: [usize; 16] = core::array::from_fn(|at| (at / 4 + at % 4) % 4 * 4 + at % 4);
        for at in 0..16 {
            assert_eq!(shifted[usize::from(UNSHIFTED_ROWS[at])], at);
        }
    }
}

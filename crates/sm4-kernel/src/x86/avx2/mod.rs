//! 256-bit vectors, with three ways to the S-box: GFNI, VAES, and AES-NI on each half.
pub(super) mod aes;
pub(super) mod gfni;

use core::arch::x86_64::*;

/// [`super::engine`] for 256-bit vectors. Eight groups do not fit into 16 registers, and are twice as fast as two that would: what a step waits for
/// costs more than loads and stores of words.
macro_rules! engine256 {
    ($token:ident, $features:literal, $step:path) => {
        crate::x86::engine::engine! {
            $token, features $features, step $step, groups 8,
            vector __m256i, bytes 32,
            set _mm256_set1_epi32, add _mm256_add_epi32, xor _mm256_xor_si256, shuffle _mm256_shuffle_epi8,
            load _mm256_loadu_si256, store _mm256_storeu_si256,
            unpack _mm256_unpacklo_epi32 _mm256_unpackhi_epi32 _mm256_unpacklo_epi64 _mm256_unpackhi_epi64
        }
    };
}
use engine256;

/// Rotations of every word by 0, 8, 16 and 24 bits to the left, as shuffles of bytes that `order` is applied to first.
const fn rotations(order: [u8; 16]) -> [[u8; 32]; 4] {
    let mut out = [[0; 32]; 4];
    let mut at = 0;
    while at < 4 * 32 {
        let (by, byte) = (at / 32, at % 16);
        // Byte k of a rotated word is byte k - by of the word.
        out[by][at % 32] = order[byte / 4 * 4 + (byte + 4 - by) % 4];
        at += 1;
    }
    out
}

/// `x + L(t)` for the `t` that the first shuffle makes of `s`: `L(t) = t + (t <<< 24) + ((t + (t <<< 8) + (t <<< 16)) <<< 2)`.
#[inline]
#[target_feature(enable = "avx2")]
fn add_linear(x: __m256i, s: __m256i, shuffles: &[[u8; 32]; 4]) -> __m256i {
    let [t, by8, by16, by24] = [
        _mm256_shuffle_epi8(s, load(&shuffles[0])),
        _mm256_shuffle_epi8(s, load(&shuffles[1])),
        _mm256_shuffle_epi8(s, load(&shuffles[2])),
        _mm256_shuffle_epi8(s, load(&shuffles[3])),
    ];
    let inner = _mm256_xor_si256(_mm256_xor_si256(t, by8), by16);
    let by2 = _mm256_or_si256(_mm256_slli_epi32::<2>(inner), _mm256_srli_epi32::<30>(inner));
    _mm256_xor_si256(_mm256_xor_si256(x, t), _mm256_xor_si256(by24, by2))
}

/// `a + b + c + key`.
#[inline]
#[target_feature(enable = "avx2")]
fn mix(a: __m256i, b: __m256i, c: __m256i, key: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, key))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array has exactly a vector's bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

//! 512-bit vectors with GFNI: the S-box is two instructions, an affine map and an inversion followed by another one.
use super::Avx512Gfni;
use super::avx2::gfni;
use super::engine::engine;
use crate::block::Engine;
use crate::schedule::RoundKeys;
use core::arch::x86_64::*;
use zeroize::Zeroizing;

engine! {
    Avx512Gfni, features "avx512f,avx512bw,gfni", step step, groups 4,
    vector __m512i, bytes 64,
    set _mm512_set1_epi32, add _mm512_add_epi32, xor _mm512_xor_si512, shuffle _mm512_shuffle_epi8,
    load _mm512_loadu_si512, store _mm512_storeu_si512,
    unpack _mm512_unpacklo_epi32 _mm512_unpackhi_epi32 _mm512_unpacklo_epi64 _mm512_unpackhi_epi64
}

/// Truth table of `a ^ b ^ c` for VPTERNLOG.
const XOR3: i32 = 0x96;

/// `x + L(S(a + b + c + key))`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn step(x: __m512i, a: __m512i, b: __m512i, c: __m512i, key: __m512i) -> __m512i {
    let mixed = _mm512_xor_si512(_mm512_ternarylogic_epi32::<XOR3>(a, b, c), key);
    let before = _mm512_gf2p8affine_epi64_epi8::<{ gfni::BEFORE_CONSTANT }>(mixed, _mm512_set1_epi64(gfni::BEFORE));
    let t = _mm512_gf2p8affineinv_epi64_epi8::<{ gfni::AFTER_CONSTANT }>(before, _mm512_set1_epi64(gfni::AFTER));
    let sum = _mm512_ternarylogic_epi32::<XOR3>(x, t, _mm512_rol_epi32::<2>(t));
    let sum = _mm512_ternarylogic_epi32::<XOR3>(sum, _mm512_rol_epi32::<10>(t), _mm512_rol_epi32::<18>(t));
    _mm512_xor_si512(sum, _mm512_rol_epi32::<24>(t))
}

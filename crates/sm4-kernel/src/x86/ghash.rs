//! GHASH by VPCLMULQDQ: sixteen blocks per reduction.
//!
//! Computed as POLYVAL: RFC 8452 appendix A shows that GHASH with the key H is POLYVAL with the key `mulX(ByteReverse(H))` over blocks with
//! their bytes reversed, the result reversed again. In POLYVAL a block is a little-endian number whose bit i is the factor of x^i, modulo
//! `x^128 + x^127 + x^126 + x^121 + 1`, and the product of a and b is `a · b · x^-128` (a Montgomery product; there is no shift by one bit).
use super::Avx512Gfni;
use core::arch::x86_64::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Blocks per reduction.
const BLOCKS: usize = 16;
/// x^127 + x^126 + x^121 + 1, which x^128 is equal to.
const POLYNOMIAL: u128 = 0xc2 << 120 | 1;
/// The same without x^0, divided by x^64.
const UPPER: u64 = 0xc2 << 56;

/// H^16, H^15, ..., H^1; zeroised on drop. No `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Powers {
    powers: [u128; BLOCKS],
    #[zeroize(skip)]
    machine: Avx512Gfni,
}

/// A hash being computed.
pub(crate) struct Wide<'k> {
    key: &'k Powers,
    sum: u128,
}

// === impl Powers ===

impl Powers {
    pub(crate) fn new(key: &[u8; 16], machine: Avx512Gfni) -> Self {
        let reversed = u128::from_be_bytes(*key);
        let carry = 0u128.wrapping_sub(reversed >> 127);
        let first = reversed << 1 ^ carry & POLYNOMIAL;
        let mut powers = [first; BLOCKS];
        for at in (0..BLOCKS - 1).rev() {
            // SAFETY: the token proves that the machine has the instructions.
            powers[at] = unsafe { product(powers[at + 1], first) };
        }
        Self { powers, machine }
    }
}

// === impl Wide ===

impl<'k> Wide<'k> {
    pub(crate) fn new(key: &'k Powers) -> Self {
        Self { key, sum: 0 }
    }

    /// Takes in `bytes`, filled up with zeros to a whole block.
    pub(crate) fn update_padded(&mut self, bytes: &[u8]) {
        let Avx512Gfni(()) = self.key.machine;
        let (batches, rest) = bytes.as_chunks::<{ 16 * BLOCKS }>();
        // SAFETY: the token proves that the machine has the instructions.
        self.sum = unsafe { absorb(&self.key.powers, self.sum, batches) };
        if !rest.is_empty() {
            // Zeros in front change nothing, so the sum so far belongs to the first block there is.
            let mut batch = [[0; 16]; BLOCKS];
            let first = BLOCKS - rest.len().div_ceil(16);
            batch[first..].as_flattened_mut()[..rest.len()].copy_from_slice(rest);
            batch[first] = (u128::from_be_bytes(batch[first]) ^ self.sum).to_be_bytes();
            let batch = batch.as_flattened().as_chunks::<{ 16 * BLOCKS }>().0;
            // SAFETY: the token proves that the machine has the instructions.
            self.sum = unsafe { absorb(&self.key.powers, 0, batch) };
        }
    }

    pub(crate) fn finish(self) -> [u8; 16] {
        self.sum.to_be_bytes()
    }
}

/// For each batch: `sum = (sum + X1) · H^16 + X2 · H^15 + ... + X16 · H`.
#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq")]
fn absorb(powers: &[u128; BLOCKS], sum: u128, batches: &[[u8; 16 * BLOCKS]]) -> u128 {
    let reverse = _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    let mut sum = from_u128(sum);
    for batch in batches {
        let (mut low, mut middle, mut high) = (_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512());
        let mut carry = _mm512_zextsi128_si512(sum);
        for (blocks, powers) in batch.as_chunks::<64>().0.iter().zip(powers.as_chunks::<4>().0) {
            let x = _mm512_xor_si512(_mm512_shuffle_epi8(load(blocks), reverse), carry);
            carry = _mm512_setzero_si512();
            let h = load_powers(powers);
            low = _mm512_xor_si512(low, _mm512_clmulepi64_epi128::<0x00>(x, h));
            high = _mm512_xor_si512(high, _mm512_clmulepi64_epi128::<0x11>(x, h));
            let (one, other) = (_mm512_clmulepi64_epi128::<0x01>(x, h), _mm512_clmulepi64_epi128::<0x10>(x, h));
            middle = _mm512_ternarylogic_epi32::<0x96>(middle, one, other);
        }
        sum = reduce(add_lanes(low), add_lanes(middle), add_lanes(high));
    }
    to_u128(sum)
}

/// One product.
#[target_feature(enable = "avx512f,pclmulqdq")]
fn product(a: u128, b: u128) -> u128 {
    let (a, b) = (from_u128(a), from_u128(b));
    let middle = _mm_xor_si128(_mm_clmulepi64_si128::<0x01>(a, b), _mm_clmulepi64_si128::<0x10>(a, b));
    to_u128(reduce(_mm_clmulepi64_si128::<0x00>(a, b), middle, _mm_clmulepi64_si128::<0x11>(a, b)))
}

/// `(low + middle · x^64 + high · x^128) · x^-128`. Twice the lower 64 bits are cancelled by adding a multiple of the polynomial, and the rest is
/// divided by x^64: for L = L0 + L1 x^64 that gives `L1 + L0 x^64 + L0 · UPPER`.
#[inline]
#[target_feature(enable = "avx512f,pclmulqdq")]
fn reduce(low: __m128i, middle: __m128i, high: __m128i) -> __m128i {
    let upper = _mm_set_epi64x(0, UPPER.cast_signed());
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), _mm_clmulepi64_si128::<0x00>(low, upper));
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), _mm_clmulepi64_si128::<0x00>(low, upper));
    _mm_xor_si128(low, high)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_lanes(x: __m512i) -> __m128i {
    let half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
    _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array has exactly a vector's bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_powers(powers: &[u128; 4]) -> __m512i {
    // SAFETY: the array has exactly a vector's bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(powers.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn from_u128(x: u128) -> __m128i {
    _mm_set_epi64x(((x >> 64) as u64).cast_signed(), (x as u64).cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn to_u128(x: __m128i) -> u128 {
    let (low, high) = (_mm_cvtsi128_si64(x).cast_unsigned(), _mm_extract_epi64::<1>(x).cast_unsigned());
    u128::from(high) << 64 | u128::from(low)
}

//! Bringing the blocks of many uploads into vector lanes: word `i` of every lane's block becomes one vector. Pure.
//!
//! Word by word, this was a quarter of the time with all lanes of AVX-512 in use; shuffles move eight or sixteen words
//! at once.
use super::kernel::{BLOCK, MAX_LANES};
use pulp::Simd;

/// A way to read block number `block` of every lane.
pub(super) trait Gather<S: Simd> {
    /// The sixteen words of the block, each as a vector over the lanes. A lane without data, or without this block,
    /// reads as zeros.
    fn gather(&self, data: &[&[u8]], block: usize) -> [S::u32s; 16];
}

/// On any processor.
pub(super) struct ByWord;

/// With the shuffles of AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx2(pub(super) pulp::x86::V3);

/// With the shuffles of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512(pub(super) pulp::x86::V4);

/// `N` bytes of a lane's block from its byte `from` on.
#[inline(always)]
fn piece<const N: usize>(data: &[&[u8]], lane: usize, block: usize, from: usize) -> [u8; N] {
    let rest = data.get(lane).and_then(|bytes| bytes.get(block * BLOCK + from..));
    rest.and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}

// === impl ByWord ===

impl<S: Simd> Gather<S> for ByWord {
    #[inline(always)]
    fn gather(&self, data: &[&[u8]], block: usize) -> [S::u32s; 16] {
        let mut words = [[0u32; MAX_LANES]; 16];
        for lane in 0..data.len().min(MAX_LANES) {
            let bytes = piece::<BLOCK>(data, lane, block, 0);
            for (row, word) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                row[lane] = u32::from_le_bytes(*word);
            }
        }
        words.map(|row| pulp::bytemuck::cast_slice::<u32, S::u32s>(&row[..S::U32_LANES])[0])
    }
}

// === impl Avx2 ===

#[cfg(target_arch = "x86_64")]
impl Gather<pulp::x86::V3> for Avx2 {
    #[inline(always)]
    fn gather(&self, data: &[&[u8]], block: usize) -> [pulp::u32x8; 16] {
        let low = self.transpose(std::array::from_fn(|lane| piece(data, lane, block, 0)));
        let high = self.transpose(std::array::from_fn(|lane| piece(data, lane, block, 32)));
        std::array::from_fn(|word| if word < 8 { low[word] } else { high[word - 8] })
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// Eight rows of eight words, turned into columns: pairs of words, pairs of pairs, halves.
    #[inline(always)]
    fn transpose(&self, rows: [[u8; 32]; 8]) -> [pulp::u32x8; 8] {
        let avx2 = self.0.avx2;
        let rows = rows.map(pulp::cast::<_, core::arch::x86_64::__m256i>);
        let pairs: [_; 8] = std::array::from_fn(|at| {
            let (even, odd) = (rows[at & !1], rows[at | 1]);
            if at & 1 == 0 { avx2._mm256_unpacklo_epi32(even, odd) } else { avx2._mm256_unpackhi_epi32(even, odd) }
        });
        let fours: [_; 8] = std::array::from_fn(|at| {
            let (base, column) = (at & !3, at & 3);
            let (above, below) = (pairs[base + (column >> 1)], pairs[base + 2 + (column >> 1)]);
            if column & 1 == 0 {
                avx2._mm256_unpacklo_epi64(above, below)
            } else {
                avx2._mm256_unpackhi_epi64(above, below)
            }
        });
        std::array::from_fn(|word| {
            let (above, below) = (fours[word & 3], fours[4 + (word & 3)]);
            pulp::cast(if word < 4 {
                avx2._mm256_permute2x128_si256::<0x20>(above, below)
            } else {
                avx2._mm256_permute2x128_si256::<0x31>(above, below)
            })
        })
    }
}

// === impl Avx512 ===

#[cfg(target_arch = "x86_64")]
impl Gather<pulp::x86::V4> for Avx512 {
    #[inline(always)]
    fn gather(&self, data: &[&[u8]], block: usize) -> [pulp::u32x16; 16] {
        self.transpose(std::array::from_fn(|lane| piece(data, lane, block, 0)))
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    /// Sixteen rows of sixteen words, turned into columns: pairs of words, pairs of pairs, then quarters twice.
    #[inline(always)]
    fn transpose(&self, rows: [[u8; 64]; 16]) -> [pulp::u32x16; 16] {
        let avx = self.0.avx512f;
        let rows = rows.map(pulp::cast::<_, core::arch::x86_64::__m512i>);
        let pairs: [_; 16] = std::array::from_fn(|at| {
            let (even, odd) = (rows[at & !1], rows[at | 1]);
            if at & 1 == 0 { avx._mm512_unpacklo_epi32(even, odd) } else { avx._mm512_unpackhi_epi32(even, odd) }
        });
        let fours: [_; 16] = std::array::from_fn(|at| {
            let (base, column) = (at & !3, at & 3);
            let (above, below) = (pairs[base + (column >> 1)], pairs[base + 2 + (column >> 1)]);
            if column & 1 == 0 {
                avx._mm512_unpacklo_epi64(above, below)
            } else {
                avx._mm512_unpackhi_epi64(above, below)
            }
        });
        std::array::from_fn(|word| {
            let (quarter, column) = (word >> 2, word & 3);
            let [first, second, third, fourth] = std::array::from_fn(|rows| fours[4 * rows + column]);
            let (above, below) = if quarter < 2 {
                (avx._mm512_shuffle_i32x4::<0x44>(first, second), avx._mm512_shuffle_i32x4::<0x44>(third, fourth))
            } else {
                (avx._mm512_shuffle_i32x4::<0xee>(first, second), avx._mm512_shuffle_i32x4::<0xee>(third, fourth))
            };
            pulp::cast(if quarter & 1 == 0 {
                avx._mm512_shuffle_i32x4::<0x88>(above, below)
            } else {
                avx._mm512_shuffle_i32x4::<0xdd>(above, below)
            })
        })
    }
}

//! The arithmetic: RFC 1321's compression function over as many lanes as the processor has. Pure.
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{ByWord, Gather};
use pulp::{Simd, WithSimd};

/// Bytes in one MD5 block.
pub(super) const BLOCK: usize = 64;
/// The most lanes any supported processor has (AVX-512: 16 words).
pub(super) const MAX_LANES: usize = 16;

/// The four chaining words of one MD5 (RFC 1321 section 3.3).
pub(super) type Words = [u32; 4];

/// The initial chaining words.
pub(super) const INITIAL: Words = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Left-rotations, four a round (RFC 1321 section 3.4).
const ROTATE: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// `floor(2^32 * abs(sin(i + 1)))` (RFC 1321 section 3.4).
const SINES: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8,
    0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87,
    0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039,
    0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
    0xeb86d391,
];

/// How many MD5s this processor hashes side by side (1 where it has no wide vectors).
pub(super) fn lanes(arch: pulp::Arch) -> usize {
    struct Count;
    impl WithSimd for Count {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::U32_LANES
        }
    }
    arch.dispatch(Count).min(MAX_LANES)
}

/// Advances up to [`lanes`] MD5s by the same number of blocks.
///
/// `data` holds one slice a lane, all of one length, a multiple of [`BLOCK`]; `words` the chaining words of each lane.
/// Lanes beyond `data.len()` are computed and thrown away.
pub(super) struct Compress<'a> {
    pub(super) data: &'a [&'a [u8]],
    pub(super) words: &'a mut [Words],
}

/// A [`Compress`] with the instructions it is to run on.
#[cfg(target_arch = "x86_64")]
struct On<'a, S, G> {
    simd: S,
    gather: G,
    job: Compress<'a>,
}

impl Compress<'_> {
    /// On the best instructions there are.
    pub(super) fn run(self, arch: pulp::Arch) {
        match arch {
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V3(simd) => simd.vectorize(On { simd, gather: Avx2(simd), job: self }),
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V4(simd) => simd.vectorize(On { simd, gather: Avx512(simd), job: self }),
            other => other.dispatch(self),
        }
    }

    #[inline(always)]
    fn with<S: Simd>(self, simd: S, gather: impl Gather<S>) {
        let mut state = std::array::from_fn(|word| {
            let mut row = [0u32; MAX_LANES];
            for (lane, words) in row.iter_mut().zip(self.words.iter()) {
                *lane = words[word];
            }
            pulp::bytemuck::cast_slice::<u32, S::u32s>(&row[..S::U32_LANES])[0]
        });
        let blocks = self.data.first().map_or(0, |d| d.len() / BLOCK);
        for block in 0..blocks {
            state = compress(simd, state, &gather.gather(self.data, block));
        }
        for (word, vector) in state.iter().enumerate() {
            for (words, value) in self.words.iter_mut().zip(pulp::bytemuck::cast_slice::<S::u32s, u32>(&[*vector])) {
                words[word] = *value;
            }
        }
    }
}

impl WithSimd for Compress<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.with(simd, ByWord);
    }
}

#[cfg(target_arch = "x86_64")]
impl<S: Simd, G: Gather<S>> pulp::NullaryFnOnce for On<'_, S, G> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.job.with(self.simd, self.gather);
    }
}

#[inline(always)]
fn rotate_left<S: Simd>(simd: S, word: S::u32s, by: u32) -> S::u32s {
    let high = simd.wrapping_dyn_shl_u32s(word, simd.splat_u32s(by));
    simd.or_u32s(high, simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(32 - by)))
}

/// One block of every lane (RFC 1321 section 3.4).
#[inline(always)]
fn compress<S: Simd>(simd: S, state: [S::u32s; 4], message: &[S::u32s; 16]) -> [S::u32s; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    macro_rules! step {
        ($i:expr, $word:expr, $f:expr) => {{
            let input = simd.add_u32s(simd.splat_u32s(SINES[$i]), message[$word % 16]);
            let sum = simd.add_u32s(simd.add_u32s(a, $f), input);
            let next = simd.add_u32s(b, rotate_left(simd, sum, ROTATE[$i >> 4][$i & 3]));
            (a, d, c, b) = (d, c, b, next);
        }};
    }
    // Written out sixteen times so that every index is a constant.
    macro_rules! round {
        ($base:expr, $mul:expr, $add:expr, $f:expr) => {
            round!(@ $base, $mul, $add, $f; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
        };
        (@ $base:expr, $mul:expr, $add:expr, $f:expr; $($j:literal)*) => {
            $(step!($base + $j, $j * $mul + $add, $f);)*
        };
    }
    round!(0, 1, 0, simd.xor_u32s(d, simd.and_u32s(b, simd.xor_u32s(c, d))));
    round!(16, 5, 1, simd.xor_u32s(c, simd.and_u32s(d, simd.xor_u32s(b, c))));
    round!(32, 3, 5, simd.xor_u32s(simd.xor_u32s(b, c), d));
    round!(48, 7, 0, simd.xor_u32s(c, simd.or_u32s(b, simd.not_u32s(d))));
    [simd.add_u32s(state[0], a), simd.add_u32s(state[1], b), simd.add_u32s(state[2], c), simd.add_u32s(state[3], d)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::Digest;

    /// The digest of data whose length is a multiple of 64, padded by hand.
    fn digest_of(words: Words, length: usize) -> [u8; 16] {
        let mut padding = [0u8; BLOCK];
        padding[0] = 0x80;
        padding[56..].copy_from_slice(&(length as u64 * 8).to_le_bytes());
        let mut all = [words];
        Compress { data: &[&padding], words: &mut all }.run(pulp::Arch::Scalar);
        let mut digest = [0; 16];
        for (out, word) in digest.chunks_exact_mut(4).zip(all[0]) {
            out.copy_from_slice(&word.to_le_bytes());
        }
        digest
    }

    /// Every kind of instructions that this processor has.
    fn arches() -> Vec<pulp::Arch> {
        let mut arches = vec![pulp::Arch::new(), pulp::Arch::Scalar];
        #[cfg(target_arch = "x86_64")]
        arches.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
        arches
    }

    #[test]
    fn every_lane_count_agrees_with_the_md5_crate() {
        for (arch, used) in arches().into_iter().flat_map(|arch| (1..=lanes(arch)).map(move |used| (arch, used))) {
            let data: Vec<Vec<u8>> =
                (0..used).map(|l| (0..640).map(|i| (i * 7 + l * 31 + i * i) as u8).collect()).collect();
            let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            let mut words = vec![INITIAL; used];
            Compress { data: &slices, words: &mut words }.run(arch);
            for (words, data) in words.iter().zip(&data) {
                assert_eq!(digest_of(*words, data.len()), <[u8; 16]>::from(md5::Md5::digest(data)));
            }
        }
    }

    #[test]
    fn bringing_words_into_lanes_one_by_one_agrees_with_the_shuffles() {
        let data: Vec<Vec<u8>> = (0..MAX_LANES).map(|l| (0..256).map(|i| (i * 13 + l * 7) as u8).collect()).collect();
        let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        for arch in arches() {
            let used = lanes(arch);
            let (mut shuffled, mut one_by_one) = (vec![INITIAL; used], vec![INITIAL; used]);
            Compress { data: &slices[..used], words: &mut shuffled }.run(arch);
            arch.dispatch(Compress { data: &slices[..used], words: &mut one_by_one });
            assert_eq!(shuffled, one_by_one, "{arch:?}");
        }
    }
}

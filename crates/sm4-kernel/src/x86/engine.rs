//! SM4 over vectors of 32-bit words: one word of many blocks in each. Only what a step of a round looks like differs between back ends.
//!
//! A *group* is four vectors, one per word of the block, so LANES * 4 blocks (LANES: 128-bit lanes of a vector). Element e of lane l belongs to
//! block `LANES * e + l`: then a transposition inside of lanes leads to and from the order of memory. Several groups go through the rounds
//! side by side, because one step waits for the one before it.

/// Implements [`crate::block::Engine`] for a token by a `step` function.
macro_rules! engine {
    (
        $token:ident, features $features:literal, step $step:path, groups $groups:literal,
        vector $vector:ty, bytes $bytes:literal,
        set $set:ident, add $add:ident, xor $xor:ident, shuffle $shuffle:ident, load $load:ident, store $store:ident,
        unpack $low32:ident $high32:ident $low64:ident $high64:ident
    ) => {
        /// One word of many blocks.
        type Vector = $vector;
        /// Bytes of a vector.
        const BYTES: usize = $bytes;
        /// 128-bit lanes of a vector.
        const LANES: usize = BYTES / 16;
        /// Blocks of a group.
        const BLOCKS: usize = 4 * LANES;
        /// Groups that go side by side.
        const GROUPS: usize = $groups;

        /// A group's bytes.
        type Group = [[u8; BYTES]; 4];

        impl Engine for $token {
            fn encrypt(self, keys: &RoundKeys, blocks: &mut [[u8; 16]]) {
                // SAFETY: the token proves that the machine has the instructions.
                unsafe { encrypt(keys, blocks) }
            }

            fn xor_keystream(self, keys: &RoundKeys, nonce: &[u8; 12], counter: u32, data: &mut [u8]) -> usize {
                // SAFETY: the token proves that the machine has the instructions.
                unsafe { xor_keystream(keys, nonce, counter, data) }
            }
        }

        #[target_feature(enable = $features)]
        fn encrypt(keys: &RoundKeys, blocks: &mut [[u8; 16]]) {
            let (groups, rest) = blocks.as_chunks_mut::<BLOCKS>();
            let (vectors, _) = groups.as_flattened_mut().as_flattened_mut().as_chunks_mut::<BYTES>();
            let (batches, single) = vectors.as_chunks_mut::<4>().0.as_chunks_mut::<GROUPS>();
            for batch in batches {
                encrypt_groups(keys, batch);
            }
            for group in single {
                encrypt_groups::<1>(keys, core::array::from_mut(group));
            }
            if !rest.is_empty() {
                let mut group = Zeroizing::new([[0; 16]; BLOCKS]);
                group[..rest.len()].copy_from_slice(rest);
                encrypt(keys, group.as_mut_slice());
                rest.copy_from_slice(&group[..rest.len()]);
            }
        }

        #[target_feature(enable = $features)]
        fn xor_keystream(keys: &RoundKeys, nonce: &[u8; 12], mut counter: u32, data: &mut [u8]) -> usize {
            let groups = data.as_chunks_mut::<BYTES>().0.as_chunks_mut::<4>().0;
            let done = groups.len() * BLOCKS * 16;
            let (batches, single) = groups.as_chunks_mut::<GROUPS>();
            for batch in batches {
                xor_groups(keys, nonce, counter, batch);
                counter = counter.wrapping_add((GROUPS * BLOCKS) as u32);
            }
            for group in single {
                xor_groups::<1>(keys, nonce, counter, core::array::from_mut(group));
                counter = counter.wrapping_add(BLOCKS as u32);
            }
            done
        }

        #[target_feature(enable = $features)]
        fn encrypt_groups<const G: usize>(keys: &RoundKeys, groups: &mut [Group; G]) {
            let mut words = [[$set(0); 4]; G];
            for (words, group) in words.iter_mut().zip(groups.iter()) {
                for (word, bytes) in words.iter_mut().zip(group) {
                    *word = swap_bytes(load(bytes));
                }
                *words = transpose(*words);
            }
            rounds(keys, &mut words);
            for ([a, b, c, d], group) in words.into_iter().zip(groups) {
                for (word, bytes) in transpose([d, c, b, a]).into_iter().zip(group) {
                    store(bytes, swap_bytes(word));
                }
            }
        }

        #[target_feature(enable = $features)]
        fn xor_groups<const G: usize>(keys: &RoundKeys, nonce: &[u8; 12], counter: u32, groups: &mut [Group; G]) {
            let (fixed, _) = nonce.as_chunks::<4>();
            let [a, b, c] = core::array::from_fn(|at| $set(u32::from_be_bytes(fixed[at]).cast_signed()));
            let mut words = [[a, b, c, c]; G];
            for (at, words) in words.iter_mut().enumerate() {
                let first = counter.wrapping_add((at * BLOCKS) as u32);
                words[3] = $add($set(first.cast_signed()), load(&OFFSETS));
            }
            rounds(keys, &mut words);
            for ([a, b, c, d], group) in words.into_iter().zip(groups) {
                for (word, bytes) in transpose([d, c, b, a]).into_iter().zip(group) {
                    let sum = $xor(load(bytes), swap_bytes(word));
                    store(bytes, sum);
                }
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn rounds<const G: usize>(keys: &RoundKeys, words: &mut [[Vector; 4]; G]) {
            for four in keys.0.as_chunks::<4>().0 {
                for at in 0..4 {
                    let key = $set(four[at].cast_signed());
                    for x in words.iter_mut() {
                        x[at] = $step(x[at], x[(at + 1) % 4], x[(at + 2) % 4], x[(at + 3) % 4], key);
                    }
                }
            }
        }

        /// Words to blocks and back, inside of each lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
            let (ab_low, ab_high) = ($low32(a, b), $high32(a, b));
            let (cd_low, cd_high) = ($low32(c, d), $high32(c, d));
            [$low64(ab_low, cd_low), $high64(ab_low, cd_low), $low64(ab_high, cd_high), $high64(ab_high, cd_high)]
        }

        /// Every word from big-endian to the machine's order, or back.
        #[inline]
        #[target_feature(enable = $features)]
        fn swap_bytes(x: Vector) -> Vector {
            $shuffle(x, load(&SWAP))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load(bytes: &[u8; BYTES]) -> Vector {
            // SAFETY: the array has exactly a vector's bytes, and the load needs no alignment.
            unsafe { $load(bytes.as_ptr().cast()) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn store(bytes: &mut [u8; BYTES], x: Vector) {
            // SAFETY: the array has exactly a vector's bytes, and the store needs no alignment.
            unsafe { $store(bytes.as_mut_ptr().cast(), x) }
        }

        /// The number of each element's block: `LANES * e + l`.
        const OFFSETS: [u8; BYTES] = {
            let mut out = [0; BYTES];
            let mut at = 0;
            while at < BLOCKS {
                out[4 * at] = (LANES * (at % 4) + at / 4) as u8;
                at += 1;
            }
            out
        };

        const SWAP: [u8; BYTES] = {
            let mut out = [0; BYTES];
            let mut at = 0;
            while at < BYTES {
                out[at] = (at % 16 ^ 3) as u8;
                at += 1;
            }
            out
        };
    };
}

pub(super) use engine;

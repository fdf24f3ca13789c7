//! Every back end against RustCrypto's `sm4` and its `aes-gcm` over that cipher: independent code, random input.
//!
//! The long one, by hand: `cargo test --release -p sm4-kernel --test differential -- --ignored --nocapture`.
use aes_gcm::aead::AeadInOut;
use aes_gcm::aes::cipher::consts::U12;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use proptest::prelude::*;
use sm4_kernel::{Backend, Error, Sm4, Sm4Gcm};

type Reference = aes_gcm::AesGcm<sm4::Sm4, U12>;

/// Blocks under one random key: four of the largest batches, and a rest.
const RUN: usize = 1024 + 37;

fn here() -> Vec<Backend> {
    Backend::ALL.into_iter().filter(|backend| backend.is_available()).collect()
}

/// Reproducible random bytes (SplitMix64: Steele, Lea and Flood, 2014); the seed is in every message.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn block(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }
}

/// `blocks` random blocks, a fresh random key every [`RUN`], all back ends.
fn compare_blocks(blocks: usize, seed: u64) {
    let mut random = Random(seed);
    for run in 0..blocks.div_ceil(RUN) {
        let key = random.block();
        let plain: Vec<[u8; 16]> = (0..RUN).map(|_| random.block()).collect();
        let mut expected: Vec<_> = plain.iter().map(|block| (*block).into()).collect();
        sm4::Sm4::new(&key.into()).encrypt_blocks(&mut expected);
        let expected: Vec<[u8; 16]> = expected.into_iter().map(Into::into).collect();
        for backend in here() {
            let mut found = plain.clone();
            Sm4::with_backend(&key, backend).expect("available").encrypt_blocks(&mut found);
            assert!(found == expected, "{} differs: seed {seed}, run {run}", backend.name());
        }
    }
}

#[test]
fn every_back_end_encrypts_as_the_reference_does() {
    compare_blocks(if cfg!(miri) { RUN } else { 50_000 }, 1);
}

#[test]
#[ignore = "some minutes in release mode"]
fn every_back_end_encrypts_a_hundred_million_blocks_as_the_reference_does() {
    let started = std::time::Instant::now();
    compare_blocks(100_000_000, 2);
    println!("100,000,000 blocks by each of {:?} in {:?}", here(), started.elapsed());
}

#[test]
fn every_number_of_blocks_is_encrypted_and_nothing_after_it() {
    let mut random = Random(3);
    let key = random.block();
    let most = if cfg!(miri) { 20 } else { 300 };
    for backend in here() {
        let cipher = Sm4::with_backend(&key, backend).expect("available");
        for count in 0..=most {
            let plain: Vec<[u8; 16]> = (0..=count).map(|_| random.block()).collect();
            let mut found = plain.clone();
            cipher.encrypt_blocks(&mut found[..count]);
            for (found, plain) in found.iter().zip(&plain).take(count) {
                let mut one = (*plain).into();
                sm4::Sm4::new(&key.into()).encrypt_block(&mut one);
                assert_eq!(*found, <[u8; 16]>::from(one), "{} of {count} blocks", backend.name());
            }
            assert_eq!(found[count], plain[count]);
        }
    }
}

#[test]
fn the_counter_wraps_at_32_bits_and_leaves_the_nonce_alone() {
    let (key, nonce) = ([7; 16], [0xff; 12]);
    for backend in here() {
        let cipher = Sm4::with_backend(&key, backend).expect("available");
        for before in [0, 1, 15, 16, 63, 64, 100, 255, 256] {
            let mut stream = vec![0; 16 * 300 + 5];
            let start = 0u32.wrapping_sub(before);
            cipher.xor_keystream(&nonce, start, &mut stream);
            for (at, found) in stream.chunks(16).enumerate() {
                let mut block = [[0xff; 16]];
                block[0][12..].copy_from_slice(&start.wrapping_add(at as u32).to_be_bytes());
                cipher.encrypt_blocks(&mut block);
                assert_eq!(found, &block[0][..found.len()], "{}, block {at} of those from {start:#x}", backend.name());
            }
        }
    }
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0..64usize, 0..2_200usize, Just(16_384), 16_000..17_000usize]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 150 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn gcm_is_the_references(
        key: [u8; 16], nonce: [u8; 12], aad in proptest::collection::vec(any::<u8>(), 0..600), length in length(), seed: u64,
    ) {
        let mut random = Random(seed);
        let plain: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let mut expected = plain.clone();
        let reference = Reference::new(&key.into());
        let tag = reference.encrypt_inout_detached(&nonce.into(), &aad, expected.as_mut_slice().into()).expect("short enough");
        for backend in here() {
            let cipher = Sm4Gcm::with_backend(&key, backend).expect("available");
            let mut found = plain.clone();
            prop_assert_eq!(cipher.seal_in_place(&nonce, &aad, &mut found), Ok(tag.into()), "{}", backend.name());
            prop_assert!(found == expected, "{}", backend.name());
            prop_assert_eq!(cipher.open_in_place(&nonce, &aad, &mut found, &tag.into()), Ok(()));
            prop_assert!(found == plain, "{}", backend.name());
        }
    }

    #[test]
    fn one_changed_bit_anywhere_is_noticed(
        key: [u8; 16], nonce: [u8; 12], aad in proptest::collection::vec(any::<u8>(), 1..40), mut data in proptest::collection::vec(any::<u8>(), 1..400),
        place: proptest::sample::Index, bit in 0..8u8,
    ) {
        for backend in here() {
            let cipher = Sm4Gcm::with_backend(&key, backend).expect("available");
            let mut tag = cipher.seal_in_place(&nonce, &aad, &mut data).expect("short enough");
            let (mut aad, mut nonce, mut changed) = (aad.clone(), nonce, data.clone());
            let all = changed.iter_mut().chain(&mut aad).chain(&mut nonce).chain(&mut tag);
            let mut all: Vec<&mut u8> = all.collect();
            let at = place.index(all.len());
            *all[at] ^= 1 << bit;
            let before = changed.clone();
            prop_assert_eq!(cipher.open_in_place(&nonce, &aad, &mut changed, &tag), Err(Error::Authentication));
            prop_assert!(changed == before, "what does not authenticate is left as it was");
        }
    }
}

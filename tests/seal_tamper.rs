//! Whatever is done to a sealed object, the answer is a typed error and never a byte that was not sealed.
mod seal_support;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use seal_support::*;
use strongroom::s3::{PlainSpan, SealedLen};
use strongroom::seal::*;
use strongroom::secret::SecretBytes;

const FIVE: usize = 5 << 20;
const TRAILER: usize = TRAILER_LEN as usize;

#[test]
fn every_bit_of_a_small_object_matters() {
    for suite in Suite::ALL.iter().copied() {
        for (len, multipart) in [(0, false), (100, false), (33, true)] {
            let mut sealed = seal_parts(suite, &[plaintext(1, len)], multipart, &Fixed::new(1)).to_vec();
            for bit in 0..sealed.len() * 8 {
                sealed[bit / 8] ^= 1 << (bit % 8);
                let changed = Bytes::from(sealed);
                assert!(open(&changed).is_err(), "bit {bit} of an object of {len} bytes does not matter");
                sealed = changed.into();
                sealed[bit / 8] ^= 1 << (bit % 8);
            }
            assert!(open(&sealed.into()).is_ok(), "every flip was undone");
        }
    }
}

#[test]
fn every_truncation_of_a_small_object_is_noticed_at_either_end() {
    for suite in Suite::ALL.iter().copied() {
        let sealed = seal(suite, &plaintext(1, 100), &Fixed::new(2));
        for cut in 1..=sealed.len() {
            assert!(open(&sealed.slice(..sealed.len() - cut)).is_err(), "{cut} bytes missing at the end");
            assert!(open(&sealed.slice(cut..)).is_err(), "{cut} bytes missing at the start");
        }
        for at in 0..=sealed.len() {
            let longer = [&sealed[..at], &[0], &sealed[at..]].concat();
            assert!(open(&longer.into()).is_err(), "a byte more at {at}");
        }
    }
}

#[test]
fn every_bit_of_a_multi_part_footer_matters() {
    for suite in Suite::ALL.iter().copied() {
        let parts = [plaintext(1, FIVE), plaintext(2, 10)];
        let sealed = seal_parts(suite, &parts, true, &Fixed::new(3));
        let at = (message_len(strongroom::s3::PlainLen(FIVE as u64)).0 + 56 + 16 + 10) as usize;
        assert_eq!(sealed.len() - at, 716, "index 184, padding 4, trailer 528");
        let mut sealed = sealed.to_vec();
        for bit in at * 8..sealed.len() * 8 {
            sealed[bit / 8] ^= 1 << (bit % 8);
            let changed = Bytes::from(sealed);
            assert!(open(&changed).is_err(), "bit {bit} does not matter");
            sealed = changed.into();
            sealed[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn two_parts_that_change_places_and_a_part_of_another_object_are_noticed() {
    for suite in Suite::ALL.iter().copied() {
        let parts = [plaintext(1, FIVE), plaintext(2, FIVE), plaintext(3, 10)];
        let sealed = seal_parts(suite, &parts, true, &Fixed::new(3)).to_vec();
        let other = seal_parts(suite, &parts, true, &Fixed::new(4));
        let length = message_len(strongroom::s3::PlainLen(FIVE as u64)).0 as usize;
        let swapped = [&sealed[length..2 * length], &sealed[..length], &sealed[2 * length..]].concat();
        let foreign = [&other[..length], &sealed[length..]].concat();
        for changed in [swapped, foreign] {
            assert!(matches!(open(&changed.into()), Err(SealError::Authentication(_))));
        }
    }
}

#[test]
fn another_vault_key_another_name_another_object_are_typed_errors() {
    for suite in Suite::ALL.iter().copied() {
        let sealed = seal(suite, b"secret", &Fixed::new(4));
        let trailer = Trailer::parse(&sealed[sealed.len() - TRAILER..], SealedLen(sealed.len() as u64)).expect("good");
        let auth = |result: Result<OpenObject, SealError>| matches!(result, Err(SealError::Authentication(_)));
        for vault in [
            vault_named("default", 1, [0x43; 32]),
            vault_named("default", 2, [0x42; 32]),
            vault_named("other", 1, [0x42; 32]),
        ] {
            assert!(auth(trailer.open(&vault, &name().get())));
        }
        for other in
            [Name::new("photos", "2026/b.jpg"), Name::new("photoz", "2026/a.jpg"), Name::new("photos2", "026/a.jpg")]
        {
            assert!(auth(trailer.open(&vault(), &other.get())));
        }
        // Two objects of one length that change places keep their trailers' names.
        let other = seal_parts_with(
            &ObjectSealer::generate(suite, &vault(), &Fixed::new(5)).expect("fixed"),
            &[b"public".to_vec()],
            &content(false),
            &Name::new("photos", "2026/other.jpg"),
            &Fixed::new(6),
        );
        assert_eq!(other.len(), sealed.len());
        assert!(matches!(open(&other), Err(SealError::Authentication(_))));
    }
}

#[test]
fn an_object_is_of_the_suite_that_it_was_sealed_with_and_of_no_other() {
    for suite in Suite::ALL.iter().copied() {
        let mut sealed = seal(suite, b"secret", &Fixed::new(4)).to_vec();
        let at = sealed.len() - TRAILER + 1;
        assert_eq!(sealed[at], suite.number());
        for number in (0..=u8::MAX).filter(|number| *number != suite.number()) {
            sealed[at] = number;
            let error = open(&Bytes::copy_from_slice(&sealed)).expect_err("another suite");
            match Suite::from_number(number) {
                Some(_) => assert!(matches!(error, SealError::Authentication(_)), "{suite} as {number}: {error}"),
                None => assert!(matches!(error, SealError::Unsupported(_)), "{suite} as {number}: {error}"),
            }
        }
    }
}

#[test]
fn a_sealer_and_what_it_seals_say_their_suite() {
    for suite in Suite::ALL.iter().copied() {
        let entropy = Fixed::new(9);
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        assert_eq!(sealer.suite(), suite);
        let mut wrapped = sealer.to_wrapped();
        assert_eq!(ObjectSealer::from_wrapped(&wrapped, &vault()).map(|sealer| sealer.suite()), Ok(suite));
        let sealed = seal_parts_with(&sealer, &[b"x".to_vec()], &content(false), &name(), &entropy);
        let (_, object) = decode_whole(&sealed, &vault(), &name().get()).expect("good");
        assert_eq!(object.suite(), suite);
        let copy = ObjectSealer::rewrap(&object, &vault_named("other", 3, [7; 32]), &entropy).expect("fixed");
        assert_eq!(copy.suite(), suite, "a body that is taken over keeps its suite");
        // The wrapped form of an upload is bound to its suite as well.
        wrapped[1] = 3 - suite.number();
        let other = ObjectSealer::from_wrapped(&wrapped, &vault()).map(|_| ());
        assert!(matches!(other, Err(SealError::Authentication(_))), "{other:?}");
    }
}

#[test]
fn the_all_zero_key_is_refused_everywhere() {
    for suite in Suite::ALL.iter().copied() {
        struct Zero;
        impl Entropy for Zero {
            fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
                out.fill(0);
                Ok(())
            }
        }
        let bad = |error: Option<SealError>| assert!(matches!(error, Some(SealError::BadKey(_))), "{error:?}");
        let zero = || SecretBytes::new([0; 32]);
        bad(VaultKey::new(key_ref("default", 1), zero()).err());
        bad(ObjectSealer::generate(suite, &vault(), &Zero).err());
        bad(seal_blob(&zero(), "x", b"x", &Fixed::new(1)).err());
        let blob = seal_blob(&SecretBytes::new([1; 32]), "x", b"x", &Fixed::new(1)).expect("good");
        bad(open_blob(&zero(), "x", &blob).err());
    }
}

#[test]
fn without_randomness_nothing_is_sealed() {
    for suite in Suite::ALL.iter().copied() {
        struct Empty;
        impl Entropy for Empty {
            fn fill(&self, _: &mut [u8]) -> Result<(), SealError> {
                Err(SealError::NoEntropy)
            }
        }
        let entropy = Fixed::new(1);
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        let part = entry(1, message(&sealer, b"x", 1, &entropy, &mut BytesMut::new()));
        let none = Some(SealError::NoEntropy);
        assert_eq!(ObjectSealer::generate(suite, &vault(), &Empty).err(), none);
        assert_eq!(sealer.message(&Empty).err(), none);
        assert_eq!(sealer.seal_metadata(b"x", &Empty).err(), none);
        assert_eq!(sealer.seal_part_record(1, &part, &Empty).err(), none);
        assert_eq!(sealer.footer(&name().get(), &[part], &content(false), &Empty).err(), none);
        assert_eq!(seal_blob(&SecretBytes::new([1; 32]), "x", b"x", &Empty).err(), none);
    }
}

fn reader_of(sealed: &Bytes) -> (SpanReader, Bytes) {
    let trailer = Trailer::parse(&sealed[sealed.len() - TRAILER..], SealedLen(sealed.len() as u64)).expect("good");
    let object = trailer.open(&vault(), &name().get()).expect("good");
    let layout = object.layout_single().expect("one part");
    let reader = object.reader(&layout, PlainSpan::whole(object.plain_len())).expect("whole");
    let (start, len) = reader.sealed_span();
    (reader, sealed.slice(start as usize..(start + len) as usize))
}

#[test]
fn a_reader_releases_verified_chunks_only_and_then_nothing_more() {
    for suite in Suite::ALL.iter().copied() {
        let plain = plaintext(1, 50_000);
        let sealed = seal(suite, &plain, &Fixed::new(7));
        let (mut reader, body) = reader_of(&sealed);
        let mut changed = body.to_vec();
        changed[56 + 2 * 16_400 + 5] ^= 1;
        let changed = Bytes::from(changed);
        let mut out = BytesMut::from(&b"before"[..]);
        let error = reader.push(changed, &mut out).expect_err("chunk 2 is changed");
        assert!(matches!(error, SealError::Authentication(_)));
        assert_eq!(out, [b"before", &plain[..2 * 16_384]].concat(), "chunks 0 and 1 and not a byte of chunk 2");
        assert!(reader.push(body, &mut out).is_err(), "good bytes do not help after a bad chunk");
        assert_eq!(out.len(), 6 + 2 * 16_384);
        assert!(reader.finish().is_err());
    }
}

#[test]
fn a_reader_knows_when_bytes_are_missing_or_too_many() {
    for suite in Suite::ALL.iter().copied() {
        let sealed = seal(suite, &plaintext(1, 50_000), &Fixed::new(8));
        for missing in [1, 16, 17, 16_400, 50_000] {
            let (mut reader, body) = reader_of(&sealed);
            reader.push(body.slice(..body.len() - missing), &mut BytesMut::new()).expect("good so far");
            assert!(matches!(reader.finish(), Err(SealError::Authentication(_))), "{missing} bytes missing");
        }
        let (mut reader, body) = reader_of(&sealed);
        reader.push(body, &mut BytesMut::new()).expect("good");
        let mut out = BytesMut::new();
        assert!(reader.push(Bytes::from_static(b"x"), &mut out).is_err());
        assert!(out.is_empty());
        let (reader, _) = reader_of(&sealed);
        assert!(reader.finish().is_err(), "nothing was pushed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_single_bit_of_a_larger_object_matters(suite in prop::sample::select(Suite::ALL), len in 0..70_000usize, bit: prop::sample::Index, seed: u64) {
        let mut sealed = seal(suite, &plaintext(seed, len), &Fixed::new(seed)).to_vec();
        let bit = bit.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(open(&sealed.into()).is_err());
    }

    #[test]
    fn any_truncation_of_a_larger_object_is_noticed(suite in prop::sample::select(Suite::ALL), len in 0..70_000usize, cut: prop::sample::Index, seed: u64) {
        let sealed = seal(suite, &plaintext(seed, len), &Fixed::new(seed));
        prop_assert!(open(&sealed.slice(..cut.index(sealed.len()))).is_err());
    }

    #[test]
    fn any_two_chunks_that_change_places_are_noticed(suite in prop::sample::select(Suite::ALL), a in 0..5usize, b in 0..5usize, seed: u64) {
        prop_assume!(a != b);
        let mut sealed = seal(suite, &plaintext(seed, 5 * 16_384 + 9), &Fixed::new(seed)).to_vec();
        let chunk = |i: usize| 56 + i * 16_400..56 + (i + 1) * 16_400;
        let (first, second) = (sealed[chunk(a)].to_vec(), sealed[chunk(b)].to_vec());
        sealed[chunk(a)].copy_from_slice(&second);
        sealed[chunk(b)].copy_from_slice(&first);
        prop_assert!(matches!(open(&sealed.into()), Err(SealError::Authentication(_))));
    }

    #[test]
    fn random_bytes_are_never_an_object(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(open(&bytes.into()).is_err());
    }
}

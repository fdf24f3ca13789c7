//! Objects with a key of the customer's own, from outside: everything about them opens without it, nothing in them does.
mod seal_support;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use seal_support::*;
use strongroom::s3::{PlainSpan, SealedLen};
use strongroom::seal::*;

const KEY: [u8; 32] = [0xc7; 32];
const FIVE: usize = 5 << 20;

fn seal_for(suite: Suite, key: [u8; 32], parts: &[Vec<u8>], entropy: &Fixed) -> Bytes {
    let key = customer_key(key);
    let sealer = ObjectSealer::generate(suite, &vault(), entropy).expect("fixed");
    let sealer = sealer.with_customer_key(Some(&key)).expect("a usable key");
    seal_parts_for(Some(&key), &sealer, parts, &content(parts.len() > 1), &name(), entropy)
}

fn open_for(key: Option<[u8; 32]>, sealed: &Bytes) -> Result<Bytes, SealError> {
    let key = key.map(customer_key);
    decode_whole_for(key.as_ref(), sealed, &vault(), &name().get()).map(|(plain, _)| plain)
}

fn opened(sealed: &Bytes) -> OpenObject {
    let trailer = Trailer::parse(sealed, SealedLen(sealed.len() as u64)).expect("a trailer");
    trailer.open(&vault(), &name().get()).expect("the vault key opens it")
}

fn fault(result: Result<Bytes, SealError>) -> Option<CustomerKeyFault> {
    match result {
        Err(SealError::CustomerKey(fault)) => Some(fault),
        _ => None,
    }
}

#[test]
fn without_the_key_everything_about_the_object_opens_and_nothing_in_it() {
    for suite in Suite::ALL.iter().copied() {
        let parts = [plaintext(1, FIVE + 3), plaintext(2, 100)];
        let sealed = seal_for(suite, KEY, &parts, &Fixed::new(1));
        let object = opened(&sealed);
        assert!(object.has_customer_key());
        assert_eq!(sealed.len(), canonical(FIVE + 103));
        assert_eq!((object.part_count(), object.etag().as_str()), (2, &*format!("{}-2", "6d".repeat(16))));
        let layout = layout_of(&sealed, &object).expect("the index needs no customer's key");
        assert_eq!(layout.parts().len(), 2);
        let (start, _) = object.footer_span();
        assert_eq!(object.check_footer(&sealed[start as usize..]), Ok(()));
        assert_eq!(fault(open_for(None, &sealed)), Some(CustomerKeyFault::Missing));
        assert!(open_for(Some(KEY), &sealed).expect("its own key") == parts.concat());
    }
}

#[test]
fn a_copy_takes_the_customers_key_over_with_the_body() {
    for suite in Suite::ALL.iter().copied() {
        let entropy = Fixed::new(2);
        let (plain, other) = (plaintext(3, 20_000), Name::new("archive", "copy"));
        let sealed = seal_for(suite, KEY, std::slice::from_ref(&plain), &entropy);
        let object = opened(&sealed);
        let sealer = ObjectSealer::rewrap(&object, &vault(), &entropy).expect("fixed");
        let layout = object.layout_single().expect("one part");
        let footer = sealer.footer(&other.get(), layout.parts(), object.content(), &entropy).expect("good");
        let (start, _) = object.footer_span();
        let copy = Bytes::from([&sealed[..start as usize], &footer].concat());
        let read = |key: Option<&CustomerKey>| decode_whole_for(key, &copy, &vault(), &other.get());
        assert!(matches!(read(None), Err(SealError::CustomerKey(CustomerKeyFault::Missing))));
        assert!(read(Some(&customer_key(KEY))).expect("the same key").0 == plain);
    }
}

#[test]
fn an_upload_remembers_which_key_it_was_begun_with_and_not_the_key() {
    for suite in Suite::ALL.iter().copied() {
        let (entropy, key) = (Fixed::new(3), customer_key(KEY));
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        let plain = sealer.to_wrapped();
        let wrapped = sealer.with_customer_key(Some(&key)).expect("a usable key").to_wrapped();
        assert!(!wrapped.windows(32).any(|window| window == KEY));
        assert_eq!(ObjectSealer::wrapped_key_ref(&wrapped).expect("a reference"), key_ref("default", 1));
        let sealer = ObjectSealer::from_wrapped(&wrapped, &vault()).expect("the same upload");
        let other = customer_key([0xc8; 32]);
        assert!(sealer.has_customer_key());
        assert_eq!(sealer.check_customer_key(Some(&key)), Ok(()));
        assert_eq!(sealer.check_customer_key(None), Err(CustomerKeyFault::Missing.into()));
        assert_eq!(sealer.check_customer_key(Some(&other)), Err(CustomerKeyFault::Wrong.into()));
        assert_eq!(sealer.message(&entropy).err(), Some(CustomerKeyFault::Missing.into()));
        assert_eq!(sealer.message_with(Some(&other), &entropy).err(), Some(CustomerKeyFault::Wrong.into()));
        let without = ObjectSealer::from_wrapped(&plain, &vault()).expect("the upload without a key");
        assert_eq!(without.message_with(Some(&key), &entropy).err(), Some(CustomerKeyFault::NotUsed.into()));
        for cut in 0..wrapped.len() {
            assert!(ObjectSealer::from_wrapped(&wrapped[..cut], &vault()).is_err(), "cut to {cut}");
        }
        let relabelled = [&[1], &wrapped[1..]].concat();
        assert!(ObjectSealer::from_wrapped(&relabelled, &vault()).is_err(), "the check cannot be left hanging");
    }
}

#[test]
fn the_all_zero_key_is_refused() {
    assert!(matches!(CustomerKey::new(&[0; 32]), Err(SealError::BadKey(_))));
}

#[test]
fn one_key_leaves_nothing_in_common_between_objects() {
    let entropy = Fixed::new(4);
    let plain = plaintext(5, 100);
    let one = seal_for(Suite::Aes256Gcm, KEY, std::slice::from_ref(&plain), &entropy);
    let two = seal_for(Suite::Aes256Gcm, KEY, std::slice::from_ref(&plain), &entropy);
    let (body, _) = opened(&one).footer_span();
    let sealed_part = one.len() - 528 + 352..one.len() - 8;
    for window in one[..body as usize].windows(16).chain(one[sealed_part].windows(16)) {
        assert!(!two.windows(16).any(|other| other == window));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_object_opens_with_its_key_and_with_no_other(
        suite in prop::sample::select(Suite::ALL),
        len in 0..70_000usize,
        key in prop::array::uniform32(1..=u8::MAX),
        bit in 0..256usize,
        seed: u64,
    ) {
        let plain = plaintext(seed, len);
        let sealed = seal_for(suite, key, std::slice::from_ref(&plain), &Fixed::new(seed));
        prop_assert!(open_for(Some(key), &sealed).expect("its key") == plain);
        let mut other = key;
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(fault(open_for(Some(other), &sealed)), Some(CustomerKeyFault::Wrong));
        prop_assert_eq!(fault(open_for(None, &sealed)), Some(CustomerKeyFault::Missing));
        let none = seal(suite, &plain, &Fixed::new(seed));
        prop_assert_eq!(fault(open_for(Some(key), &none)), Some(CustomerKeyFault::NotUsed));
    }

    #[test]
    fn any_span_reads_with_the_key_alone(suite in prop::sample::select(Suite::ALL), a in 0..40_000u64, len in 1..40_000u64) {
        let plain = plaintext(6, 50_000);
        let sealed = seal_for(suite, KEY, std::slice::from_ref(&plain), &Fixed::new(6));
        let object = opened(&sealed);
        let (layout, total) = (object.layout_single().expect("one part"), object.plain_len());
        let span = PlainSpan { start: a, end: (a + len).min(total.0), total };
        prop_assert!(object.reader(&layout, span).is_err());
        let mut reader = object.reader_with(Some(&customer_key(KEY)), &layout, span).expect("the key");
        let (start, length) = reader.sealed_span();
        let mut out = BytesMut::new();
        reader.push(sealed.slice(start as usize..(start + length) as usize), &mut out).expect("authentic");
        prop_assert!(reader.finish().is_ok());
        prop_assert!(out[..] == plain[span.start as usize..span.end as usize]);
    }

    #[test]
    fn any_single_bit_matters(suite in prop::sample::select(Suite::ALL), len in 0..20_000usize, bit: prop::sample::Index, seed: u64) {
        let mut sealed = seal_for(suite, KEY, &[plaintext(seed, len)], &Fixed::new(seed)).to_vec();
        let bit = bit.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(open_for(Some(KEY), &sealed.into()).is_err());
    }
}

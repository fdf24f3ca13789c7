//! Properties of the sealed-object format, from outside: round trips, lengths, spans.
mod seal_support;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use seal_support::*;
use std::collections::HashSet;
use std::sync::OnceLock;
use strongroom::s3::{PlainLen, PlainSpan, SealedLen};
use strongroom::seal::*;

const FIVE: usize = 5 << 20;
const TIB_5: u64 = 5 << 40;

#[test]
fn what_is_sealed_comes_back_at_the_canonical_length() {
    for suite in Suite::ALL.iter().copied() {
        let entropy = Fixed::new(1);
        for len in [0, 1, 15, 16, 17, 16_383, 16_384, 16_385, 32_768, 50_000] {
            let plain = plaintext(len as u64, len);
            let sealed = seal(suite, &plain, &entropy);
            assert_eq!(sealed.len(), canonical(len), "{len} bytes");
            assert_eq!(open(&sealed).expect("it opens"), plain, "{len} bytes");
        }
    }
}

#[test]
fn parts_of_any_size_come_back_at_the_canonical_length() {
    for suite in Suite::ALL.iter().copied() {
        let entropy = Fixed::new(2);
        for last in [0, 1, FIVE, FIVE + 3] {
            let parts = vec![plaintext(1, FIVE), plaintext(2, FIVE + 77), plaintext(3, last)];
            let sealed = seal_parts(suite, &parts, true, &entropy);
            let plain = parts.concat();
            assert_eq!(sealed.len(), canonical(plain.len()));
            assert!(open(&sealed).expect("it opens") == plain);
        }
    }
}

#[test]
fn a_multipart_upload_of_one_part_is_an_object_without_an_index() {
    for suite in Suite::ALL.iter().copied() {
        for len in [0, 1, FIVE] {
            let parts = [plaintext(3, len)];
            let sealed = seal_parts(suite, &parts, true, &Fixed::new(3));
            let (plain, object) = decode_whole(&sealed, &vault(), &name().get()).expect("it opens");
            assert_eq!(plain, parts[0]);
            assert_eq!((object.part_count(), object.index_span()), (1, None));
            assert_eq!(object.etag().as_str(), format!("{}-1", "6d".repeat(16)));
        }
    }
}

#[test]
fn the_same_part_twice_never_repeats_a_salt_or_a_byte_of_ciphertext() {
    for suite in Suite::ALL.iter().copied() {
        let entropy = Fixed::new(4);
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        let plain = plaintext(1, 100);
        let mut salts = HashSet::new();
        let mut sealed = HashSet::new();
        for _ in 0..200 {
            let mut out = BytesMut::new();
            assert!(salts.insert(message(&sealer, &plain, 100, &entropy, &mut out).salt));
            assert_eq!(out[..24], *salts.get(&out[..24]).expect("the salt comes first"));
            assert!(sealed.insert(out[56..].to_vec()), "the same ciphertext twice");
        }
    }
}

/// Two uneven parts and a short third one, sealed once a suite for all the cases of a property.
fn uneven(suite: Suite) -> &'static (Vec<u8>, Bytes) {
    static OBJECTS: [OnceLock<(Vec<u8>, Bytes)>; Suite::ALL.len()] = [const { OnceLock::new() }; Suite::ALL.len()];
    OBJECTS[suite as usize - 1].get_or_init(|| {
        let parts = vec![plaintext(1, FIVE + 10_000), plaintext(2, FIVE), plaintext(3, 40_000)];
        let sealed = seal_parts(suite, &parts, true, &Fixed::new(5));
        (parts.concat(), sealed)
    })
}

fn opened(sealed: &Bytes) -> (OpenObject, Layout) {
    let trailer = Trailer::parse(sealed, SealedLen(sealed.len() as u64)).expect("good");
    let object = trailer.open(&vault(), &name().get()).expect("good");
    let layout = layout_of(sealed, &object).expect("good");
    (object, layout)
}

/// Reads a span, pushing its sealed bytes in pieces of these sizes over and over.
fn read(sealed: &Bytes, start: u64, end: u64, pieces: &[usize]) -> Vec<u8> {
    let (object, layout) = opened(sealed);
    let span = PlainSpan { start, end, total: object.plain_len() };
    let mut reader = object.reader(&layout, span).expect("inside");
    let (at, len) = reader.sealed_span();
    let mut rest = sealed.slice(at as usize..(at + len) as usize);
    let mut out = BytesMut::new();
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let piece = rest.split_to((*piece).min(rest.len()));
        reader.push(piece, &mut out).expect("good bytes");
        assert!(out.len() as u64 <= end - start, "more came out than the span has");
    }
    reader.finish().expect("all was pushed");
    out.to_vec()
}

#[test]
fn spans_around_every_boundary_read_the_same_bytes() {
    for suite in Suite::ALL.iter().copied() {
        let (plain, sealed) = uneven(suite);
        let p1 = FIVE + 10_000;
        let edges =
            [0, 1, 16_383, 16_384, 16_385, p1 - 1, p1, p1 + 1, p1 + 16_384, p1 + FIVE, plain.len() - 1, plain.len()];
        for start in edges {
            for end in edges.into_iter().filter(|end| *end > start && end - start < 2 * 16_384 || *end == plain.len()) {
                if end <= start {
                    continue;
                }
                assert!(read(sealed, start as u64, end as u64, &[70_000]) == plain[start..end], "{start}..{end}");
            }
        }
    }
}

#[test]
fn a_span_fetches_only_the_chunks_that_cover_it() {
    for suite in Suite::ALL.iter().copied() {
        let (object, layout) = opened(&uneven(suite).1);
        let span = |start, end| {
            let span = PlainSpan { start, end, total: object.plain_len() };
            object.reader(&layout, span).expect("inside").sealed_span()
        };
        assert_eq!(span(0, 1), (0, 56 + 16_400), "the header comes with chunk 0");
        assert_eq!(span(16_384, 16_385), (56 + 16_400, 16_400), "but not with chunk 1");
        assert_eq!(span(16_383, 16_385), (0, 56 + 2 * 16_400));
        let (start, len) = span(0, object.plain_len().0);
        assert_eq!((start, len), layout.body_span(), "the whole object is the whole body");
        let p2 = layout.part_span(2).expect("three parts");
        let (_, len) = span(p2.start, p2.end);
        assert_eq!(len, message_len(p2.len()).0, "a whole part is its whole message, the empty last chunk too");
    }
}

#[test]
fn part_spans_and_layout_name_every_part() {
    for suite in Suite::ALL.iter().copied() {
        let (object, layout) = opened(&uneven(suite).1);
        let spans: Vec<_> =
            (0..5).map(|ordinal| layout.part_span(ordinal).map(|span| (span.start, span.end))).collect();
        let (p1, p2, p3) = ((FIVE + 10_000) as u64, FIVE as u64, 40_000);
        assert_eq!(spans, [None, Some((0, p1)), Some((p1, p1 + p2)), Some((p1 + p2, p1 + p2 + p3)), None]);
        assert_eq!(layout.parts().iter().map(|part| part.part_number).collect::<Vec<_>>(), [1, 2, 3]);
        let (body, footer) = (layout.body_span(), object.footer_span());
        assert_eq!((body.1, footer.0 + footer.1), (footer.0, object.sealed_len().0));
    }
}

#[test]
fn a_reader_refuses_spans_and_layouts_of_other_objects() {
    for suite in Suite::ALL.iter().copied() {
        let (object, layout) = opened(&uneven(suite).1);
        let total = object.plain_len();
        for (start, end, total) in [(0, 1, PlainLen(total.0 - 1)), (2, 1, total), (0, total.0 + 1, total)] {
            assert!(matches!(object.reader(&layout, PlainSpan { start, end, total }), Err(SealError::Malformed(_))));
        }
        let other = seal(suite, b"other", &Fixed::new(6));
        let (other, _) = opened(&other);
        assert!(matches!(other.reader(&layout, PlainSpan::whole(other.plain_len())), Err(SealError::Malformed(_))));
        assert!(matches!(object.layout_single(), Err(SealError::Malformed(_))));
        assert!(matches!(other.layout_from_index(&[0; 184]), Err(SealError::Authentication(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_plaintext_in_any_pieces_comes_back(
        suite in prop::sample::select(Suite::ALL),
        plain in prop::collection::vec(any::<u8>(), 0..120_000),
        pieces in prop::collection::vec(1..40_000usize, 1..8),
        seed: u64,
    ) {
        let entropy = Fixed::new(seed);
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        let mut out = BytesMut::new();
        let mut sealing = sealer.message(&entropy).expect("fixed");
        let mut rest = &plain[..];
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*piece).min(rest.len()));
            let before = out.len();
            sealing.update(piece, &mut out).expect("small");
            prop_assert!(out.len() - before <= piece.len() + 16_400 + 56 + 16 * (piece.len() / 16_384 + 1));
            rest = after;
        }
        let summary = sealing.finish(&mut out).expect("no update failed");
        prop_assert_eq!(out.len() as u64, message_len(summary.plain_len).0);
        let footer = sealer.footer(&name().get(), &[entry(1, summary)], &content(false), &entropy).expect("good");
        out.extend_from_slice(&footer);
        let sealed = out.freeze();
        prop_assert_eq!(sealed.len(), canonical(plain.len()));
        prop_assert!(open(&sealed).expect("it opens") == plain);
        prop_assert!(read(&sealed, 0, plain.len() as u64, &pieces) == plain);
    }

    #[test]
    fn any_span_in_any_pieces_reads_the_same_bytes(
        suite in prop::sample::select(Suite::ALL),
        a in 0..2 * FIVE as u64 + 50_000,
        len in 1..80_000u64,
        pieces in prop::collection::vec(1..60_000usize, 1..6),
    ) {
        let (plain, sealed) = uneven(suite);
        let end = (a + len).min(plain.len() as u64);
        prop_assert!(read(sealed, a, end, &pieces) == plain[a as usize..end as usize]);
    }

    #[test]
    fn any_split_into_parts_comes_back(suite in prop::sample::select(Suite::ALL), extra in prop::collection::vec(0..100_000usize, 1..3), last in 0..50_000usize) {
        let mut parts: Vec<_> = extra.iter().map(|extra| plaintext(*extra as u64, FIVE + extra)).collect();
        parts.push(plaintext(9, last));
        let sealed = seal_parts(suite, &parts, true, &Fixed::new(last as u64));
        let plain = parts.concat();
        prop_assert_eq!(sealed.len(), canonical(plain.len()));
        prop_assert!(open(&sealed).expect("it opens") == plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn lengths_invert_up_to_5_tib(plain in 0..=TIB_5) {
        let sealed = sealed_len(PlainLen(plain)).expect("within 5 TiB");
        prop_assert_eq!(plain_len(sealed), Some(PlainLen(plain)));
        if plain < TIB_5 {
            let next = sealed_len(PlainLen(plain + 1)).expect("within 5 TiB");
            prop_assert!(next > sealed);
        }
    }

    #[test]
    fn a_length_is_canonical_exactly_when_it_inverts(sealed in 0..5_600_000_000_000u64) {
        let plain = plain_len(SealedLen(sealed));
        let again = plain.map(|plain| sealed_len(plain).expect("within 5 TiB"));
        prop_assert!(again.is_none_or(|again| again == SealedLen(sealed)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Only footers are made here, so the parts may have any size up to 5 TiB in all.
    #[test]
    fn any_parts_and_their_footer_have_the_canonical_length(
        suite in prop::sample::select(Suite::ALL),
        count in prop_oneof![1..5usize, 1..300usize, Just(10_000)],
        scale in prop_oneof![Just(1u64), Just(16_384), Just(40 << 20), Just(500 << 20)],
        seed: u64,
    ) {
        let entropy = Fixed::new(seed);
        let mut parts: Vec<PartEntry> = (1..=count)
            .map(|number| PartEntry {
                part_number: number as u16,
                plain_len: PlainLen(FIVE as u64 + entropy.below(scale)),
                salt: { let mut salt = [0; 24]; entropy.fill(&mut salt).expect("fixed"); salt },
                md5: [0; 16],
                checksum: None,
            })
            .collect();
        parts[count - 1].plain_len = PlainLen(entropy.below(FIVE as u64 * 2));
        let total: u64 = parts.iter().map(|part| part.plain_len.0).sum();
        prop_assume!(total <= TIB_5);
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        let footer = sealer.footer(&name().get(), &parts, &content(true), &entropy).expect("good parts");
        let body: u64 = parts.iter().map(|part| message_len(part.plain_len).0).sum();
        let sealed = sealed_len(PlainLen(total)).expect("within 5 TiB");
        prop_assert_eq!(body + footer.len() as u64, sealed.0);
        let object = Trailer::parse(&footer, sealed).expect("good").open(&vault(), &name().get()).expect("good");
        let layout = match object.index_span() {
            Some((_, length)) => object.layout_from_index(&footer[..length as usize]),
            None => object.layout_single(),
        };
        let layout = layout.expect("good");
        prop_assert_eq!(layout.parts(), &parts[..]);
        prop_assert_eq!(layout.body_span(), (0, body));
    }
}

//! Multipart uploads.
use crate::bench::{ALWAYS, Bench, MIB, pattern, read, status};
use bytes::Bytes;
use strongroom::s3::SealedETag;
use strongroom::site::{
    Location, NO_HEADERS, ObjectHeaders, PartSource, PutBody, SealedRange, SiteError, WriteCondition,
};
use tokio::sync::mpsc;

const NO_ETAG: &str = "00000000000000000000000000000000";

fn from<'a>(at: &'a Location, etag: &'a SealedETag) -> PartSource<'a> {
    PartSource { at, version: None, etag }
}

pub async fn parts_may_have_gaps_and_any_order(bench: Bench) {
    let key = "dir/multi part";
    let at = bench.at(key);
    let id = bench.site.create_multipart(&at, &ObjectHeaders::of(Some("sealed-metadata"))).await.expect("an upload");
    let (one, three, seven) = (pattern(5 * MIB), pattern(5 * MIB + 3), pattern(528));
    let last = bench.upload_part(key, &id, 7, &seven).await;
    bench.upload_part(key, &id, 3, b"replaced").await;
    let middle = bench.upload_part(key, &id, 3, &three).await;
    let first = bench.upload_part(key, &id, 1, &one).await;
    let parts = [(1, first), (3, middle), (7, last)];
    let written = bench.site.complete_multipart(&at, &id, &parts, &ALWAYS).await.expect("completed");
    assert!(!written.etag.as_str().is_empty());
    let got = bench.site.get(&at, SealedRange::Whole, None).await.expect("the object");
    assert_eq!((&got.etag, got.metadata.as_deref()), (&written.etag, Some("sealed-metadata")));
    let whole = [&one[..], &three, &seven].concat();
    assert_eq!(got.total.0, whole.len() as u64);
    assert!(read(got).await.expect("its bytes") == whole, "the parts in the order of their numbers");
    let border = SealedRange::Span { start: 5 * MIB as u64 - 2, length: 4 };
    assert_eq!(bench.get(key, border).await.expect("a range"), [&one[5 * MIB - 2..], &three[..2]].concat());
    // Some servers answer a repeated Complete as they did the first; none may do anything else.
    match bench.site.complete_multipart(&at, &id, &parts, &ALWAYS).await {
        Ok(again) => assert_eq!(again.etag, written.etag),
        Err(gone) => assert_eq!(status(&gone), (404, "NoSuchUpload")),
    }
}

pub async fn completing_is_checked(bench: Bench) {
    let at = bench.at("checked");
    let id = bench.site.create_multipart(&at, &NO_HEADERS).await.expect("an upload");
    let small = bench.upload_part("checked", &id, 1, b"too small").await;
    let last = bench.upload_part("checked", &id, 2, b"last").await;
    let none = SealedETag::from_backend(NO_ETAG);
    // Which of two faults is named first differs between servers.
    for (parts, codes) in [
        (vec![(1, small.clone()), (2, last.clone())], &["EntityTooSmall"][..]),
        (vec![(1, none)], &["InvalidPart"]),
        (vec![(5, last.clone())], &["InvalidPart"]),
        (vec![(2, last), (1, small)], &["InvalidPartOrder", "EntityTooSmall"]),
    ] {
        let refused = bench.site.complete_multipart(&at, &id, &parts, &ALWAYS).await.expect_err("refused");
        let (status, code) = status(&refused);
        assert!(status == 400 && codes.contains(&code), "{refused}, expected {codes:?}");
    }
    bench.site.abort_multipart(&at, &id).await.expect("aborted");
    let gone = bench.site.abort_multipart(&at, &id).await.expect_err("no such upload");
    assert_eq!(status(&gone), (404, "NoSuchUpload"));
    assert!(bench.get("checked", SealedRange::Whole).await.expect_err("nothing").is_not_found());
}

pub async fn completing_on_condition_is_honoured_or_refused(bench: Bench) {
    let known = bench.site.capabilities().complete_if_none_match;
    bench.put("taken", b"here first").await;
    let at = bench.at("taken");
    let id = bench.site.create_multipart(&at, &NO_HEADERS).await.expect("an upload");
    let part = bench.upload_part("taken", &id, 1, b"late").await;
    let completed = bench.site.complete_multipart(&at, &id, &[(1, part)], &WriteCondition::IfAbsent).await;
    match completed {
        Err(error) if known => assert!(error.is_precondition_failed(), "{error}"),
        Err(SiteError::Unsupported { .. }) if !known => {}
        other => panic!("the probe said {known}: {other:?}"),
    }
}

/// S3 leaves parts out that Complete does not name. RGW 16 refuses such a Complete, which nothing can hide.
pub async fn a_part_that_is_not_named_is_left_out_or_refused(bench: Bench) {
    let at = bench.at("left-out");
    let id = bench.site.create_multipart(&at, &NO_HEADERS).await.expect("an upload");
    let first = bench.upload_part("left-out", &id, 1, b"kept").await;
    bench.upload_part("left-out", &id, 2, b"left out").await;
    match bench.site.complete_multipart(&at, &id, &[(1, first)], &ALWAYS).await {
        Ok(_) => assert_eq!(bench.get("left-out", SealedRange::Whole).await.expect("the object"), b"kept"),
        Err(refused) => {
            assert!(std::env::var_os("STRONGROOM_TEST_RGW").is_some(), "the embedded site does as S3: {refused}");
            assert_eq!(status(&refused), (400, "InvalidPart"));
        }
    }
}

pub async fn a_broken_off_part_leaves_the_part_before(bench: Bench) {
    let at = bench.at("parts");
    let id = bench.site.create_multipart(&at, &NO_HEADERS).await.expect("an upload");
    let etag = bench.upload_part("parts", &id, 1, b"good").await;
    let (sender, chunks) = mpsc::channel(1);
    sender.send(Bytes::from_static(b"ba")).await.expect("room");
    drop(sender);
    let broken = bench.site.upload_part(&at, &id, 1, PutBody { length: 3, chunks }).await;
    assert!(matches!(broken, Err(SiteError::Aborted)), "{broken:?}");
    bench.site.complete_multipart(&at, &id, &[(1, etag)], &ALWAYS).await.expect("completed");
    assert_eq!(bench.get("parts", SealedRange::Whole).await.expect("the object"), b"good");
}

pub async fn parts_can_be_copied_from_objects_of_the_site(bench: Bench) {
    let bytes = pattern(6 * MIB);
    let source = bench.at("quelle/凭证 +%.bin");
    let etag = bench.put("quelle/凭证 +%.bin", &bytes).await.etag;
    let at = bench.at("copied");
    let id = bench.site.create_multipart(&at, &NO_HEADERS).await.expect("an upload");
    let span = (7, 5 * MIB as u64);
    let one = bench.site.upload_part_copy(&at, &id, 1, from(&source, &etag), span).await.expect("a copied part");
    let two = bench.upload_part("copied", &id, 2, b"footer").await;
    let stale = SealedETag::from_backend(NO_ETAG);
    let changed = bench.site.upload_part_copy(&at, &id, 3, from(&source, &stale), span).await.expect_err("it changed");
    assert!(changed.is_precondition_failed(), "{changed}");
    let written = bench.site.complete_multipart(&at, &id, &[(1, one), (2, two)], &ALWAYS).await.expect("completed");
    let expected = [&bytes[7..7 + 5 * MIB], b"footer"].concat();
    let got = bench.site.get(&at, SealedRange::Whole, Some(&written.etag)).await.expect("the object");
    assert!(read(got).await.expect("its bytes") == expected);
}

/// Names that a server which decodes the source twice, or looks for a version in it, takes for others.
pub async fn the_source_of_a_copy_is_meant_byte_for_byte(bench: Bench) {
    let at = bench.at("copied");
    let id = bench.site.create_multipart(&at, &NO_HEADERS).await.expect("an upload");
    for (part, key) in [(1, "100%25.bin"), (2, "a%2Fb"), (3, "x?versionId=y"), (4, "a+b%"), (5, "%zz"), (6, "//../.")] {
        let etag = bench.put(key, key.as_bytes()).await.etag;
        let span = (0, key.len() as u64);
        let copied = bench.site.upload_part_copy(&at, &id, part, from(&bench.at(key), &etag), span).await;
        assert_eq!(copied.unwrap_or_else(|error| panic!("{key}: {error}")), etag, "{key}: the MD5 of its bytes");
    }
    bench.site.abort_multipart(&at, &id).await.expect("aborted");
}

//! Reading what was written.
use crate::bench::{ALWAYS, Bench, MIB, body, pattern, read, status};
use bytes::Bytes;
use strongroom::s3::{BucketName, SealedLen};
use strongroom::site::{Location, SealedRange};

pub async fn objects_come_back_as_they_went(bench: Bench) {
    for length in [0, 1, 4096, 65_537, 3 * MIB + 7] {
        let bytes = pattern(length);
        let written = bench.put("a/object", &bytes).await;
        let got = bench.site.get(&bench.at("a/object"), SealedRange::Whole, None).await.expect("the object");
        assert_eq!((got.total, got.length), (SealedLen(length as u64), length as u64));
        assert_eq!((&got.etag, got.metadata.as_deref()), (&written.etag, None));
        let age = strongroom::clock::now() - got.last_modified;
        assert!(age.whole_minutes().abs() < 5, "{age}");
        assert_eq!(read(got).await.expect("its bytes"), bytes);
        let head = bench.site.head(&bench.at("a/object")).await.expect("a head");
        assert_eq!(head, (written.etag, SealedLen(length as u64)));
    }
}

pub async fn ranges_select_exactly(bench: Bench) {
    let bytes = pattern(200_000);
    bench.put("k", &bytes).await;
    let span = |start, length| SealedRange::Span { start, length };
    for (range, expected) in [
        (span(0, 1), &bytes[..1]),
        (span(199_999, 1), &bytes[199_999..]),
        (span(70_000, 60_000), &bytes[70_000..130_000]),
        (span(150_000, 999_999), &bytes[150_000..]),
        (span(3, u64::MAX), &bytes[3..]),
        (SealedRange::Last(1), &bytes[199_999..]),
        (SealedRange::Last(528), &bytes[199_472..]),
        (SealedRange::Last(200_000), &bytes[..]),
        (SealedRange::Last(200_001), &bytes[..]),
    ] {
        let got = bench.site.get(&bench.at("k"), range, None).await.expect("a range");
        assert_eq!((got.total.0, got.length), (200_000, expected.len() as u64), "{range:?}");
        assert_eq!(read(got).await.expect("its bytes"), expected, "{range:?}");
    }
}

pub async fn ranges_that_select_nothing_are_416(bench: Bench) {
    bench.put("k", b"0123456789").await;
    bench.put("empty", b"").await;
    for (key, range) in [
        ("k", SealedRange::Span { start: 10, length: 1 }),
        ("k", SealedRange::Span { start: 3, length: 0 }),
        ("k", SealedRange::Last(0)),
        ("empty", SealedRange::Last(5)),
        ("empty", SealedRange::Span { start: 0, length: 1 }),
    ] {
        match bench.get(key, range).await {
            Err(refused) => assert_eq!(status(&refused), (416, "InvalidRange"), "{key} {range:?}"),
            Ok(bytes) => panic!("{key} {range:?} gave {} bytes", bytes.len()),
        }
    }
}

pub async fn a_read_can_be_pinned_to_a_version(bench: Bench) {
    let first = bench.put("k", b"first").await.etag;
    let got = bench.site.get(&bench.at("k"), SealedRange::Last(2), Some(&first)).await.expect("the pinned version");
    assert_eq!(read(got).await.expect("its bytes"), b"st");
    bench.put("k", b"second").await;
    let changed = bench.site.get(&bench.at("k"), SealedRange::Whole, Some(&first)).await.err().expect("it changed");
    assert_eq!(status(&changed), (412, "PreconditionFailed"));
}

pub async fn what_is_missing_is_404_with_its_own_code(bench: Bench) {
    let missing = bench.get("none", SealedRange::Whole).await.expect_err("no object");
    assert_eq!(status(&missing), (404, "NoSuchKey"));
    assert!(bench.site.head(&bench.at("none")).await.expect_err("no object").is_not_found());
    let elsewhere = Location { bucket: BucketName::parse("no-bucket").expect("a name"), ..bench.at("k") };
    let missing = bench.site.get(&elsewhere, SealedRange::Whole, None).await.err().expect("no bucket");
    assert_eq!(status(&missing), (404, "NoSuchBucket"));
    let (body, feeder) = body(&pattern(MIB));
    let (missing, ()) = tokio::join!(bench.site.put(&elsewhere, &strongroom::site::NO_HEADERS, &ALWAYS, body), feeder);
    assert_eq!(status(&missing.expect_err("no bucket")), (404, "NoSuchBucket"));
}

pub async fn sealed_metadata_survives(bench: Bench) {
    let at = bench.at("m");
    for length in [1, 1000, 2000] {
        let metadata: String = "AZaz09+/=-_.~".chars().cycle().take(length).collect();
        let (body, feeder) = body(b"bytes");
        let headers = strongroom::site::ObjectHeaders::of(Some(&metadata));
        let (written, ()) = tokio::join!(bench.site.put(&at, &headers, &ALWAYS, body), feeder);
        written.expect("a put");
        let got = bench.site.get(&at, SealedRange::Last(1), None).await.expect("the object");
        assert_eq!(got.metadata.as_deref(), Some(metadata.as_str()));
    }
    bench.put("m", b"without").await;
    let got = bench.site.get(&at, SealedRange::Whole, None).await.expect("the object");
    assert_eq!(got.metadata, None, "an overwrite replaces the metadata too");
}

pub async fn readers_see_one_version_or_the_other(bench: Bench) {
    let versions = [pattern(300_000), pattern(5000).repeat(2)];
    let etags = [bench.put("v", &versions[0]).await.etag, bench.put("v", &versions[1]).await.etag];
    let (at, site, contents) = (bench.at("v"), bench.site.clone(), versions.clone());
    let writer = tokio::spawn(async move {
        for round in 0..40 {
            let bytes = Bytes::from(contents[round % 2].clone());
            site.put_small(&at, bytes, &ALWAYS).await.expect("a put");
        }
    });
    while !writer.is_finished() {
        let got = bench.site.get(&bench.at("v"), SealedRange::Whole, None).await.expect("some version");
        let seen = etags.iter().position(|etag| *etag == got.etag).expect("one of the two");
        assert!(read(got).await.expect("its bytes") == versions[seen], "bytes and ETag of one version");
    }
    writer.await.expect("no panic");
}

/// Through both doors, and in listings.
pub async fn keys_arrive_byte_for_byte(bench: Bench) {
    let longest = "字".repeat(341);
    let long_segment = format!("{}/{}", "s".repeat(600), "t".repeat(400));
    let keys = [
        "plain",
        "a b",
        "a+b",
        "a%20b",
        "%2e%2e/%2f",
        "//",
        "/lead",
        "trail/",
        "double//inner",
        ".",
        "..",
        "./x",
        "../up",
        "x/../y",
        "x/./y",
        "凭证/二〇二六.pdf",
        "emoji-😀",
        "q?a=b&c=d",
        "frag#ment",
        "semi;colon",
        "quo\"te'",
        "back\\slash",
        "<xml>&amp;",
        "~tilde_-.",
        "*(){}[]|^`",
        "a",
        "a/b",
        "a/b/c",
        "tab\there",
        "line\nbreak",
        "\u{1}control\u{7f}",
        "=@:,$!",
        ".bucket-x",
        ".upload-x",
        ".tmp.0.internal.part",
        "xn--",
        &longest,
        &long_segment,
    ];
    let content = |key: &str| format!("content of {key}").into_bytes();
    for key in keys {
        bench.put(key, &content(key)).await;
    }
    for key in keys {
        let got = bench.get(key, SealedRange::Whole).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
        assert_eq!(got, content(key), "{key:?}");
        let head = bench.site.head(&bench.at(key)).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
        assert_eq!(head.1.0, content(key).len() as u64, "{key:?}: both doors mean the same object");
    }
    let mut sorted: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    sorted.sort();
    for max_keys in [1000, 7] {
        let pages = bench.list("", None, max_keys).await;
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.objects).map(|object| object.key).collect();
        assert_eq!(listed, sorted, "pages of {max_keys}");
    }
    for key in keys {
        bench.site.delete(&bench.at(key)).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    assert!(bench.list("", None, 1000).await.iter().all(|page| page.objects.is_empty()));
}

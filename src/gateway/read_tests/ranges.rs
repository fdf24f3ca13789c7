//! Whole objects, ranges and parts give exactly the plaintext's bytes and headers.
use crate::gateway::metadata::UserMetadata;
use crate::gateway::testbed::{Testbed, crc, pattern};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use std::collections::BTreeSet;

const CHUNK: usize = 16 * 1024;
const MIB: usize = 1024 * 1024;

/// Every offset at which something could be off by one.
fn edges(length: usize) -> BTreeSet<usize> {
    let mut edges: BTreeSet<usize> = [0, 1, 7].into();
    for border in [CHUNK, 2 * CHUNK, length] {
        edges.extend([border.saturating_sub(2), border.saturating_sub(1), border, border + 1]);
    }
    edges
}

async fn check_range(bed: &Testbed, key: &str, plain: &[u8], range: &str, expected: Option<(usize, usize)>) {
    let answer = bed.get(&format!("/{key}"), &[("range", range)]).await;
    match expected {
        Some((start, end)) => {
            assert_eq!(answer.status, 206, "{key} {range}");
            assert_eq!(answer.header("content-range"), format!("bytes {start}-{}/{}", end - 1, plain.len()));
            assert_eq!(answer.header("content-length"), (end - start).to_string());
            assert!(answer.body == plain[start..end], "{key} {range}");
        }
        None => {
            assert_eq!(answer.status, 416, "{key} {range}");
            assert!(answer.text().contains("<Code>InvalidRange</Code>"));
            assert_eq!(answer.header("content-range"), format!("bytes */{}", plain.len()));
        }
    }
}

#[tokio::test]
async fn every_range_around_the_chunk_borders() {
    let bed = Testbed::start().await;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 40_000] {
        let key = format!("object-{length}");
        let plain = pattern(length);
        bed.put(&key, &plain).await;
        for first in edges(length) {
            let open = (first < length).then_some((first, length));
            check_range(&bed, &key, &plain, &format!("bytes={first}-"), open).await;
            let suffix = (first > 0 && length > 0).then(|| (length - first.min(length), length));
            check_range(&bed, &key, &plain, &format!("bytes=-{first}"), suffix).await;
            for last in edges(length).into_iter().filter(|last| *last >= first) {
                let closed = (first < length).then(|| (first, (last + 1).min(length)));
                check_range(&bed, &key, &plain, &format!("bytes={first}-{last}"), closed).await;
            }
        }
    }
}

#[tokio::test]
async fn whole_objects_of_every_length_around_the_borders_and_the_batches() {
    let bed = Testbed::start().await;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 250_000, 262_144, 300_000, MIB, 3 * MIB + 17] {
        let key = format!("object-{length}");
        let plain = pattern(length);
        bed.put(&key, &plain).await;
        for warm in [false, true] {
            let answer = bed.get(&format!("/{key}"), &[]).await;
            assert_eq!(answer.status, 200, "{length} {warm}");
            assert_eq!(answer.header("content-length"), length.to_string());
            assert_eq!(answer.header("content-range"), "");
            assert_eq!(answer.header("accept-ranges"), "bytes");
            assert_eq!(answer.header("content-type"), "binary/octet-stream");
            assert_eq!(answer.header("x-amz-server-side-encryption"), "AES256");
            assert_eq!(answer.header("etag"), format!("\"{}\"", hex::encode(Md5::digest(&plain))));
            assert_eq!(answer.header("x-strongroom-served-by"), "");
            assert!(answer.body == plain && !answer.broken, "{length} {warm}");
            assert_eq!(answer.facts.bytes_plain, length as u64);
            assert!(answer.facts.bytes_sealed > length as u64);
            assert_eq!(answer.facts.object_size, Some(length as u64));
            assert_eq!(answer.facts.served_by.as_deref(), Some("primary"));
        }
    }
}

#[tokio::test]
async fn the_number_of_backend_requests_is_the_least_possible() {
    let bed = Testbed::start().await;
    let requests = || bed.requests.take().len();
    bed.put("small", &pattern(1000)).await;
    bed.put("large", &pattern(MIB)).await;
    bed.get("/small", &[]).await;
    assert_eq!(requests(), 1, "a small GET");
    bed.head("/small", &[]).await;
    assert_eq!(requests(), 1, "a HEAD, warm");
    bed.head("/large", &[]).await;
    assert_eq!(requests(), 1, "a HEAD, cold");
    bed.get("/large", &[]).await;
    assert_eq!(requests(), 1, "a large GET, warm");
    bed.get("/large", &[("range", "bytes=5-900000")]).await;
    assert_eq!(requests(), 1, "a range, warm");
    bed.put("other", &pattern(MIB)).await;
    bed.get("/other", &[]).await;
    assert_eq!(requests(), 2, "a large GET, cold");
    bed.put("third", &pattern(MIB)).await;
    bed.get("/third", &[("range", "bytes=-5")]).await;
    assert_eq!(requests(), 2, "a range, cold");
    bed.put("fourth", &pattern(1000)).await;
    bed.get("/fourth", &[("range", "bytes=0-")]).await;
    assert_eq!(requests(), 1, "everything from the first byte on, small and cold");
}

#[tokio::test]
async fn head_says_what_get_says() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(50_000)).await;
    for headers in [&[][..], &[("range", "bytes=10-99")], &[("x-amz-checksum-mode", "ENABLED")]] {
        let get = bed.get("/object", headers).await;
        let head = bed.head("/object", headers).await;
        assert!(head.body.is_empty());
        for name in
            ["content-length", "content-range", "etag", "last-modified", "x-amz-checksum-crc32", "accept-ranges"]
        {
            assert_eq!(head.header(name), get.header(name), "{name} {headers:?}");
        }
    }
    assert_eq!(bed.head("/nothing", &[]).await.status, 404);
    assert_eq!(bed.head("/object", &[("range", "bytes=50000-")]).await.status, 416);
}

#[tokio::test]
async fn multipart_objects_read_across_their_parts() {
    let bed = Testbed::start().await;
    let lengths = [5 * MIB, 5 * MIB + 1, 7];
    let total: usize = lengths.iter().sum();
    let plain = pattern(total);
    let (one, rest) = plain.split_at(lengths[0]);
    let (two, three) = rest.split_at(lengths[1]);
    let sealed = bed.seal("big", &[one, two, three], true, &UserMetadata::default());
    bed.store_all("big", &sealed).await;

    let whole = bed.get("/big", &[]).await;
    assert!(whole.status == 200 && whole.body == plain);
    assert!(whole.header("etag").ends_with("-3\""));

    let (a, b) = (lengths[0], lengths[0] + lengths[1]);
    let spans = [
        (a - 1, a + 1),
        (a, a + 1),
        (a - 1, a),
        (b - 1, b + 1),
        (a - 1, b + 1),
        (b, total),
        (0, total),
        (a + 9, b - 9),
    ];
    for (start, end) in spans {
        check_range(&bed, "big", &plain, &format!("bytes={start}-{}", end - 1), Some((start, end))).await;
    }
    check_range(&bed, "big", &plain, "bytes=-8", Some((total - 8, total))).await;

    let mut start = 0;
    for (i, part) in [one, two, three].into_iter().enumerate() {
        let target = format!("/big?partNumber={}", i + 1);
        let answer = bed.get(&target, &[("x-amz-checksum-mode", "ENABLED")]).await;
        assert_eq!(answer.status, 206);
        assert!(answer.body == part);
        assert_eq!(answer.header("content-range"), format!("bytes {start}-{}/{total}", start + part.len() - 1));
        assert_eq!(answer.header("x-amz-mp-parts-count"), "3");
        assert_eq!(answer.header("x-amz-checksum-crc32"), STANDARD.encode(&crc(part).bytes[..4]));
        assert_eq!(bed.head(&target, &[]).await.header("content-length"), part.len().to_string());
        start += part.len();
    }
    let beyond = bed.get("/big?partNumber=4", &[]).await;
    assert!(beyond.status == 416 && beyond.text().contains("InvalidPartNumber"));
    assert_eq!(bed.get("/big?partNumber=0", &[]).await.status, 400);
    assert_eq!(bed.get("/big?partNumber=1", &[("range", "bytes=0-1")]).await.status, 400);
}

#[tokio::test]
async fn an_object_put_whole_is_its_own_first_part() {
    let bed = Testbed::start().await;
    let plain = pattern(100);
    bed.put("object", &plain).await;
    let answer = bed.get("/object?partNumber=1", &[]).await;
    assert_eq!((answer.status, answer.body == plain, answer.header("x-amz-mp-parts-count")), (206, true, ""));
    assert_eq!(bed.get("/object?partNumber=2", &[]).await.status, 416);
}

#[tokio::test]
async fn checksums_come_with_all_the_bytes_they_are_of_and_never_with_fewer() {
    let bed = Testbed::start().await;
    let plain = pattern(1000);
    bed.put("object", &plain).await;
    let expected = STANDARD.encode(&crc(&plain).bytes[..4]);
    let mode = ("x-amz-checksum-mode", "ENABLED");
    let whole = bed.get("/object", &[mode]).await;
    assert_eq!(whole.header("x-amz-checksum-crc32"), expected);
    assert_eq!(whole.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert_eq!(bed.get("/object", &[]).await.header("x-amz-checksum-crc32"), "");
    assert_eq!(bed.get("/object", &[mode, ("range", "bytes=0-998")]).await.header("x-amz-checksum-crc32"), "");
    assert_eq!(bed.get("/object", &[mode, ("range", "bytes=0-")]).await.header("x-amz-checksum-crc32"), expected);
}

#[tokio::test]
async fn an_overwritten_object_is_never_read_from_the_cache() {
    let bed = Testbed::start().await;
    for round in 0..4_usize {
        let plain = vec![round as u8; 300_000 + round];
        bed.put("object", &plain).await;
        let range = bed.get("/object", &[("range", "bytes=100-299999")]).await;
        assert!(range.status == 206 && range.body == plain[100..300_000], "round {round}");
        assert_eq!(range.header("content-range"), format!("bytes 100-299999/{}", plain.len()));
        let whole = bed.get("/object", &[]).await;
        assert!(whole.body == plain, "round {round}");
        let beyond = format!("bytes={}-", 300_000 + round);
        assert_eq!(bed.get("/object", &[("range", &beyond)]).await.status, 416);
    }
}

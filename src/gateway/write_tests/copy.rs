//! CopyObject (of bytes that are read: `reuse` has the others) and UploadPartCopy.
use super::client::{MIB5, error, multipart_etag};
use crate::gateway::testbed::{BUCKET, Testbed, pattern};
use md5::{Digest, Md5};

const META: [(&str, &str); 2] = [("content-type", "text/plain"), ("x-amz-meta-who", "Ada")];

#[tokio::test]
async fn a_copy_keeps_bytes_and_metadata_and_is_sealed_anew() {
    let bed = Testbed::start().await;
    let body = pattern(300_000);
    bed.upload_object("from", &body, &META).await.expect(200);
    let copied = bed.copy("from", "to", &[]).await.expect(200);
    assert_eq!(copied.element("ETag"), format!("\"{}\"", hex::encode(Md5::digest(&body))));
    assert!(copied.element("LastModified").ends_with('Z'));
    assert!(bed.fetch("to").await == body);
    bed.assert_same_everywhere("to", &body).await;
    let head = bed.head("/to", &[]).await;
    for (name, value) in META {
        assert_eq!(head.header(name), value, "{name}");
    }
    let (from, to) = (bed.sealed_at(bed.primary(), "from").await, bed.sealed_at(bed.primary(), "to").await);
    assert!(from != to, "the copy has a key of its own");
    assert_eq!(copied.facts.also.len(), 1, "the read of the source is in the access log");
}

#[tokio::test]
async fn replace_takes_the_metadata_of_the_request_and_nothing_of_the_source() {
    let bed = Testbed::start().await;
    bed.upload_object("from", b"body", &META).await.expect(200);
    let headers = [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-new", "yes")];
    bed.copy("from", "to", &headers).await.expect(200);
    let head = bed.head("/to", &[]).await;
    assert_eq!((head.header("x-amz-meta-new"), head.header("x-amz-meta-who")), ("yes", ""));
    assert_eq!(head.header("content-type"), "binary/octet-stream");
    let ignored = [("x-amz-meta-new", "ignored without REPLACE")];
    bed.copy("from", "kept", &ignored).await.expect(200);
    let head = bed.head("/kept", &[]).await;
    assert_eq!((head.header("x-amz-meta-new"), head.header("x-amz-meta-who")), ("", "Ada"));
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let bed = Testbed::start().await;
    let body = pattern(2_000_000);
    bed.upload_object("object", &body, &META).await.expect(200);
    assert_eq!(bed.copy("object", "object", &[]).await.outcome(), error(400, "InvalidRequest"));
    let headers = [("x-amz-metadata-directive", "REPLACE"), ("content-type", "text/html")];
    bed.copy("object", "object", &headers).await.expect(200);
    assert!(bed.fetch("object").await == body);
    assert_eq!(bed.head("/object", &[]).await.header("content-type"), "text/html");
    bed.assert_same_everywhere("object", &body).await;
}

#[tokio::test]
async fn conditions_on_the_source_are_judged_on_its_plain_etag() {
    let bed = Testbed::start().await;
    let etag = bed.upload_object("from", b"body", &[]).await.expect(200).header("etag").to_owned();
    let other = "\"00000000000000000000000000000000\"";
    let (past, future) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let rows = [
        (("x-amz-copy-source-if-match", etag.as_str()), 200),
        (("x-amz-copy-source-if-match", other), 412),
        (("x-amz-copy-source-if-none-match", other), 200),
        (("x-amz-copy-source-if-none-match", etag.as_str()), 412),
        (("x-amz-copy-source-if-modified-since", past), 200),
        (("x-amz-copy-source-if-modified-since", future), 412),
        (("x-amz-copy-source-if-unmodified-since", future), 200),
        (("x-amz-copy-source-if-unmodified-since", past), 412),
    ];
    let upload = bed.create("parts", &[]).await;
    for (header, status) in rows {
        assert_eq!(bed.copy("from", "to", &[header]).await.status, status, "{header:?}");
        assert_eq!(upload.part_copy(1, "from", &[header]).await.status, status, "{header:?}");
    }
}

#[tokio::test]
async fn conditions_on_the_destination_hold() {
    let bed = Testbed::start().await;
    bed.upload_object("from", b"body", &[]).await.expect(200);
    bed.copy("from", "to", &[("if-none-match", "*")]).await.expect(200);
    let again = bed.copy("from", "to", &[("if-none-match", "*")]).await;
    assert_eq!(again.outcome(), error(412, "PreconditionFailed"));
}

#[tokio::test]
async fn sources_that_cannot_be_copied_are_named() {
    let bed = Testbed::start().await;
    bed.upload_object("from", b"body", &[]).await.expect(200);
    assert_eq!(bed.copy("missing", "to", &[]).await.outcome(), error(404, "NoSuchKey"));
    assert_eq!(bed.copy("from?versionId=abc", "to", &[]).await.outcome(), error(404, "NoSuchVersion"));
    bed.copy("from?versionId=null", "to", &[]).await.expect(200);
    let keyring = [("x-amz-copy-source", "strongroom-system/keyring/v1/default")];
    let answer = bed.ask("PUT", crate::s3::Operation::CopyObject, "/stolen", &keyring).await;
    assert_eq!(answer.outcome(), error(403, "AccessDenied"));
    bed.assert_nowhere("stolen").await;
}

#[tokio::test]
async fn keys_of_any_characters_can_be_copied() {
    let bed = Testbed::start().await;
    for (index, key) in
        ["a%20b%2Bc%26d%3De%3Ff%25g", "%C3%BCml%C3%A4ut/%E5%AD%97", "a//b", "%2Fleading", "dir/"].iter().enumerate()
    {
        let body = format!("body {index}").into_bytes();
        bed.upload_object(key, &body, &[]).await.expect(200);
        bed.copy(key, &format!("copy-{index}"), &[]).await.expect(200);
        assert_eq!(bed.fetch(&format!("copy-{index}")).await, body, "{key}");
    }
}

#[tokio::test]
async fn a_copy_keeps_the_kind_of_checksum_unless_another_is_asked_for() {
    let bed = Testbed::start().await;
    let put = bed.upload_object("from", b"123456789", &[("x-amz-checksum-crc32c", "4waSgw==")]).await;
    put.expect(200);
    let copied = bed.copy("from", "to", &[]).await.expect(200);
    assert_eq!(copied.element("ChecksumCRC32C"), "4waSgw==");
    let copied = bed.copy("from", "to", &[("x-amz-checksum-algorithm", "CRC32")]).await.expect(200);
    assert_eq!((copied.element("ChecksumCRC32").as_str(), copied.element("ChecksumCRC32C").as_str()), ("y/Q5Jg==", ""));
    let head = bed.head("/to", &[("x-amz-checksum-mode", "ENABLED")]).await;
    assert_eq!(head.header("x-amz-checksum-crc32"), "y/Q5Jg==");
}

#[tokio::test]
async fn a_small_multipart_object_becomes_one_of_a_single_part() {
    let bed = Testbed::start().await;
    let upload = bed.create("from", &META).await;
    let body = pattern(1000);
    let etag = upload.part(1, &body).await;
    upload.complete(&[(1, &etag)]).await.expect(200);
    let copied = bed.copy("from", "to", &[]).await.expect(200);
    assert_eq!(copied.element("ETag"), format!("\"{}\"", hex::encode(Md5::digest(&body))));
    assert!(bed.fetch("to").await == body);
    assert_eq!(bed.head("/to", &[]).await.header("x-amz-meta-who"), "Ada");
}

#[tokio::test]
async fn parts_are_copied_from_spans_of_other_objects() {
    let bed = Testbed::start().await;
    let source = pattern(2 * MIB5 + 1000);
    bed.upload_object("from", &source, &[]).await.expect(200);
    let upload = bed.create("object", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let range = format!("bytes=100-{}", 100 + MIB5 - 1);
    let first = upload.part_copy(1, "from", &[("x-amz-copy-source-range", &range)]).await.expect(200);
    let second = upload.part_copy(2, "from", &[]).await.expect(200);
    let range = format!("bytes={}-{}", source.len() - 7, source.len() - 1);
    let third = upload.part_copy(3, "from", &[("x-amz-copy-source-range", &range)]).await.expect(200);
    assert!(!first.element("ChecksumCRC32").is_empty());
    let bodies = [&source[100..100 + MIB5], &source[..], &source[source.len() - 7..]];
    let etags = [first.element("ETag"), second.element("ETag"), third.element("ETag")];
    for (etag, body) in etags.iter().zip(bodies) {
        assert_eq!(*etag, format!("\"{}\"", hex::encode(Md5::digest(body))));
    }
    let list: Vec<_> = (1..).zip(etags.iter().map(String::as_str)).collect();
    let done = upload.complete_with_sums(&list, &[]).await.expect(200);
    assert_eq!(done.element("ETag"), multipart_etag(&bodies));
    assert!(bed.fetch("object").await == bodies.concat());
    bed.assert_same_everywhere("object", &bodies.concat()).await;
}

#[tokio::test]
async fn spans_outside_the_source_and_malformed_ones_are_refused() {
    let bed = Testbed::start().await;
    bed.upload_object("from", b"0123456789", &[]).await.expect(200);
    let upload = bed.create("object", &[]).await;
    for (range, expected) in [
        ("bytes=0-10", error(416, "InvalidRange")),
        ("bytes=10-20", error(416, "InvalidRange")),
        ("bytes=5-", error(400, "InvalidArgument")),
        ("bytes=-5", error(400, "InvalidArgument")),
        ("bytes=7-3", error(400, "InvalidArgument")),
        ("0-3", error(400, "InvalidArgument")),
    ] {
        let answer = upload.part_copy(1, "from", &[("x-amz-copy-source-range", range)]).await;
        assert_eq!(answer.outcome(), expected, "{range}");
    }
    bed.assert_nothing_staged().await;
}

#[tokio::test]
async fn a_damaged_source_is_never_copied() {
    let bed = Testbed::start().await;
    let mut sealed = bed.seal("from", &[&pattern(3_000_000)], false, &Default::default());
    let middle = sealed.bytes.len() / 2;
    sealed.bytes[middle] ^= 1;
    bed.store_all("from", &sealed).await;
    let copied = bed.copy("from", "to", &[]).await;
    assert_eq!(copied.outcome(), error(500, "InternalError"), "{BUCKET}");
    bed.assert_nowhere("to").await;
    let upload = bed.create("object", &[]).await;
    assert_eq!(upload.part_copy(1, "from", &[]).await.status, 500);
    bed.assert_nothing_staged().await;
}

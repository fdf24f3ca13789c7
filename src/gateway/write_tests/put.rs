//! PutObject: verified before it is visible, the same at every site.
use super::client::error;
use crate::gateway::testbed::{BUCKET, Testbed, at, pattern};
use crate::s3::Operation;
use crate::site::SealedRange;
use bytes::Bytes;
use md5::{Digest, Md5};

#[tokio::test]
async fn what_was_put_comes_back_and_lies_alike_at_both_sites() {
    let bed = Testbed::start().await;
    for length in [0, 1, 16_383, 16_384, 16_385, 100_000, 3_000_000] {
        let (key, body) = (format!("object-{length}"), pattern(length));
        let put = bed.upload_object(&key, &body, &[]).await.expect(200);
        assert_eq!(put.header("etag"), format!("\"{}\"", hex::encode(Md5::digest(&body))));
        assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
        assert_eq!(bed.fetch(&key).await, body, "{length}");
        bed.assert_same_everywhere(&key, &body).await;
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_was_declared_leaves_nothing_anywhere() {
    let bed = Testbed::start().await;
    let body = pattern(300_000);
    let wrong = [
        (("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest"),
        (("x-amz-checksum-crc32", "AAAAAA=="), "BadDigest"),
        (("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="), "BadDigest"),
        (("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), "BadDigest"),
    ];
    for (header, code) in wrong {
        assert_eq!(bed.upload_object("object", &body, &[header]).await.outcome(), error(400, code), "{header:?}");
        bed.assert_nowhere("object").await;
    }
}

#[tokio::test]
async fn a_failed_overwrite_leaves_the_old_object_at_both_sites() {
    let bed = Testbed::start().await;
    let old = pattern(200_000);
    bed.upload_object("object", &old, &[]).await.expect(200);
    bed.upload_object("object", &pattern(100_000), &[("x-amz-checksum-crc32", "AAAAAA==")]).await.expect(400);
    assert_eq!(bed.fetch("object").await, old);
    bed.assert_same_everywhere("object", &old).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_anywhere() {
    let bed = Testbed::start().await;
    let chunks = vec![Ok(Bytes::from(pattern(200_000))), Err(std::io::Error::other("connection reset"))];
    let body = s3s::Body::from(s3s::dto::StreamingBlob::wrap(futures_util::stream::iter(chunks)));
    let target = format!("/{BUCKET}/object");
    let answer = bed.send("PUT", Operation::PutObject, &target, &[("content-length", "400000")], body).await;
    assert_eq!(answer.outcome(), error(400, "IncompleteBody"));
    bed.assert_nowhere("object").await;
}

#[tokio::test]
async fn if_none_match_lets_only_the_first_writer_through() {
    let bed = Testbed::start().await;
    let condition = [("if-none-match", "*")];
    bed.upload_object("object", b"first", &condition).await.expect(200);
    let second = bed.upload_object("object", b"second", &condition).await;
    assert_eq!(second.outcome(), error(412, "PreconditionFailed"));
    assert_eq!(bed.fetch("object").await, b"first");
    bed.assert_same_everywhere("object", b"first").await;
}

#[tokio::test]
async fn if_match_is_judged_on_the_etag_the_client_knows() {
    let bed = Testbed::start().await;
    let etag = bed.upload_object("object", b"first", &[]).await.expect(200).header("etag").to_owned();
    let wrong = bed.upload_object("object", b"second", &[("if-match", "\"00000000000000000000000000000000\"")]).await;
    assert_eq!(wrong.outcome(), error(412, "PreconditionFailed"));
    bed.upload_object("object", b"second", &[("if-match", &etag)]).await.expect(200);
    assert_eq!(bed.fetch("object").await, b"second");
}

#[tokio::test]
async fn metadata_and_headers_come_back_and_are_not_readable_at_the_site() {
    let bed = Testbed::start().await;
    let headers = [("content-type", "text/secret"), ("cache-control", "no-cache"), ("x-amz-meta-who", "Grace")];
    bed.upload_object("object", b"body", &headers).await.expect(200);
    let head = bed.head("/object", &[]).await.expect(200);
    for (name, value) in headers {
        assert_eq!(head.header(name), value, "{name}");
    }
    for site in bed.gateway.sites.all() {
        let got = site.get(&at("object"), SealedRange::Whole, None).await.expect("the object");
        let sealed = got.metadata.expect("sealed metadata");
        assert!(!sealed.contains("Grace") && !sealed.contains("secret"), "readable at {}", site.name());
    }
}

#[tokio::test]
async fn a_put_succeeds_without_the_backup_and_what_it_missed_is_on_record() {
    let bed = Testbed::start().await;
    bed.stop_backup().await;
    let body = pattern(300_000);
    bed.upload_object("object", &body, &[]).await.expect(200);
    assert_eq!(bed.fetch("object").await, body);
    assert_eq!(bed.misses().await, 1);
}

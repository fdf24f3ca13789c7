//! Metadata comes back as it was given, or not at all, and never silently.
use crate::gateway::metadata::UserMetadata;
use crate::gateway::testbed::{Sealed, Testbed, pattern};

fn full() -> UserMetadata {
    UserMetadata {
        content_type: Some("text/html".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_disposition: Some("attachment; filename=\"a b\"".to_owned()),
        content_language: Some("de".to_owned()),
        cache_control: Some("max-age=5".to_owned()),
        expires: Some("Wed, 21 Oct 2026 07:28:00 GMT".to_owned()),
        website_redirect: Some("/elsewhere".to_owned()),
        user: [("colour".to_owned(), "blue".to_owned()), ("x-y".to_owned(), "1".to_owned())].into(),
        kms: false,
    }
}

#[tokio::test]
async fn every_header_comes_back() {
    let bed = Testbed::start().await;
    let sealed = bed.seal("object", &[&pattern(10)], false, &full());
    bed.store_all("object", &sealed).await;
    for answer in [bed.get("/object", &[]).await, bed.head("/object", &[]).await] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/html");
        assert_eq!(answer.header("content-encoding"), "gzip");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"a b\"");
        assert_eq!(answer.header("content-language"), "de");
        assert_eq!(answer.header("cache-control"), "max-age=5");
        assert_eq!(answer.header("expires"), "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(answer.header("x-amz-website-redirect-location"), "/elsewhere");
        assert_eq!(answer.header("x-amz-meta-colour"), "blue");
        assert_eq!(answer.header("x-amz-meta-x-y"), "1");
        assert_eq!(answer.header("x-strongroom-metadata"), "");
    }
}

#[tokio::test]
async fn a_copy_that_lost_its_metadata_is_readable_and_says_so() {
    let bed = Testbed::start().await;
    let sealed = bed.seal("object", &[&pattern(10)], false, &full());
    let bare = Sealed { metadata: None, ..sealed };
    bed.store_all("object", &bare).await;
    for _ in 0..2 {
        let answer = bed.get("/object", &[]).await;
        assert_eq!((answer.status, answer.body == pattern(10)), (200, true));
        assert_eq!(answer.header("x-strongroom-metadata"), "missing");
        assert_eq!(answer.header("x-amz-meta-colour"), "");
        assert_eq!(answer.header("content-type"), "binary/octet-stream");
    }
    assert_eq!(bed.head("/object", &[]).await.header("x-strongroom-metadata"), "missing");
    assert_eq!(bed.get("/object", &[("range", "bytes=0-1")]).await.header("x-strongroom-metadata"), "missing");
}

#[tokio::test]
async fn foreign_metadata_is_an_integrity_failure_and_the_backup_serves() {
    let bed = Testbed::start().await;
    let ours = bed.seal("object", &[&pattern(10)], false, &full());
    let theirs = bed.seal("object", &[&pattern(10)], false, &full());
    bed.store_all("object", &ours).await;
    let swapped = Sealed { metadata: theirs.metadata.clone(), ..ours.clone() };
    // warm: the cache must not hide a swap, although the sealed ETag is the same
    assert_eq!(bed.get("/object", &[]).await.status, 200);
    bed.store(bed.primary(), "object", &swapped).await;
    for answer in [bed.get("/object", &[]).await, bed.head("/object", &[]).await] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-strongroom-served-by"), "backup");
        assert_eq!(answer.header("x-amz-meta-colour"), "blue");
    }
    bed.store(bed.backup(), "object", &swapped).await;
    assert_ne!(bed.head("/object", &[]).await.status, 200);
}

#[tokio::test]
async fn metadata_on_an_object_that_never_had_any_is_refused() {
    let bed = Testbed::start().await;
    let with = bed.seal("object", &[&pattern(10)], false, &full());
    let without = bed.seal("object", &[&pattern(10)], false, &UserMetadata::default());
    let added = Sealed { metadata: with.metadata, ..without };
    bed.store_all("object", &added).await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.status >= 400 && answer.header("x-amz-meta-colour").is_empty());
}

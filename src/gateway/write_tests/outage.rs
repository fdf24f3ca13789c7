//! What happens to writes while a site is down.
use super::client::{MIB5, error};
use crate::gateway::testbed::{Testbed, at, pattern};

#[tokio::test]
async fn an_upload_goes_on_when_the_backup_goes_away_and_the_object_is_a_recorded_miss() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let (first, second) = (pattern(MIB5), pattern(MIB5 + 9));
    let e1 = upload.part(1, &first).await;
    assert_eq!(upload.at_sites().await.len(), 2);
    bed.stop_backup().await;
    let e2 = upload.part(2, &second).await;
    assert_eq!(upload.at_sites().await.len(), 1, "the backup lacks a part and is left out");
    assert_eq!(bed.misses().await, 0, "nothing visible was missed yet");
    upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    assert!(bed.fetch("object").await == [first, second].concat());
    assert_eq!(bed.misses().await, 1);
}

#[tokio::test]
async fn a_backup_that_goes_away_before_complete_is_a_recorded_miss() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let first = pattern(MIB5);
    let (e1, e2) = (upload.part(1, &first).await, upload.part(2, b"end").await);
    bed.stop_backup().await;
    upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    assert!(bed.fetch("object").await == [first, b"end".to_vec()].concat());
    let place = at("object");
    assert!(bed.gateway.state.is_behind(&place.bucket, &place.key).await.expect("a state"));
}

#[tokio::test]
async fn an_upload_that_starts_without_the_backup_is_whole_at_the_primary() {
    let bed = Testbed::start().await;
    bed.stop_backup().await;
    let upload = bed.create("object", &[]).await;
    assert_eq!(upload.at_sites().await.len(), 1);
    let etag = upload.part(1, b"small").await;
    upload.complete(&[(1, &etag)]).await.expect(200);
    assert_eq!(bed.fetch("object").await, b"small");
    let upload = bed.create("aborted", &[]).await;
    upload.part(1, b"small").await;
    upload.abort().await.expect(204);
    assert_eq!(bed.staged_at(bed.primary()).await, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_acknowledged_without_the_primary() {
    let bed = Testbed::start().await;
    bed.upload_object("from", b"body", &[]).await.expect(200);
    let upload = bed.create("object", &[]).await;
    let (e1, e2) = (upload.part(1, &pattern(MIB5)).await, upload.part(2, b"end").await);
    bed.stop_primary().await;
    let unavailable = error(503, "ServiceUnavailable");
    assert_eq!(bed.upload_object("put", b"x", &[]).await.outcome(), unavailable);
    assert_eq!(bed.copy("from", "to", &[]).await.outcome(), unavailable);
    assert_eq!(bed.try_create("other", &[]).await.outcome(), unavailable);
    assert_eq!(upload.try_part(3, &pattern(MIB5), &[]).await.outcome(), unavailable);
    assert_eq!(upload.try_part(3, b"small", &[]).await.outcome(), unavailable);
    assert_eq!(upload.complete(&[(1, &e1), (2, &e2)]).await.outcome(), unavailable);
    assert_eq!(upload.abort().await.outcome(), unavailable);
    let listed = upload.list("").await.expect(200);
    assert_eq!(listed.elements("PartNumber"), ["1", "2"], "the upload is still what it was");
    // A small unconditional write goes to all sites at once: what got to the backup is on record, to be levelled, and is not served.
    for key in ["put", "to", "object"] {
        let place = at(key);
        let on_record = bed.gateway.state.is_behind(&place.bucket, &place.key).await.expect("a state");
        assert!(on_record || bed.sealed_at(bed.backup(), key).await.is_none(), "{key} lies unrecorded at the backup");
        assert!(bed.get(&format!("/{key}"), &[]).await.status >= 404, "{key} is served");
    }
}

//! A client that goes away does not stop what has begun to change the sites.
use super::client::MIB5;
use crate::gateway::testbed::{Testbed, pattern};
use futures_util::FutureExt;
use std::time::Duration;

/// Waits until the state does not know the upload any more.
async fn gone(bed: &Testbed, id: &str) -> bool {
    for _ in 0..600 {
        if bed.gateway.state.upload(id).await.expect("a state").is_none() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn complete_runs_to_its_end_without_the_client() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let first = pattern(MIB5);
    let (e1, e2) = (upload.part(1, &first).await, upload.part(2, b"end").await);
    // Begun, then dropped: the request goes no further than its first wait.
    assert!(upload.complete(&[(1, &e1), (2, &e2)]).now_or_never().is_none());
    assert!(gone(&bed, &upload.id).await, "nobody finished it");
    let whole = [first, b"end".to_vec()].concat();
    let again = upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    assert!(again.element("ETag").ends_with("-2\""));
    assert!(bed.fetch("object").await == whole);
    bed.assert_same_everywhere("object", &whole).await;
    bed.assert_nothing_staged().await;
    assert_eq!(bed.misses().await, 0);
}

#[tokio::test]
async fn abort_runs_to_its_end_without_the_client() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    upload.part(1, b"small").await;
    assert!(upload.abort().now_or_never().is_none());
    assert!(gone(&bed, &upload.id).await, "nobody finished it");
    // Behind the lock that the abort holds to its end.
    upload.abort().await.expect(404);
    bed.assert_nothing_staged().await;
}

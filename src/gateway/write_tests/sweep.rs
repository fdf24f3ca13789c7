//! Uploads that nobody goes on with.
use super::client::{MIB5, error};
use crate::gateway::testbed::{BUCKET, Testbed, at, pattern};
use crate::s3::Operation;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn an_abandoned_upload_is_aborted_at_every_site_with_all_its_parts() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, &pattern(MIB5)).await;
    upload.part(2, b"small").await;
    let at_sites = upload.at_sites().await;
    assert_eq!(bed.gateway.sweep_uploads(HOUR).await, 0, "it was used just now");
    assert_eq!(bed.staged_at(bed.primary()).await.len(), 1);

    assert_eq!(bed.gateway.sweep_uploads(Duration::ZERO).await, 1);
    bed.assert_nothing_staged().await;
    for (site, id) in at_sites {
        let site = bed.gateway.sites.all().find(|one| *one.name().0 == *site).expect("a site");
        let gone = site.abort_multipart(&at("object"), &id).await;
        assert!(gone.is_err_and(|error| error.is_not_found()), "{} still knows the upload", site.name());
    }
    assert_eq!(upload.list("").await.outcome(), error(404, "NoSuchUpload"));
    assert_eq!(upload.complete(&[(1, &etag)]).await.outcome(), error(404, "NoSuchUpload"));
    assert_eq!(bed.gateway.sweep_uploads(Duration::ZERO).await, 0);
}

#[tokio::test]
async fn what_a_site_cannot_abort_now_is_not_forgotten() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    upload.part(1, &pattern(MIB5)).await;
    bed.stop_backup().await;
    assert_eq!(bed.gateway.sweep_uploads(Duration::ZERO).await, 0);
    assert!(bed.gateway.state.upload(&upload.id).await.expect("a state").is_some(), "for the next time");
}

#[tokio::test]
async fn finished_objects_are_none_of_the_sweepers_business() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, b"body").await;
    upload.complete(&[(1, &etag)]).await.expect(200);
    assert_eq!(bed.gateway.sweep_uploads(Duration::ZERO).await, 0);
    assert_eq!(bed.fetch("object").await, b"body");
}

#[tokio::test]
async fn an_abort_that_a_site_did_not_hear_is_told_it_again() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    upload.part(1, &pattern(MIB5)).await;
    let [_, (backup, backend_id)] = upload.at_sites().await.try_into().expect("two sites");
    bed.stop_backup().await;
    upload.abort().await.expect(204);
    assert_eq!(upload.list("").await.outcome(), error(404, "NoSuchUpload"));
    let left = bed.gateway.state.idle_uploads(0, "", 10).await.expect("a state");
    assert_eq!(left.iter().map(|left| left.sites.clone()).collect::<Vec<_>>(), [[(backup, backend_id)]]);
    let uploads = bed.call("GET", Operation::ListMultipartUploads, &format!("/{BUCKET}?uploads"), &[]).await;
    assert!(uploads.elements("UploadId").is_empty(), "no client's upload: {}", uploads.text());
    assert_eq!(bed.gateway.sweep_uploads(HOUR).await, 0, "the site is still away");
    assert_eq!(bed.gateway.state.idle_uploads(0, "", 10).await.expect("a state").len(), 1);
}

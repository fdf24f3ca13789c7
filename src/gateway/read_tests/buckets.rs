//! Buckets: made and deleted everywhere, shown once, the system bucket never.
use crate::gateway::testbed::{BUCKET, Testbed};
use crate::s3::{BucketName, Operation};

#[tokio::test]
async fn a_bucket_lives_at_every_site_or_nowhere() {
    let bed = Testbed::start().await;
    let name = BucketName::parse("another-bucket").expect("a valid name");
    let created = bed.call("PUT", Operation::CreateBucket, "/another-bucket", &[]).await;
    assert_eq!((created.status, created.header("location")), (200, "/another-bucket"));
    for site in bed.gateway.sites.all() {
        site.head_bucket(&name).await.expect("the bucket");
    }
    let deleted = bed.call("DELETE", Operation::DeleteBucket, "/another-bucket", &[]).await;
    assert_eq!(deleted.status, 204);
    for site in bed.gateway.sites.all() {
        assert!(site.head_bucket(&name).await.is_err());
    }
    assert_eq!(bed.call("HEAD", Operation::HeadBucket, "/another-bucket", &[]).await.status, 404);
}

#[tokio::test]
async fn a_bucket_with_objects_is_not_deleted() {
    let bed = Testbed::start().await;
    bed.put("object", b"x").await;
    let refused = bed.ask("DELETE", Operation::DeleteBucket, "", &[]).await;
    assert!(refused.status == 409 && refused.text().contains("BucketNotEmpty"), "{}", refused.text());
    assert_eq!(bed.get("/object", &[]).await.body, b"x");
}

#[tokio::test]
async fn head_and_location_name_our_region() {
    let bed = Testbed::start().await;
    let head = bed.ask("HEAD", Operation::HeadBucket, "", &[]).await;
    assert_eq!((head.status, head.header("x-amz-bucket-region")), (200, "us-east-1"));
    let location = bed.ask("GET", Operation::GetBucketLocation, "?location", &[]).await;
    assert_eq!(location.status, 200);
    assert!(location.text().contains("<LocationConstraint") && !location.text().contains("us-east-1"));
    let missing = bed.call("GET", Operation::GetBucketLocation, "/no-such-bucket?location", &[]).await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn the_system_bucket_is_not_listed() {
    let bed = Testbed::start().await;
    let system = bed.gateway.authorizer.system_bucket();
    for site in bed.gateway.sites.all() {
        // the keyring has made it already, where keys are real
        let _ = site.create_bucket(system, None).await;
    }
    let list = bed.call("GET", Operation::ListBuckets, "/", &[]).await;
    assert_eq!(list.status, 200);
    assert!(list.text().contains(&format!("<Name>{BUCKET}</Name>")) && list.text().contains("<Owner>"));
    assert!(!list.text().contains(system.as_str()));
}

#[tokio::test]
async fn buckets_are_listed_from_the_backup_while_the_primary_is_down() {
    let bed = Testbed::start().await;
    bed.stop_primary().await;
    let list = bed.call("GET", Operation::ListBuckets, "/", &[]).await;
    assert!(list.status == 200 && list.text().contains(BUCKET));
    assert_eq!(list.header("x-strongroom-served-by"), "backup");
    let unknown = bed.call("HEAD", Operation::HeadBucket, "/no-such-bucket", &[]).await;
    assert!(unknown.status >= 500, "a backup cannot say that a bucket does not exist");
}

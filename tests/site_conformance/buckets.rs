//! Deletes, buckets and the probe.
use crate::bench::{Bench, status};
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::site::{Doomed, ListQuery};

pub async fn deleting_is_idempotent_and_in_batches(bench: Bench) {
    for key in ["d/1", "d/2", "d/ü +&", "d/4"] {
        bench.put(key, b"x").await;
    }
    bench.site.delete(&bench.at("d/1")).await.expect("deleted");
    bench.site.delete(&bench.at("d/1")).await.expect("deleted already");
    let doomed = ["d/1", "d/2", "d/ü +&", "never"]
        .map(|key| Doomed { key: ObjectKey::parse(key).expect("a key"), version: None });
    let answers = bench.site.delete_many(&bench.bucket, &doomed, false).await.expect("deleted");
    assert!(answers.len() == doomed.len() && answers.iter().all(Result::is_ok), "{answers:?}");
    let left: Vec<_> = bench.list("", None, 1000).await.remove(0).objects.into_iter().map(|o| o.key).collect();
    assert_eq!(left, ["d/4"]);
}

pub async fn buckets_live_behind_the_prefix(bench: Bench) {
    let (site, data) = (&bench.site, &bench.bucket);
    let other = BucketName::parse("other.bucket-2").expect("a name");
    site.create_bucket(&other, None).await.expect("created");
    let mut names: Vec<_> = site.list_buckets().await.expect("buckets").into_iter().map(|b| b.name).collect();
    names.sort();
    assert_eq!(names, ["data", "other.bucket-2"], "the prefix is taken off, foreign buckets are hidden");
    site.head_bucket(&other).await.expect("it is there");
    site.bucket_location(&other).await.expect("it lies somewhere");
    // In us-east-1 creating one's own bucket again succeeds, elsewhere it is this error.
    if let Err(error) = site.create_bucket(&other, None).await {
        assert_eq!(status(&error), (409, "BucketAlreadyOwnedByYou"));
    }
    bench.put("k", b"x").await;
    let full = site.delete_bucket(data).await.expect_err("it is not empty");
    assert_eq!(status(&full), (409, "BucketNotEmpty"));
    site.delete_bucket(&other).await.expect("deleted");
    let gone = site.delete_bucket(&other).await.expect_err("it is gone");
    assert_eq!(status(&gone), (404, "NoSuchBucket"));
    assert_eq!(status(&site.head_bucket(&other).await.expect_err("gone")), (404, "NoSuchBucket"));
    let missing = ListQuery { bucket: other, ..bench.query("", None, 10) };
    assert_eq!(status(&site.list(&missing).await.expect_err("gone")), (404, "NoSuchBucket"));
}

pub async fn the_probe_finds_what_the_site_can_do_and_cleans_up(bench: Bench) {
    let system = BucketName::parse("system").expect("a name");
    let found = bench.site.probe(&system).await.expect("probed");
    assert_eq!(found, bench.site.capabilities());
    assert!(found.put_if_none_match && found.put_if_match && found.get_if_match && found.upload_part_copy);
    assert!(found.max_metadata >= 2048);
    let query = ListQuery { bucket: system, ..bench.query("", None, 1000) };
    assert!(bench.site.list(&query).await.expect("a listing").objects.is_empty(), "nothing is left");
    bench.site.probe(&query.bucket).await.expect("probing again is fine");
}

//! What clients made public: kept over restarts, of an object or of a whole bucket, until the bucket is gone.
mod state_support;

use strongroom::s3::{BucketName, ObjectKey};

#[tokio::test]
async fn an_object_is_public_by_itself_or_with_its_bucket() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = state_support::open(folder.path()).await;
    let [site, other] = ["site", "other"].map(|name| BucketName::parse(name).expect("a name"));
    let [logo, page] = ["logo.png", "page.html"].map(|key| ObjectKey::parse(key).expect("a key"));
    assert!(!state.is_published(&site, Some(&logo)).await.expect("readable"));

    assert!(state.publish(&site, Some(&logo)).await.expect("written"));
    assert!(!state.publish(&site, Some(&logo)).await.expect("written"), "it is not new");
    for (bucket, key, public) in
        [(&site, Some(&logo), true), (&site, Some(&page), false), (&site, None, false), (&other, Some(&logo), false)]
    {
        assert_eq!(state.is_published(bucket, key).await.expect("readable"), public, "{bucket} {key:?}");
    }

    assert!(state.publish(&site, None).await.expect("written"));
    state.close().await;
    let state = state_support::open(folder.path()).await;
    for (bucket, key, public) in
        [(&site, Some(&logo), true), (&site, Some(&page), true), (&site, None, true), (&other, None, false)]
    {
        assert_eq!(state.is_published(bucket, key).await.expect("readable"), public, "{bucket} {key:?}");
    }
    state.forget_published(&site).await.expect("written");
    assert!(!state.is_published(&site, Some(&logo)).await.expect("readable"));
}

//! Multipart uploads over real SQLite files: what Create and UploadPart answered is there after a restart.
mod state_support;

use state_support::open;
use strongroom::s3::{BucketName, ObjectKey, PlainLen, SealedETag};
use strongroom::state::{Part, State, Upload};

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn upload(id: &str, key: &str) -> Upload {
    Upload {
        id: id.into(),
        bucket: bucket(),
        key: ObjectKey::parse(key).expect("a key"),
        wrapped: vec![0, 1, 255],
        sites: vec![("primary".into(), "p-1".into()), ("backup".into(), "b-1".into())],
        metadata_tag: Some([7; 16]),
        checksum_algorithm: "CRC32C".into(),
        checksum_type: "COMPOSITE".into(),
        initiator: "AKIA".into(),
        created_at: 1_790_000_000,
        extra: "{\"a\":1}".into(),
    }
}

fn part(part_number: u16, record: u8) -> Part {
    Part {
        part_number,
        record: vec![record; 40],
        plain_len: PlainLen(5 * 1024 * 1024),
        etags: vec![("primary".into(), SealedETag::from_backend("e1"))],
        staged_key: None,
        written_at: 1_790_000_001,
    }
}

async fn listed(state: &State, prefix: &str, after: Option<(&str, &str)>, limit: u32) -> Vec<(String, String)> {
    let uploads = state.uploads(&bucket(), prefix, after, limit).await.expect("uploads");
    uploads.into_iter().map(|upload| (upload.key.as_str().to_owned(), upload.id)).collect()
}

#[tokio::test]
async fn an_upload_and_its_parts_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.create_upload(&upload("u", "key")).await.expect("created");
    let staged = Part { staged_key: Some("staged/u/2".into()), etags: Vec::new(), ..part(2, 2) };
    state.put_part("u", &staged).await.expect("put");
    state.put_part("u", &part(1, 1)).await.expect("put");
    drop(state);
    let state = open(folder.path()).await;
    assert_eq!(state.upload("u").await.expect("read"), Some(upload("u", "key")));
    assert_eq!(state.parts("u", 0, 10).await.expect("read"), [part(1, 1), staged]);
    assert_eq!(state.upload("v").await.expect("read"), None);
}

#[tokio::test]
async fn a_part_uploaded_again_replaces_the_former_and_hands_it_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.create_upload(&upload("u", "key")).await.expect("created");
    assert_eq!(state.put_part("u", &part(1, 1)).await.expect("put"), None);
    assert_eq!(state.put_part("u", &part(1, 2)).await.expect("put"), Some(part(1, 1)));
    assert_eq!(state.parts("u", 0, 10).await.expect("read"), [part(1, 2)]);
}

#[tokio::test]
async fn the_length_of_an_upload_leaves_out_the_part_that_comes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.create_upload(&upload("u", "key")).await.expect("created");
    assert_eq!(state.length_without("u", 1).await.expect("read"), PlainLen(0));
    for (number, length) in [(1, 5), (2, 70), (9999, 900)] {
        let part = Part { plain_len: PlainLen(length), ..part(number, 0) };
        state.put_part("u", &part).await.expect("put");
    }
    assert_eq!(state.length_without("u", 2).await.expect("read"), PlainLen(905));
    assert_eq!(state.length_without("u", 3).await.expect("read"), PlainLen(975));
}

#[tokio::test]
async fn a_part_of_no_upload_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    assert!(state.put_part("u", &part(1, 1)).await.is_err());
    assert!(state.parts("u", 0, 10).await.expect("read").is_empty());
}

#[tokio::test]
async fn parts_are_paged_in_order_of_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.create_upload(&upload("u", "key")).await.expect("created");
    for number in [9999, 10, 2, 1] {
        state.put_part("u", &part(number, 0)).await.expect("put");
    }
    let numbers = |parts: Vec<Part>| parts.iter().map(|part| part.part_number).collect::<Vec<_>>();
    assert_eq!(numbers(state.parts("u", 0, 3).await.expect("read")), [1, 2, 10]);
    assert_eq!(numbers(state.parts("u", 10, 3).await.expect("read")), [9999]);
}

#[tokio::test]
async fn uploads_are_paged_by_key_then_id_in_order_of_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for (id, key) in [("2", "b"), ("1", "b"), ("9", "B"), ("5", "b/字"), ("4", "b/z"), ("3", "c")] {
        state.create_upload(&upload(id, key)).await.expect("created");
    }
    let pair = |key: &str, id: &str| (key.to_owned(), id.to_owned());
    let all = [pair("B", "9"), pair("b", "1"), pair("b", "2"), pair("b/z", "4"), pair("b/字", "5"), pair("c", "3")];
    assert_eq!(listed(&state, "", None, 100).await, all);
    assert_eq!(listed(&state, "b", None, 100).await, all[1..5]);
    assert_eq!(listed(&state, "b/", None, 100).await, all[3..5]);
    assert_eq!(listed(&state, "", Some(("b", "1")), 2).await, all[2..4]);
    assert_eq!(listed(&state, "", Some(("b", "\u{10FFFF}")), 100).await, all[3..], "a marker of a key alone");
    assert!(listed(&state, "", Some(("zzz", "")), 100).await.is_empty());
    let other = BucketName::parse("other").expect("a name");
    assert!(state.uploads(&other, "", None, 100).await.expect("uploads").is_empty());
}

#[tokio::test]
async fn a_deleted_upload_takes_its_parts_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.create_upload(&upload("u", "key")).await.expect("created");
    state.put_part("u", &part(1, 1)).await.expect("put");
    state.delete_upload("u").await.expect("deleted");
    assert_eq!(state.upload("u").await.expect("read"), None);
    assert!(state.parts("u", 0, 10).await.expect("read").is_empty());
    state.delete_upload("u").await.expect("nothing to delete is no error");
}

#[tokio::test]
async fn a_site_that_failed_is_taken_out_of_the_upload() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.create_upload(&upload("u", "key")).await.expect("created");
    state.drop_upload_site("u", "backup").await.expect("dropped");
    state.drop_upload_site("u", "backup").await.expect("dropped twice is no error");
    let left = state.upload("u").await.expect("read").expect("there").sites;
    assert_eq!(left, [("primary".to_owned(), "p-1".to_owned())]);
}

#[tokio::test]
async fn an_upload_is_idle_since_its_last_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for id in ["a", "b", "c"] {
        state.create_upload(&upload(id, "key")).await.expect("created");
    }
    let late = Part { written_at: 1_790_000_500, ..part(3, 3) };
    state.put_part("b", &part(1, 1)).await.expect("put");
    state.put_part("b", &late).await.expect("put");
    let state = &state;
    let idle = |since: i64, after: &'static str, limit: u32| async move {
        let uploads = state.idle_uploads(since, after, limit).await.expect("uploads");
        uploads.into_iter().map(|upload| upload.id).collect::<Vec<_>>()
    };
    assert!(idle(1_789_999_999, "", 10).await.is_empty(), "created later");
    assert_eq!(idle(1_790_000_499, "", 10).await, ["a", "c"]);
    assert_eq!(idle(1_790_000_500, "", 10).await, ["a", "b", "c"]);
    assert_eq!(idle(1_790_000_500, "", 2).await, ["a", "b"]);
    assert_eq!(idle(1_790_000_500, "b", 2).await, ["c"]);
}

//! The state over real files.
use super::*;

fn names() -> (BucketName, ObjectKey) {
    (BucketName::parse("ledgers").expect("a bucket"), ObjectKey::parse("a/b.pdf").expect("a key"))
}

fn upload(id: &str, key: &str) -> Upload {
    Upload {
        id: id.to_owned(),
        bucket: names().0,
        key: ObjectKey::parse(key).expect("a key"),
        wrapped: vec![1, 2, 3],
        sites: vec![("primary".into(), "p1".into()), ("backup".into(), "b1".into())],
        metadata_tag: Some([7; 16]),
        checksum_algorithm: "CRC32".into(),
        checksum_type: "COMPOSITE".into(),
        initiator: "SRTEST".into(),
        created_at: 5,
        extra: "{}".into(),
    }
}

fn part(number: u16, staged: Option<&str>) -> Part {
    Part {
        part_number: number,
        record: vec![number as u8],
        plain_len: PlainLen(10),
        etags: vec![("primary".into(), SealedETag::from_backend("\"e\""))],
        staged_key: staged.map(Into::into),
        written_at: 9,
    }
}

#[tokio::test]
async fn uploads_and_parts_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path()).await.expect("opens");
    let first = upload("u1", "k");
    state.create_upload(&first).await.expect("recorded");
    assert_eq!(state.put_part("u1", &part(3, None)).await.expect("recorded"), None);
    assert_eq!(state.put_part("u1", &part(3, Some("s"))).await.expect("recorded"), Some(part(3, None)));
    state.drop_upload_site("u1", "backup").await.expect("dropped");
    drop(state);
    let state = State::open(folder.path()).await.expect("opens again");
    let found = state.upload("u1").await.expect("read").expect("there");
    assert_eq!(found, Upload { sites: vec![("primary".into(), "p1".into())], ..first });
    assert_eq!(state.parts("u1", 0, 10).await.expect("read"), vec![part(3, Some("s"))]);
    assert_eq!(state.parts("u1", 3, 10).await.expect("read"), vec![]);
    state.delete_upload("u1").await.expect("deleted");
    assert_eq!(state.upload("u1").await.expect("read"), None);
    assert_eq!(state.parts("u1", 0, 10).await.expect("read"), vec![]);
    assert!(state.put_part("u1", &part(1, None)).await.is_err(), "a part of a vanished upload is refused");
}

#[tokio::test]
async fn uploads_are_listed_by_key_then_id_after_a_marker() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path()).await.expect("opens");
    for (id, key) in [("2", "b"), ("1", "b"), ("3", "a"), ("4", "c/x")] {
        state.create_upload(&upload(id, key)).await.expect("recorded");
    }
    let ids = |uploads: Vec<Upload>| uploads.into_iter().map(|u| u.id).collect::<Vec<_>>();
    let (bucket, _) = names();
    assert_eq!(ids(state.uploads(&bucket, "", None, 10).await.expect("read")), ["3", "1", "2", "4"]);
    assert_eq!(ids(state.uploads(&bucket, "", Some(("b", "1")), 1).await.expect("read")), ["2"]);
    assert_eq!(ids(state.uploads(&bucket, "c/", None, 10).await.expect("read")), ["4"]);
}

#[tokio::test]
async fn a_miss_recorded_again_is_not_settled_by_who_saw_the_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path()).await.expect("opens");
    let (bucket, key) = names();
    state.record_miss("backup", &bucket, Some(&key), "down", 100).await.expect("recorded");
    state.record_miss("backup", &bucket, None, "down", 100).await.expect("recorded");
    let seen = state.due(100, 10).await.expect("read");
    assert_eq!(seen.iter().map(|p| p.key.clone()).collect::<Vec<_>>(), [Some(key.clone()), None]);
    assert_eq!(state.due(99, 10).await.expect("read"), []);
    state.record_miss("backup", &bucket, Some(&key), "down again", 101).await.expect("recorded");
    assert!(!state.settle(&seen[0]).await.expect("asked"));
    assert!(state.settle(&seen[1]).await.expect("asked"));
    drop(state);
    let state = State::open(folder.path()).await.expect("opens again");
    assert_eq!(state.backlog().await.expect("read"), (1, Some(100)));
    assert!(state.is_pending(&bucket, &key).await.expect("read"));
    let again = state.due(101, 10).await.expect("read").remove(0);
    state.postpone(&again, 500, "still down").await.expect("postponed");
    assert_eq!(state.due(499, 10).await.expect("read"), []);
    assert_eq!(state.due(500, 10).await.expect("read")[0].attempts, 1);
}

#[tokio::test]
async fn the_index_answers_at_once_and_after_a_restart_and_forgets_old_versions() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path()).await.expect("opens");
    let (bucket, key) = names();
    let entry = |n: u8| IndexEntry {
        sealed_etag: SealedETag::from_backend(&format!("s{n}")),
        etag: PlainETag::from_md5([n; 16]),
    };
    let find = |n: u8| (key.as_str().to_owned(), entry(n).sealed_etag);
    state.note(&bucket, &key, entry(1));
    let known = state.known(&bucket, "a", "b").await.expect("read");
    assert_eq!(known.get(&find(1)), Some(&entry(1).etag));
    for n in 2..6 {
        state.note(&bucket, &key, entry(n));
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    state.close().await;
    let state = State::open(folder.path()).await.expect("opens again");
    let known = state.known(&bucket, "a/b.pdf", "a/b.pdf").await.expect("read");
    assert_eq!(known.get(&find(5)), Some(&entry(5).etag));
    assert_eq!(known.len(), 2);
    assert!(state.known(&bucket, "b", "c").await.expect("read").is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("state");
    let state = State::open(&inner).await.expect("opens");
    let (bucket, key) = names();
    state.record_miss("backup", &bucket, Some(&key), "x", 1).await.expect("recorded");
    assert_eq!(std::fs::metadata(&inner).expect("there").permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&inner).expect("a folder") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("there").permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("state.sqlite3"), [0x5a; 8192]).expect("written");
    assert!(State::open(folder.path()).await.is_err());
}

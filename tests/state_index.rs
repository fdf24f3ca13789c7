//! The ETag index over real SQLite files: a PUT is known to the LIST that follows, and it is a bounded cache.
mod state_support;

use state_support::open;
use std::time::Duration;
use strongroom::s3::{BucketName, ObjectKey, PlainETag, SealedETag};
use strongroom::state::{IndexEntry, State};

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a key")
}

fn entry(n: u8) -> IndexEntry {
    let etag =
        if n.is_multiple_of(2) { PlainETag::from_md5([n; 16]) } else { PlainETag::from_part_md5s([n; 16], 9999) };
    IndexEntry { sealed_etag: SealedETag::from_backend(&format!("sealed-{n}")), etag }
}

async fn tags(state: &State, name: &str) -> Vec<String> {
    let known = state.known(&bucket(), name, name).await.expect("known");
    let mut tags: Vec<_> = known.into_keys().map(|(_, tag)| tag.as_str().to_owned()).collect();
    tags.sort();
    tags
}

#[tokio::test]
async fn what_was_noted_is_known_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for n in 0..4 {
        state.note(&bucket(), &key(&format!("k{n}")), entry(n));
    }
    let check = |known: std::collections::HashMap<(String, SealedETag), PlainETag>| {
        assert_eq!(known.len(), 2);
        for n in 1..3 {
            assert_eq!(known.get(&(format!("k{n}"), entry(n).sealed_etag)), Some(&entry(n).etag));
        }
    };
    check(state.known(&bucket(), "k1", "k2").await.expect("known"));
    state.close().await;
    let state = open(folder.path()).await;
    check(state.known(&bucket(), "k1", "k2").await.expect("known"));
    check(state.known_of(&bucket(), &["k1", "none", "k2"]).await.expect("known"));
    let other = BucketName::parse("other").expect("a name");
    assert!(state.known(&other, "", "z").await.expect("known").is_empty());
}

#[tokio::test]
async fn notes_reach_the_file_without_a_close() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for n in 0..2500 {
        state.note(&bucket(), &key(&format!("{n:05}")), entry(2));
    }
    let reader = open(folder.path()).await;
    for _ in 0..200 {
        if reader.known(&bucket(), "0", "9").await.expect("known").len() == 2500 {
            return;
        }
        assert_eq!(state.known(&bucket(), "0", "9").await.expect("known").len(), 2500, "no gap while it is written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not written behind");
}

#[tokio::test]
async fn an_overwritten_key_keeps_its_two_newest_forms() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in [1, 2, 2, 3] {
        let state = open(folder.path()).await;
        state.note(&bucket(), &key("a"), entry(n));
        state.close().await;
    }
    let state = open(folder.path()).await;
    assert_eq!(tags(&state, "a").await, ["sealed-2", "sealed-3"]);
    state.note(&bucket(), &key("a"), entry(2));
    state.note(&bucket(), &key("a"), entry(4));
    state.close().await;
    assert_eq!(tags(&open(folder.path()).await, "a").await, ["sealed-2", "sealed-4"]);
}

#[tokio::test]
async fn a_flood_of_notes_never_blocks_and_costs_bounded_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    // One thread and no await: the writing task cannot run, so the queue must overflow and drop.
    for n in 0..50_000 {
        state.note(&bucket(), &key(&format!("{n:06}")), entry(2));
    }
    state.close().await;
    let state = open(folder.path()).await;
    let known = state.known(&bucket(), "0", "9").await.expect("known").len();
    assert_eq!(known, 16 * 1024);
}

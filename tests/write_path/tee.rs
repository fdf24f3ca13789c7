//! The tee by itself: order, break-off, parts.
use crate::world::{TEE, World, at, pattern};
use bytes::Bytes;
use strongroom::site::WriteCondition;
use strongroom::site::tee::Mode;

#[tokio::test]
async fn nothing_is_visible_before_the_last_bytes() {
    let world = World::start().await;
    let place = at(TEE, "key");
    let mut write =
        world.tee.put(&place, 1_000_100, strongroom::site::ObjectHeaders::default(), WriteCondition::Always, Mode::Tee);
    for chunk in pattern(1_000_000).chunks(50_000) {
        write.send(Bytes::copy_from_slice(chunk)).await.expect("taken");
    }
    world.assert_nothing(TEE, "key").await;
    let committed = write.commit(pattern(100)).await.expect("committed");
    assert_eq!(committed.written.len(), 2);
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_dropped_write_is_broken_off_everywhere() {
    let world = World::start().await;
    let mut write = world.tee.put(
        &at(TEE, "key"),
        200,
        strongroom::site::ObjectHeaders::default(),
        WriteCondition::Always,
        Mode::Strict,
    );
    write.send(pattern(100)).await.expect("taken");
    drop(write);
    drop(world.tee.put(
        &at(TEE, "key"),
        200,
        strongroom::site::ObjectHeaders::default(),
        WriteCondition::Always,
        Mode::Tee,
    ));
    // The same place is free, and what comes next is whole.
    let write = world.tee.put(
        &at(TEE, "key"),
        3,
        strongroom::site::ObjectHeaders::default(),
        WriteCondition::Always,
        Mode::Strict,
    );
    write.commit(Bytes::from_static(b"abc")).await.expect("committed");
    assert_eq!(world.primary().sealed(TEE, "key").await.expect("stored").0, b"abc");
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_commit_waits_for_whoever_holds_the_keys_lock() {
    let world = World::start().await;
    let guard = world.tee.lock(&at(TEE, "key")).await;
    let write = world.tee.put(
        &at(TEE, "key"),
        3,
        strongroom::site::ObjectHeaders::default(),
        WriteCondition::Always,
        Mode::Tee,
    );
    let commit = tokio::spawn(write.commit(Bytes::from_static(b"abc")));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!commit.is_finished());
    world.assert_nothing(TEE, "key").await;
    drop(guard);
    commit.await.expect("no panic").expect("committed");
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_commit_outlives_its_caller() {
    let world = World::start().await;
    let guard = world.tee.lock(&at(TEE, "key")).await;
    let write = world.tee.put(
        &at(TEE, "key"),
        3,
        strongroom::site::ObjectHeaders::default(),
        WriteCondition::Always,
        Mode::Tee,
    );
    let gone = tokio::time::timeout(std::time::Duration::from_millis(100), write.commit(Bytes::from_static(b"abc")));
    assert!(gone.await.is_err(), "the caller goes away while it waits for the lock");
    drop(guard);
    crate::world::until("both sites have it", || async {
        world.primary().sealed(TEE, "key").await.is_some() && world.backup().sealed(TEE, "key").await.is_some()
    })
    .await;
}

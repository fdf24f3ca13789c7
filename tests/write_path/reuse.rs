//! CopyObject of large objects, whose body the sites copy by themselves, while sites differ or fail.
use crate::wire::Mode;
use crate::world::{Answer, GRACE, STRICT, STRICT_KEY, TEE, World, at, pattern};
use bytes::Bytes;
use std::time::Instant;
use strongroom::s3::Operation;
use strongroom::site::{PutBody, WriteCondition};

const SOURCE: &str = "/tee-bucket/source";
const TARGET: &str = "/tee-bucket/target";
const STRICT_TARGET: &str = "/strict-bucket/target";
const MIB: usize = 1024 * 1024;

async fn copy(world: &World, target: &str) -> Answer {
    world.ask("PUT", Operation::CopyObject, target, &[("x-amz-copy-source", SOURCE)], "").await
}

/// The backup comes to hold another version of the source than the primary: the older one.
async fn outdate_backup(world: &World) -> Bytes {
    world.put(SOURCE, pattern(5 * MIB)).await.expect(200);
    let (old, metadata) = world.backup().sealed(TEE, "source").await.expect("stored");
    let body = pattern(6 * MIB + 7);
    world.put(SOURCE, body.clone()).await.expect(200);
    let (feed, chunks) = tokio::sync::mpsc::channel(1);
    let length = old.len() as u64;
    feed.try_send(old.into()).expect("room");
    let body_of_old = PutBody { length, chunks };
    let place = at(TEE, "source");
    let headers = strongroom::site::ObjectHeaders::of(metadata.as_deref());
    let put = world.backup().direct.put(&place, &headers, &WriteCondition::Always, body_of_old);
    put.await.expect("an older version");
    body
}

/// The first bytes of a sealed object: random for every body.
async fn start_of(world: &World, bucket: &str, key: &str) -> Vec<u8> {
    world.primary().sealed(bucket, key).await.expect("stored").0[..56].to_vec()
}

#[tokio::test]
async fn both_modes_take_the_body_of_the_source() {
    let world = World::start().await;
    let body = pattern(6 * MIB);
    world.put(SOURCE, body.clone()).await.expect(200);
    for (target, bucket, key) in [(TARGET, TEE, "default"), (STRICT_TARGET, STRICT, STRICT_KEY)] {
        let answer = copy(&world, target).await.expect(200);
        assert_eq!(answer.facts.vault_key.as_deref(), Some(key), "the key of the destination's rule");
        assert!(world.get(target).await.expect(200).body == body);
        world.assert_identical(bucket, "target").await;
        assert_eq!(start_of(&world, bucket, "target").await, start_of(&world, TEE, "source").await);
    }
    assert_eq!(world.misses().await.len(), 0);
    world.assert_no_uploads().await;
}

#[tokio::test]
async fn a_backup_with_another_version_is_levelled() {
    let world = World::start().await;
    let body = outdate_backup(&world).await;
    let answer = copy(&world, TARGET).await.expect(200);
    assert_eq!(answer.facts.sites_pending, ["backup"]);
    assert_eq!(world.misses().await.len(), 1);
    world.level().await;
    world.assert_identical(TEE, "target").await;
    assert!(world.get(TARGET).await.expect(200).body == body);
    world.assert_no_uploads().await;
}

#[tokio::test]
async fn strict_reads_the_source_when_a_backup_holds_another_version() {
    let world = World::start().await;
    let body = outdate_backup(&world).await;
    copy(&world, STRICT_TARGET).await.expect(200);
    world.assert_identical(STRICT, "target").await;
    assert_ne!(start_of(&world, STRICT, "target").await, start_of(&world, TEE, "source").await);
    assert!(world.get(STRICT_TARGET).await.expect(200).body == body);
    assert_eq!(world.misses().await.len(), 0);
    world.assert_no_uploads().await;
}

#[tokio::test]
async fn a_backup_that_does_not_finish_costs_the_grace_period_and_is_levelled() {
    let world = World::start().await;
    let body = pattern(5 * MIB);
    world.put(SOURCE, body.clone()).await.expect(200);
    world.backup().wire.set(Mode::HoldAnswerTo("UploadPartCopy"));
    let begun = Instant::now();
    copy(&world, TARGET).await.expect(200);
    assert!(begun.elapsed() < GRACE * 4, "{:?}", begun.elapsed());
    assert_eq!(world.misses().await.len(), 1);
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "target").await;
    assert!(world.get(TARGET).await.expect(200).body == body);
    world.assert_no_uploads().await;
}

#[tokio::test]
async fn a_primary_that_breaks_off_leaves_nothing() {
    let world = World::start().await;
    world.put(SOURCE, pattern(5 * MIB)).await.expect(200);
    for (target, bucket) in [(TARGET, TEE), (STRICT_TARGET, STRICT)] {
        world.primary().wire.set(Mode::LoseAnswerTo("UploadPartCopy"));
        assert_eq!(copy(&world, target).await.status, 503);
        world.primary().wire.set(Mode::Pass);
        world.assert_nothing(bucket, "target").await;
        copy(&world, target).await.expect(200);
        world.assert_identical(bucket, "target").await;
    }
    assert_eq!(world.misses().await.len(), 0);
    world.assert_no_uploads().await;
}

#[tokio::test]
async fn when_the_primary_does_not_say_whether_it_completed_the_backups_follow_it() {
    let world = World::start().await;
    let body = pattern(5 * MIB);
    world.put(SOURCE, body.clone()).await.expect(200);
    world.primary().wire.set(Mode::LoseAnswerTo("POST /tee-bucket/target?uploadId"));
    assert_eq!(copy(&world, TARGET).await.status, 503);
    world.primary().wire.set(Mode::Pass);
    assert_eq!(world.misses().await.len(), 1);
    world.level().await;
    world.assert_identical(TEE, "target").await;
    assert!(world.get(TARGET).await.expect(200).body == body);
    world.assert_no_uploads().await;
}

#[tokio::test]
async fn a_strict_copy_fails_whole_when_a_backup_is_out() {
    let world = World::start().await;
    world.put(SOURCE, pattern(5 * MIB)).await.expect(200);
    world.backup().wire.set(Mode::LoseAnswerTo("UploadPartCopy"));
    assert_eq!(copy(&world, STRICT_TARGET).await.status, 503);
    world.backup().wire.set(Mode::Pass);
    world.assert_nothing(STRICT, "target").await;
    assert_eq!(world.misses().await.len(), 0);
    world.assert_no_uploads().await;
}

//! Sites that fail, stall or fall silent at the worst moment: what the client is told is what happened, and the sites come to agree.
use crate::wire::Mode;
use crate::world::{GRACE, STRICT, TEE, World, pattern, until};
use std::time::{Duration, Instant};
use strongroom::s3::Operation;

const KEY: &str = "/tee-bucket/key";
const STRICT_KEY: &str = "/strict-bucket/key";

#[tokio::test]
async fn a_dead_backup_is_recorded_before_the_answer_and_catches_up() {
    let world = World::start().await;
    world.backup().wire.set(Mode::Dead);
    for length in [10, 2_000_000] {
        let answer = world.put(KEY, pattern(length)).await.expect(200);
        assert_eq!(
            (answer.facts.sites_written, answer.facts.sites_pending),
            (vec!["primary".to_owned()], vec!["backup".to_owned()])
        );
        let misses = world.misses().await;
        assert_eq!(misses.iter().map(|miss| miss.site.as_str()).collect::<Vec<_>>(), ["backup"]);
    }
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_silent_backup_costs_the_first_writers_a_little_and_the_others_nothing() {
    let world = World::start().await;
    world.backup().wire.set(Mode::Silent);
    let mut waited = Vec::new();
    for _ in 0..4 {
        let begun = Instant::now();
        world.put(KEY, pattern(1_000_000)).await.expect(200);
        waited.push(begun.elapsed());
    }
    until("the backup counts as down", || async {
        let begun = Instant::now();
        world.put(KEY, "x").await.expect(200);
        begun.elapsed() < GRACE
    })
    .await;
    assert!(!world.misses().await.is_empty(), "{waited:?}");
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_backup_that_takes_the_write_but_never_answers_is_recorded_again_when_that_is_over() {
    let world = World::start().await;
    world.backup().wire.set(Mode::HoldAnswerTo("PUT "));
    world.put(KEY, "first").await.expect(200);
    let [ref miss] = world.misses().await[..] else { panic!("one miss") };
    let generation = miss.generation;
    until("the late answer is noted", || async { world.misses().await[0].generation > generation }).await;
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_lost_answer_of_the_primary_is_an_error_and_the_sites_agree_afterwards() {
    let world = World::start().await;
    world.put(KEY, "before").await.expect(200);
    world.primary().wire.set(Mode::LoseAnswerTo("PUT "));
    let answer = world.put(KEY, "after").await;
    assert_eq!(answer.verdict(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(world.misses().await.len(), 1, "the backup is to follow the primary");
    world.primary().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_lost_answer_is_recorded_even_for_a_backup_that_was_out_already() {
    let world = World::start().await;
    world.put(KEY, "before").await.expect(200);
    world.backup().wire.set(Mode::Dead);
    world.primary().wire.set(Mode::LoseAnswerTo("PUT "));
    world.put(KEY, "after").await.expect(503);
    assert_eq!(world.misses().await.len(), 1);
    world.primary().wire.set(Mode::Pass);
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "key").await;
    assert_eq!(world.get(KEY).await.text(), "after", "the primary had taken it");
}

#[tokio::test]
async fn a_lost_answer_to_a_conditional_write_is_recorded_too() {
    let world = World::start().await;
    world.primary().wire.set(Mode::LoseAnswerTo("PUT "));
    world.put_with(KEY, &[("if-none-match", "*")], "created").await.expect(503);
    assert!(world.backup().sealed(TEE, "key").await.is_none(), "a backup follows only what the primary decided");
    world.primary().wire.set(Mode::Pass);
    world.level().await;
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_dead_primary_leaves_nothing_anywhere() {
    let world = World::start().await;
    world.primary().wire.set(Mode::Dead);
    for length in [10, 2_000_000] {
        assert_eq!(world.put(KEY, pattern(length)).await.verdict(), (503, "ServiceUnavailable".to_owned()));
    }
    world.primary().wire.set(Mode::Pass);
    world.level().await;
    world.assert_nothing(TEE, "key").await;
}

#[tokio::test]
async fn strict_is_acknowledged_by_all_or_refused_and_levelled() {
    let world = World::start().await;
    world.put(STRICT_KEY, "both have it").await.expect(200);
    world.assert_identical(STRICT, "key").await;
    world.backup().wire.set(Mode::Dead);
    assert_eq!(world.put(STRICT_KEY, "only the primary").await.verdict().0, 503);
    assert_eq!(world.ask("DELETE", Operation::DeleteObject, STRICT_KEY, &[], "").await.status, 503);
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    let [primary, backup] = [world.primary(), world.backup()].map(|link| link.sealed(STRICT, "key"));
    assert!(primary.await == backup.await, "the sites agree");
}

#[tokio::test]
async fn a_delete_that_a_backup_misses_is_recorded_and_follows() {
    let world = World::start().await;
    world.put(KEY, "to go").await.expect(200);
    world.put("/tee-bucket/other", "to go, too").await.expect(200);
    world.backup().wire.set(Mode::Dead);
    world.ask("DELETE", Operation::DeleteObject, KEY, &[], "").await.expect(204);
    let list = "<Delete><Object><Key>other</Key></Object></Delete>";
    world.ask("POST", Operation::DeleteObjects, "/tee-bucket?delete", &[], list).await.expect(200);
    assert_eq!(world.misses().await.len(), 2);
    world.backup().wire.set(Mode::Pass);
    world.level().await;
    world.assert_nothing(TEE, "key").await;
    world.assert_nothing(TEE, "other").await;
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_levelled() {
    let world = World::start().await;
    world.put(KEY, "to go").await.expect(200);
    world.primary().wire.set(Mode::LoseAnswerTo("DELETE "));
    assert_eq!(world.ask("DELETE", Operation::DeleteObject, KEY, &[], "").await.status, 503);
    world.primary().wire.set(Mode::Pass);
    world.level().await;
    world.assert_nothing(TEE, "key").await;
}

#[tokio::test]
async fn no_task_stays_behind() {
    let world = World::start().await;
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    world.put(KEY, pattern(500_000)).await.expect(200);
    let before = alive();
    for _ in 0..10 {
        let upload = world.stream(Operation::PutObject, KEY, &[("content-length", "900000000")], endless());
        assert!(tokio::time::timeout(Duration::from_millis(60), upload).await.is_err());
    }
    world.backup().wire.set(Mode::HoldAnswerTo("PUT "));
    world.put(KEY, pattern(500_000)).await.expect(200);
    world.backup().wire.set(Mode::Pass);
    // Connections of the pool and of the wire stay, a few each.
    until("the tasks end", || async { alive() <= before + 8 }).await;
}

fn endless() -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send + Sync + 'static {
    futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((Ok(pattern(10_000)), ()))
    })
}

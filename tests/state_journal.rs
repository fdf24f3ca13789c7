//! The journal over real SQLite files: durable when a call returns, settled by generation, never reused ids.
mod state_support;

use state_support::open;
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::state::{Backlog, Exchange, IntentRow, Missed, Pending, Progress, State, Task};

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a key")
}

async fn record(state: &State, name: Option<&str>, now: i64) {
    let missed = Missed::new("backup", &bucket(), name.map(key).as_ref(), "down");
    state.record_misses(vec![missed], now).await.expect("recorded");
}

async fn miss(state: &State, name: &str, now: i64) {
    record(state, Some(name), now).await;
}

async fn only(state: &State, now: i64) -> Pending {
    let mut due = state.due(now, 10).await.expect("due");
    assert_eq!(due.len(), 1, "{due:?}");
    due.remove(0)
}

#[tokio::test]
async fn a_miss_is_there_after_a_crash() {
    if state_support::is_shared() {
        return; // The server's own tests say so.
    }
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    miss(&state, "a", 100).await;
    record(&state, None, 101).await;
    // No close: what a power cut would leave is what is in the files at this moment.
    let copy = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(folder.path()).expect("readable") {
        let file = file.expect("readable");
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
        }
    }
    let revived = open(copy.path()).await;
    let due = revived.due(200, 10).await.expect("due");
    assert_eq!(due.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), [Some(key("a")), None]);
    let backlog = revived.backlog().await.expect("a backlog");
    assert_eq!((backlog.pending, backlog.oldest), (2, Some(100)));
}

#[tokio::test]
async fn settling_leaves_a_row_that_was_recorded_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    miss(&state, "a", 100).await;
    let seen = only(&state, 100).await;
    miss(&state, "a", 150).await;
    assert!(!state.settle(&seen).await.expect("settled"));
    let newer = only(&state, 200).await;
    assert_eq!((newer.generation, newer.recorded_at), (seen.generation + 1, 100), "behind since the first miss");
    assert!(state.settle(&newer).await.expect("settled"));
    assert_eq!(state.backlog().await.expect("a backlog"), Backlog::default());
}

#[tokio::test]
async fn a_settled_row_never_comes_back_under_its_old_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    miss(&state, "a", 100).await;
    let first = only(&state, 100).await;
    assert!(state.settle(&first).await.expect("settled"));
    miss(&state, "a", 100).await;
    assert!(!state.settle(&first).await.expect("settled"), "that was another miss");
    assert_eq!(only(&state, 100).await.generation, 1);
}

#[tokio::test]
async fn a_postponed_row_waits_until_its_time_or_until_the_site_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    miss(&state, "a", 100).await;
    let row = only(&state, 100).await;
    state.postpone(&row, 300, "still down").await.expect("postponed");
    assert!(state.due(299, 10).await.expect("due").is_empty());
    assert_eq!(state.next_due().await.expect("a time"), Some(300));
    assert_eq!(only(&state, 300).await.attempts, 1);
    state.hasten("elsewhere", 200).await.expect("hastened");
    assert!(state.due(200, 10).await.expect("due").is_empty());
    state.hasten("backup", 200).await.expect("hastened");
    assert_eq!(only(&state, 200).await.attempts, 1);
}

#[tokio::test]
async fn an_object_is_pending_while_any_site_lacks_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    assert!(!state.is_behind(&bucket(), &key("a")).await.expect("an answer"));
    miss(&state, "a", 100).await;
    assert!(state.is_behind(&bucket(), &key("a")).await.expect("an answer"));
    assert!(!state.is_behind(&bucket(), &key("b")).await.expect("an answer"));
    let row = only(&state, 100).await;
    state.settle(&row).await.expect("settled");
    assert!(!state.is_behind(&bucket(), &key("a")).await.expect("an answer"));
}

#[tokio::test]
async fn keys_of_every_shape_come_back_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let names = ["a\u{0}b", "字/😀", "'; DROP TABLE misses; --", "../x", &"k".repeat(1024), "%", "_"];
    for name in names {
        miss(&state, name, 100).await;
    }
    let mut found: Vec<_> = state.due(100, 100).await.expect("due").into_iter().filter_map(|row| row.key).collect();
    let mut wanted: Vec<_> = names.map(key).to_vec();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let writers = (0..32).map(|writer| {
        let state = state.clone();
        tokio::spawn(async move {
            for n in 0..20 {
                miss(&state, &format!("{}", (writer * 20 + n) % 320), n).await;
            }
        })
    });
    for writer in futures_util::future::join_all(writers).await {
        writer.expect("no panic");
    }
    state.close().await;
    let state = open(folder.path()).await;
    let due = state.due(1000, 1000).await.expect("due");
    assert_eq!(due.len(), 320);
    assert_eq!(due.iter().map(|row| row.generation).sum::<i64>(), 640, "every record counted");
}

#[tokio::test]
async fn two_proxies_can_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (open(folder.path()).await, open(folder.path()).await);
    let write = |state: State, from: usize| async move {
        for n in from..from + 50 {
            miss(&state, &n.to_string(), 1).await;
        }
    };
    tokio::join!(write(one.clone(), 0), write(two.clone(), 50));
    assert_eq!(one.backlog().await.expect("a backlog").pending, 100);
}

#[tokio::test]
async fn a_leased_row_is_nobody_elses_until_it_is_done_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for name in ["a", "b", "c"] {
        miss(&state, name, 100).await;
    }
    let mine = state.lease("me", "backup", 100, 2).await.expect("leased");
    let yours = state.lease("you", "backup", 100, 10).await.expect("leased");
    assert_eq!((mine.len(), yours.len()), (2, 1));
    assert!(state.due(100, 10).await.expect("due").is_empty());
    assert_eq!(state.next_due().await.expect("a time"), None);
    state.postpone(&mine[0], 150, "down").await.expect("postponed");
    assert_eq!(state.next_due().await.expect("a time"), Some(150));
    // Recorded again while it is worked on: it cannot be settled, and is free again.
    let name = mine[1].key.clone().expect("an object");
    miss(&state, name.as_str(), 120).await;
    assert!(!state.settle(&mine[1]).await.expect("settled"));
    assert_eq!(state.lease("you", "backup", 140, 10).await.expect("leased").len(), 1);
}

#[tokio::test]
async fn a_parked_row_rests_until_somebody_says_so_or_the_object_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for name in ["a", "b"] {
        miss(&state, name, 100).await;
    }
    for row in state.lease("me", "backup", 100, 2).await.expect("leased") {
        state.park(&row, "AccessDenied").await.expect("parked");
    }
    let backlog = state.backlog().await.expect("a backlog");
    assert_eq!((backlog.pending, backlog.parked, backlog.oldest), (0, 2, None));
    assert_eq!(state.progress(&bucket(), &key("a")).await.expect("known"), Progress::Parked);
    assert!(state.due(9999, 10).await.expect("due").is_empty());
    let parked = state.resting(false, 10).await.expect("parked");
    assert!(parked.len() == 2 && parked.iter().all(|one| one.reason == "AccessDenied"));
    miss(&state, "a", 150).await;
    assert_eq!(state.progress(&bucket(), &key("a")).await.expect("known"), Progress::Pending);
    assert_eq!(only(&state, 150).await.key, Some(key("a")));
    assert_eq!(state.retry(Some("elsewhere"), 200).await.expect("retried"), 0);
    assert_eq!(state.retry(Some("backup"), 200).await.expect("retried"), 2);
    assert_eq!(state.due(200, 10).await.expect("due").len(), 2);
}

#[tokio::test]
async fn what_is_retained_rests_until_its_term() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let missed = Missed { retain_until: 500, ..Missed::new("backup", &bucket(), Some(&key("a")), "deleted") };
    state.record_misses(vec![missed], 100).await.expect("recorded");
    let row = state.lease("me", "backup", 100, 1).await.expect("leased").remove(0);
    assert_eq!(row.retain_until, 500);
    assert!(state.retain(&row).await.expect("retained"));
    let backlog = state.backlog().await.expect("a backlog");
    assert_eq!((backlog.pending, backlog.retained), (0, 1));
    assert_eq!(state.progress(&bucket(), &key("a")).await.expect("known"), Progress::Completed);
    assert!(state.is_behind(&bucket(), &key("a")).await.expect("known"), "the backup is not to be read");
    state.hasten("backup", 200).await.expect("hastened");
    assert!(state.due(499, 10).await.expect("due").is_empty());
    assert_eq!(state.resting(true, 10).await.expect("retained").len(), 1);
    // A shorter term, or none, does not shorten it.
    miss(&state, "a", 210).await;
    assert_eq!(only(&state, 210).await.retain_until, 500);
}

#[tokio::test]
async fn an_empty_journal_is_known_to_be_empty_until_something_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    assert_eq!(state.backlog().await.expect("a backlog"), Backlog::default());
    assert_eq!(state.progress(&bucket(), &key("a")).await.expect("known"), Progress::Completed);
    miss(&state, "a", 100).await;
    assert_eq!(state.progress(&bucket(), &key("a")).await.expect("known"), Progress::Pending);
}

#[tokio::test]
async fn damage_is_a_row_of_its_own_and_does_not_make_an_object_pending() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let damaged = Missed { task: Task::Repair, ..Missed::new("backup", &bucket(), Some(&key("a")), "a chunk") };
    for _ in 0..3 {
        state.record_misses(vec![damaged.clone()], 100).await.expect("recorded");
    }
    assert!(!state.is_behind(&bucket(), &key("a")).await.expect("an answer"));
    assert_eq!(state.progress(&bucket(), &key("a")).await.expect("an answer"), Progress::Completed);
    let row = only(&state, 100).await;
    assert_eq!((row.task.clone(), row.generation), (Task::Repair, 1));
    miss(&state, "a", 101).await;
    assert_eq!(state.due(101, 10).await.expect("due").len(), 2, "missed and damaged");
    state.park(&row, "no good copy").await.expect("parked");
    state.record_misses(vec![damaged], 102).await.expect("recorded");
    assert_eq!(state.resting(false, 10).await.expect("rows").len(), 1, "found again it stays parked");
}

#[tokio::test]
async fn what_a_backup_accepted_is_known_to_be_away_until_it_is_settled() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let home = async |state: &State| state.home_of(&bucket(), &key("a")).await.expect("an answer");
    assert_eq!(home(&state).await, None);
    let accepted = |gone| Missed {
        task: Task::Home { from: "backup".to_owned(), gone },
        ..Missed::new("primary", &bucket(), Some(&key("a")), "the primary is out")
    };
    state.record_misses(vec![accepted(false)], 100).await.expect("recorded");
    assert_eq!(home(&state).await.as_deref(), Some("backup"));
    assert_eq!(state.home_of(&bucket(), &key("b")).await.expect("an answer"), None);
    assert_eq!(state.behind(&bucket(), &key("a")).await.expect("an answer"), ["primary"]);
    assert_eq!(state.away().await.expect("an answer").into_iter().collect::<Vec<_>>(), [("backup".to_owned(), 1)]);
    let written = only(&state, 100).await;
    assert_eq!(written.task, Task::Home { from: "backup".to_owned(), gone: false });
    // A delete that was accepted after the worker had looked.
    state.record_misses(vec![accepted(true)], 101).await.expect("recorded");
    assert!(!state.settle(&written).await.expect("an answer"));
    let deleted = only(&state, 101).await;
    assert_eq!(deleted.task, Task::Home { from: "backup".to_owned(), gone: true });
    assert!(state.settle(&deleted).await.expect("an answer"));
    assert_eq!(home(&state).await, None);
}

#[tokio::test]
async fn a_process_that_died_in_the_middle_may_have_deleted_what_was_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let dead = state.enlist().await.expect("an owner");
    let task = Task::Home { from: "backup".to_owned(), gone: false };
    let accepted = Missed { task, ..Missed::new("primary", &bucket(), Some(&key("a")), "the primary is out") };
    state.record_misses(vec![accepted], 100).await.expect("recorded");
    let begun = vec![IntentRow { seq: 1, bucket: bucket(), key: Some(key("a")), retain_until: 0 }];
    let exchange = Exchange { begun, ..Exchange::default() };
    state.exchange_intents(&dead, exchange, &[], 100).await.expect("written");
    drop(dead);
    if state_support::is_shared() {
        return; // There it dies with its lease.
    }
    let heir = state.enlist().await.expect("an owner");
    state.bury_dead(&heir, &["backup".to_owned()], 200).await.expect("taken over");
    let rows = state.due(300, 10).await.expect("due");
    let home = rows.iter().find(|row| row.site == "primary").expect("the row");
    assert_eq!(home.task, Task::Home { from: "backup".to_owned(), gone: true });
}

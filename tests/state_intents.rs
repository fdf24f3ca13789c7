//! Intents over real files: written before anybody is told, taken back in silence, taken over from the dead.
mod state_support;

use std::path::Path;
use std::time::Duration;
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::state::{EndedIntent, Exchange, IntentRow, Owner, State};

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a key")
}

fn row(seq: i64, name: &str) -> IntentRow {
    IntentRow { seq, bucket: bucket(), key: Some(key(name)), retain_until: 0 }
}

fn ended(row: IntentRow) -> EndedIntent {
    EndedIntent { row, broken: false }
}

/// A process: its state and itself.
struct Process {
    state: State,
    owner: Owner,
}

impl Process {
    async fn start(folder: &Path) -> Self {
        let state = state_support::open(folder).await;
        let owner = state.enlist().await.expect("enlisted");
        Self { state, owner }
    }

    /// How many keys became misses.
    async fn exchange(&self, begun: Vec<IntentRow>, ended: Vec<EndedIntent>) -> usize {
        let exchange = Exchange { begun, ended, stray: Vec::new() };
        self.state.exchange_intents(&self.owner, exchange, &backups(), 100).await.expect("written")
    }

    async fn intents(&self) -> usize {
        self.state.intents().await.expect("readable").len()
    }

    /// Site and key of everything that is due.
    async fn missed(&self) -> Vec<(String, String)> {
        let due = self.state.due(1000, 100).await.expect("due");
        let mut names: Vec<_> =
            due.into_iter().map(|row| (row.site, row.key.map_or_else(String::new, |key| key.to_string()))).collect();
        names.sort();
        names
    }

    async fn bury(&self) -> usize {
        self.state.bury_dead(&self.owner, &backups(), 200).await.expect("buried")
    }

    /// As [`Self::bury`], once the lease of whoever died has run out.
    async fn bury_in_time(&self) -> usize {
        for _ in 0..400 {
            match self.bury().await {
                0 if state_support::is_shared() => tokio::time::sleep(Duration::from_millis(20)).await,
                buried => return buried,
            }
        }
        0
    }
}

fn backups() -> Vec<String> {
    vec!["near".to_owned(), "far".to_owned()]
}

fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(site, key)| ((*site).to_owned(), (*key).to_owned())).collect()
}

#[tokio::test]
async fn a_change_that_ends_well_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(folder.path()).await;
    assert_eq!(process.exchange(vec![row(1, "a"), row(2, "b")], vec![]).await, 0);
    assert_eq!(process.intents().await, 2);
    assert_eq!(process.exchange(vec![row(3, "c")], vec![ended(row(1, "a")), ended(row(2, "b"))]).await, 0);
    assert_eq!((process.intents().await, process.missed().await.len()), (1, 0));
}

#[tokio::test]
async fn a_broken_change_becomes_a_miss_of_every_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(folder.path()).await;
    process.exchange(vec![row(1, "a")], vec![]).await;
    assert_eq!(process.exchange(vec![], vec![EndedIntent { row: row(1, "a"), broken: true }]).await, 1);
    assert_eq!(process.missed().await, named(&[("far", "a"), ("near", "a")]));
    assert_eq!(process.intents().await, 0);
}

#[tokio::test]
async fn what_a_dead_process_left_is_taken_over_once_and_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dying, alive) = (Process::start(folder.path()).await, Process::start(folder.path()).await);
    let whole_bucket = IntentRow { seq: 2, bucket: bucket(), key: None, retain_until: 0 };
    dying.exchange(vec![row(1, "a"), whole_bucket], vec![]).await;
    assert_eq!(alive.bury().await, 0, "it lives");
    drop(dying);
    let next = Process::start(folder.path()).await;
    assert_eq!((next.bury_in_time().await, alive.bury().await), (2, 0));
    assert_eq!(next.missed().await, named(&[("far", ""), ("far", "a"), ("near", ""), ("near", "a")]));
    assert_eq!(next.intents().await, 0);
    if state_support::is_shared() {
        return;
    }
    let locks = std::fs::read_dir(folder.path()).expect("readable").filter_map(Result::ok);
    let locks = locks.filter(|file| file.file_name().to_string_lossy().starts_with("owner-")).count();
    assert_eq!(locks, 2, "of the living");
}

#[tokio::test]
async fn of_two_processes_that_change_one_key_at_once_the_later_one_records_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (Process::start(folder.path()).await, Process::start(folder.path()).await);
    one.exchange(vec![row(1, "same"), row(2, "other")], vec![]).await;
    two.exchange(vec![row(1, "same")], vec![]).await;
    assert_eq!(one.exchange(vec![], vec![ended(row(1, "same")), ended(row(2, "other"))]).await, 0);
    assert_eq!(two.exchange(vec![], vec![ended(row(1, "same"))]).await, 1);
    assert_eq!(two.missed().await, named(&[("far", "same"), ("near", "same")]));
    // One after the other is no conflict.
    one.exchange(vec![row(3, "next")], vec![]).await;
    one.exchange(vec![], vec![ended(row(3, "next"))]).await;
    two.exchange(vec![row(3, "next")], vec![]).await;
    assert_eq!(two.exchange(vec![], vec![ended(row(3, "next"))]).await, 0);
}

#[tokio::test]
async fn a_process_that_was_buried_alive_compares_what_it_did_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(folder.path()).await;
    assert_eq!(process.exchange(vec![], vec![ended(row(7, "a"))]).await, 1, "its intent is gone");
}

#[tokio::test]
async fn thousands_of_intents_go_in_one_exchange() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(folder.path()).await;
    let rows: Vec<_> = (0..3500).map(|n| row(n, &format!("key-{n}"))).collect();
    process.exchange(rows.clone(), vec![]).await;
    assert_eq!(process.intents().await, 3500);
    assert_eq!(process.exchange(vec![], rows.into_iter().map(ended).collect()).await, 0);
    assert_eq!(process.intents().await, 0);
}

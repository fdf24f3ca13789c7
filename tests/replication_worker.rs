//! The replication worker over two real sites and a real state: whatever a site missed, it ends equal to the primary.
mod pair;

use pair::{Pair, at, bucket, get, pattern, put};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use strongroom::replication::{BackOff, Journal, ReplicationObserver, Settings, run_with};
use strongroom::s3::ObjectKey;
use strongroom::site::tee::{Miss, MissRecorder, Tee};
use strongroom::site::{Site, SiteName};
use strongroom::state::{Backlog, State};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const MIB: usize = 1024 * 1024;

#[derive(Default)]
struct Seen {
    settled: AtomicUsize,
    failed: AtomicUsize,
    pending: AtomicU64,
    reports: AtomicUsize,
}

impl ReplicationObserver for Seen {
    fn backlog(&self, backlog: &Backlog, _oldest_seconds: f64) {
        self.pending.store(backlog.pending, Ordering::SeqCst);
        self.reports.fetch_add(1, Ordering::SeqCst);
    }
    fn attempt(&self, _site: &str, ok: bool) {
        (if ok { &self.settled } else { &self.failed }).fetch_add(1, Ordering::SeqCst);
    }
}

/// Two sites with the bucket `data`, a state, and a worker that can be stopped and started again.
struct Bench {
    pair: Pair,
    state: State,
    journal: Arc<Journal>,
    tee: Tee,
    seen: Arc<Seen>,
    stop: CancellationToken,
    worker: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let pair = Pair::start().await;
        for site in pair.sites.all() {
            site.create_bucket(&bucket("data"), None).await.expect("a bucket");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(&folder.path().join("state")).await.expect("a state");
        let journal =
            Journal::start(state.clone(), pair.sites.backups.iter().map(Site::name)).await.expect("a journal");
        let tee = Tee::new(pair.sites.clone(), journal.clone(), Duration::from_secs(5));
        let (seen, stop) = (Arc::default(), CancellationToken::new());
        Self { pair, state, journal, tee, seen, stop, worker: None, folder }
    }

    async fn running() -> Self {
        let mut bench = Self::new().await;
        bench.start();
        bench
    }

    fn start(&mut self) {
        // Small enough that a few MiB already travel in parts.
        let settings = Settings {
            rows: BackOff::new(Duration::from_secs(1), Duration::from_secs(2)).expect("valid"),
            single_limit: 8 * MIB as u64,
            part_size: 5 * MIB as u64,
            ..Settings::default()
        };
        self.stop = CancellationToken::new();
        let worker = run_with(settings, self.journal.clone(), self.tee.clone(), self.seen.clone(), self.stop.clone());
        self.worker = Some(tokio::spawn(worker));
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        self.worker.take().expect("running").await.expect("no panic");
    }

    fn primary(&self) -> &Site {
        &self.pair.sites.primary
    }

    fn backup(&self) -> &Site {
        self.pair.backup_site()
    }

    async fn miss(&self, key: Option<&str>) {
        let key = key.map(|key| ObjectKey::parse(key).expect("a key"));
        let miss = Miss {
            site: SiteName("backup".into()),
            bucket: bucket("data"),
            key,
            reason: "test".into(),
            bytes: 0,
            retain_until: None,
            home_from: None,
        };
        self.journal.record(miss).await.expect("recorded");
    }

    async fn backlog(&self) -> u64 {
        self.state.backlog().await.expect("a backlog").pending
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        for _ in 0..1500 {
            if done().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("in vain: {what}; backlog {}", self.backlog().await);
    }

    async fn until_settled(&self) {
        self.until("everything settled", async || self.backlog().await == 0).await;
    }
}

#[tokio::test]
async fn a_missed_object_arrives_byte_for_byte_with_its_metadata() {
    let bench = Bench::running().await;
    for (key, size) in [("a", 684), ("dir//字 +%", 3 * MIB + 7), ("empty", 0)] {
        put(bench.primary(), &at(key), &pattern(size, 1), Some("c2VhbGVk")).await;
        bench.miss(Some(key)).await;
        bench.until_settled().await;
        let (bytes, metadata) = get(bench.backup(), &at(key)).await.expect("there");
        assert!(bytes == pattern(size, 1), "{key}");
        assert_eq!(metadata.as_deref(), Some("c2VhbGVk"));
    }
    bench.until("the observer is told", async || bench.seen.pending.load(Ordering::SeqCst) == 0).await;
    assert_eq!((bench.seen.settled.load(Ordering::SeqCst), bench.seen.failed.load(Ordering::SeqCst)), (3, 0));
}

#[tokio::test]
async fn an_object_too_large_for_one_request_travels_in_parts() {
    let bench = Bench::running().await;
    let body = pattern(17 * MIB + 3, 2);
    put(bench.primary(), &at("large"), &body, Some("bWV0YQ")).await;
    bench.miss(Some("large")).await;
    bench.until_settled().await;
    let (bytes, metadata) = get(bench.backup(), &at("large")).await.expect("there");
    assert!(bytes == body && metadata.as_deref() == Some("bWV0YQ"));
    let (etag, _) = bench.backup().head(&at("large")).await.expect("there");
    assert!(etag.as_str().ends_with("-4"), "{etag:?}");
    // The ETags differ now; the trailer tells that nothing is to be done.
    bench.miss(Some("large")).await;
    bench.until_settled().await;
    assert_eq!(bench.backup().head(&at("large")).await.expect("there").0, etag, "not copied again");
}

#[tokio::test]
async fn another_version_of_the_same_length_is_replaced() {
    let bench = Bench::running().await;
    put(bench.backup(), &at("a"), &pattern(2000, 1), Some("b2xk")).await;
    put(bench.primary(), &at("a"), &pattern(2000, 2), Some("bmV3")).await;
    bench.miss(Some("a")).await;
    bench.until_settled().await;
    assert_eq!(get(bench.backup(), &at("a")).await.expect("there"), (pattern(2000, 2), Some("bmV3".to_owned())));
}

#[tokio::test]
async fn what_the_primary_deleted_is_deleted() {
    let bench = Bench::running().await;
    put(bench.backup(), &at("a"), b"old", None).await;
    bench.miss(Some("a")).await;
    bench.miss(Some("never-was")).await;
    bench.until_settled().await;
    assert!(get(bench.backup(), &at("a")).await.expect_err("gone").is_not_found());
}

#[tokio::test]
async fn a_miss_of_the_primary_itself_changes_nothing() {
    let bench = Bench::running().await;
    put(bench.primary(), &at("a"), b"kept", None).await;
    let key = Some(ObjectKey::parse("a").expect("a key"));
    let miss = Miss {
        site: SiteName("primary".into()),
        bucket: bucket("data"),
        key,
        reason: "test".into(),
        bytes: 0,
        retain_until: None,
        home_from: None,
    };
    bench.journal.record(miss).await.expect("recorded");
    bench.until_settled().await;
    assert_eq!(get(bench.primary(), &at("a")).await.expect("there").0, b"kept");
}

#[tokio::test]
async fn nothing_becomes_visible_while_somebody_else_commits_the_key() {
    let bench = Bench::running().await;
    put(bench.primary(), &at("a"), &pattern(MIB, 1), None).await;
    let guard = bench.tee.lock(&at("a")).await;
    bench.miss(Some("a")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(get(bench.backup(), &at("a")).await.expect_err("not yet").is_not_found());
    // Under the lock the object is overwritten at both sites, as a tee'd write does it.
    put(bench.primary(), &at("a"), &pattern(MIB, 2), None).await;
    put(bench.backup(), &at("a"), &pattern(MIB, 2), None).await;
    drop(guard);
    bench.until_settled().await;
    assert!(get(bench.backup(), &at("a")).await.expect("there").0 == pattern(MIB, 2), "the stale copy was dropped");
}

#[tokio::test]
async fn objects_overwritten_all_the_while_end_equal() {
    let bench = Bench::running().await;
    for round in 0..30 {
        for key in ["a", "b", "c"] {
            let _guard = bench.tee.lock(&at(key)).await;
            put(bench.primary(), &at(key), &pattern(200_000 + round, round as u64), None).await;
            bench.miss(Some(key)).await;
        }
    }
    bench.until_settled().await;
    for key in ["a", "b", "c"] {
        assert!(get(bench.backup(), &at(key)).await.expect("there").0 == pattern(200_029, 29));
    }
}

#[tokio::test]
async fn a_site_that_was_down_is_brought_up_when_it_is_back() {
    let mut bench = Bench::running().await;
    bench.pair.backup.stop().await;
    for n in 0..40 {
        put(bench.primary(), &at(&format!("k{n}")), &pattern(1000, n), None).await;
        bench.miss(Some(&format!("k{n}"))).await;
    }
    bench.until("an attempt fails", async || bench.seen.failed.load(Ordering::SeqCst) > 0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(bench.backlog().await, 40, "rows stay");
    assert!(bench.seen.failed.load(Ordering::SeqCst) <= 16, "a site that is down is left alone");
    bench.pair.backup.start().await;
    bench.until_settled().await;
    for n in 0..40 {
        assert_eq!(get(bench.backup(), &at(&format!("k{n}"))).await.expect("there").0, pattern(1000, n));
    }
}

#[tokio::test]
async fn nothing_is_deleted_because_the_primary_is_down_or_lost_its_buckets() {
    let mut bench = Bench::running().await;
    put(bench.backup(), &at("a"), b"the only copy", None).await;
    bench.pair.primary.stop().await;
    bench.miss(Some("a")).await;
    bench.until("an attempt fails", async || bench.seen.failed.load(Ordering::SeqCst) > 0).await;
    bench.pair.primary.start().await;
    bench.pair.primary.wipe().await;
    let before = bench.seen.failed.load(Ordering::SeqCst);
    bench.until("it is tried again", async || bench.seen.failed.load(Ordering::SeqCst) > before + 1).await;
    assert_eq!(get(bench.backup(), &at("a")).await.expect("there").0, b"the only copy");
    assert_eq!(bench.backlog().await, 1);
}

#[tokio::test]
async fn a_bucket_that_the_site_missed_is_created_whatever_comes_first() {
    let bench = Bench::running().await;
    bench.backup().delete_bucket(&bucket("data")).await.expect("deleted");
    put(bench.primary(), &at("a"), b"body", None).await;
    bench.miss(Some("a")).await;
    bench.until_settled().await;
    assert_eq!(get(bench.backup(), &at("a")).await.expect("there").0, b"body");
    bench.miss(None).await;
    bench.until_settled().await;
    assert!(bench.backup().head_bucket(&bucket("data")).await.is_ok());
}

#[tokio::test]
async fn a_deleted_bucket_goes_when_the_objects_it_still_holds_are_gone() {
    let bench = Bench::new().await;
    put(bench.backup(), &at("a"), b"body", None).await;
    bench.primary().delete_bucket(&bucket("data")).await.expect("deleted");
    bench.miss(None).await;
    bench.miss(Some("a")).await;
    let mut bench = bench;
    bench.start();
    bench.until_settled().await;
    assert!(bench.backup().head_bucket(&bucket("data")).await.expect_err("gone").is_not_found());
}

#[tokio::test]
async fn a_bucket_with_objects_nobody_spoke_of_is_never_deleted() {
    let bench = Bench::running().await;
    put(bench.backup(), &at("a"), b"body", None).await;
    bench.primary().delete_bucket(&bucket("data")).await.expect("deleted");
    bench.miss(None).await;
    bench.until("two attempts fail", async || bench.seen.failed.load(Ordering::SeqCst) > 1).await;
    assert_eq!(get(bench.backup(), &at("a")).await.expect("there").0, b"body");
}

#[tokio::test]
async fn rows_of_an_earlier_run_are_picked_up() {
    let mut bench = Bench::new().await;
    put(bench.primary(), &at("a"), b"body", None).await;
    bench.miss(Some("a")).await;
    bench.state.close().await;
    bench.state = State::open(&bench.folder.path().join("state")).await.expect("a state");
    let backups = bench.pair.sites.backups.iter().map(Site::name);
    bench.journal = Journal::without_intents(bench.state.clone(), backups).await.expect("a journal");
    bench.tee = Tee::new(bench.pair.sites.clone(), bench.journal.clone(), Duration::from_secs(5));
    bench.start();
    bench.until_settled().await;
    assert_eq!(get(bench.backup(), &at("a")).await.expect("there").0, b"body");
}

#[tokio::test]
async fn a_stop_drops_what_is_in_flight_and_keeps_its_row() {
    let mut bench = Bench::running().await;
    put(bench.primary(), &at("a"), &pattern(MIB, 1), None).await;
    let guard = bench.tee.lock(&at("a")).await;
    bench.miss(Some("a")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    bench.stop().await;
    drop(guard);
    assert_eq!(bench.backlog().await, 1);
    assert!(get(bench.backup(), &at("a")).await.expect_err("not there").is_not_found());
    bench.start();
    bench.until_settled().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_site_that_is_said_to_be_back_is_tried_at_once() {
    let mut bench = Bench::new().await;
    bench.pair.backup.stop().await;
    put(bench.primary(), &at("a"), b"body", None).await;
    let settled = |bench: &Bench| bench.seen.settled.load(Ordering::SeqCst);
    let slow = BackOff::new(Duration::from_secs(600), Duration::from_secs(600)).expect("valid");
    let settings = Settings { rows: slow, sites: slow, ..Settings::default() };
    let run = run_with(settings, bench.journal.clone(), bench.tee.clone(), bench.seen.clone(), bench.stop.clone());
    bench.worker = Some(tokio::spawn(run));
    bench.miss(Some("a")).await;
    bench.until("an attempt fails", async || bench.seen.failed.load(Ordering::SeqCst) == 1).await;
    bench.pair.backup.start().await;
    assert_eq!(settled(&bench), 0);
    bench.journal.site_is_back(&SiteName("backup".into()));
    bench.until_settled().await;
    bench.stop().await;
}

#[tokio::test]
async fn an_idle_worker_reports_too() {
    let bench = Bench::running().await;
    bench.until("a report", async || bench.seen.reports.load(Ordering::SeqCst) > 0).await;
}

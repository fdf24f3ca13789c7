//! Two real (embedded) sites, a real journal: what a site missed gets there.
use super::*;
use crate::s3::{BucketName, ObjectKey};
use crate::secret::SecretText;
use crate::site::embedded::EmbeddedSite;
use crate::site::tee::{Mode, Tee};
use crate::site::{Location, SealedRange, Site, SiteConfig, SiteName, Sites, Unobserved, WriteCondition};
use crate::state::State;
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ACCESS: &str = "SRREPLICATION0000000";

struct Silent;

impl ReplicationObserver for Silent {
    fn backlog(&self, _: u64, _: f64) {}
    fn attempt(&self, _: &str, _: bool) {}
}

struct Bed {
    folders: [tempfile::TempDir; 3],
    state: State,
    tee: Tee,
    journal: Arc<Journal>,
    _primary: EmbeddedSite,
    backup: Option<EmbeddedSite>,
    stop: CancellationToken,
}

fn secret() -> SecretText {
    SecretText::new("a secret for these tests".to_owned())
}

fn site(name: &str, port: u16) -> Site {
    let config = SiteConfig {
        name: SiteName(name.into()),
        endpoint: format!("http://127.0.0.1:{port}"),
        region: "us-east-1".into(),
        access_key_id: ACCESS.into(),
        secret_access_key: secret(),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(1),
        stall_timeout: Duration::from_secs(5),
        max_idle_connections: 4,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a site")
}

impl Bed {
    async fn start() -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        let folders = [folder(), folder(), folder()];
        let primary = EmbeddedSite::start(folders[0].path(), 0, ACCESS, &secret()).await.expect("a site");
        let backup = EmbeddedSite::start(folders[1].path(), 0, ACCESS, &secret()).await.expect("a site");
        let sites = Sites {
            primary: site("primary", primary.address.port()),
            backups: Arc::new([site("backup", backup.address.port())]),
        };
        let state = State::open(folders[2].path()).await.expect("opens");
        let journal = Journal::new(state.clone());
        let tee = Tee::new(sites, journal.clone(), Duration::from_secs(1));
        Self { folders, state, tee, journal, _primary: primary, backup: Some(backup), stop: CancellationToken::new() }
    }

    fn run(&self) {
        let back_off = BackOff::new(Duration::from_millis(100), Duration::from_secs(1)).expect("valid");
        tokio::spawn(run(self.journal.clone(), self.tee.clone(), back_off, Arc::new(Silent), self.stop.clone()));
    }

    async fn backup_down(&mut self) -> u16 {
        let backup = self.backup.take().expect("running");
        let port = backup.address.port();
        backup.stop().await;
        port
    }

    async fn backup_up(&mut self, port: u16) {
        self.backup = Some(EmbeddedSite::start(self.folders[1].path(), port, ACCESS, &secret()).await.expect("a site"));
    }

    async fn put(&self, key: &str, body: &[u8]) -> Vec<SiteName> {
        let mut write =
            self.tee.put(&at(key), body.len() as u64, Some("bWV0YQ".into()), WriteCondition::Always, Mode::Tee);
        let (head, last) = body.split_at(body.len() / 2);
        write.send(Bytes::copy_from_slice(head)).await.expect("the primary takes it");
        write.commit(Bytes::copy_from_slice(last)).await.expect("the primary has it").pending
    }

    async fn caught_up(&self) {
        for _ in 0..200 {
            if self.state.backlog().await.expect("read").0 == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the backup never caught up: {:?}", self.state.due(i64::MAX, 10).await);
    }

    async fn at_backup(&self, key: &str) -> Option<(Vec<u8>, Option<String>)> {
        let got = self.tee.sites().backups[0].get(&at(key), SealedRange::Whole, None).await.ok()?;
        let metadata = got.metadata.clone();
        let all = got
            .body
            .try_fold(Vec::new(), |mut all, c| async move {
                all.extend_from_slice(&c);
                Ok(all)
            })
            .await;
        Some((all.expect("the whole body"), metadata))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn at(key: &str) -> Location {
    Location { bucket: BucketName::parse("ledgers").expect("a bucket"), key: ObjectKey::parse(key).expect("a key") }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_missed_is_on_record_before_the_answer_and_gets_there() {
    let mut bed = Bed::start().await;
    bed.tee.create_bucket(&at("a").bucket, None).await.expect("created");
    assert_eq!(bed.put("before", b"both have this").await, []);
    bed.put("gone", b"to be deleted").await;
    let port = bed.backup_down().await;
    let body = vec![7; 300_000];
    assert_eq!(bed.put("missed", &body).await, [SiteName("backup".into())]);
    assert_eq!(bed.put("before", b"a newer one").await, [SiteName("backup".into())]);
    bed.tee.delete(&at("gone"), Mode::Tee).await.expect("deleted at the primary");
    bed.tee.create_bucket(&BucketName::parse("late-bucket").expect("a bucket"), None).await.expect("created");
    assert_eq!(bed.state.backlog().await.expect("read").0, 4);
    bed.run();
    bed.backup_up(port).await;
    bed.caught_up().await;
    assert_eq!(bed.at_backup("missed").await, Some((body, Some("bWV0YQ".into()))));
    assert_eq!(bed.at_backup("before").await.map(|(body, _)| body).as_deref(), Some(&b"a newer one"[..]));
    assert_eq!(bed.at_backup("gone").await, None);
    assert!(bed.tee.sites().backups[0].head_bucket(&BucketName::parse("late-bucket").expect("a bucket")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_is_levelled_to_what_the_primary_holds_then_not_to_what_was_missed() {
    let mut bed = Bed::start().await;
    bed.tee.create_bucket(&at("a").bucket, None).await.expect("created");
    let port = bed.backup_down().await;
    bed.put("key", b"first").await;
    bed.backup_up(port).await;
    bed.put("key", b"second, which both have").await;
    bed.run();
    bed.caught_up().await;
    assert_eq!(bed.at_backup("key").await.map(|(body, _)| body).as_deref(), Some(&b"second, which both have"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_write_leaves_nothing_at_any_site_and_nothing_on_record() {
    let bed = Bed::start().await;
    bed.tee.create_bucket(&at("a").bucket, None).await.expect("created");
    let mut write = bed.tee.put(&at("key"), 1_000_000, None, WriteCondition::Always, Mode::Tee);
    for _ in 0..9 {
        write.send(Bytes::from(vec![1; 100_000])).await.expect("taken");
    }
    drop(write);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for site in bed.tee.sites().all() {
        assert!(site.head(&at("key")).await.expect_err("not there").is_not_found());
    }
    assert_eq!(bed.state.backlog().await.expect("read").0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_writes_need_every_site() {
    let mut bed = Bed::start().await;
    bed.tee.create_bucket(&at("a").bucket, None).await.expect("created");
    bed.backup_down().await;
    let write = bed.tee.put(&at("key"), 4, None, WriteCondition::Always, Mode::Strict);
    assert!(write.commit(Bytes::from_static(b"body")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_write_that_the_primary_refuses_reaches_no_backup() {
    let bed = Bed::start().await;
    bed.tee.create_bucket(&at("a").bucket, None).await.expect("created");
    bed.put("key", b"there already").await;
    let write = bed.tee.put(&at("key"), 4, None, WriteCondition::IfAbsent, Mode::Tee);
    assert!(write.commit(Bytes::from_static(b"body")).await.is_err());
    assert_eq!(bed.at_backup("key").await.map(|(body, _)| body).as_deref(), Some(&b"there already"[..]));
    assert_eq!(bed.state.backlog().await.expect("read").0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_of_one_key_leave_both_sites_equal() {
    let bed = Arc::new(Bed::start().await);
    bed.tee.create_bucket(&at("a").bucket, None).await.expect("created");
    let writers = (0..24u8).map(|n| {
        let bed = bed.clone();
        tokio::spawn(async move { bed.put("contested", &vec![n; 50_000]).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.expect("runs"), []);
    }
    let primary = bed.tee.sites().primary.head(&at("contested")).await.expect("there");
    assert_eq!(bed.tee.sites().backups[0].head(&at("contested")).await.expect("there"), primary);
}

//! Work beside the requests: replication, the keyring's copies, abandoned uploads, sites that were down at the start.
use super::reconcile::Schedule;
use super::reload::Reload;
use crate::clock;
use crate::config::{Pace, Retry};
use crate::gateway::Gateway;
use crate::keys::{Keyring, Patience, Vigil};
use crate::replication::{self, BackOff, Healer, Journal, ReplicationObserver};
use crate::s3::BucketName;
use crate::site::tee::Tee;
use crate::site::{Site, Sites};
use crate::telemetry::Metrics;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Between two looks for abandoned uploads: a quarter of the age that makes one, within these bounds.
const SHORTEST_SWEEP: Duration = Duration::from_millis(250);
const LONGEST_SWEEP: Duration = Duration::from_secs(3600);

/// Between two looks at the sites' keyrings. A disabled key has to stop every proxy within 5 seconds.
const KEYRING_PAUSE: Duration = Duration::from_millis(1500);

/// Between two looks for keys to be rotated. A look costs one question to the state.
const ROTATION_PAUSE: Duration = Duration::from_secs(5);

/// Between two questions for a root that is missing, at most.
const ROOT_PAUSE: Duration = Duration::from_secs(30);

/// Every background task, and the one way to end them.
pub(super) struct Background {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    retry: Retry,
}

/// Pauses that double from the first to the longest.
#[derive(Clone, Copy)]
struct Pauses {
    next: Duration,
    longest: Duration,
}

// === impl Background ===

impl Background {
    pub(super) fn new(retry: Retry) -> Self {
        Self { tasks: JoinSet::new(), stop: CancellationToken::new(), retry }
    }

    /// Brings sites up to date with what they missed, for as long as the proxy runs.
    pub(super) fn replicate(
        &mut self,
        pace: Pace,
        journal: Arc<Journal>,
        tee: Tee,
        observer: Arc<dyn ReplicationObserver>,
        healer: Arc<dyn Healer>,
    ) {
        let rows = BackOff::new(self.retry.min, self.retry.max).unwrap_or(BackOff::rows());
        let Pace { parallel, bandwidth, repair_on_read, accept_on_backup: _ } = pace;
        let healer = repair_on_read.then_some(healer);
        let settings = replication::Settings { rows, parallel, bandwidth, healer, ..replication::Settings::default() };
        self.tasks.spawn(replication::run_with(settings, journal, tee, observer, self.stop.clone()));
    }

    /// Takes over what operators and other proxies change in the keyring, and writes copies that a site lacks.
    pub(super) fn watch_keyring(&mut self, keyring: &Arc<Keyring>, sites: &Sites, metrics: &Arc<Metrics>) {
        let counted = keyring.clone();
        metrics.before_scrape(move |metrics| metrics.vault_keys(&counted.states()));
        // A site that hangs must not hide what another one says.
        for site in sites.all() {
            let (site, keyring, metrics, stop) = (site.clone(), keyring.clone(), metrics.clone(), self.stop.clone());
            self.tasks.spawn(async move {
                let work = async {
                    loop {
                        if keyring.refresh_at(&site).await {
                            metrics.keyring_looked(&site.name().0, clock::now().unix_timestamp() as f64);
                        }
                        tokio::time::sleep(KEYRING_PAUSE).await;
                    }
                };
                stop.run_until_cancelled(work).await.unwrap_or(());
            });
        }
    }

    /// Watches the root, when custodians have it, and rotates keys.
    pub(super) fn tend_keys(
        &mut self,
        keyring: &Arc<Keyring>,
        vigil: Option<Vigil>,
        patience: Patience,
        metrics: &Arc<Metrics>,
    ) {
        self.watch_root(vigil, metrics);
        self.ask_for_roots(keyring, patience, metrics);
        self.rotate_keys(keyring, metrics);
    }

    /// Asks for roots that were missing at the start, until all are there.
    fn ask_for_roots(&mut self, keyring: &Arc<Keyring>, patience: Patience, metrics: &Arc<Metrics>) {
        let told = keyring.clone();
        metrics.before_scrape(move |metrics| metrics.read_only(told.missing().0));
        if !keyring.is_partial() {
            return;
        }
        let (keyring, stop, pause) = (keyring.clone(), self.stop.clone(), patience.recheck.min(ROOT_PAUSE));
        self.tasks.spawn(async move {
            let work = async {
                loop {
                    tokio::time::sleep(pause).await;
                    if keyring.complete().await {
                        return;
                    }
                }
            };
            stop.run_until_cancelled(work).await.unwrap_or(());
        });
    }

    /// Asks the custodians of the root from time to time whether it may still be used.
    fn watch_root(&mut self, vigil: Option<Vigil>, metrics: &Arc<Metrics>) {
        let Some(mut vigil) = vigil else { return };
        let (metrics, stop) = (metrics.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let work = async {
                loop {
                    let seen = vigil.look().await;
                    metrics.root_custodians(&seen.custodians, seen.stale.as_secs_f64());
                    tokio::time::sleep(seen.pause).await;
                }
            };
            stop.run_until_cancelled(work).await.unwrap_or(());
        });
    }

    /// Rotates keys that are old enough or have sealed enough.
    fn rotate_keys(&mut self, keyring: &Arc<Keyring>, metrics: &Arc<Metrics>) {
        let counted = keyring.clone();
        metrics.before_scrape(move |metrics| metrics.fullest_key(counted.fullest()));
        let (keyring, stop) = (keyring.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let work = async {
                loop {
                    keyring.learn_usage().await;
                    keyring.rotate_due(clock::now()).await;
                    tokio::time::sleep(ROTATION_PAUSE).await;
                }
            };
            stop.run_until_cancelled(work).await.unwrap_or(());
        });
    }

    /// Keeps the rules as the configuration file says.
    pub(super) fn reload(&mut self, reload: Reload, hangup: tokio::signal::unix::Signal) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled(reload.run(hangup)).await;
        });
    }

    /// Compares the sites now and then.
    pub(super) fn reconcile(&mut self, schedule: Schedule, system_bucket: BucketName, metrics: Arc<Metrics>) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled(schedule.run(&system_bucket, &metrics)).await;
        });
    }

    /// Probes sites that did not answer at the start until they do.
    pub(super) fn probe_later(&mut self, unprobed: Vec<Site>, system_bucket: BucketName) {
        for site in unprobed {
            let system_bucket = system_bucket.clone();
            self.until_done(move || {
                let (site, system_bucket) = (site.clone(), system_bucket.clone());
                async move {
                    let answered = site.probe(&system_bucket).await.is_ok();
                    if answered {
                        tracing::info!(site = %site.name(), "site answers now");
                    }
                    answered
                }
            });
        }
    }

    /// Aborts uploads that nobody has gone on with for `idle`, from time to time.
    pub(super) fn sweep(&mut self, gateway: Arc<Gateway>, idle: Duration) {
        let (stop, pause) = (self.stop.clone(), (idle / 4).clamp(SHORTEST_SWEEP, LONGEST_SWEEP));
        self.tasks.spawn(async move {
            let work = async {
                loop {
                    tokio::time::sleep(pause).await;
                    gateway.sweep_uploads(idle).await;
                }
            };
            stop.run_until_cancelled(work).await.unwrap_or(());
        });
    }

    /// Tells every task to end and waits until they have.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a background task broke");
            }
        }
    }

    fn until_done<F>(&mut self, mut attempt: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = bool> + Send,
    {
        let (stop, mut pauses) = (self.stop.clone(), Pauses { next: self.retry.min, longest: self.retry.max });
        self.tasks.spawn(async move {
            let work = async {
                while !attempt().await {
                    tokio::time::sleep(pauses.take()).await;
                }
            };
            let _ = stop.run_until_cancelled(work).await;
        });
    }
}

// === impl Pauses ===

impl Pauses {
    fn take(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn retry() -> Retry {
        Retry { min: Duration::from_millis(1), max: Duration::from_millis(2) }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut pauses = Pauses { next: Duration::from_secs(1), longest: Duration::from_secs(3) };
        assert_eq!([pauses.take(), pauses.take(), pauses.take()].map(|p| p.as_secs()), [1, 2, 3]);
    }

    #[tokio::test]
    async fn work_is_tried_until_it_is_done_and_no_longer() {
        let (tries, (sender, done)) = (Arc::new(AtomicU32::new(0)), tokio::sync::oneshot::channel());
        let (counted, mut sender) = (tries.clone(), Some(sender));
        let mut background = Background::new(retry());
        background.until_done(move || {
            let finished = counted.fetch_add(1, Ordering::SeqCst) == 2;
            if let Some(sender) = sender.take_if(|_| finished) {
                let _ = sender.send(());
            }
            async move { finished }
        });
        assert!(done.await.is_ok());
        background.stop().await;
        assert_eq!(tries.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn stopping_ends_work_that_would_never_be_done() {
        let mut background = Background::new(retry());
        background.until_done(|| async { false });
        background.until_done(std::future::pending);
        background.stop().await;
    }
}

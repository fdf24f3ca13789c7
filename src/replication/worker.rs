//! The worker: takes due rows, a few at a time, for ever.
use super::gate::Gates;
use super::mirror::{Failure, Levelled, Mirror};
use super::throttle::Throttle;
use super::transfer::Cut;
use super::{BackOff, Healed, Healer, Journal, ReplicationObserver};
use crate::clock;
use crate::s3::BucketName;
use crate::site::tee::Tee;
use crate::site::{Location, SiteName};
use crate::state::{Pending, StateError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A backlog is reported after this long at the latest.
const REPORT_EVERY: Duration = Duration::from_secs(15);
/// While work is going on a backlog is not reported more often.
const REPORT_PAUSE: Duration = Duration::from_secs(1);
/// The journal counts in seconds; looking more often finds nothing new.
const TICK: Duration = Duration::from_secs(1);

/// How the worker works.
#[derive(Clone)]
pub struct Settings {
    /// Rows of one site worked on at once.
    pub parallel: u32,
    /// What a row waits after a failure.
    pub rows: BackOff,
    /// How long a site that is down is left alone.
    pub sites: BackOff,
    /// Sealed bytes above which an object is copied in parts.
    pub single_limit: u64,
    /// Sealed bytes of such a part, 5 MiB or more.
    pub part_size: u64,
    /// Sealed bytes a second, of all copies together; `None`: as fast as it goes.
    pub bandwidth: Option<u64>,
    /// Repairs what reads find damaged; `None`: nobody does.
    pub healer: Option<Arc<dyn Healer>>,
}

/// Retries until told to stop: for each due row makes the site's object equal to the primary's
/// (streamed copy of the sealed bytes and metadata, or a delete), verified, under the tee's key lock at the
/// commit. Back-off with jitter, for ever. When told to stop it drops copies in flight; their rows stay.
pub async fn run(
    journal: Arc<Journal>,
    tee: Tee,
    back_off: BackOff,
    observer: Arc<dyn ReplicationObserver>,
    stop: CancellationToken,
) {
    run_with(Settings { rows: back_off, ..Settings::default() }, journal, tee, observer, stop).await;
}

/// As [`run`], with settings.
pub async fn run_with(
    settings: Settings,
    journal: Arc<Journal>,
    tee: Tee,
    observer: Arc<dyn ReplicationObserver>,
    stop: CancellationToken,
) {
    let cut = Cut { single: settings.single_limit, part: settings.part_size };
    let throttle = Throttle::new(settings.bandwidth);
    let healer = settings.healer.clone();
    if healer.is_some() {
        journal.repairs();
    }
    let mirror = Mirror { tee, state: journal.state().clone(), cut, throttle, healer };
    let mut worker = Worker {
        settings,
        journal,
        mirror,
        observer,
        gates: Gates::default(),
        tasks: JoinSet::new(),
        rows: HashMap::new(),
        stuck: Vec::new(),
        reported: None,
        unreported: true,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = worker.work() => {}
    }
    worker.tasks.shutdown().await;
    let left = worker.rows.into_keys().chain(worker.stuck).collect();
    if let Err(error) = worker.journal.state().release(left).await {
        tracing::warn!(%error, "rows that were worked on stay leased until somebody finds that we are gone");
    }
}

struct Worker {
    settings: Settings,
    journal: Arc<Journal>,
    mirror: Mirror,
    observer: Arc<dyn ReplicationObserver>,
    gates: Gates,
    /// Dropped with the worker, which aborts what is in flight.
    tasks: JoinSet<Ended>,
    /// The rows in flight, and their sites.
    rows: HashMap<i64, SiteName>,
    /// Rows whose end could not be written: still leased, to be given back.
    stuck: Vec<i64>,
    reported: Option<Instant>,
    /// Something ended since the last report.
    unreported: bool,
}

/// A task's end.
enum Ended {
    Row { row: Pending, result: Result<Levelled, Failure> },
    Question { site: SiteName, answered: bool },
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            parallel: 8,
            rows: BackOff::rows(),
            sites: BackOff::sites(),
            single_limit: 5 * 1024 * 1024 * 1024,
            part_size: 512 * 1024 * 1024,
            bandwidth: None,
            healer: None,
        }
    }
}

// === impl Worker ===

impl Worker {
    async fn work(&mut self) {
        self.warn_of_unknown_sites().await;
        // A start is when credentials and keys have been mended: what was refused is tried once more.
        if let Err(error) = self.journal.state().resume(self.journal.owner(), now()).await {
            tracing::error!(%error, "what is parked cannot be tried again");
        }
        loop {
            let pause = match self.round().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "replication cannot read its journal");
                    TICK
                }
            };
            tokio::select! {
                Some(ended) = self.tasks.join_next() => self.ended(ended).await,
                () = self.journal.woken() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Rows of a site that was taken out of the configuration stay: it may be put back.
    async fn warn_of_unknown_sites(&self) {
        for site in self.journal.state().sites_behind().await.unwrap_or_default() {
            if self.mirror.tee.sites().by_name(&SiteName(site.as_str().into())).is_none() {
                tracing::warn!(site, "the journal speaks of a site that is not in the configuration (any more)");
            }
        }
    }

    /// Starts what can be started; how long to sleep unless something happens.
    async fn round(&mut self) -> Result<Duration, StateError> {
        for site in self.journal.take_back() {
            self.site_is_back(&site).await?;
        }
        if !self.stuck.is_empty() {
            self.journal.state().release(self.stuck.clone()).await?;
            self.stuck.clear();
        }
        self.ask_closed_sites();
        self.start_rows().await?;
        self.report().await?;
        self.pause().await
    }

    async fn site_is_back(&mut self, site: &SiteName) -> Result<(), StateError> {
        self.gates.open(site);
        let sites = self.mirror.tee.sites();
        let waiting: Vec<_> = if site == sites.primary.name() {
            sites.all().map(|site| site.name().clone()).collect()
        } else {
            vec![site.clone()]
        };
        for site in waiting {
            self.journal.state().hasten(&site.0, now()).await?;
        }
        Ok(())
    }

    /// One small request to each site that was left alone for long enough.
    fn ask_closed_sites(&mut self) {
        for (name, bucket) in self.gates.questions(Instant::now()) {
            let site = self.mirror.tee.sites().by_name(&name).cloned();
            self.tasks.spawn(async move {
                let answered = match site {
                    Some(site) => !site.head_bucket(&bucket).await.is_err_and(|error| error.is_outage()),
                    None => true,
                };
                Ended::Question { site: name, answered }
            });
        }
    }

    async fn start_rows(&mut self) -> Result<(), StateError> {
        // Nothing can be compared while the primary is down.
        if self.gates.is_closed(self.mirror.tee.sites().primary.name()) {
            return Ok(());
        }
        let names: Vec<_> = self.mirror.tee.sites().all().map(|site| site.name().clone()).collect();
        for name in names {
            if !self.gates.is_closed(&name) {
                self.start_rows_of(&name).await?;
            }
        }
        Ok(())
    }

    /// A site that is slow takes only its own places.
    async fn start_rows_of(&mut self, site: &SiteName) -> Result<(), StateError> {
        let parallel = self.settings.parallel as usize;
        let free = parallel.saturating_sub(self.rows.values().filter(|busy| *busy == site).count());
        if free == 0 {
            return Ok(());
        }
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        for row in self.journal.state().lease(self.journal.owner(), &site.0, now(), free).await? {
            self.rows.insert(row.id, site.clone());
            let mirror = self.mirror.clone();
            self.tasks.spawn(async move {
                let result = mirror.equalise(&row).await;
                Ended::Row { row, result }
            });
        }
        Ok(())
    }

    async fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        self.unreported = true;
        let result = match ended {
            Ok(Ended::Row { row, result }) => {
                self.rows.remove(&row.id);
                let ended = self.row_ended(&row, result).await;
                if ended.is_err() {
                    self.stuck.push(row.id);
                }
                ended
            }
            Ok(Ended::Question { site, answered: true }) => {
                tracing::info!(%site, "a site answers again; what it missed is copied");
                self.site_is_back(&site).await
            }
            Ok(Ended::Question { site, answered: false }) => {
                self.gates.still_down(&site, self.site_wait(), Instant::now());
                Ok(())
            }
            // A bug: the row is not known any more, so let every row be tried again.
            Err(error) => {
                tracing::error!(%error, "a replication task broke");
                self.stuck.extend(std::mem::take(&mut self.rows).into_keys());
                Ok(())
            }
        };
        if let Err(error) = result {
            tracing::error!(%error, "replication cannot write its journal; the row is tried again");
        }
    }

    async fn row_ended(&mut self, row: &Pending, result: Result<Levelled, Failure>) -> Result<(), StateError> {
        self.observer.attempt(&row.site, result.is_ok());
        let failure = match result {
            Ok(levelled) => return self.row_levelled(row, levelled).await,
            Err(failure) => failure,
        };
        if failure.needs_help() {
            tracing::error!(
                site = row.site, bucket = %row.bucket, error = %failure,
                "a site refuses what it missed; it is parked: mend the cause, then `strongroom replication retry`"
            );
            return self.journal.state().park(row, &failure.to_string()).await;
        }
        if let Failure::Awaited(left) = failure {
            let not_before = now().saturating_add(i64::try_from(left.as_secs()).unwrap_or(0) + 1);
            return self.journal.state().postpone(row, not_before, &failure.to_string()).await;
        }
        self.close_gate(&failure, &row.bucket);
        tracing::warn!(
            site = row.site, bucket = %row.bucket, attempts = row.attempts + 1, error = %failure,
            "what a site missed could not be copied yet"
        );
        let wait = self.settings.rows.wait(row.attempts, random());
        let not_before = now().saturating_add(i64::try_from(wait.as_secs_f64().ceil() as u64).unwrap_or(i64::MAX));
        self.journal.state().postpone(row, not_before, &failure.to_string()).await
    }

    async fn row_levelled(&mut self, row: &Pending, levelled: Levelled) -> Result<(), StateError> {
        self.gates.success(&SiteName(row.site.as_str().into()));
        self.gates.success(self.mirror.tee.sites().primary.name());
        let state = self.journal.state();
        let done = match &levelled {
            Levelled::Equal => state.settle(row).await?,
            Levelled::Retained => state.retain(row).await?,
            Levelled::Healed(healed) => return self.row_healed(row, healed).await,
        };
        if done && levelled == Levelled::Equal && row.retain_until == 0 {
            self.observer.latency(&row.site, now().saturating_sub(row.recorded_at).max(0) as f64);
        }
        Ok(())
    }

    async fn row_healed(&mut self, row: &Pending, healed: &Healed) -> Result<(), StateError> {
        let (state, Pending { site, bucket, .. }) = (self.journal.state(), row);
        if let Some(key) = row.key.clone() {
            self.observer.healed(site, &Location { bucket: bucket.clone(), key }, healed);
        }
        match healed {
            Healed::Repaired(from) => {
                tracing::warn!(site, %bucket, %from, "an object that a read had found damaged is good again");
                state.settle(row).await.map(drop)
            }
            Healed::Sound => {
                tracing::warn!(site, %bucket, "an object that a read had found damaged is good; the site may return wrong bytes now and then");
                state.settle(row).await.map(drop)
            }
            Healed::Hopeless(why) => {
                tracing::error!(site, %bucket, why, "a damaged object has no good copy; it is parked: see `strongroom replication parked`");
                state.park(row, why).await
            }
        }
    }

    fn close_gate(&mut self, failure: &Failure, bucket: &BucketName) {
        if let Some(site) = failure.outage() {
            self.gates.outage(site, bucket, self.site_wait(), Instant::now());
        }
    }

    fn site_wait(&self) -> impl FnOnce(u32) -> Duration + use<> {
        let backoff = self.settings.sites;
        move |failures| backoff.wait(failures, random())
    }

    /// When something may be due next. New rows and ended tasks come by themselves.
    async fn pause(&self) -> Result<Duration, StateError> {
        let next = self.journal.state().next_due().await?;
        let wait = next
            .map_or(REPORT_EVERY, |next| Duration::from_secs(u64::try_from(next.saturating_sub(now())).unwrap_or(0)));
        Ok(wait.clamp(TICK, REPORT_EVERY))
    }

    /// After a round, every second while one is going on, and every 15 seconds anyway.
    async fn report(&mut self) -> Result<(), StateError> {
        let pause = match (self.unreported, self.tasks.is_empty()) {
            (true, true) => Duration::ZERO,
            (true, false) => REPORT_PAUSE,
            (false, _) => REPORT_EVERY,
        };
        if self.reported.is_some_and(|reported| reported.elapsed() < pause) {
            return Ok(());
        }
        (self.reported, self.unreported) = (Some(Instant::now()), false);
        let backlog = self.journal.state().backlog().await?;
        let age = backlog.oldest.map_or(0, |oldest| now().saturating_sub(oldest).max(0));
        self.observer.backlog(&backlog, age as f64);
        Ok(())
    }
}

fn now() -> i64 {
    clock::now().unix_timestamp()
}

/// For jitter only; without randomness there is simply less of it.
fn random() -> u32 {
    let mut bytes = [0u8; 4];
    clock::random(&mut bytes).map_or(0, |()| u32::from_le_bytes(bytes))
}

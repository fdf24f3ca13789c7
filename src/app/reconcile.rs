//! The comparison of the sites on a schedule, inside the proxy: it shares the commit locks and the journal with the
//! requests, so its repairs and clients' writes cannot cross.
use crate::clock;
use crate::config;
use crate::keys::Keyring;
use crate::recovery::buckets;
use crate::recovery::object::Opener;
use crate::recovery::pace::Pace;
use crate::recovery::reconcile::{Finding, Reconcile, Report, Symbol, Tally};
use crate::recovery::sample::{Depth, Seed};
use crate::s3::{Aliases, BucketName};
use crate::site::tee::Tee;
use crate::state::State;
use crate::telemetry::{Compared, Metrics};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Objects looked at at once: few, for the requests come first.
const PARALLEL: usize = 4;

/// When, and what.
pub(super) struct Schedule {
    every: Duration,
    sample: f64,
    job: Reconcile,
}

/// Every difference is a line of the program's own log, without the object's name.
struct ToLog;

// === impl Schedule ===

impl Schedule {
    /// `None` when none is wanted.
    pub(super) fn new(
        wanted: &config::Reconcile,
        tee: Tee,
        keyring: Arc<Keyring>,
        state: State,
        aliases: Aliases,
    ) -> Option<Self> {
        let opener = Opener { keyring, aliases, pace: Arc::new(Pace::new(wanted.bandwidth)) };
        let job = Reconcile {
            tee,
            opener: Some(opener),
            state: Some(state),
            depth: Depth::Listing,
            repair: wanted.repair,
            prefer: None,
            parallel: PARALLEL,
        };
        Some(Self { every: wanted.every?, sample: wanted.sample, job })
    }

    /// For ever; the first time after a tenth of the usual pause.
    pub(super) async fn run(mut self, system_bucket: &BucketName, metrics: &Metrics) -> Infallible {
        let mut pause = self.every / 10;
        loop {
            tokio::time::sleep(pause).await;
            pause = self.every;
            if self.sample > 0.0 {
                // Another sample every time, so that in the end everything was read.
                let seed = clock::now().unix_timestamp().unsigned_abs();
                self.job.depth = Depth::Share(self.sample, Seed(seed));
            }
            self.once(system_bucket, metrics).await;
        }
    }

    async fn once(&self, system_bucket: &BucketName, metrics: &Metrics) {
        let started = Instant::now();
        let buckets = match buckets::all(self.job.tee.sites().all(), system_bucket).await {
            Ok(buckets) => buckets,
            Err(error) => {
                tracing::warn!(%error, "the sites cannot be compared now; it is tried again next time");
                return;
            }
        };
        let tally = self.job.run(&buckets, "", &mut ToLog).await;
        let Tally { same, missing_here, missing_there, differ, errors, repaired, pending } = tally;
        let left = tally.left();
        tracing::info!(
            same,
            missing_here,
            missing_there,
            differ,
            errors,
            repaired,
            pending,
            left,
            "the sites were compared"
        );
        let found = Compared { same, missing_here, missing_there, differ, errors, repaired };
        metrics.reconciled(&found, clock::now().unix_timestamp() as f64, started.elapsed().as_secs_f64());
    }
}

impl Report for ToLog {
    fn found(&mut self, finding: &Finding) {
        if finding.symbol != Symbol::Same {
            let Finding { site, bucket, why, pending, repaired, .. } = finding;
            let symbol = finding.symbol.text();
            tracing::warn!(symbol, site, bucket, why, pending, repaired, "an object is not the same at two sites");
        }
    }
}

//! Which misses are due, how many at once, how long to wait after a failure. Never gives up.
use super::{BackOff, Journal, ReplicationObserver, level};
use crate::site::tee::Tee;
use crate::site::{Location, SiteError, SiteName};
use crate::state::{Pending, StateError};
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Misses worked on at once.
const PARALLEL: usize = 8;
/// Misses taken from the journal at a time.
const ROUND: u32 = 256;
/// The longest sleep: the backlog is reported at least this often, and rows that became due are found.
const TICK: Duration = Duration::from_secs(1);

/// Retries until told to stop: for each due row makes the site's object equal to the primary's. Back-off with jitter, for ever.
pub async fn run(
    journal: Arc<Journal>,
    tee: Tee,
    back_off: BackOff,
    observer: Arc<dyn ReplicationObserver>,
    stop: CancellationToken,
) {
    let work = async {
        loop {
            let worked = round(&journal, &tee, back_off, observer.as_ref()).await.unwrap_or_else(|error| {
                tracing::error!(%error, "replication waits for the state database");
                0
            });
            if worked < ROUND as usize {
                let woken = tokio::time::timeout(TICK, journal.wake.notified());
                // Woken or not, the journal says what is due.
                let _ = woken.await;
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Works through what is due; how many rows that were.
async fn round(
    journal: &Journal,
    tee: &Tee,
    back_off: BackOff,
    observer: &dyn ReplicationObserver,
) -> Result<usize, StateError> {
    let due = journal.state.due(now(), ROUND).await?;
    let count = due.len();
    let attempts = stream::iter(due).map(|pending| attempt(journal, tee, back_off, observer, pending));
    let mut attempts = attempts.buffer_unordered(PARALLEL);
    while let Some(done) = attempts.next().await {
        done?;
    }
    let (pending, oldest) = journal.state.backlog().await?;
    observer.backlog(pending, oldest.map_or(0.0, |oldest| (now() - oldest).max(0) as f64));
    Ok(count)
}

async fn attempt(
    journal: &Journal,
    tee: &Tee,
    back_off: BackOff,
    observer: &dyn ReplicationObserver,
    pending: Pending,
) -> Result<(), StateError> {
    let outcome = level(tee, &pending).await;
    observer.attempt(&pending.site, outcome.is_ok());
    match outcome {
        Ok(()) => {
            if journal.state.settle(&pending).await? {
                tracing::info!(site = pending.site, bucket = %pending.bucket, "a site has caught up on a change");
            }
            Ok(())
        }
        Err(error) => {
            let mut chance = [0; 8];
            // Without randomness the pauses are merely regular.
            let _ = crate::clock::random(&mut chance);
            let pause = back_off.pause(pending.attempts, u64::from_ne_bytes(chance));
            tracing::warn!(site = pending.site, bucket = %pending.bucket, attempts = pending.attempts + 1, %error, "a site still misses a change");
            let not_before = now() + i64::try_from(pause.as_secs_f64().ceil() as u64).unwrap_or(1);
            journal.state.postpone(&pending, not_before, &error.to_string()).await
        }
    }
}

async fn level(tee: &Tee, pending: &Pending) -> Result<(), SiteError> {
    let name = SiteName(pending.site.as_str().into());
    let Some(site) = tee.sites().by_name(&name) else {
        let detail = "the configuration no longer names it; its misses wait until it does".to_owned();
        return Err(SiteError::Unreachable { site: name, detail });
    };
    match &pending.key {
        None => level::bucket(tee, site, &pending.bucket).await,
        Some(key) => level::object(tee, site, &Location { bucket: pending.bucket.clone(), key: key.clone() }).await,
    }
}

fn now() -> i64 {
    crate::clock::now().unix_timestamp()
}

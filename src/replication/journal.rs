//! [`Journal`]: misses become rows, rows wake the worker, and intents go to the [`desk`](super::desk).
use super::desk::Desk;
use crate::clock;
use crate::site::tee::{Change, Intent, Miss, MissError, MissRecorder};
use crate::site::{Location, SiteName};
use crate::state::{Missed, Owner, State, StateError};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Makes misses durable in the state's journal and wakes the worker.
pub struct Journal {
    state: State,
    bell: Arc<Bell>,
    /// `None`: no intents are written.
    desk: Option<Desk>,
    /// Whose the rows are that are worked on.
    owner: Owner,
}

/// Wakes the worker.
#[derive(Default)]
struct Bell {
    wake: Notify,
    /// Sites that were said to be back and not yet looked at.
    back: Mutex<BTreeSet<SiteName>>,
}

// === impl Journal ===

impl Journal {
    /// With intents, on behalf of these backups. What processes that died in the middle of a change left behind is taken
    /// over first.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn start(state: State, backups: impl IntoIterator<Item = &SiteName>) -> Result<Arc<Self>, StateError> {
        let backups: Vec<String> = backups.into_iter().map(ToString::to_string).collect();
        let owner = take_over(&state, &backups).await?;
        let bell: Arc<Bell> = Arc::default();
        let ring = Arc::clone(&bell);
        let desk = Desk::open(state.clone(), owner.clone(), backups, move || ring.wake.notify_one());
        Ok(Arc::new(Self { state, bell, desk: Some(desk), owner }))
    }

    /// Without intents: what is missed is recorded when it is seen to be missed, so a crash in the middle of a change may
    /// leave the sites different, and nobody told.
    ///
    /// # Errors
    /// As [`Journal::start`].
    pub async fn without_intents(
        state: State,
        backups: impl IntoIterator<Item = &SiteName>,
    ) -> Result<Arc<Self>, StateError> {
        let backups: Vec<String> = backups.into_iter().map(ToString::to_string).collect();
        let owner = take_over(&state, &backups).await?;
        Ok(Arc::new(Self { state, bell: Arc::default(), desk: None, owner }))
    }

    /// Takes back the intents of what has ended. Nothing may be written through it any more.
    pub async fn close(&self) {
        if let Some(desk) = &self.desk {
            desk.close().await;
        }
    }

    /// A site answers again: everything it misses is tried at once. For the wiring of
    /// [`crate::site::SiteObserver::health`]; cheap, never blocks.
    pub fn site_is_back(&self, site: &SiteName) {
        self.bell.back.lock().unwrap_or_else(PoisonError::into_inner).insert(site.clone());
        self.bell.wake.notify_one();
    }

    /// This process, among those that share the state.
    pub(super) fn owner(&self) -> &str {
        self.owner.id()
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Returns when something was recorded or a site is back (also when that was before the call).
    pub(super) async fn woken(&self) {
        self.bell.wake.notified().await;
    }

    pub(super) fn take_back(&self) -> BTreeSet<SiteName> {
        std::mem::take(&mut *self.bell.back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A new process among those that share the state; what the dead ones left becomes misses.
async fn take_over(state: &State, backups: &[String]) -> Result<Owner, StateError> {
    let owner = state.enlist().await?;
    state.bury_dead(&owner, backups, clock::now().unix_timestamp()).await?;
    Ok(owner)
}

#[async_trait::async_trait]
impl MissRecorder for Journal {
    async fn record(&self, miss: Miss) -> Result<(), MissError> {
        self.record_all(vec![miss]).await
    }

    async fn record_all(&self, misses: Vec<Miss>) -> Result<(), MissError> {
        let missed = misses.into_iter().map(|miss| {
            let Miss { site, bucket, key, reason, bytes, retain_until } = miss;
            Missed { site: site.to_string(), bucket, key, reason, bytes, retain_until: retain_until.unwrap_or(0) }
        });
        let recorded = self.state.record_misses(missed.collect(), clock::now().unix_timestamp()).await;
        recorded.map_err(|error| MissError(error.to_string()))?;
        self.bell.wake.notify_one();
        Ok(())
    }

    fn is_changing(&self, at: &Location) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.is_changing(at))
    }

    fn intend(&self, change: Change) -> Intent {
        self.desk.as_ref().map_or_else(Intent::default, |desk| desk.intend(change))
    }
}

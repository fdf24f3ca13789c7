//! [`Journal`]: misses become rows, and rows wake the worker.
use crate::clock;
use crate::site::SiteName;
use crate::site::tee::{Miss, MissError, MissRecorder};
use crate::state::State;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Makes misses durable in the state's journal and wakes the worker.
pub struct Journal {
    state: State,
    wake: Notify,
    /// Sites that were said to be back and not yet looked at.
    back: Mutex<BTreeSet<SiteName>>,
}

// === impl Journal ===

impl Journal {
    /// Over this state.
    pub fn new(state: State) -> Arc<Self> {
        Arc::new(Self { state, wake: Notify::new(), back: Mutex::default() })
    }

    /// A site answers again: everything it misses is tried at once. For the wiring of
    /// [`crate::site::SiteObserver::health`]; cheap, never blocks.
    pub fn site_is_back(&self, site: &SiteName) {
        self.back.lock().unwrap_or_else(PoisonError::into_inner).insert(site.clone());
        self.wake.notify_one();
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Returns when something was recorded or a site is back (also when that was before the call).
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn take_back(&self) -> BTreeSet<SiteName> {
        std::mem::take(&mut *self.back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait::async_trait]
impl MissRecorder for Journal {
    async fn record(&self, miss: Miss) -> Result<(), MissError> {
        let Miss { site, bucket, key, reason } = miss;
        let now = clock::now().unix_timestamp();
        let recorded = self.state.record_miss(&site.0, &bucket, key.as_ref(), &reason, now).await;
        recorded.map_err(|error| MissError(error.to_string()))?;
        self.wake.notify_one();
        Ok(())
    }
}

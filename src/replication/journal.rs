//! The port through which the tee records misses: durable when it returns, and the worker is woken.
use crate::site::tee::{Miss, MissError, MissRecorder};
use crate::state::State;
use std::sync::Arc;
use tokio::sync::Notify;

/// Makes misses durable in the state's journal and wakes the worker.
pub struct Journal {
    pub(super) state: State,
    pub(super) wake: Notify,
}

// === impl Journal ===

impl Journal {
    /// Over this state.
    pub fn new(state: State) -> Arc<Self> {
        Arc::new(Self { state, wake: Notify::new() })
    }
}

#[async_trait::async_trait]
impl MissRecorder for Journal {
    async fn record(&self, miss: Miss) -> Result<(), MissError> {
        let now = crate::clock::now().unix_timestamp();
        let recorded = self.state.record_miss(&miss.site.0, &miss.bucket, miss.key.as_ref(), &miss.reason, now).await;
        recorded.map_err(|error| MissError(error.to_string()))?;
        tracing::warn!(site = %miss.site, bucket = %miss.bucket, reason = miss.reason, "a site missed a change; it is recorded and retried");
        self.wake.notify_one();
        Ok(())
    }
}

//! What a site missed: recorded durably, retried until it is there.
//!
//! CONTRACT SKELETON.
use crate::site::tee::{Miss, MissError, MissRecorder, Tee};
use crate::state::State;
use std::sync::Arc;

/// Makes misses durable in the state's journal and wakes the worker.
pub struct Journal {}

#[allow(unused_variables)]
impl Journal {
    /// Over this state.
    pub fn new(state: State) -> Arc<Self> {
        unimplemented!()
    }
}

#[async_trait::async_trait]
impl MissRecorder for Journal {
    async fn record(&self, _miss: Miss) -> Result<(), MissError> {
        unimplemented!()
    }
}

/// Told of progress, for metrics.
pub trait ReplicationObserver: Send + Sync {
    /// Backlog after a round: operations pending, age of the oldest in seconds.
    fn backlog(&self, pending: u64, oldest_seconds: f64);
    /// One operation settled (`ok`) or failed for now.
    fn attempt(&self, site: &str, ok: bool);
}

/// Retries until told to stop: for each due row makes the site's object equal to the primary's
/// (streamed copy of the sealed bytes and metadata, or a delete), verified, under the tee's key lock at the
/// commit. Back-off with jitter, for ever.
#[allow(unused_variables)]
pub async fn run(
    journal: Arc<Journal>,
    tee: Tee,
    observer: Arc<dyn ReplicationObserver>,
    stop: tokio_util::sync::CancellationToken,
) {
    unimplemented!()
}

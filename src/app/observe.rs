//! What sites and replication report, turned into metrics and log lines.
use crate::replication::ReplicationObserver;
use crate::site::{SiteName, SiteObserver};
use crate::telemetry::Metrics;
use std::sync::Arc;

/// One observer for all of them.
pub(super) struct Observer {
    // The lead wires the calls below to it once telemetry has the metrics.
    #[expect(dead_code, reason = "telemetry is written at the same time")]
    metrics: Arc<Metrics>,
}

impl Observer {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl SiteObserver for Observer {
    fn request(&self, _site: &SiteName, _operation: &'static str, _outcome: &'static str, _seconds: f64) {}

    fn bytes(&self, _site: &SiteName, _sent: u64, _received: u64) {}

    fn health(&self, site: &SiteName, healthy: bool) {
        if healthy {
            tracing::info!(%site, "site is healthy again");
        } else {
            tracing::warn!(%site, "site is down");
        }
    }
}

impl ReplicationObserver for Observer {
    fn backlog(&self, _pending: u64, _oldest_seconds: f64) {}

    fn attempt(&self, _site: &str, _ok: bool) {}
}

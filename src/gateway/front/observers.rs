//! What other rooms tell, turned into metrics. They define the ports; here is the one place that knows both sides.
use crate::audit::{AuditObserver, LogKind};
use crate::replication::{Healed, ReplicationObserver};
use crate::site::{Location, SiteName, SiteObserver};
use crate::state::Backlog;
use crate::telemetry::{Log, Metrics};

impl SiteObserver for Metrics {
    fn request(&self, site: &SiteName, operation: &'static str, outcome: &'static str, seconds: f64) {
        self.site_request(&site.0, operation, outcome, seconds);
    }

    fn bytes(&self, site: &SiteName, sent: u64, received: u64) {
        self.site_bytes(&site.0, sent, received);
    }

    fn health(&self, site: &SiteName, healthy: bool) {
        self.site_health(&site.0, healthy);
    }
}

impl ReplicationObserver for Metrics {
    fn backlog(&self, backlog: &Backlog, oldest_seconds: f64) {
        let Backlog { pending, bytes, parked, retained, .. } = *backlog;
        self.replication_backlog(pending, bytes, oldest_seconds);
        self.replication_resting(parked, retained);
    }

    fn latency(&self, site: &str, seconds: f64) {
        self.replication_latency(site, seconds);
    }

    fn healed(&self, site: &str, _at: &Location, healed: &Healed) {
        let result = match healed {
            Healed::Repaired(_) => "repaired",
            Healed::Sound => "sound",
            Healed::Hopeless(_) => "hopeless",
        };
        self.repair(site, result);
    }

    fn attempt(&self, site: &str, ok: bool) {
        self.replication_attempt(site, ok);
    }
}

impl AuditObserver for Metrics {
    fn written(&self, log: LogKind, records: u64) {
        self.audit_written(kind(log), records);
    }

    fn failed(&self, log: LogKind) {
        self.audit_failed(kind(log));
    }
}

const fn kind(log: LogKind) -> Log {
    match log {
        LogKind::Access => Log::Access,
        LogKind::Events => Log::Events,
    }
}

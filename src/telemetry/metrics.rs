//! [`Metrics`]: one method for each thing that can happen, so that no other room knows names or labels.
use super::keys::PerSuite;
use super::operations::Operations;
use super::table::Families;
use super::{codes, process, render};
use crate::s3::Operation;
use prometheus::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Run before every scrape; sets gauges that are cheaper to ask for than to keep.
type Hook = Box<dyn Fn(&Metrics) + Send + Sync>;

/// What becomes of damage that a read found.
const REPAIR_RESULTS: [&str; 3] = ["repaired", "sound", "hopeless"];

/// All metrics of the process.
pub struct Metrics {
    pub(super) registry: Registry,
    pub(super) families: Families,
    operations: Operations,
    pub(super) suites: PerSuite,
    hooks: Mutex<Vec<Hook>>,
}

/// One S3 request that ended.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// What was asked for.
    pub operation: Operation,
    /// Status of a complete answer; `None` when the client did not get one.
    pub status: Option<u16>,
    /// S3 error code, when there was one.
    pub code: Option<&'a str>,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// From the request's head to the answer's, where there was one.
    pub first_byte: Option<Duration>,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
}

/// Why a connection ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionFault {
    /// The TLS handshake failed or took too long.
    Tls,
    /// What came was no HTTP.
    Malformed,
    /// The head of a request did not arrive in time.
    Timeout,
    /// It broke.
    Broken,
}

/// Which body stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The client sent nothing.
    Request,
    /// The client read nothing.
    Response,
}

/// Which audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// The access log.
    Access,
    /// The event stream.
    Events,
}

// === impl Metrics ===

impl Metrics {
    /// A fresh registry.
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let families = Families::register(&registry).expect("the table's names are valid and unique (tested)");
        families.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let operations = Operations::new(&families);
        let suites = PerSuite::new(&families);
        let metrics = Self { registry, families, operations, suites, hooks: Mutex::default() };
        metrics.start_at_zero();
        Arc::new(metrics)
    }

    /// Series of few, known labels exist from the start: a counter that appears with its first event hides it.
    fn start_at_zero(&self) {
        let families = &self.families;
        for direction in [Direction::Request, Direction::Response] {
            families.stalled.with_label_values(&[direction.label()]);
        }
        for fault in ConnectionFault::ALL {
            families.connection_errors.with_label_values(&[fault.label()]);
        }
        for log in [Log::Access, Log::Events] {
            families.audit_written.with_label_values(&[log.label()]);
            families.audit_failures.with_label_values(&[log.label()]);
        }
        for hit in [true, false] {
            families.list_etags.with_label_values(&[etag_source(hit)]);
            families.trailer_cache.with_label_values(&[cache_outcome(hit)]);
        }
    }

    /// Makes the series of a site, all at zero and healthy.
    pub fn declare_site(&self, site: &str) {
        let families = &self.families;
        families.site_healthy.with_label_values(&[site]).set(1);
        for family in [
            &families.site_sent,
            &families.site_received,
            &families.failovers,
            &families.rescued_reads,
            &families.hedged_reads,
            &families.integrity_failures,
        ] {
            family.with_label_values(&[site]);
        }
        families.replication_latency.with_label_values(&[site]);
        for result in REPAIR_RESULTS {
            families.repairs.with_label_values(&[site, result]);
        }
        for ok in [true, false] {
            families.replication_attempts.with_label_values(&[site, attempt_outcome(ok)]);
        }
    }

    /// The page for Prometheus, in its text format 0.0.4.
    pub fn render(&self) -> String {
        for hook in self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            hook(self);
        }
        process::refresh(&self.families);
        render::render(&self.registry)
    }

    /// Has `hook` run before every scrape.
    pub fn before_scrape(&self, hook: impl Fn(&Self) + Send + Sync + 'static) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }
}

/// Requests and connections.
impl Metrics {
    /// A request begins.
    pub fn request_began(&self) {
        self.families.in_flight.inc();
    }

    /// A request ended, in whatever way.
    pub fn request_ended(&self, finished: &Finished<'_>) {
        self.families.in_flight.dec();
        let operation = self.operations.of(finished.operation);
        operation.class(finished.status).inc();
        operation.duration.observe(finished.duration.as_secs_f64());
        if let Some(first_byte) = finished.first_byte {
            operation.first_byte.observe(first_byte.as_secs_f64());
        }
        operation.received.inc_by(finished.received);
        operation.sent.inc_by(finished.sent);
        if let Some(code) = finished.code {
            self.families.errors.with_label_values(&[finished.operation.name(), codes::label(code)]).inc();
        }
    }

    /// Plain and sealed bytes that an operation moved in the client's direction or from it.
    pub fn moved(&self, operation: Operation, plain: u64, sealed: u64) {
        let operation = self.operations.of(operation);
        operation.plain.inc_by(plain);
        operation.sealed.inc_by(sealed);
    }

    /// A handler panicked.
    pub fn panicked(&self) {
        self.families.panics.inc();
    }

    /// A body stood still for too long and was broken off.
    pub fn stalled(&self, direction: Direction) {
        self.families.stalled.with_label_values(&[direction.label()]).inc();
    }

    /// A connection was accepted.
    pub fn connection_opened(&self) {
        self.families.accepted.inc();
        self.families.connections.inc();
    }

    /// A connection is gone.
    pub fn connection_closed(&self) {
        self.families.connections.dec();
    }

    /// A connection ended badly.
    pub fn connection_failed(&self, fault: ConnectionFault) {
        self.families.connection_errors.with_label_values(&[fault.label()]).inc();
    }

    /// A listener uses a certificate that expires at this Unix time.
    pub fn certificate(&self, listener: &str, expires: i64) {
        self.families.certificate_expiry.with_label_values(&[listener]).set(expires);
    }

    /// A renewed certificate could not be used.
    pub fn certificate_refused(&self) {
        self.families.certificate_failures.inc();
    }
}

/// Sites, replication, integrity, caches.
impl Metrics {
    /// A request to a site ended (see `site::SiteObserver`).
    pub fn site_request(&self, site: &str, operation: &'static str, outcome: &'static str, seconds: f64) {
        self.families.site_requests.with_label_values(&[site, operation, outcome]).inc();
        self.families.site_duration.with_label_values(&[site, operation]).observe(seconds);
    }

    /// Sealed bytes moved to and from a site.
    pub fn site_bytes(&self, site: &str, sent: u64, received: u64) {
        self.families.site_sent.with_label_values(&[site]).inc_by(sent);
        self.families.site_received.with_label_values(&[site]).inc_by(received);
    }

    /// A site answers again, or does not any more.
    pub fn site_health(&self, site: &str, healthy: bool) {
        self.families.site_healthy.with_label_values(&[site]).set(i64::from(healthy));
    }

    /// A read was served by another site than the primary.
    pub fn failover(&self, site: &str) {
        self.families.failovers.with_label_values(&[site]).inc();
    }

    /// A body that failed in the middle goes on from this site.
    pub fn rescued(&self, site: &str) {
        self.families.rescued_reads.with_label_values(&[site]).inc();
    }

    /// What a read had found damaged at this site was looked at again.
    pub fn repair(&self, site: &str, result: &'static str) {
        self.families.repairs.with_label_values(&[site, result]).inc();
    }

    /// A read was slow, so this site was asked as well.
    pub fn hedged(&self, site: &str) {
        self.families.hedged_reads.with_label_values(&[site]).inc();
    }

    /// What sites still miss: how many writes, their bytes, and the age of the oldest in seconds.
    pub fn replication_backlog(&self, pending: u64, bytes: u64, oldest_seconds: f64) {
        self.families.replication_pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.families.replication_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.families.replication_oldest.set(oldest_seconds);
    }

    /// What nobody works on: writes that a site refuses, and objects that a backup keeps for a term.
    pub fn replication_resting(&self, parked: u64, retained: u64) {
        self.families.replication_parked.set(i64::try_from(parked).unwrap_or(i64::MAX));
        self.families.replication_retained.set(i64::try_from(retained).unwrap_or(i64::MAX));
    }

    /// A site got what it missed, so many seconds after that was recorded.
    pub fn replication_latency(&self, site: &str, seconds: f64) {
        self.families.replication_latency.with_label_values(&[site]).observe(seconds);
    }

    /// A try to bring a site up to date.
    pub fn replication_attempt(&self, site: &str, ok: bool) {
        self.families.replication_attempts.with_label_values(&[site, attempt_outcome(ok)]).inc();
    }

    /// A sealed object failed authentication.
    pub fn integrity_failure(&self, site: &str) {
        self.families.integrity_failures.with_label_values(&[site]).inc();
    }

    /// An object that is not sealed was served.
    pub fn unsealed_read(&self) {
        self.families.unsealed_reads.inc();
    }

    /// An ETag of a listing came from the index (`hit`) or from a trailer read.
    pub fn list_etag(&self, hit: bool) {
        self.families.list_etags.with_label_values(&[etag_source(hit)]).inc();
    }

    /// A trailer came from the cache.
    pub fn trailer_cache(&self, hit: bool) {
        self.families.trailer_cache.with_label_values(&[cache_outcome(hit)]).inc();
    }
}

/// The audit log, uploads.
impl Metrics {
    /// An abandoned upload was aborted.
    pub fn upload_swept(&self) {
        self.families.uploads_swept.inc();
    }

    /// Records waiting or promised.
    pub fn audit_queue(&self, records: usize) {
        self.families.audit_queue.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Records reached a log.
    pub fn audit_written(&self, log: Log, records: u64) {
        self.families.audit_written.with_label_values(&[log.label()]).inc_by(records);
    }

    /// A write of a log failed.
    pub fn audit_failed(&self, log: Log) {
        self.families.audit_failures.with_label_values(&[log.label()]).inc();
    }
}

// === impl ConnectionFault ===

impl ConnectionFault {
    const ALL: [Self; 4] = [Self::Tls, Self::Malformed, Self::Timeout, Self::Broken];

    const fn label(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Malformed => "malformed",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }
}

// === impl Direction ===

impl Direction {
    const fn label(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

// === impl Log ===

impl Log {
    const fn label(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Events => "events",
        }
    }
}

const fn etag_source(hit: bool) -> &'static str {
    if hit { "index" } else { "trailer" }
}

const fn cache_outcome(hit: bool) -> &'static str {
    if hit { "hit" } else { "miss" }
}

const fn attempt_outcome(ok: bool) -> &'static str {
    if ok { "ok" } else { "failed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(code: Option<&str>) -> Finished<'_> {
        Finished {
            operation: Operation::GetObject,
            status: Some(if code.is_some() { 404 } else { 200 }),
            code,
            duration: Duration::from_millis(30),
            first_byte: Some(Duration::from_millis(20)),
            received: 0,
            sent: 100,
        }
    }

    fn has(page: &str, line: &str) -> bool {
        page.lines().any(|l| l == line)
    }

    #[test]
    fn a_request_is_counted_once_by_operation_class_and_code() {
        let metrics = Metrics::new();
        for code in [None, Some("NoSuchKey"), Some("clients/4711/scan.pdf")] {
            metrics.request_began();
            metrics.request_ended(&finished(code));
        }
        metrics.request_began();
        let page = metrics.render();
        for line in [
            "strongroom_requests_total{class=\"2xx\",operation=\"GetObject\"} 1",
            "strongroom_requests_total{class=\"4xx\",operation=\"GetObject\"} 2",
            "strongroom_errors_total{code=\"NoSuchKey\",operation=\"GetObject\"} 1",
            "strongroom_errors_total{code=\"Other\",operation=\"GetObject\"} 1",
            "strongroom_request_duration_seconds_bucket{operation=\"GetObject\",le=\"0.05\"} 3",
            "strongroom_time_to_first_byte_seconds_count{operation=\"GetObject\"} 3",
            "strongroom_sent_bytes_total{operation=\"GetObject\"} 300",
            "strongroom_requests_in_flight 1",
        ] {
            assert!(has(&page, line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_declared_site_is_at_zero_and_healthy() {
        let metrics = Metrics::new();
        metrics.declare_site("backup");
        metrics.site_health("backup", false);
        metrics.integrity_failure("backup");
        metrics.replication_attempt("backup", false);
        let page = metrics.render();
        for line in [
            "strongroom_site_healthy{site=\"backup\"} 0",
            "strongroom_integrity_failures_total{site=\"backup\"} 1",
            "strongroom_replication_attempts_total{outcome=\"failed\",site=\"backup\"} 1",
            "strongroom_replication_attempts_total{outcome=\"ok\",site=\"backup\"} 0",
        ] {
            assert!(has(&page, line), "{line}\n{page}");
        }
    }

    #[test]
    fn hooks_set_gauges_before_every_scrape() {
        let metrics = Metrics::new();
        metrics.before_scrape(|metrics| metrics.audit_queue(7));
        assert!(has(&metrics.render(), "strongroom_audit_queue 7"));
    }

    #[test]
    fn the_process_is_described() {
        let page = Metrics::new().render();
        let rss = page.lines().find_map(|l| l.strip_prefix("process_resident_memory_bytes "));
        assert!(rss.and_then(|v| v.parse::<u64>().ok()).is_some_and(|bytes| bytes > 100_000), "{page}");
    }
}

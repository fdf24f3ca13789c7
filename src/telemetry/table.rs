//! The one table of metrics: name, kind, labels, help. Everything else is derived from it: the registry, the page
//! that Prometheus scrapes, and the check of `docs/METRICS.md`.
//!
//! Rules (docs/METRICS.md says them to operators): prefix `strongroom_`, base units, counters end in `_total`; a
//! label never holds an object's key, a bucket, a client or a credential, so the number of series is bounded.
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Full name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Label names, in order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Seconds, from a cached HEAD to a 5 GiB upload over a slow line.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How one kind of metric is made from its row.
trait Build: Collector + Clone + Sized + 'static {
    const KIND: &'static str;
    fn build(row: &Row) -> prometheus::Result<Self>;
}

macro_rules! build {
    ($($kind:ty, $word:literal, |$row:ident| $make:expr;)*) => {
        $(impl Build for $kind {
            const KIND: &'static str = $word;
            fn build($row: &Row) -> prometheus::Result<Self> {
                $make
            }
        })*
    };
}

build! {
    IntCounter, "counter", |row| IntCounter::new(row.name, row.help);
    IntGauge, "gauge", |row| IntGauge::new(row.name, row.help);
    Gauge, "gauge", |row| Gauge::new(row.name, row.help);
    IntCounterVec, "counter", |row| IntCounterVec::new(Opts::new(row.name, row.help), row.labels);
    IntGaugeVec, "gauge", |row| IntGaugeVec::new(Opts::new(row.name, row.help), row.labels);
    GaugeVec, "gauge", |row| GaugeVec::new(Opts::new(row.name, row.help), row.labels);
    HistogramVec, "histogram", |row| {
        HistogramVec::new(HistogramOpts::new(row.name, row.help).buckets(SECONDS.to_vec()), row.labels)
    };
}

macro_rules! table {
    ($($field:ident: $kind:ty, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        /// A handle for every row of [`TABLE`].
        #[derive(Clone)]
        pub(super) struct Families {
            $(pub(super) $field: $kind,)*
        }

        /// Every metric the proxy exports.
        pub const TABLE: &[Row] = &[
            $(Row { name: $name, kind: <$kind as Build>::KIND, labels: &[$($label),*], help: $help },)*
        ];

        impl Families {
            /// Makes every metric and registers it.
            pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
                let mut rows = TABLE.iter();
                let mut next = || rows.next().ok_or_else(|| prometheus::Error::Msg("the table is too short".into()));
                Ok(Self {
                    $($field: {
                        let family = <$kind as Build>::build(next()?)?;
                        registry.register(Box::new(family.clone()))?;
                        family
                    },)*
                })
            }
        }
    };
}

table! {
    // Traffic: rate, errors, duration per S3 operation.
    requests: IntCounterVec, "strongroom_requests_total", ["operation", "class"],
        "S3 requests that ended, by class of status (2xx, 3xx, 4xx, 5xx) or aborted (the client went away first).";
    errors: IntCounterVec, "strongroom_errors_total", ["operation", "code"],
        "S3 requests answered with an error, by S3 error code (codes that S3 does not know count as Other).";
    duration: HistogramVec, "strongroom_request_duration_seconds", ["operation"],
        "Time from the request's head to the last byte of the answer.";
    first_byte: HistogramVec, "strongroom_time_to_first_byte_seconds", ["operation"],
        "Time from the request's head to the head of the answer; for uploads this includes the upload.";
    received: IntCounterVec, "strongroom_received_bytes_total", ["operation"],
        "Bytes of request bodies received from clients, as they travelled.";
    sent: IntCounterVec, "strongroom_sent_bytes_total", ["operation"],
        "Bytes of response bodies sent to clients.";
    plain: IntCounterVec, "strongroom_plain_bytes_total", ["operation"],
        "Plaintext that operations sealed or opened.";
    sealed: IntCounterVec, "strongroom_sealed_bytes_total", ["operation"],
        "Sealed bytes that belong to that plaintext.";
    in_flight: IntGauge, "strongroom_requests_in_flight", [],
        "S3 requests being served now.";
    panics: IntCounter, "strongroom_panics_total", [],
        "Requests whose handler panicked; each one is a bug.";
    stalled: IntCounterVec, "strongroom_stalled_total", ["direction"],
        "Bodies broken off because the client stood still: request (it sent nothing) or response (it read nothing).";

    // Connections.
    connections: IntGauge, "strongroom_connections", [],
        "Client connections open now.";
    accepted: IntCounter, "strongroom_connections_total", [],
        "Client connections accepted.";
    connection_errors: IntCounterVec, "strongroom_connection_errors_total", ["reason"],
        "Client connections that ended in an error: tls, malformed, timeout or broken.";
    certificate_expiry: IntGaugeVec, "strongroom_tls_certificate_expiry_timestamp_seconds", ["listener"],
        "When the certificate in use expires, in Unix time. Absent without TLS.";
    certificate_failures: IntCounter, "strongroom_tls_reload_failures_total", [],
        "Renewed certificates that could not be used; the one before stays in use.";

    // Sites.
    site_requests: IntCounterVec, "strongroom_site_requests_total", ["site", "operation", "outcome"],
        "Requests to a site, by outcome (ok, 4xx, 5xx, unreachable).";
    site_duration: HistogramVec, "strongroom_site_request_duration_seconds", ["site", "operation"],
        "Time to the head of a site's answer.";
    site_sent: IntCounterVec, "strongroom_site_sent_bytes_total", ["site"],
        "Sealed bytes sent to a site.";
    site_received: IntCounterVec, "strongroom_site_received_bytes_total", ["site"],
        "Sealed bytes received from a site.";
    site_healthy: IntGaugeVec, "strongroom_site_healthy", ["site"],
        "1 while a site answers, 0 while it does not.";
    failovers: IntCounterVec, "strongroom_failovers_total", ["site"],
        "Reads that another site than the primary served, by the site that served.";
    rescued_reads: IntCounterVec, "strongroom_rescued_reads_total", ["site"],
        "Bodies that failed in the middle and went on from this site; the client noticed nothing.";
    hedged_reads: IntCounterVec, "strongroom_hedged_reads_total", ["site"],
        "Reads for which this site was asked as well, because another was slow.";

    // Replication.
    replication_pending: IntGauge, "strongroom_replication_pending_operations", [],
        "Writes that some site still misses.";
    replication_oldest: Gauge, "strongroom_replication_oldest_age_seconds", [],
        "Age of the oldest write that some site still misses; 0 when none is pending.";
    replication_bytes: IntGauge, "strongroom_replication_pending_bytes", [],
        "Sealed bytes of those writes, as far as known.";
    replication_parked: IntGauge, "strongroom_replication_parked_operations", [],
        "Writes that a site refuses (permission, credential, key): they wait for `strongroom replication retry`.";
    replication_retained: IntGauge, "strongroom_replication_retained_objects", [],
        "Objects that a backup keeps for a term although they were deleted.";
    replication_latency: HistogramVec, "strongroom_replication_latency_seconds", ["site"],
        "Time from recording that a site misses a write until it had it.";
    replication_attempts: IntCounterVec, "strongroom_replication_attempts_total", ["site", "outcome"],
        "Tries to bring a site up to date: ok or failed (tried again later).";
    repairs: IntCounterVec, "strongroom_repairs_total", ["site", "result"],
        "Objects that a read found damaged at this site, looked at again: repaired (from a good copy), sound (it was good by then), hopeless (no good copy; parked).";

    // Comparisons and drills.
    reconcile_objects: IntGaugeVec, "strongroom_reconcile_objects", ["result"],
        "Objects of the last scheduled comparison of the sites: same, missing_here (at the primary), missing_there (at a backup), differs, error.";
    reconcile_repaired: IntCounter, "strongroom_reconcile_repaired_total", [],
        "Objects that scheduled comparisons repaired.";
    reconcile_last: Gauge, "strongroom_reconcile_last_timestamp_seconds", [],
        "When the last scheduled comparison ended, in Unix time; 0 before the first.";
    reconcile_duration: Gauge, "strongroom_reconcile_duration_seconds", [],
        "How long the last scheduled comparison took.";
    drill_last: Gauge, "strongroom_drill_last_success_timestamp_seconds", [],
        "When the last restore drill that succeeded ended, in Unix time, from its signed report; 0 without one.";
    drill_rpo: Gauge, "strongroom_drill_recovery_point_seconds", [],
        "Recovery point of that drill: the age of the oldest write that the backup would have lost.";
    drill_rto: Gauge, "strongroom_drill_recovery_time_seconds", [],
        "Recovery time of that drill, for the whole of what the backup holds, at the speed that was measured.";

    // Keys.
    vault_keys: IntGaugeVec, "strongroom_vault_keys", ["state"],
        "Vault keys in the keyring, by state: enabled, disabled, pending deletion, destroyed; and those out of reach, whose root no custodian can be asked for.";
    fullest_key: Gauge, "strongroom_vault_key_fullest_ratio", [],
        "What the fullest enabled key's newest version has sealed of what it may (objects or bytes, whichever is more). From 1 on nothing is sealed under it.";
    keyring_looked: GaugeVec, "strongroom_keyring_looked_timestamp_seconds", ["site"],
        "When the keyring at a site was last looked at, in Unix time. Changes of keys are taken over by these looks.";
    root_custodian_up: IntGaugeVec, "strongroom_root_custodian_up", ["custodian"],
        "1 when this custodian opened the root envelope at the last look, 0 when it did not. Absent without an envelope.";
    read_only: IntGauge, "strongroom_read_only", [],
        "1 while nothing can be written because no custodian can be asked for the root key since the start; 0 otherwise.";
    root_stale: Gauge, "strongroom_root_stale_seconds", [],
        "How long ago a custodian opened the root envelope, while none does; 0 while one does, or without an envelope.";

    suite_objects: IntCounterVec, "strongroom_suite_objects_total", ["suite", "use"],
        "Objects by the suite that they are sealed with: sealed (written or copied) or opened (read, looked at, taken as a source).";

    // Integrity and caches.
    integrity_failures: IntCounterVec, "strongroom_integrity_failures_total", ["site"],
        "Sealed objects of a site that did not authenticate: damage or tampering. Nothing of them was released.";
    unsealed_reads: IntCounter, "strongroom_unsealed_reads_total", [],
        "Reads of objects that are not sealed, served because their rule says unsealed = \"read\". Once a bucket is adopted, none should come.";
    list_etags: IntCounterVec, "strongroom_list_etags_total", ["source"],
        "ETags in listings, by where they came from: index (no request) or trailer (one request to a site).";
    trailer_cache: IntCounterVec, "strongroom_trailer_cache_total", ["outcome"],
        "Look-ups of opened trailers in memory: hit or miss.";

    // Multipart uploads.
    uploads_swept: IntCounter, "strongroom_uploads_swept_total", [],
        "Multipart uploads that nobody went on with and that were aborted (uploads.abandoned_after).";

    // The audit log.
    audit_queue: IntGauge, "strongroom_audit_queue", [],
        "Access-log records waiting or promised to requests in flight. When the queue is full, requests wait.";
    audit_written: IntCounterVec, "strongroom_audit_records_total", ["log"],
        "Records written to the access or the events log.";
    audit_failures: IntCounterVec, "strongroom_audit_write_failures_total", ["log"],
        "Failed writes of a log. They are tried again; nothing is dropped, requests wait.";

    // The process.
    build_info: IntGaugeVec, "strongroom_build_info", ["version"],
        "Always 1; the label says which version runs.";
    process_cpu: Gauge, "process_cpu_seconds_total", [],
        "User and system CPU time spent, in seconds.";
    process_rss: IntGauge, "process_resident_memory_bytes", [],
        "Resident memory.";
    process_fds: IntGauge, "process_open_fds", [],
        "Open file descriptors.";
    process_max_fds: IntGauge, "process_max_fds", [],
        "Most file descriptors the process may open.";
    process_threads: IntGauge, "process_threads", [],
        "Threads.";
    process_start: Gauge, "process_start_time_seconds", [],
        "When the process started, in Unix time.";
}

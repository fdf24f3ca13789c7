//! The one place that knows how the outside is started: audit log, front, server.
use crate::audit::{AuditLog, AuditSettings, Target};
use crate::config::{Limits, Listen, LogTarget, Logs};
use crate::gateway::Gateway;
use crate::gateway::front::{self, FrontSettings};
use crate::keys::Keyring;
use crate::server::{Readiness, Server, ServerConfig, ServerError, ServerLimits, SiteHealth, TlsFiles};
use crate::site::Sites;
use crate::telemetry::Metrics;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Access-log records that may be promised at once, beyond one a connection: requests of one connection follow each other.
const SPARE_RECORDS: usize = 1024;

/// What the outside is told.
pub(super) struct Settings {
    pub(super) listen: Listen,
    pub(super) limits: Limits,
    pub(super) domain: Option<String>,
    pub(super) logs: Logs,
    pub(super) metrics: Arc<Metrics>,
    pub(super) keyring: Arc<Keyring>,
}

/// Everything outside the gateway, bound and ready to run.
pub(super) struct Front {
    server: Server,
    audit: AuditLog,
}

/// The outside does not start, or broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// A log file.
    #[error("the access log or event log cannot be opened: {0}")]
    Audit(std::io::Error),
    /// Domain or region.
    #[error(transparent)]
    Front(#[from] front::FrontError),
    /// Listeners or certificates.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Opens the logs and binds both listeners; connections wait until [`Front::run`].
pub(super) async fn bind(settings: Settings, gateway: Arc<Gateway>, sites: &Sites) -> Result<Front, FrontError> {
    let Settings { listen, limits, domain, logs, metrics, keyring } = settings;
    let audit = AuditSettings {
        access: target(logs.access),
        events: target(logs.events),
        capacity: limits.connections + SPARE_RECORDS,
    };
    let audit = AuditLog::start(&audit, metrics.clone()).map_err(FrontError::Audit)?;
    let waiting = audit.clone();
    metrics.before_scrape(move |metrics| metrics.audit_queue(waiting.queued()));
    let told = FrontSettings {
        allow_signature_v2: listen.allow_signature_v2,
        // Clients sign for whatever region they are set to, as S3-compatible servers let them.
        region: None,
        domain,
        max_xml_body: limits.max_xml_body,
        stall_timeout: limits.stall_timeout,
    };
    let front = front::Front::new(gateway, audit.clone(), told)?;
    let sites = sites.clone();
    let readiness = Readiness::new(move || {
        let health = sites.all().map(|site| SiteHealth { name: site.name().to_string(), healthy: site.is_healthy() });
        health.collect()
    });
    let short = keyring.clone();
    let readiness = readiness.unless(move || keyring.withheld()).although(move || short.shortage());
    let config = ServerConfig {
        listen: listen.address,
        admin: listen.admin,
        tls: listen.tls.map(|files| TlsFiles { certificate: files.certificate, key: files.key }),
        limits: ServerLimits {
            connections: limits.connections,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            stall_timeout: limits.stall_timeout,
            drain_timeout: limits.drain_timeout,
            max_header_bytes: limits.max_header_bytes,
        },
    };
    Ok(Front { server: Server::bind(config, front, readiness).await?, audit })
}

// === impl Front ===

impl Front {
    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(super) fn audit(&self) -> &AuditLog {
        &self.audit
    }

    pub(super) fn admin(&self) -> SocketAddr {
        self.server.admin()
    }

    /// Serves until `stop`, drains, and writes the last lines of the logs.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), FrontError> {
        let served = self.server.run(stop).await;
        self.audit.close().await;
        Ok(served?)
    }
}

fn target(target: LogTarget) -> Target {
    match target {
        LogTarget::Off => Target::Off,
        LogTarget::Stdout => Target::Stdout,
        LogTarget::File(path) => Target::File(path),
    }
}

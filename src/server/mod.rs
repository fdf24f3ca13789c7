//! Listeners, TLS, connections, limits, the admin endpoints, drain.
//!
//! [`Server::bind`] opens both listeners; [`Server::run`] serves until it is told to stop, then drains: no new
//! connections, `/readyz` says 503, requests under way end within the drain time, the rest is broken off.
//!
//! | file | what it does |
//! |---|---|
//! | `accept` | the accept loop and the limit of connections |
//! | `connection` | one connection: HTTP/1.1, drain, what it ended with |
//! | `guard` | time limits on a connection's bytes |
//! | `tls` | certificate and key, read again when they change |
//! | `certificate` | when a certificate expires |
//! | `readiness` | whether traffic should come here |
//! | `admin` | `/metrics`, `/healthz`, `/readyz` |
mod accept;
mod admin;
mod certificate;
mod connection;
mod guard;
mod readiness;
mod tls;

pub use readiness::{Readiness, SiteHealth};
pub use tls::{TlsError, TlsFiles};

use crate::gateway::front::Front;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where S3 is served.
    pub listen: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` are served, in plain HTTP.
    pub admin: SocketAddr,
    /// TLS for the S3 listener.
    pub tls: Option<TlsFiles>,
    /// Limits.
    pub limits: ServerLimits,
}

/// What one client, and all of them together, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once; more wait in the listen queue.
    pub connections: usize,
    /// Longest time for a TLS handshake, and for the whole head of a request.
    pub header_timeout: Duration,
    /// Longest time a connection may stand idle between requests.
    pub idle_timeout: Duration,
    /// Longest time a client may leave its answer unread.
    pub stall_timeout: Duration,
    /// How long requests under way may take to end at shutdown.
    pub drain_timeout: Duration,
    /// Largest head of a request, bytes.
    pub max_header_bytes: usize,
}

/// Both listeners, bound.
pub struct Server {
    s3: TcpListener,
    admin: TcpListener,
    addresses: (SocketAddr, SocketAddr),
    tls: Option<Arc<Tls>>,
    front: Front,
    readiness: Readiness,
    limits: ServerLimits,
}

/// The server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A port is not to be had.
    #[error("cannot listen on {address}: {source}; is another program using the port?")]
    Listen { address: SocketAddr, source: std::io::Error },
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system does not let us listen to SIGHUP.
    #[error("the signal handler cannot be set: {0}")]
    Signal(std::io::Error),
}

/// How often certificate and key are looked at.
const TLS_POLL: Duration = Duration::from_secs(2);
/// How long writes without clients, and broken-off connections, may take to end after the drain.
const LAST_GRACE: Duration = Duration::from_secs(5);

// === impl Server ===

impl Server {
    /// Loads certificate and key and binds both listeners; connections wait until [`Server::run`].
    ///
    /// # Errors
    /// When an address cannot be bound, or certificate and key cannot be used.
    pub async fn bind(config: ServerConfig, front: Front, readiness: Readiness) -> Result<Self, ServerError> {
        let ServerConfig { listen, admin, tls, limits } = config;
        let tls = tls.map(|files| Tls::load(files, front.metrics().clone())).transpose()?.map(Arc::new);
        let (s3, address) = bind(listen).await?;
        let (admin, admin_address) = bind(admin).await?;
        Ok(Self { s3, admin, addresses: (address, admin_address), tls, front, readiness, limits })
    }

    /// Where S3 is served.
    pub fn address(&self) -> SocketAddr {
        self.addresses.0
    }

    /// Where health and metrics are served.
    pub fn admin(&self) -> SocketAddr {
        self.addresses.1
    }

    /// Serves until `stop`, then drains. When it returns no connection is open and no request runs.
    ///
    /// # Errors
    /// When the signal handler for SIGHUP (log rotation, certificates) cannot be set; nothing was served then.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        let Self { s3, admin, tls, front, readiness, limits, .. } = self;
        let hangup = signal(SignalKind::hangup()).map_err(ServerError::Signal)?;
        let (over, beside) = (CancellationToken::new(), TaskTracker::new());
        beside.spawn(admin::serve(admin, front.metrics().clone(), readiness.clone(), over.clone()));
        beside.spawn(over.clone().run_until_cancelled_owned(reload(hangup, tls.clone(), front.clone())));
        beside.close();
        let lines = connection::Lines::new(front.clone(), tls, &limits);
        readiness.started();
        accept::accept(s3, &lines, limits.connections, &stop).await;
        readiness.draining();
        lines.drain(limits.drain_timeout, LAST_GRACE).await;
        if tokio::time::timeout(LAST_GRACE, front.settle()).await.is_err() {
            tracing::warn!("writes whose clients are gone did not end in time");
        }
        over.cancel();
        beside.wait().await;
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let fail = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}

/// Follows renewed certificates, and SIGHUP: rotated logs, certificates at once.
async fn reload(mut hangup: tokio::signal::unix::Signal, tls: Option<Arc<Tls>>, front: Front) {
    let mut ticks = tokio::time::interval(TLS_POLL);
    loop {
        tokio::select! {
            _ = ticks.tick(), if tls.is_some() => {
                if let Some(tls) = &tls {
                    tls.follow();
                }
            }
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: log files are opened anew, certificates read again");
                front.reopen_logs();
                if let Some(tls) = &tls {
                    tls.reload();
                }
            }
        }
    }
}

//! The one place that knows how `server` is started. PROVISIONAL: binds the listeners; the lead puts
//! `server::Server` behind the same three functions.
use crate::config::{Limits, Listen, Logs};
use crate::gateway::Gateway;
use crate::telemetry::Metrics;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the server is told.
pub(super) struct Settings {
    pub(super) listen: Listen,
    pub(super) limits: Limits,
    pub(super) domain: Option<String>,
    pub(super) logs: Logs,
    pub(super) metrics: Arc<Metrics>,
}

/// Both listeners, bound.
pub(super) struct Front {
    s3: TcpListener,
    admin: TcpListener,
    addresses: (SocketAddr, SocketAddr),
    _settings: Settings,
    _gateway: Arc<Gateway>,
}

/// A listener could not be bound or broke.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; is another program using the port?")]
pub struct FrontError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Binds both listeners; connections wait until [`Front::run`].
pub(super) async fn bind(settings: Settings, gateway: Arc<Gateway>) -> Result<Front, FrontError> {
    let listen = async |address: SocketAddr| {
        let fail = |source| FrontError { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let bound = listener.local_addr().map_err(fail)?;
        Ok((listener, bound))
    };
    let (s3, address) = listen(settings.listen.address).await?;
    let (admin, admin_address) = listen(settings.listen.admin).await?;
    Ok(Front { s3, admin, addresses: (address, admin_address), _settings: settings, _gateway: gateway })
}

impl Front {
    pub(super) fn address(&self) -> SocketAddr {
        self.addresses.0
    }

    pub(super) fn admin(&self) -> SocketAddr {
        self.addresses.1
    }

    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), FrontError> {
        stop.cancelled().await;
        drop((self.s3, self.admin));
        Ok(())
    }
}

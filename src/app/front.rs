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
        let service = crate::gateway::front::service(&self._gateway);
        let metrics = self._settings.metrics.clone();
        tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = self.admin.accept().await else { return };
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |_req: http::Request<hyper::body::Incoming>| {
                        let text = metrics.render();
                        async move {
                            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(
                                bytes::Bytes::from(text),
                            )))
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(hyper_util::rt::TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        loop {
            let accepted = tokio::select! { a = self.s3.accept() => a, _ = stop.cancelled() => return Ok(()) };
            let Ok((socket, _)) = accepted else { continue };
            let _ = socket.set_nodelay(true);
            let service = service.clone();
            tokio::spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new()
                    .max_buf_size(128 * 1024)
                    .serve_connection(hyper_util::rt::TokioIo::new(socket), service)
                    .await;
            });
        }
    }
}

//! Connections: TLS, HTTP/1.1, the hand-over of requests to the front, and how each one ends.
use super::ServerLimits;
use super::guard::{Flight, Guard, Limits, Passenger};
use super::tls::Tls;
use crate::gateway::front::{Front, FrontBody, Peer};
use crate::telemetry::{ConnectionFault, Direction, Metrics};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// hyper reads and writes through a buffer that grows up to this; bodies of objects want a big one, and heads have
/// their own limit.
const BUFFER: usize = 128 * 1024;

/// Every open connection.
pub(super) struct Lines {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

struct Shared {
    front: Front,
    tls: Option<Arc<Tls>>,
    http: http1::Builder,
    limits: Limits,
    /// No further request is waited for.
    drain: CancellationToken,
    /// Nothing more is waited for.
    abort: CancellationToken,
}

/// Counts a connection for as long as it is open, and keeps its place in the limit.
struct Open {
    metrics: Arc<Metrics>,
    _place: OwnedSemaphorePermit,
}

/// A body that keeps its request in flight until it is sent.
struct Carried {
    body: FrontBody,
    _passenger: Passenger,
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(front: Front, tls: Option<Arc<Tls>>, limits: &ServerLimits) -> Self {
        let mut http = http1::Builder::new();
        // Time limits are the guard's: hyper's own one for heads runs while a connection stands idle, too.
        http.header_read_timeout(None).max_buf_size(BUFFER).max_header_size(limits.max_header_bytes);
        // A client may end its sending side after its request and wait for the answer; that cannot be told from one
        // that is gone. So an answer is always made; a client that is gone is noticed when it is written.
        http.half_close(true);
        let limits = Limits { header: limits.header_timeout, idle: limits.idle_timeout, stall: limits.stall_timeout };
        let (drain, abort) = (CancellationToken::new(), CancellationToken::new());
        Self { shared: Arc::new(Shared { front, tls, http, limits, drain, abort }), tasks: TaskTracker::new() }
    }

    /// Serves a connection on a task of its own.
    pub(super) fn open(&self, stream: TcpStream, address: SocketAddr, place: OwnedSemaphorePermit) {
        let shared = self.shared.clone();
        let open = Open::new(shared.front.metrics().clone(), place);
        self.tasks.spawn(async move {
            let _open = open;
            shared.connection(stream, address).await;
        });
    }

    /// Waits until all have ended: on their own within `patience`, broken off after it.
    pub(super) async fn drain(&self, patience: Duration, grace: Duration) {
        self.tasks.close();
        self.shared.drain.cancel();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "not drained in time: connections are broken off");
            self.shared.abort.cancel();
            let _ = tokio::time::timeout(grace, self.tasks.wait()).await;
        }
    }
}

// === impl Shared ===

impl Shared {
    async fn connection(&self, stream: TcpStream, address: SocketAddr) {
        let metrics = self.front.metrics();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection broke before it began");
            return metrics.connection_failed(ConnectionFault::Broken);
        }
        let remote = address.ip().to_canonical();
        let Some(tls) = &self.tls else { return self.serve(stream, Peer { remote, tls: None }).await };
        let handshake = tokio::time::timeout(self.limits.header, tls.accept(stream));
        match self.abort.run_until_cancelled(handshake).await {
            Some(Ok(Ok((stream, facts)))) => self.serve(stream, Peer { remote, tls: Some(facts) }).await,
            Some(Ok(Err(error))) => {
                tracing::debug!(%error, %remote, "TLS handshake failed");
                metrics.connection_failed(ConnectionFault::Tls);
            }
            Some(Err(_)) => metrics.connection_failed(ConnectionFault::Tls),
            None => {}
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, stream: S, peer: Peer) {
        let flight = Arc::new(Flight::default());
        let guard = Guard::new(stream, self.limits, flight.clone());
        let service = service_fn(|request: Request<Incoming>| {
            let passenger = flight.board();
            let answer = self.front.handle(request, peer.clone());
            async move {
                let response: Response<FrontBody> = answer.await;
                Ok::<_, Infallible>(response.map(|body| Carried { body, _passenger: passenger }))
            }
        });
        let mut connection = std::pin::pin!(self.http.serve_connection(TokioIo::new(guard), service));
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.drain.cancelled() => {
                flight.drain();
                connection.as_mut().graceful_shutdown();
                match self.abort.run_until_cancelled(connection).await {
                    Some(ended) => ended,
                    None => return,
                }
            }
        };
        self.account(ended, &flight, peer);
    }

    /// Counts how a connection ended; a request that could not even be read gets its line in the access log.
    fn account(&self, ended: hyper::Result<()>, flight: &Flight, peer: Peer) {
        let metrics = self.front.metrics();
        let Err(error) = ended else { return };
        tracing::debug!(%error, "a connection broke");
        if flight.head_timed_out() {
            metrics.connection_failed(ConnectionFault::Timeout);
            self.front.unreadable(peer, None, "RequestTimeout");
        } else if flight.reader_stalled() {
            metrics.connection_failed(ConnectionFault::Broken);
            metrics.stalled(Direction::Response);
        } else if error.is_parse_too_large() {
            metrics.connection_failed(ConnectionFault::Malformed);
            self.front.unreadable(peer, Some(431), "RequestHeaderSectionTooLarge");
        } else if error.is_parse() {
            metrics.connection_failed(ConnectionFault::Malformed);
            self.front.unreadable(peer, Some(400), "BadRequest");
        } else {
            metrics.connection_failed(ConnectionFault::Broken);
        }
    }
}

// === impl Open ===

impl Open {
    fn new(metrics: Arc<Metrics>, place: OwnedSemaphorePermit) -> Self {
        metrics.connection_opened();
        Self { metrics, _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connection_closed();
    }
}

// === impl Carried ===

impl Body for Carried {
    type Data = Bytes;
    type Error = <FrontBody as Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

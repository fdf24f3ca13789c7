//! The HTTP around the operations. [`Front`] takes a request from a connection and always gives a response back:
//! with a request id, with an error body that an SDK understands, and with exactly one line in the access log when
//! the response has been sent or its reader is gone.
//!
//! ```text
//! request -> screen -> s3s (signature -> access -> operation) -> mend -> response
//!               \________________ refusals ________________________/
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `screen` | refuses what `s3s` would let through or misread |
//! | `inbound` | the request's body: stalls, hang-ups, limits, its hash |
//! | `routes` | requests that are none of `s3s`'s operations: passed on, or only verified |
//! | `framing` | whether a chunked body has its closing chunk |
//! | `progress` | what happened to a body, for whoever answers |
//! | `cross` | preflights of browsers, and the headers that pages of another origin need |
//! | `mended` | what of a read `s3s` would refuse although S3 does not |
//! | `verify` | such requests, whose signature covers what has to be changed |
//! | `signature` | the form and date of a signature, before it is verified |
//! | `version_four` | what is wrong with a signature of version 4, component by component |
//! | `version_two` | what a signature of version 2 does not cover |
//! | `errors` | error bodies: what went wrong with a body, ids, codes |
//! | `etag` | the one ETag that S3 writes without quotes |
//! | `words` | S3's words for errors that `s3s` tells in its own |
//! | `exchange` | what is known of one request until its line is written |
//! | `patience` | how long a silent client is waited for |
//! | `outbound` | the response's body: counts bytes, knows when it is over |
mod cross;
mod errors;
mod etag;
mod exchange;
mod framing;
mod inbound;
mod mended;
mod observers;
mod outbound;
mod patience;
mod progress;
mod routes;
mod screen;
mod settings;
mod signature;
mod verify;
mod version_four;
mod version_two;
mod words;

pub use outbound::FrontBody;
pub use patience::Patience;
pub use settings::{FrontError, FrontSettings, Guards};

use super::access::{Access, Auth};
use super::form::Recorder;
use super::metadata::join_repeated;
use super::{Gateway, Service};
use crate::audit::AuditLog;
use crate::site::Persevere;
use crate::telemetry::Metrics;
use bytes::Bytes;
use exchange::Exchange;
use futures_util::FutureExt as _;
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use inbound::{Afterwards, Inbound};
use mended::Mended;
use routes::Routes;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpResponse, S3Error, S3ErrorCode};
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use verify::Second;

const CLOSE: HeaderValue = HeaderValue::from_static("close");
const SERVER: HeaderValue = HeaderValue::from_static("Strongroom");

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub remote: IpAddr,
    /// What was negotiated; `None` on plain HTTP.
    pub tls: Option<TlsFacts>,
}

/// What a TLS handshake settled, in IANA's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// For example `TLSv1.3`.
    pub version: Arc<str>,
    /// For example `TLS_AES_128_GCM_SHA256`.
    pub cipher: Arc<str>,
}

/// Serves S3 requests. Cheap to clone.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    service: S3Service,
    /// `None`: no bucket has a configuration.
    gateway: Option<Arc<Gateway>>,
    audit: AuditLog,
    metrics: Arc<Metrics>,
    settings: FrontSettings,
    /// Random, for `x-amz-id-2`: tells proxies behind one load balancer apart.
    node: [u8; 16],
    /// Writes whose clients are gone.
    orphans: TaskTracker,
}

// === impl Front ===

impl Front {
    /// Over the operations of a gateway.
    ///
    /// # Errors
    /// When the domain is none, or the system has no randomness.
    pub fn new(gateway: Arc<Gateway>, audit: AuditLog, settings: FrontSettings) -> Result<Self, FrontError> {
        let guards = Guards {
            credentials: gateway.credentials.clone(),
            authorizer: gateway.authorizer.clone(),
            rules: gateway.rules.clone(),
            metrics: gateway.metrics.clone(),
        };
        Self::build(Service(gateway.clone()), Some(gateway), guards, audit, settings)
    }

    /// Over any S3 operations. Authentication and authorisation always stand before them.
    ///
    /// # Errors
    /// When the domain is none, or the system has no randomness.
    pub fn over(
        operations: impl s3s::S3,
        guards: Guards,
        audit: AuditLog,
        settings: FrontSettings,
    ) -> Result<Self, FrontError> {
        Self::build(operations, None, guards, audit, settings)
    }

    fn build(
        operations: impl s3s::S3,
        gateway: Option<Arc<Gateway>>,
        guards: Guards,
        audit: AuditLog,
        settings: FrontSettings,
    ) -> Result<Self, FrontError> {
        let Guards { credentials, authorizer, rules, metrics } = guards;
        let mut builder = S3ServiceBuilder::new(operations);
        builder.set_config(settings.s3s_config()?);
        if let Some(host) = settings.s3s_host()? {
            builder.set_host(host);
        }
        builder.set_auth(Auth(credentials.clone()));
        let access = Access { credentials, authorizer, rules, gateway: gateway.clone() };
        builder.set_access(access.clone());
        builder.set_route(Routes { gateway: gateway.clone(), access });
        let mut node = [0; 16];
        crate::clock::random(&mut node)?;
        let queue = audit.clone();
        metrics.before_scrape(move |metrics| metrics.audit_queue(queue.queued()));
        let service = builder.build();
        Ok(Self(Arc::new(Inner { service, gateway, audit, metrics, settings, node, orphans: TaskTracker::new() })))
    }

    /// Serves one request. Never fails: whatever goes wrong is an S3 error response. When the returned future is
    /// dropped (the client is gone) a write under way still runs to its end.
    pub async fn handle<B>(&self, request: Request<B>, peer: Peer) -> Response<FrontBody>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<s3s::StdError>,
    {
        let Ok(slot) = self.0.audit.slot().await else {
            // Nothing is served that cannot be written down.
            tracing::error!("the audit log is closed: a request is refused");
            return errors::response(S3Error::new(S3ErrorCode::ServiceUnavailable)).map(FrontBody::unlogged);
        };
        let (head, body) = request.into_parts();
        let exchange = Exchange::begin(&self.0, slot, &head, peer);
        let persevere = !head.method.is_safe();
        let span = tracing::info_span!("request", request_id = %exchange.id());
        let answer = self.0.clone().answer(head, body, exchange).instrument(span);
        Persevere::new(Box::pin(answer), persevere.then(|| self.0.orphans.clone())).await
    }

    /// Writes one line for a request that could not even be read; `status` is what the client was sent, if anything.
    pub fn unreadable(&self, peer: Peer, status: Option<u16>, code: &str) {
        if let Some(slot) = self.0.audit.try_slot() {
            Exchange::unreadable(&self.0, slot, peer, status, code);
        }
    }

    /// Waits until writes whose clients are gone have ended. No request may be handed in any more.
    pub async fn settle(&self) {
        self.0.orphans.close();
        self.0.orphans.wait().await;
    }

    /// Opens log files anew, for log rotation.
    pub fn reopen_logs(&self) {
        self.0.audit.reopen();
    }

    /// The metrics that requests are counted in.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }
}

// === impl Inner ===

impl Inner {
    async fn answer<B>(self: Arc<Self>, mut head: Parts, body: B, mut exchange: Exchange) -> Response<FrontBody>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<s3s::StdError>,
    {
        if head.method == http::Method::POST
            && let Some(recorder) = Recorder::of(&head.headers)
        {
            head.extensions.insert(recorder);
        }
        let inbound = Inbound::new(&self.settings, &head, exchange.target(), body, exchange.progress().clone());
        let leftover = inbound.leftover();
        let crossing = cross::Page::of(self.gateway.as_ref(), &head, exchange.target());
        let response = match screen::screen(&self.settings, &head, exchange.target()) {
            Ok(()) if crossing.is_preflight() => {
                drop(inbound);
                crossing.preflight(exchange.context()).await
            }
            Ok(()) => self.call(head, inbound, &mut exchange).await,
            Err(refusal) => {
                drop(inbound);
                errors::response(refusal)
            }
        };
        let afterwards = leftover.drain().await;
        let mut response = self.finish(crossing.allowed(response).await, exchange);
        if afterwards == Afterwards::Spent {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        response
    }

    /// Hands the request to `s3s`; twice, where it would not read it as S3 does.
    async fn call<B>(&self, mut head: Parts, inbound: Inbound<B>, exchange: &mut Exchange) -> HttpResponse
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<s3s::StdError>,
    {
        head.extensions.insert(exchange.context().clone());
        join_repeated(&mut head.headers);
        let passed = routes::mark(&mut head, exchange.target());
        let mended = if head.method.is_safe() && !passed { Mended::of(&head) } else { None };
        let second = mended.map(|mended| Second::after(&mut head, mended));
        let form = head.extensions.get::<Recorder>().cloned();
        let body = match &form {
            Some(form) => form.cut(&mut head.headers, inbound.into_s3s()).await,
            None => Ok(inbound.into_s3s()),
        };
        let response = match body {
            Ok(body) => self.pass(Request::from_parts(head, body), exchange).await,
            Err(error) => errors::response(error),
        };
        let response = match form {
            Some(form) => form.answer().unwrap_or_else(|| errors::of_form(response)),
            None => response,
        };
        match second.and_then(|second| second.verified(&response)) {
            Some((head, mended)) => {
                let mut response = self.pass(Request::from_parts(head, s3s::Body::empty()), exchange).await;
                mended.answer(&mut response);
                response
            }
            None => response,
        }
    }

    /// A panic on the way becomes an error like any other.
    async fn pass(&self, request: s3s::HttpRequest, exchange: &mut Exchange) -> HttpResponse {
        match AssertUnwindSafe(self.service.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::error!(%error, "the answer cannot be written out");
                errors::response(S3Error::new(S3ErrorCode::InternalError))
            }
            Err(_panic) => {
                // The panic hook has said where.
                tracing::error!(operation = exchange.operation().name(), "a handler panicked");
                exchange.panicked();
                errors::response(S3Error::new(S3ErrorCode::InternalError))
            }
        }
    }

    /// The last steps that every response takes.
    fn finish(&self, response: HttpResponse, mut exchange: Exchange) -> Response<FrontBody> {
        let mut response = errors::mend(response, exchange.progress());
        etag::unquote(&mut response, exchange.operation());
        let id = exchange.id();
        if let Some(code) = errors::identify(&mut response, exchange.path(), id, exchange.host_id()) {
            exchange.error_code(code);
        }
        if response.status().is_server_error() && response.status() != StatusCode::NOT_IMPLEMENTED {
            let (operation, status) = (exchange.operation().name(), response.status().as_u16());
            tracing::warn!(operation, status, code = exchange.code(), "answered with an error of ours");
        }
        if response.status() == StatusCode::OK && response.headers().contains_key(http::header::CONTENT_RANGE) {
            // `s3s` has no way to say this of a HEAD with a range.
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let headers = response.headers_mut();
        headers.insert(http::header::SERVER, SERVER);
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            headers.insert("x-amz-request-id", id);
        }
        if let Ok(host_id) = HeaderValue::from_str(exchange.host_id()) {
            headers.insert("x-amz-id-2", host_id);
        }
        exchange.answered(response.status());
        response.map(|body| FrontBody::new(body, exchange))
    }
}

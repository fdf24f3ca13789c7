//! One request from its head to its line in the access log. The line is written when the [`Exchange`] is dropped,
//! which happens exactly once, however the request ends.
use super::progress::{Fault, Progress};
use super::screen::Target;
use super::{Inner, Peer};
use crate::audit::{AccessLine, Event, Facts, Outcome, Record, RequestContext, Slot, redact_query};
use crate::s3::{Operation, RequestId};
use crate::telemetry::{Direction, Finished, Metrics};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, HeaderName, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use time::OffsetDateTime;

/// Longer ids than any real one are cut: they are only claimed.
const LONGEST_CLAIM: usize = 128;

/// What is known of one request.
pub(super) struct Exchange {
    metrics: Arc<Metrics>,
    slot: Option<Slot>,
    context: RequestContext,
    id: RequestId,
    host_id: String,
    time: OffsetDateTime,
    request: Option<RequestFacts>,
    target: Target,
    peer: Peer,
    progress: Arc<Progress>,
    status: Option<StatusCode>,
    first_byte: Option<Duration>,
    sent: u64,
    to_send: Option<u64>,
    code: Option<String>,
    complete: bool,
    panicked: bool,
}

/// What the request's head says.
struct RequestFacts {
    method: Method,
    uri: Uri,
    version: Version,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    host: Option<HeaderValue>,
    claim: Claim,
}

/// Who a request says it is from, before anything is verified.
#[derive(Debug, Default, PartialEq, Eq)]
struct Claim {
    auth_type: Option<&'static str>,
    signature: Option<&'static str>,
    access_key_id: Option<String>,
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn begin(inner: &Inner, slot: Slot, head: &Parts, peer: Peer) -> Self {
        let mut exchange = Self::empty(inner, slot, peer);
        let header = |name: HeaderName| head.headers.get(name).cloned();
        let claim = Claim::of(&head.headers, head.uri.query());
        exchange.target = Target::of(&inner.settings, head);
        let (secure, local) = (exchange.peer.tls.is_some(), exchange.peer.remote.is_loopback());
        exchange.context.with(|facts| {
            (facts.secure, facts.local) = (secure, local);
            facts.bucket.clone_from(&exchange.target.bucket);
            facts.key.clone_from(&exchange.target.key);
            facts.auth_type = claim.auth_type;
        });
        exchange.request = Some(RequestFacts {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            referer: header(REFERER),
            user_agent: header(USER_AGENT),
            host: header(HOST),
            claim,
        });
        exchange
    }

    /// For a request that could not be read: its line is written at once.
    pub(super) fn unreadable(inner: &Inner, slot: Slot, peer: Peer, status: Option<u16>, code: &str) {
        let mut exchange = Self::empty(inner, slot, peer);
        exchange.status = status.and_then(|status| StatusCode::from_u16(status).ok());
        exchange.complete = exchange.status.is_some();
        exchange.error_code(code.to_owned());
    }

    fn empty(inner: &Inner, slot: Slot, peer: Peer) -> Self {
        let bits = random_bits();
        let id = RequestId::from_bits(u64::from_be_bytes(bits));
        let host_id = [&inner.node[..], &bits[..]].concat();
        inner.metrics.request_began();
        Self {
            metrics: inner.metrics.clone(),
            slot: Some(slot),
            context: RequestContext::new(id),
            id,
            host_id: STANDARD.encode(host_id),
            time: crate::clock::now(),
            request: None,
            target: Target::default(),
            peer,
            progress: Arc::new(Progress::new()),
            status: None,
            first_byte: None,
            sent: 0,
            to_send: None,
            code: None,
            complete: false,
            panicked: false,
        }
    }

    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    pub(super) fn host_id(&self) -> &str {
        &self.host_id
    }

    pub(super) fn context(&self) -> &RequestContext {
        &self.context
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn operation(&self) -> Operation {
        self.context.with(|facts| facts.operation)
    }

    /// The path as it came.
    pub(super) fn path(&self) -> &str {
        self.request.as_ref().map_or("/", |request| request.uri.path())
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    pub(super) fn error_code(&mut self, code: String) {
        self.code = Some(code);
    }

    pub(super) fn panicked(&mut self) {
        self.panicked = true;
        self.metrics.panicked();
    }

    /// The head of the answer is ready.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.first_byte = Some(self.progress.began().elapsed());
    }

    /// How long the body will be, where that is known.
    pub(super) fn will_send(&mut self, bytes: Option<u64>) {
        let no_body = self.request.as_ref().is_some_and(|request| request.method == Method::HEAD)
            || self.status.is_some_and(|status| matches!(status.as_u16(), 204 | 304));
        self.to_send = if no_body { Some(0) } else { bytes };
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The body came to its end.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    fn outcome(&self) -> Outcome {
        if self.panicked || std::thread::panicking() {
            Outcome::Panicked
        } else if self.complete || (self.status.is_some() && self.to_send == Some(self.sent)) {
            // hyper does not ask for the end of a body whose length it knows.
            Outcome::Complete
        } else {
            Outcome::Aborted
        }
    }

    fn finish(&mut self) {
        if std::thread::panicking() && !self.panicked {
            self.metrics.panicked();
        }
        if self.progress.fault() == Some(Fault::Stalled) {
            self.metrics.stalled(Direction::Request);
        }
        let outcome = self.outcome();
        let sent_whole = outcome != Outcome::Aborted && !std::thread::panicking();
        let total = self.progress.began().elapsed();
        let code = self.code.take();
        let context = self.context.clone();
        // Nobody else needs the facts any more.
        context.with(|facts| {
            facts.error_code = code.or(facts.error_code.take()).or_else(|| self.code_of_status());
            self.metrics.request_ended(&Finished {
                operation: facts.operation,
                status: self.status.map(|status| status.as_u16()).filter(|_| sent_whole),
                code: facts.error_code.as_deref(),
                duration: total,
                first_byte: self.first_byte,
                received: self.progress.received(),
                sent: self.sent,
            });
            if let Some(slot) = self.slot.take() {
                self.write(slot, facts, outcome, total);
            }
        });
    }

    fn write(&self, slot: Slot, facts: &Facts, outcome: Outcome, total: Duration) {
        let request = self.request.as_ref();
        let uri = request.map(RequestFacts::address).unwrap_or_default();
        let record = Record {
            time: self.time,
            facts,
            host_id: &self.host_id,
            remote: Some(self.peer.remote),
            method: request.map_or("", |r| r.method.as_str()),
            uri: &redact_query(uri),
            version: request.map_or("-", |r| version_name(r.version)),
            status: self.status.map(|status| status.as_u16()),
            bytes_sent: self.sent,
            bytes_received: self.progress.received(),
            total,
            turn_around: self.first_byte.map(|time| time.saturating_sub(self.progress.last_byte())),
            referer: request.and_then(|r| Some(r.referer.as_ref()?.as_bytes())),
            user_agent: request.and_then(|r| Some(r.user_agent.as_ref()?.as_bytes())),
            host: request.and_then(|r| Some(r.host.as_ref()?.as_bytes())),
            signature: request.and_then(|r| r.claim.signature),
            claimed_access_key_id: request.and_then(|r| r.claim.access_key_id.as_deref()),
            tls_version: self.peer.tls.as_ref().map(|tls| &*tls.version),
            tls_cipher: self.peer.tls.as_ref().map(|tls| &*tls.cipher),
            outcome,
        };
        slot.give(|| AccessLine::write(&record), || Event::write(&record));
    }

    /// What S3 means by the status of an error without a body (the answer to a HEAD).
    fn code_of_status(&self) -> Option<String> {
        let code = match self.status?.as_u16() {
            0..=399 => return None,
            403 => "AccessDenied",
            404 if self.target.key.is_some() => "NoSuchKey",
            404 => "NoSuchBucket",
            405 => "MethodNotAllowed",
            411 => "MissingContentLength",
            412 => "PreconditionFailed",
            416 => "InvalidRange",
            400..=499 => "InvalidRequest",
            501 => "NotImplemented",
            503 => "ServiceUnavailable",
            _ => "InternalError",
        };
        Some(code.to_owned())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish();
    }
}

// === impl RequestFacts ===

impl RequestFacts {
    /// Path and query.
    fn address(&self) -> &str {
        self.uri.path_and_query().map_or_else(|| self.uri.path(), |address| address.as_str())
    }
}

// === impl Claim ===

impl Claim {
    fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        if let Some(header) = headers.get(AUTHORIZATION) {
            let text = String::from_utf8_lossy(header.as_bytes());
            let signature = match text.split(' ').next() {
                Some("AWS4-HMAC-SHA256") => Some("SigV4"),
                Some("AWS") => Some("SigV2"),
                _ => None,
            };
            let credential = text.split_once("Credential=").map(|(_, rest)| rest);
            return Self { auth_type: Some("AuthHeader"), signature, access_key_id: credential.and_then(key_id) };
        }
        let parameters = || query.unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('='));
        let value =
            |wanted: &str| parameters().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
        let credential = value("X-Amz-Credential").map(|credential| percent_decode_str(credential).decode_utf8_lossy());
        if value("X-Amz-Signature").is_some() || credential.is_some() {
            let access_key_id = credential.and_then(|credential| key_id(&credential));
            return Self { auth_type: Some("QueryString"), signature: Some("SigV4"), access_key_id };
        }
        match value("AWSAccessKeyId") {
            Some(id) => Self { auth_type: Some("QueryString"), signature: Some("SigV2"), access_key_id: key_id(id) },
            None => Self::default(),
        }
    }
}

/// The access key id at the start of a credential scope.
fn key_id(credential: &str) -> Option<String> {
    let id = credential.split(['/', ',', ' ']).next().filter(|id| !id.is_empty())?;
    Some(id.chars().take(LONGEST_CLAIM).collect())
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/?",
    }
}

/// Bits for a request id. Should the system's generator fail, ids stay unique within the process.
fn random_bits() -> [u8; 8] {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut bits = [0; 8];
    if crate::clock::random(&mut bits).is_err() {
        bits = COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(authorization: Option<&'static str>, query: &str) -> (Option<&'static str>, Option<&'static str>, String) {
        let mut headers = HeaderMap::new();
        headers.extend(authorization.map(|value| (AUTHORIZATION, HeaderValue::from_static(value))));
        let Claim { auth_type, signature, access_key_id } = Claim::of(&headers, Some(query));
        (auth_type, signature, access_key_id.unwrap_or_default())
    }

    #[test]
    fn a_claim_is_read_from_header_or_query() {
        let v4 =
            "AWS4-HMAC-SHA256 Credential=AKERP/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(claim(Some(v4), ""), (Some("AuthHeader"), Some("SigV4"), "AKERP".to_owned()));
        let presigned = "X-Amz-Credential=AKERP%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0";
        assert_eq!(claim(None, presigned), (Some("QueryString"), Some("SigV4"), "AKERP".to_owned()));
        let v2 = "AWSAccessKeyId=AKERP&Signature=x&Expires=1";
        assert_eq!(claim(None, v2), (Some("QueryString"), Some("SigV2"), "AKERP".to_owned()));
        assert_eq!(claim(Some("Bearer abc"), ""), (Some("AuthHeader"), None, String::new()));
        assert_eq!(claim(None, "prefix=a"), (None, None, String::new()));
    }

    #[test]
    fn a_claim_has_a_limit() {
        let long = format!("X-Amz-Credential={}", "A".repeat(10_000));
        assert_eq!(claim(None, &long).2.len(), LONGEST_CLAIM);
    }
}

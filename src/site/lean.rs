//! The lean door: get, put and upload_part, signed by hand on a bare hyper client.
//!
//! An SDK request costs some 150 us of CPU, this one a few. Only the headers that are needed are sent;
//! Content-Length always (RGW answers 411 otherwise), checksum trailers only where a bucket asks for them (`locks.rs`).
use super::body::OutBody;
use super::error::{SiteError, chain};
use super::feed::{BreakOnDrop, Feed, FeedWatch, Phase};
use super::object::{
    GotObject, Location, ObjectHeaders, PutBody, SealedRange, TOLD, ToldHeaders, WriteCondition, Written,
};
use super::path::{self, METADATA_HEADER};
use super::sdk;
use super::sign::{Header, ToSign, UNSIGNED};
use super::site::{Inner, Site};
use super::stream::{GetStream, error_body};
use super::trailed::{Framing, TRAILED};
use crate::clock;
use crate::s3::{SealedETag, SealedLen};
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, HeaderMap, HeaderName, HeaderValue,
    LAST_MODIFIED,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// A request as this door sends it: what varies from operation to operation.
pub(super) struct Plan<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    /// Signed headers before `x-amz-content-sha256` (but for `host`), sorted.
    pub(super) before: &'a [Header<'a>],
    /// Signed headers after it (but for `x-amz-date`), sorted.
    pub(super) after: &'a [Header<'a>],
    /// The payload's hash in hex, where the site wants it signed; [`UNSIGNED`] for objects.
    pub(super) payload: &'a str,
}

impl Site {
    /// GET, whole or ranged; `if_match` pins the version (412 when it changed).
    ///
    /// # Errors
    /// [`SiteError::S3`] as the site answered (404, 412, 416 `InvalidRange`, ...), [`SiteError::Unreachable`]
    /// when no response head came in time.
    pub async fn get(
        &self,
        at: &Location,
        range: SealedRange,
        if_match: Option<&SealedETag>,
    ) -> Result<GotObject, SiteError> {
        self.get_version(at, None, range, if_match).await
    }

    /// As [`Site::get`], of one version.
    ///
    /// # Errors
    /// As [`Site::get`]; 404 `NoSuchVersion`; [`SiteError::DeleteMarker`] (405) when the version is a delete marker.
    pub async fn get_version(
        &self,
        at: &Location,
        version: Option<&str>,
        range: SealedRange,
        if_match: Option<&SealedETag>,
    ) -> Result<GotObject, SiteError> {
        let asked = Instant::now();
        let response = self.inner.watched("get", self.inner.send_get(at, version, range, if_match)).await?;
        self.inner.pace.answered(asked.elapsed());
        let got = self.got(response, range)?;
        // A backend that ignores the condition must not slip another version in.
        match if_match {
            Some(etag) if *etag != got.etag => Err(SiteError::from_answer(self.name(), 412, b"")),
            _ => Ok(got),
        }
    }

    /// PUT of known length with sealed metadata (one header), what the site is to keep, and content type
    /// application/octet-stream.
    ///
    /// # Errors
    /// [`SiteError::Aborted`] when the feeder was dropped early; [`SiteError::Unsupported`] for a condition that the
    /// probe found ignored; else as [`Site::get`]. An error answer
    /// that comes before the body was read is returned at once.
    pub async fn put(
        &self,
        at: &Location,
        headers: &ObjectHeaders,
        condition: &WriteCondition,
        body: PutBody,
    ) -> Result<Written, SiteError> {
        self.inner.allow(condition, false)?;
        let length = body.length;
        let (feed, watch) = Feed::new(body);
        let sent = async {
            let body = self.inner.with_checksum(&at.bucket, OutBody::Feed(feed), length).await;
            self.inner.put_object(at, headers, condition, length, body, Some(watch)).await
        };
        let written = self.inner.watched("put", sent).await;
        self.inner.locks.learn(&at.bucket, &written);
        written
    }

    /// UploadPart of known length.
    ///
    /// # Errors
    /// As [`Site::put`].
    pub async fn upload_part(
        &self,
        at: &Location,
        upload_id: &str,
        part: u16,
        body: PutBody,
    ) -> Result<SealedETag, SiteError> {
        let inner = &self.inner;
        let length = body.length;
        let (feed, watch) = Feed::new(body);
        let sent = async {
            let body = inner.with_checksum(&at.bucket, OutBody::Feed(feed), length).await;
            let framing = Framing::of(&body, length);
            let all: Vec<_> = framing.iter().flat_map(Framing::headers).collect();
            let (before, after) = around_content_hash(&all);
            let plan = Plan {
                method: Method::PUT,
                path: inner.path(at),
                query: path::part_query(part, upload_id),
                before,
                after,
                payload: framing.as_ref().map_or(UNSIGNED, |_| TRAILED),
            };
            inner.write(plan, length, body, Some(watch)).await
        };
        let written = inner.watched("upload_part", sent).await;
        inner.locks.learn(&at.bucket, &written);
        Ok(written?.etag)
    }

    fn got(&self, response: Response<Incoming>, range: SealedRange) -> Result<GotObject, SiteError> {
        let inner = &self.inner;
        let (head, body) = response.into_parts();
        let headers = &head.headers;
        let length = number(headers, &CONTENT_LENGTH).ok_or_else(|| inner.nonsense("GET without Content-Length"))?;
        let total = if head.status == StatusCode::PARTIAL_CONTENT {
            total_of_range(headers).ok_or_else(|| inner.nonsense("206 without a usable Content-Range"))?
        } else if covers(range, length) {
            length
        } else {
            return Err(inner.nonsense("the range was ignored"));
        };
        Ok(GotObject {
            etag: inner.etag(headers)?,
            total: SealedLen(total),
            length,
            metadata: text(headers, METADATA_HEADER).map(str::to_owned),
            told: told(headers),
            last_modified: last_modified(headers).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            version_id: version_id(headers),
            body: Box::pin(GetStream::new(inner.clone(), body, length)),
            headers: head.headers,
        })
    }
}

impl Inner {
    pub(super) async fn send_get(
        &self,
        at: &Location,
        version: Option<&str>,
        range: SealedRange,
        if_match: Option<&SealedETag>,
    ) -> Result<Response<Incoming>, SiteError> {
        let range = range_header(range).ok_or_else(|| SiteError::from_answer(&self.name, 416, b""))?;
        let if_match = if_match.map(SealedETag::quoted);
        let mut signed = [("", ""); 2];
        let mut count = 0;
        for (name, value) in [("if-match", if_match.as_deref()), ("range", range.as_deref())] {
            if let Some(value) = value {
                signed[count] = (name, value);
                count += 1;
            }
        }
        let before = &signed[..count];
        let plan = Plan {
            method: Method::GET,
            path: self.path(at),
            query: version.map(path::version_query).unwrap_or_default(),
            before,
            after: &[],
            payload: UNSIGNED,
        };
        let response = self.ask(&plan, None).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// An idempotent request with a body in memory, if any: tried once more when a pooled connection turns out to be dead.
    pub(super) async fn ask(&self, plan: &Plan<'_>, body: Option<Bytes>) -> Result<Response<Incoming>, SiteError> {
        self.ask_as(plan, body, true).await
    }

    /// The same without a signature.
    pub(super) async fn ask_unsigned(
        &self,
        plan: &Plan<'_>,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, SiteError> {
        self.ask_as(plan, body, false).await
    }

    async fn ask_as(
        &self,
        plan: &Plan<'_>,
        body: Option<Bytes>,
        signed: bool,
    ) -> Result<Response<Incoming>, SiteError> {
        let mut retried = false;
        loop {
            let mut request = match &body {
                Some(body) => self.request(plan, true, OutBody::Full(body.clone()))?,
                None => self.request(plan, false, OutBody::Empty)?,
            };
            if !signed {
                [AUTHORIZATION, DATE, CONTENT_SHA256].iter().for_each(|name| drop(request.headers_mut().remove(name)));
            }
            match tokio::time::timeout(self.stall, self.pool.request(request)).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if error.is_connect() || retried => return Err(self.unreachable(chain(&error))),
                Ok(Err(_)) => retried = true,
                Err(_) => return Err(self.unreachable("no answer in time")),
            }
        }
    }

    /// PUT of an object from either kind of body.
    pub(super) async fn put_object(
        &self,
        at: &Location,
        headers: &ObjectHeaders,
        condition: &WriteCondition,
        length: u64,
        body: OutBody,
        watch: Option<Arc<FeedWatch>>,
    ) -> Result<Written, SiteError> {
        let etag = match condition {
            WriteCondition::IfMatch(etag) => self.if_match(etag),
            _ => String::new(),
        };
        let condition = match condition {
            WriteCondition::Always => None,
            WriteCondition::IfAbsent => Some(("if-none-match", "*")),
            WriteCondition::IfMatch(_) => Some(("if-match", etag.as_str())),
        };
        let metadata = headers.metadata.as_deref().map(|value| (METADATA_HEADER, value));
        let kept = headers.kept.iter().map(|(name, value)| (*name, value.as_str()));
        let clear = headers.clear.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let framing = Framing::of(&body, length);
        let framed = framing.iter().flat_map(Framing::headers);
        let lock = self.lock_headers(&at.bucket, headers.lock).await?;
        let mut all: Vec<Header<'_>> =
            condition.into_iter().chain(metadata).chain(kept).chain(clear).chain(framed).collect();
        for (name, value) in lock.iter().flatten() {
            all.push((name, value.as_str()));
        }
        all.sort_unstable();
        let (before, after) = around_content_hash(&all);
        let payload = framing.as_ref().map_or(UNSIGNED, |_| TRAILED);
        let plan = Plan { method: Method::PUT, path: self.path(at), query: String::new(), before, after, payload };
        self.write(plan, length, body, watch).await
    }

    /// PUT of bytes in memory with one header of the caller's, for the probe. The name must sort between `host`
    /// and `x-amz-content-sha256`.
    pub(super) async fn put_with(
        &self,
        at: &Location,
        header: (&'static str, &str),
        bytes: Bytes,
    ) -> Result<Written, SiteError> {
        let plan = Plan {
            method: Method::PUT,
            path: self.path(at),
            query: String::new(),
            before: &[header],
            after: &[],
            payload: UNSIGNED,
        };
        self.write(plan, bytes.len() as u64, OutBody::Full(bytes), None).await
    }

    /// The value of `If-Match` on a write, in the form that this backend understands.
    pub(super) fn if_match(&self, etag: &SealedETag) -> String {
        if self.quirks.if_match_unquoted() { etag.as_str().to_owned() } else { etag.quoted() }
    }

    /// Sends a body of exactly `length` bytes. Never replayed once its first byte may have left.
    async fn write(
        &self,
        plan: Plan<'_>,
        length: u64,
        body: OutBody,
        watch: Option<Arc<FeedWatch>>,
    ) -> Result<Written, SiteError> {
        // Whatever way this function is left but by success, the body is broken off.
        let guard = watch.clone().map(BreakOnDrop::new);
        let request = self.request(&plan, true, body)?;
        let response = self.await_answer(request, watch.as_deref()).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        if watch.is_some_and(|watch| watch.phase() != Phase::Sent) {
            return Err(self.nonsense("success before the body was complete"));
        }
        guard.into_iter().for_each(BreakOnDrop::disarm);
        self.observer.bytes(&self.name, length, 0);
        let headers = response.headers();
        let expiration = text(headers, "x-amz-expiration").map(str::to_owned);
        Ok(Written { etag: self.etag(headers)?, version_id: version_id(headers), expiration })
    }

    /// Waits for the response head for as long as the site keeps taking the body.
    async fn await_answer(
        &self,
        request: Request<OutBody>,
        watch: Option<&FeedWatch>,
    ) -> Result<Response<Incoming>, SiteError> {
        let mut answer = std::pin::pin!(self.pool.request(request));
        let mut wait = self.stall;
        loop {
            match tokio::time::timeout(wait, answer.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(_)) if watch.is_some_and(|watch| watch.phase() == Phase::Aborted) => {
                    return Err(SiteError::Aborted);
                }
                Ok(Err(error)) => return Err(self.unreachable(chain(&error))),
                Err(_) => {
                    let silence = watch.map_or(self.stall, FeedWatch::silence);
                    wait = self.stall.saturating_sub(silence).max(Duration::from_millis(1));
                    if silence >= self.stall {
                        return Err(self.unreachable("no answer in time, or the body is not being taken"));
                    }
                }
            }
        }
    }

    fn request(&self, plan: &Plan<'_>, has_body: bool, body: OutBody) -> Result<Request<OutBody>, SiteError> {
        let signed = self.signer.sign(
            &ToSign {
                method: plan.method.as_str(),
                path: &plan.path,
                query: &plan.query,
                host: self.origin.host(),
                before: plan.before,
                after: plan.after,
                payload: plan.payload,
            },
            clock::now(),
        );
        let mut headers = HeaderMap::with_capacity(10);
        headers.insert(HOST, self.origin.host.clone());
        if has_body {
            let length = body.size_hint().exact().ok_or_else(|| self.nonsense("a body of no known length"))?;
            headers.insert(CONTENT_LENGTH, length.into());
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        headers.insert(CONTENT_SHA256, self.header(plan.payload.to_owned())?);
        headers.insert(DATE, self.header(signed.date)?);
        headers.insert(AUTHORIZATION, self.header(signed.authorization)?);
        for (name, value) in plan.before.iter().chain(plan.after) {
            let name = HeaderName::try_from(*name).map_err(|_| self.nonsense("a name that no header can have"))?;
            headers.insert(name, self.header((*value).to_owned())?);
        }
        let target = if plan.query.is_empty() {
            PathAndQuery::try_from(plan.path.as_str())
        } else {
            PathAndQuery::try_from(format!("{}?{}", plan.path, plan.query))
        };
        let uri = target.ok().and_then(|target| self.origin.uri(target));
        let mut request = Request::new(body);
        *request.method_mut() = plan.method.clone();
        *request.uri_mut() = uri.ok_or_else(|| self.nonsense("a key that no URI can carry"))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn header(&self, value: String) -> Result<HeaderValue, SiteError> {
        HeaderValue::from_maybe_shared(Bytes::from(value))
            .map_err(|_| self.nonsense("a value that no header can carry"))
    }

    pub(super) async fn refusal(&self, response: Response<Incoming>) -> SiteError {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        if text(&head.headers, sdk::DELETE_MARKER) == Some("true") && matches!(status, 404 | 405) {
            let version_id = text(&head.headers, sdk::VERSION_ID).map(str::to_owned);
            return SiteError::DeleteMarker { site: self.name.clone(), status, version_id };
        }
        let body = error_body(self, body).await;
        SiteError::from_answer(&self.name, head.status.as_u16(), &body)
    }

    fn etag(&self, headers: &HeaderMap) -> Result<SealedETag, SiteError> {
        let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
        etag.map(SealedETag::from_backend).ok_or_else(|| self.nonsense("an answer without an ETag"))
    }
}

/// Sorted headers in the two groups in which they are signed.
pub(super) fn around_content_hash<'a, 'v>(headers: &'a [Header<'v>]) -> (&'a [Header<'v>], &'a [Header<'v>]) {
    headers.split_at(headers.partition_point(|(name, _)| *name < CONTENT_SHA256.as_str()))
}

/// The value of `Range`; the outer `None` for one that can select nothing.
fn range_header(range: SealedRange) -> Option<Option<String>> {
    match range {
        SealedRange::Whole => Some(None),
        SealedRange::Span { length: 0, .. } | SealedRange::Last(0) => None,
        SealedRange::Span { start, length } => {
            // Some servers refuse a last byte beyond 63 bits instead of cutting it off.
            let last = start.saturating_add(length - 1).min(i64::MAX as u64);
            Some(Some(format!("bytes={start}-{last}")))
        }
        SealedRange::Last(length) => Some(Some(format!("bytes=-{length}"))),
    }
}

/// True when an answer of all `length` bytes is what `range` asked for.
fn covers(range: SealedRange, length: u64) -> bool {
    match range {
        SealedRange::Whole => true,
        SealedRange::Span { start, length: asked } => start == 0 && asked >= length,
        SealedRange::Last(asked) => asked >= length,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn told(headers: &HeaderMap) -> ToldHeaders {
    TOLD.iter().filter_map(|name| Some((*name, headers.get(*name)?.clone()))).collect()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name.as_str())?.parse().ok()
}

/// `total` of `Content-Range: bytes first-last/total`.
fn total_of_range(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_RANGE.as_str())?.rsplit_once('/')?.1.parse().ok()
}

/// A version id; `null` is what an object has that was written while its bucket's versioning was suspended.
fn version_id(headers: &HeaderMap) -> Option<String> {
    text(headers, sdk::VERSION_ID).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
fn last_modified(headers: &HeaderMap) -> Option<OffsetDateTime> {
    const FORM: &[time::format_description::FormatItem<'_>] = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let text = text(headers, LAST_MODIFIED.as_str())?;
    time::PrimitiveDateTime::parse(text, FORM).ok().map(time::PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive_and_empty_ones_are_refused() {
        assert_eq!(range_header(SealedRange::Whole), Some(None));
        assert_eq!(range_header(SealedRange::Span { start: 5, length: 10 }), Some(Some("bytes=5-14".into())));
        assert_eq!(range_header(SealedRange::Last(7)), Some(Some("bytes=-7".into())));
        assert_eq!(range_header(SealedRange::Span { start: 5, length: 0 }), None);
        assert_eq!(range_header(SealedRange::Last(0)), None);
        let end = format!("bytes=1-{}", i64::MAX);
        assert_eq!(range_header(SealedRange::Span { start: 1, length: u64::MAX }), Some(Some(end)));
    }

    #[test]
    fn a_full_answer_to_a_range_is_accepted_only_when_it_is_the_same_bytes() {
        assert!(covers(SealedRange::Last(10), 10) && covers(SealedRange::Last(11), 10));
        assert!(!covers(SealedRange::Last(9), 10));
        assert!(covers(SealedRange::Span { start: 0, length: 10 }, 10));
        assert!(!covers(SealedRange::Span { start: 1, length: 10 }, 10));
    }

    #[test]
    fn response_headers_are_read_or_left_out() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, HeaderValue::from_static("bytes 0-1/77"));
        headers.insert(LAST_MODIFIED, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        headers.insert(sdk::VERSION_ID, HeaderValue::from_static("null"));
        assert_eq!(total_of_range(&headers), Some(77));
        assert_eq!(last_modified(&headers), Some(time::macros::datetime!(1994-11-06 08:49:37 UTC)));
        assert_eq!(version_id(&headers).as_deref(), Some("null"));
        headers.insert(CONTENT_RANGE, HeaderValue::from_static("bytes 0-1/*"));
        assert_eq!(total_of_range(&headers), None);
    }
}

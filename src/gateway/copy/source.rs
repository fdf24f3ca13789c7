//! The source of CopyObject and UploadPartCopy: may the client read it, do the conditions hold, and its plaintext.
use crate::audit::RequestContext;
use crate::authz::Permit;
use crate::gateway::Gateway;
use crate::gateway::conditions::{Conditions, Verdict};
use crate::gateway::customer::Brought;
use crate::gateway::get::{ATTEMPTS, busy};
use crate::gateway::open::{
    Candidates, Opened, PlainStream, has_changed, open_at, open_unsealed, open_version_at, read_span,
};
use crate::gateway::put::MAX_PUT;
use crate::gateway::respond::{GatewayError, not_implemented};
use crate::gateway::terms::{check_transport, is_secure};
use crate::s3::{BucketName, ByteRange, ObjectKey, Operation, PlainLen, PlainSpan};
use crate::site::{Location, Site};
use bytes::Bytes;
use futures_util::Stream;
use s3s::dto::CopySource;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// What of the source is asked for.
pub(in crate::gateway) struct Asked {
    pub(in crate::gateway) at: Location,
    /// The current one when none is named.
    pub(in crate::gateway) version: Option<String>,
    pub(in crate::gateway) conditions: Conditions,
    /// First and last byte; all when none is given.
    pub(in crate::gateway) range: Option<(u64, u64)>,
    /// The client's own key for it.
    pub(in crate::gateway) brought: Option<Brought>,
}

/// One version of the source, being read.
pub(in crate::gateway) struct Source {
    pub(in crate::gateway) opened: Arc<Opened>,
    pub(in crate::gateway) span: PlainSpan,
    pub(in crate::gateway) body: SourceBody,
    pub(in crate::gateway) fault: Fault,
}

/// What was found: a version that need not be read, or one being read.
pub(in crate::gateway) enum Found {
    Unread(Arc<Opened>),
    Read(Box<Source>),
}

/// Plaintext on its way into another object.
pub(in crate::gateway) struct SourceBody {
    stream: PlainStream,
    fault: Fault,
}

/// Why the source broke off: it would lose its S3 code on its way through the other object's body.
#[derive(Clone, Default)]
pub(in crate::gateway) struct Fault(Arc<Mutex<Option<GatewayError>>>);

/// The source that a request names and its version, when this client may read it.
pub(in crate::gateway) fn locate(
    gateway: &Gateway,
    permit: &Permit,
    source: &CopySource,
    context: Option<&RequestContext>,
) -> S3Result<(Location, Option<String>)> {
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(not_implemented("Copying from an access point"));
    };
    let invalid = || {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        S3Error::with_message(S3ErrorCode::InvalidArgument, message)
    };
    let bucket = BucketName::parse(bucket).map_err(|_| invalid())?;
    let key = ObjectKey::parse(key).map_err(|_| invalid())?;
    let allowed = gateway.authorizer.permit(permit.principal(), Operation::GetObject, Some(&bucket), Some(&key));
    allowed.map_err(|_| S3Error::new(S3ErrorCode::AccessDenied))?;
    check_transport(&gateway.rules, is_secure(context), Some(&bucket), Some(&key))?;
    let version = version_id.as_deref().filter(|version| !version.is_empty()).map(str::to_owned);
    Ok((Location { bucket, key }, version))
}

/// `bytes=first-last`, and nothing else
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>).
pub(in crate::gateway) fn parse_range(text: &str) -> S3Result<(u64, u64)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let ends = text.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let range = ends.and_then(|(first, last)| Some((number(first)?, number(last)?)));
    range.filter(|(first, last)| first <= last).ok_or_else(|| {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
        S3Error::with_message(S3ErrorCode::InvalidArgument, message)
    })
}

/// Opens the source at the first site that can; its first bytes are verified when this returns.
pub(in crate::gateway) async fn find(gateway: &Arc<Gateway>, asked: &Asked) -> Result<Source, GatewayError> {
    match find_unless(gateway, asked, |_| false).await? {
        Found::Read(source) => Ok(*source),
        Found::Unread(_) => Err(busy().into()),
    }
}

/// The same, but what `needs_no_reading` is only opened.
pub(super) async fn find_unless(
    gateway: &Arc<Gateway>,
    asked: &Asked,
    needs_no_reading: impl Fn(&Opened) -> bool,
) -> Result<Found, GatewayError> {
    let needs_no_reading = &needs_no_reading;
    for _ in 0..ATTEMPTS {
        let ask = |site: Site| async move { find_at(gateway, &site, asked, needs_no_reading).await };
        let found =
            match Candidates::of_object(gateway, &asked.at).of_version(asked.version.as_deref()).first(ask).await {
                Err(GatewayError::Unsealed) => find_unsealed(gateway, asked).await,
                found => return found,
            };
        match found {
            Err(error) if has_changed(&error) => {}
            found => return found,
        }
    }
    Err(busy().into())
}

async fn find_unsealed(gateway: &Arc<Gateway>, asked: &Asked) -> Result<Found, GatewayError> {
    let opened = open_unsealed(gateway, &asked.at, asked.version.as_deref()).await?;
    let span = asked.select(&opened)?;
    let stream = read_span(gateway, &asked.at, &opened, span, asked.brought.as_ref()).await?;
    Ok(Found::Read(Box::new(Source::new(opened, span, stream))))
}

async fn find_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    asked: &Asked,
    needs_no_reading: impl Fn(&Opened) -> bool,
) -> Result<Found, GatewayError> {
    for _ in 0..ATTEMPTS {
        let opened = match &asked.version {
            None => open_at(gateway, site, &asked.at, None).await?,
            Some(version) => open_version_at(gateway, site, &asked.at, version).await?,
        };
        let span = asked.select(&opened)?;
        if needs_no_reading(&opened) {
            return Ok(Found::Unread(opened));
        }
        match read_span(gateway, &asked.at, &opened, span, asked.brought.as_ref()).await {
            Ok(stream) => return Ok(Found::Read(Box::new(Source::new(opened, span, stream)))),
            Err(error) if has_changed(&error) => gateway.objects.forget(&asked.at),
            Err(error) => return Err(error),
        }
    }
    Err(busy().into())
}

// === impl Found ===

impl Found {
    /// The version.
    pub(super) fn opened(&self) -> &Arc<Opened> {
        match self {
            Self::Read(source) => &source.opened,
            Self::Unread(opened) => opened,
        }
    }
}

// === impl Source ===

impl Source {
    fn new(opened: Arc<Opened>, span: PlainSpan, stream: PlainStream) -> Self {
        let fault = Fault::default();
        let body = SourceBody { stream, fault: fault.clone() };
        Self { opened, span, body, fault }
    }
}

// === impl Asked ===

impl Asked {
    fn select(&self, opened: &Opened) -> S3Result<PlainSpan> {
        let brought = self.brought.as_ref().map(Brought::key);
        opened.object.check_customer_key(brought).map_err(GatewayError::from)?;
        if self.conditions.judge(&opened.object.etag(), opened.last_modified) != Verdict::Proceed {
            return Err(S3Error::new(S3ErrorCode::PreconditionFailed));
        }
        let total = opened.object.plain_len();
        let span = match self.range {
            None => PlainSpan::whole(total),
            Some((first, last)) => {
                let span = ByteRange::FromTo { first, last }.resolve(total).ok();
                span.filter(|_| last < total.0).ok_or_else(|| outside(total))?
            }
        };
        if span.len().0 > MAX_PUT {
            let message = format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {MAX_PUT}"
            );
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        Ok(span)
    }
}

// === impl Fault ===

impl Fault {
    /// The source's own failure where it was the reason, else `error`.
    pub(in crate::gateway) fn or(&self, error: GatewayError) -> GatewayError {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(error)
    }
}

// === impl SourceBody ===

impl Stream for SourceBody {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.stream).poll_next(cx).map(|item| {
            item.map(|result| {
                result.map_err(|error| {
                    let text = error.to_string();
                    *self.fault.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    text.into()
                })
            })
        })
    }
}

/// A range that the source does not have. AWS says `InvalidArgument` or `InvalidRequest` of it, Ceph, MinIO and the public tests of S3 what
/// it would be to a GET.
fn outside(total: PlainLen) -> S3Error {
    let message = format!("Range specified is not valid for source object of size: {total}");
    S3Error::with_message(S3ErrorCode::InvalidRange, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_range_has_two_ends_and_nothing_else() {
        assert_eq!(parse_range("bytes=0-0").ok(), Some((0, 0)));
        assert_eq!(parse_range("bytes=5-17").ok(), Some((5, 17)));
        let wrong = [
            "",
            "0-1",
            "bytes=",
            "bytes=-5",
            "bytes=5-",
            "bytes=2-1",
            "bytes=0-1,3-4",
            "bytes=0--1",
            "bytes=+0-1",
            "hello=0-1",
        ];
        for text in wrong {
            assert_eq!(
                parse_range(text).map_err(|error| error.code().clone()),
                Err(S3ErrorCode::InvalidArgument),
                "{text}"
            );
        }
    }
}

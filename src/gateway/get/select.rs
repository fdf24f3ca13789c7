//! What a GET or HEAD asks for, and what that is in one version of an object. PURE but for the index of parts.
use crate::gateway::Gateway;
use crate::gateway::conditions::{Conditions, Verdict, if_range_holds};
use crate::gateway::customer::Brought;
use crate::gateway::open::{Opened, layout, open_at, open_version_at};
use crate::gateway::respond::{GatewayError, not_implemented};
use crate::s3::{ByteRange, PlainSpan};
use crate::seal::ChecksumValue;
use crate::site::{Location, Site};
use s3s::dto::{Range, Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode};
use std::sync::Arc;

/// Which bytes were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Wanted {
    /// All of them.
    Whole,
    /// A range, unless `if_range` names another version.
    Range { range: ByteRange, if_range: Option<String> },
    /// One part of a multipart upload, by the number that it was sent under.
    Part(u32),
}

/// One read, parsed.
#[derive(Clone)]
pub(in crate::gateway) struct Question {
    pub wanted: Wanted,
    pub conditions: Conditions,
    pub version_id: Option<String>,
    /// The client's own key.
    pub brought: Option<Brought>,
}

/// Which bytes of one version answer it.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Selection {
    pub span: PlainSpan,
    /// True when the answer is a 206.
    pub partial: bool,
    /// For a read by part number: how many parts there are, and this one's checksum.
    pub part: Option<(u32, Option<ChecksumValue>)>,
}

// === impl Question ===

impl Question {
    /// From the parsed fields of a request.
    pub(in crate::gateway) fn new(
        range: Option<Range>,
        part_number: Option<i32>,
        if_range: Option<&http::HeaderValue>,
        conditions: Conditions,
        version_id: Option<String>,
    ) -> Result<Self, S3Error> {
        let wanted = match (range, part_number) {
            (Some(_), Some(_)) => {
                let message = "Cannot specify both Range header and partNumber query parameter";
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
            (None, None) => Wanted::Whole,
            (Some(range), None) => Wanted::Range {
                range: byte_range(range),
                // a value that is no text names no version of ours
                if_range: if_range.map(|value| value.to_str().unwrap_or_default().to_owned()),
            },
            (None, Some(number)) => match u32::try_from(number) {
                Ok(number @ 1..=10_000) => Wanted::Part(number),
                _ => {
                    let message = "Part number must be an integer between 1 and 10000, inclusive";
                    return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
                }
            },
        };
        Ok(Self { wanted, conditions, version_id, brought: None })
    }

    /// True when the current version as a whole answers it, whatever that version is: nothing was asked about it but
    /// its bytes from the first to the last (`bytes=0-` is how many players and browsers say so).
    pub(in crate::gateway) fn is_plain(&self) -> bool {
        let all = match &self.wanted {
            Wanted::Whole => true,
            Wanted::Range { range, if_range } => *range == ByteRange::From { first: 0 } && if_range.is_none(),
            Wanted::Part(_) => false,
        };
        all && self.conditions.is_empty() && self.version_id.is_none()
    }

    /// Opens the version that it is about.
    pub(in crate::gateway) async fn open_at(
        &self,
        gateway: &Arc<Gateway>,
        site: &Site,
        at: &Location,
    ) -> Result<Arc<Opened>, GatewayError> {
        match &self.version_id {
            None => open_at(gateway, site, at, None).await,
            Some(version) => open_version_at(gateway, site, at, version).await,
        }
    }

    /// Whether the client's own key, or none, is the one for `opened`. Nothing of an object is told without.
    pub(in crate::gateway) fn check_customer_key(&self, opened: &Opened) -> Result<(), GatewayError> {
        Ok(opened.object.check_customer_key(self.brought.as_ref().map(Brought::key))?)
    }

    /// What it selects in `opened`, or the S3 error that answers it.
    pub(in crate::gateway) async fn select(
        &self,
        gateway: &Arc<Gateway>,
        at: &Location,
        opened: &Arc<Opened>,
    ) -> Result<Selection, GatewayError> {
        self.check_customer_key(opened)?;
        let etag = opened.object.etag();
        match self.conditions.judge(&etag, opened.last_modified) {
            Verdict::Proceed => {}
            Verdict::NotModified => return Err(not_modified(opened).into()),
            Verdict::Failed => return Err(S3Error::new(S3ErrorCode::PreconditionFailed).into()),
        }
        let total = opened.object.plain_len();
        let whole = Selection { span: PlainSpan::whole(total), partial: false, part: None };
        match &self.wanted {
            Wanted::Whole => Ok(whole),
            Wanted::Range { if_range: Some(value), .. } if !if_range_holds(value, &etag, opened.last_modified) => {
                Ok(whole)
            }
            Wanted::Range { range, .. } => match range.resolve(total) {
                Ok(span) => Ok(Selection { span, partial: true, part: None }),
                Err(_) => Err(unsatisfiable(total.0).into()),
            },
            Wanted::Part(number) => part(gateway, at, opened, *number, whole).await,
        }
    }
}

async fn part(
    gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
    number: u32,
    whole: Selection,
) -> Result<Selection, GatewayError> {
    if !opened.object.is_multipart() {
        // S3 treats an object that was put whole as its own first part
        return if number == 1 {
            Ok(Selection { partial: !whole.span.is_empty(), ..whole })
        } else {
            Err(no_part().into())
        };
    }
    if opened.object.sealed().is_none() {
        // Where its parts end, only the site knows.
        return Err(not_implemented("Reading a part of an object that is not sealed yet").into());
    }
    let layout = layout(gateway, at, opened).await?;
    // A part keeps the number that it was sent under, also when others were left out.
    let found = layout.parts().iter().zip(1..).find(|(part, _)| u32::from(part.part_number) == number);
    let (part, place) = found.ok_or_else(no_part)?;
    let span = layout.part_span(place).ok_or_else(no_part)?;
    Ok(Selection { span, partial: !span.is_empty(), part: Some((opened.object.part_count(), part.checksum)) })
}

fn byte_range(range: Range) -> ByteRange {
    match range {
        Range::Int { first, last: Some(last) } => ByteRange::FromTo { first, last },
        Range::Int { first, last: None } => ByteRange::From { first },
        Range::Suffix { length } => ByteRange::Suffix { length },
    }
}

fn no_part() -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::Custom("InvalidPartNumber".into()),
        "The requested partnumber is not satisfiable",
    );
    error.set_status_code(http::StatusCode::RANGE_NOT_SATISFIABLE);
    error
}

/// 416 with the length that the client did not know (RFC 9110 section 15.5.17).
fn unsatisfiable(total: u64) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::InvalidRange);
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    if let Ok(value) = http::HeaderValue::from_str(&format!("bytes */{total}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

/// 304 with the validators that a 200 would have had (RFC 9110 section 15.4.5).
fn not_modified(opened: &Opened) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_str(&opened.object.etag().quoted()) {
        headers.insert(http::header::ETAG, value);
    }
    let mut date = Vec::new();
    if Timestamp::from(opened.last_modified).format(TimestampFormat::HttpDate, &mut date).is_ok()
        && let Ok(value) = http::HeaderValue::from_bytes(&date)
    {
        headers.insert(http::header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error
}

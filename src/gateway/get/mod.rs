//! GetObject: whole, ranges, parts, conditions; from the first site that can.
use super::Gateway;
use super::conditions::Conditions;
use super::customer::Brought;
use super::open::{Candidates, Opened, PlainStream, has_changed, open_unsealed, read_span, whole_at};
use super::replication;
use super::request;
use super::respond::GatewayError;
use crate::s3::Operation;
use crate::site::{Location, Site};
use s3s::dto::{GetObjectInput, GetObjectOutput, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) mod answer;
mod blob;
pub(super) mod lenient;
pub(super) mod select;

pub(super) use super::head::head_object;
use select::{Question, Selection};

/// How often a read starts over because the object was overwritten meanwhile.
pub(super) const ATTEMPTS: usize = 4;

/// One version, what of it was asked for, and its plaintext.
type Found = (Arc<Opened>, Selection, PlainStream);

pub(super) async fn get_object(
    gateway: &Arc<Gateway>,
    req: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    let brought = Brought::of(&req.headers, context.as_ref())?;
    let conditions = Conditions {
        if_match: input.if_match.clone(),
        if_none_match: input.if_none_match.clone(),
        if_modified_since: input.if_modified_since.clone(),
        if_unmodified_since: input.if_unmodified_since.clone(),
    };
    let if_range = req.headers.get(http::header::IF_RANGE);
    let question = Question::new(input.range, input.part_number, if_range, conditions, input.version_id.clone())?;
    let question = Question { brought, ..question };

    let (opened, selection, stream) = find(gateway, &at, &question).await?;
    request::may_read(gateway, &permit, &opened)?;
    request::note_object(gateway, context.as_ref(), &at, &opened);
    let mut output =
        answer::describe(gateway, &opened, &selection, &question, asks_checksum(input.checksum_mode.as_ref()));
    output.replication_status = replication::status(gateway, &at).await;
    output.body = Some(body(stream.booked(Operation::GetObject, context), selection.span.len().0));
    Ok(S3Response::with_headers(output, answer::extra_headers(gateway, &opened)))
}

/// `x-amz-checksum-mode: ENABLED`.
pub(super) fn asks_checksum(mode: Option<&s3s::dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == s3s::dto::ChecksumMode::ENABLED)
}

/// The object was overwritten again and again while it was read.
pub(super) fn busy() -> S3Error {
    S3Error::with_message(S3ErrorCode::SlowDown, "the object is being overwritten; please try again")
}

/// Asks one site after the other.
async fn find(gateway: &Arc<Gateway>, at: &Location, question: &Question) -> Result<Found, GatewayError> {
    for _ in 0..ATTEMPTS {
        let ask = |site: Site| async move { find_at(gateway, &site, at, question).await };
        let found = match Candidates::of_object(gateway, at).of_version(question.version_id.as_deref()).first(ask).await
        {
            Err(GatewayError::Unsealed) => find_unsealed(gateway, at, question).await,
            found => return found,
        };
        match found {
            Err(error) if has_changed(&error) => {}
            found => return found,
        }
    }
    Err(busy().into())
}

async fn find_unsealed(gateway: &Arc<Gateway>, at: &Location, question: &Question) -> Result<Found, GatewayError> {
    let opened = open_unsealed(gateway, at, question.version_id.as_deref()).await?;
    let selection = question.select(gateway, at, &opened).await?;
    let stream = read_span(gateway, at, &opened, selection.span, question.brought.as_ref()).await?;
    Ok((opened, selection, stream))
}

async fn find_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    question: &Question,
) -> Result<Found, GatewayError> {
    for _ in 0..ATTEMPTS {
        let result = if question.is_plain() {
            find_whole(gateway, site, at, question).await
        } else {
            find_selected(gateway, site, at, question).await
        };
        match result {
            Err(error) if has_changed(&error) => gateway.objects.forget(at),
            result => return result,
        }
    }
    Err(busy().into())
}

async fn find_whole(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    question: &Question,
) -> Result<Found, GatewayError> {
    let (opened, stream) = whole_at(gateway, site, at, question.brought.as_ref()).await?;
    let selection = question.select(gateway, at, &opened).await?;
    Ok((opened, selection, stream))
}

/// With a cached trailer one request is enough: it is pinned, so that its success proves the cache right. Any other
/// answer than bytes (304, 412, 416) is given only of a trailer that was fetched for this request.
async fn find_selected(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    question: &Question,
) -> Result<Found, GatewayError> {
    if question.version_id.is_none()
        && let Some(opened) = gateway.objects.last(&gateway.keyring, at, site)
        && !opened.metadata_missing
        && let Ok(selection) = question.select(gateway, at, &opened).await
        && !selection.span.is_empty()
    {
        let stream = read_span(gateway, at, &opened, selection.span, question.brought.as_ref()).await?;
        gateway.metrics.trailer_cache(true);
        return Ok((opened, selection, stream));
    }
    let opened = question.open_at(gateway, site, at).await?;
    let selection = question.select(gateway, at, &opened).await?;
    let stream = read_span(gateway, at, &opened, selection.span, question.brought.as_ref()).await?;
    Ok((opened, selection, stream))
}

fn body(mut stream: PlainStream, length: u64) -> StreamingBlob {
    match stream.take_all() {
        Some(bytes) => StreamingBlob::from_bytes(bytes),
        None => StreamingBlob::new(blob::PlainBlob::new(stream, length)),
    }
}

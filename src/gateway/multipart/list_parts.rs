//! ListParts: plain sizes, plain ETags, from the state alone.
use super::session::{Session, check_reader, storage_class};
use crate::gateway::Gateway;
use crate::gateway::checksum::{algorithm_name, set_checksum, type_name};
use crate::gateway::list::owner;
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::s3::PlainETag;
use crate::state;
use s3s::dto::{self, Initiator, ListPartsInput, ListPartsOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// S3's limit on one page.
pub(super) const MAX_PAGE: u32 = 1000;

pub(in crate::gateway) async fn list_parts(
    gateway: &Arc<Gateway>,
    req: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let input = req.input;
    let limit = page_size(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or(0);
    if marker < 0 {
        return Err(not_negative("part-number-marker"));
    }
    let session = Session::find(gateway, &at, &input.upload_id).await?;
    check_reader(gateway, &permit, &session.upload).await?;
    let after = u16::try_from(marker).unwrap_or(u16::MAX);
    let mut parts = gateway.state.parts(&input.upload_id, after, limit + 1).await.map_err(GatewayError::from)?;
    let is_truncated = limit > 0 && parts.len() > limit as usize;
    parts.truncate(limit as usize);
    let next = parts.last().map_or(0, |part| i32::from(part.part_number));
    let shown = parts.iter().map(|part| show(&session, part)).collect::<Result<Vec<_>, _>>()?;
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(at.bucket.as_str().to_owned()),
        key: Some(at.key.as_str().to_owned()),
        checksum_algorithm: session.checksum.map(|(algorithm, _)| algorithm_name(algorithm).to_owned().into()),
        checksum_type: session.checksum.map(|(_, kind)| type_name(kind).to_owned().into()),
        initiator: Some(initiator(&session.upload)),
        is_truncated: Some(is_truncated),
        max_parts: i32::try_from(limit).ok(),
        next_part_number_marker: Some(next),
        owner: Some(owner(gateway)),
        part_number_marker: Some(marker),
        parts: Some(shown),
        storage_class: Some(storage_class(&session.upload)),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    }))
}

/// Who started an upload.
pub(super) fn initiator(upload: &state::Upload) -> Initiator {
    Initiator { id: Some(upload.initiator.clone()), display_name: Some(upload.initiator.clone()) }
}

/// How many entries a page may have.
pub(super) fn page_size(asked: Option<i32>, what: &str) -> S3Result<u32> {
    match asked {
        None => Ok(MAX_PAGE),
        Some(asked) => u32::try_from(asked).map(|asked| asked.min(MAX_PAGE)).map_err(|_| not_negative(what)),
    }
}

/// Seconds since the epoch as S3 writes them.
pub(super) fn timestamp(seconds: i64) -> Option<dto::Timestamp> {
    time::OffsetDateTime::from_unix_timestamp(seconds).ok().map(Into::into)
}

fn not_negative(what: &str) -> S3Error {
    let message = format!("Argument {what} must be an integer between 0 and 2147483647");
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

fn show(session: &Session, part: &state::Part) -> Result<dto::Part, GatewayError> {
    let entry = session.sealer.open_part_record(part.part_number, &part.record)?;
    let mut shown = dto::Part {
        e_tag: Some(dto::ETag::Strong(PlainETag::from_md5(entry.md5).as_str().to_owned())),
        last_modified: timestamp(part.written_at),
        part_number: Some(i32::from(part.part_number)),
        size: i64::try_from(part.plain_len.0).ok(),
        ..dto::Part::default()
    };
    set_checksum!(shown, entry.checksum.as_ref());
    Ok(shown)
}

//! UploadPart and UploadPartCopy: one sealed message each.
use super::session::Session;
use super::{LAST_PART, staging};
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::checksum::{Declared, set_checksum};
use crate::gateway::ingest::{Ingest, declared_length};
use crate::gateway::put::{note_write, now};
use crate::gateway::request;
use crate::gateway::respond::{GatewayError, not_implemented};
use crate::gateway::source::{Source, conditions};
use crate::s3::{ByteRange, Operation, PlainLen, PlainSpan};
use crate::seal::{MIN_PART, PartEntry, message_len};
use crate::state::Part;
use bytes::Bytes;
use futures_util::Stream;
use s3s::dto::{
    CopyPartResult, ETag, ServerSideEncryption, Timestamp, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError, TrailingHeaders};
use std::sync::Arc;
use std::time::SystemTime;

/// What a backend takes as one part.
const BACKEND_PART: u64 = 5 * 1024 * 1024 * 1024;

/// A part on its way in, whoever sends it.
struct NewPart<B> {
    number: u16,
    body: B,
    length: PlainLen,
    declared: Declared,
    trailers: Option<TrailingHeaders>,
}

pub(in crate::gateway) async fn upload_part(
    gateway: &Arc<Gateway>,
    mut req: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    let declared = Declared::from_headers(&req.headers)?;
    refuse_customer_key(req.input.sse_customer_algorithm.is_some() || req.input.sse_customer_key.is_some())?;
    let number = part_number(req.input.part_number)?;
    let length = declared_length(req.input.content_length)?;
    let _shared = gateway.uploads.shared(&req.input.upload_id).await;
    let session = Session::find(gateway, at, &req.input.upload_id).await?;
    let declared = declared.also(session.algorithm()?)?;
    let body = req.input.body.take().ok_or_else(|| S3Error::new(S3ErrorCode::IncompleteBody))?;
    let part = NewPart { number, body, length, declared, trailers: req.trailing_headers.clone() };
    let entry = store(gateway, &session, part, Operation::UploadPart, context.as_ref()).await?;
    let mut output = UploadPartOutput {
        e_tag: Some(ETag::Strong(hex::encode(entry.md5))),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        ..UploadPartOutput::default()
    };
    set_checksum!(output, entry.checksum.as_ref());
    Ok(S3Response::new(output))
}

pub(in crate::gateway) async fn upload_part_copy(
    gateway: &Arc<Gateway>,
    req: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    refuse_customer_key(input.sse_customer_algorithm.is_some() || input.copy_source_sse_customer_algorithm.is_some())?;
    let number = part_number(input.part_number)?;
    let _shared = gateway.uploads.shared(&input.upload_id).await;
    let session = Session::find(gateway, at, &input.upload_id).await?;
    let source = Source::open(gateway, &permit, &input.copy_source, &conditions!(input)).await?;
    let span = copy_span(input.copy_source_range.as_deref(), source.opened.object.plain_len())?;
    request::note(context.as_ref(), |facts| {
        facts.also.push((Operation::UploadPartCopy, source.at.bucket.to_string(), source.at.key.to_string()));
    });
    let part = NewPart {
        number,
        body: source.read(gateway, span).await?,
        length: span.len(),
        declared: Declared::default().also(session.algorithm()?)?,
        trailers: None,
    };
    let entry = store(gateway, &session, part, Operation::UploadPartCopy, context.as_ref()).await?;
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(hex::encode(entry.md5))),
        last_modified: Some(Timestamp::from(SystemTime::from(crate::clock::now()))),
        ..CopyPartResult::default()
    };
    set_checksum!(result, entry.checksum.as_ref());
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        ..UploadPartCopyOutput::default()
    }))
}

/// Seals one part and stores it: as a part at every site, or staged when it is too small for that.
async fn store<B>(
    gateway: &Arc<Gateway>,
    session: &Session,
    part: NewPart<B>,
    operation: Operation,
    context: Option<&RequestContext>,
) -> Result<PartEntry, GatewayError>
where
    B: Stream<Item = Result<Bytes, StdError>> + Unpin,
{
    let sealed = message_len(part.length);
    if sealed.0 > BACKEND_PART {
        return Err(S3Error::new(S3ErrorCode::EntityTooLarge).into());
    }
    let staged = if part.length.0 < MIN_PART { Some(staging::name(gateway, session, part.number)?) } else { None };
    let mut write = match &staged {
        Some(at) => gateway.tee.put(at, sealed.0, None, crate::site::WriteCondition::Always, session.mode()),
        None => gateway.tee.part(&session.at, &session.sites(), part.number, sealed.0, session.mode()),
    };
    let ingest = Ingest {
        gateway,
        sealer: &session.sealer,
        body: part.body,
        length: part.length,
        declared: &part.declared,
        trailers: part.trailers.as_ref(),
    };
    let ingested = ingest.run(part.number, &mut write).await?;
    let committed = write.commit(ingested.rest.freeze()).await?;
    if staged.is_none() {
        for site in &committed.pending {
            // It lacks this part, so it cannot complete; what it misses is recorded at Complete.
            gateway.state.drop_upload_site(&session.upload.id, &site.0).await?;
        }
    }
    let etags = if staged.is_some() {
        Vec::new()
    } else {
        committed.written.iter().map(|(site, etag)| (site.to_string(), etag.clone())).collect()
    };
    let record = session.sealer.seal_part_record(part.number, &ingested.entry, gateway.entropy.as_ref())?;
    let row = Part {
        part_number: part.number,
        record,
        plain_len: part.length,
        etags,
        staged_key: staged.map(|at| at.key.to_string()),
        written_at: i64::try_from(now()).unwrap_or(0),
    };
    let replaced = gateway.state.put_part(&session.upload.id, &row).await?;
    staging::remove(gateway, session, replaced).await;
    gateway.metrics.moved(operation, part.length.0, sealed.0);
    note_write(context, &session.plan, &session.sealer, &committed, part.length, sealed.0);
    Ok(ingested.entry)
}

fn part_number(number: i32) -> S3Result<u16> {
    let number = u16::try_from(number).ok().filter(|number| (1..=LAST_PART).contains(number));
    number.ok_or_else(|| {
        let message =
            "Part number must be an integer between 1 and 9999, inclusive: one more is kept for the sealed footer.";
        S3Error::with_message(S3ErrorCode::InvalidArgument, message)
    })
}

fn refuse_customer_key(asked: bool) -> S3Result<()> {
    if asked { Err(not_implemented("Server-side encryption with customer-provided keys (SSE-C)")) } else { Ok(()) }
}

/// `bytes=first-last`, both given, inside the source; or all of it.
fn copy_span(range: Option<&str>, total: PlainLen) -> S3Result<PlainSpan> {
    let Some(range) = range else { return Ok(PlainSpan::whole(total)) };
    let parsed = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let parsed = parsed.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let Some((first, last)) = parsed.filter(|(first, last)| first <= last) else {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    };
    if last >= total.0 {
        let message = format!("Range specified is not valid for source object of size: {total}");
        return Err(S3Error::with_message(S3ErrorCode::InvalidRange, message));
    }
    ByteRange::FromTo { first, last }.resolve(total).map_err(|_| S3Error::new(S3ErrorCode::InvalidRange))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers_leave_room_for_the_footer() {
        assert_eq!(part_number(1).ok(), Some(1));
        assert_eq!(part_number(9_999).ok(), Some(9_999));
        for bad in [0, -1, 10_000, i32::MAX] {
            assert!(part_number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_copied_range_must_lie_inside_the_source() {
        let span = |range| {
            copy_span(range, PlainLen(10)).map(|span| (span.start, span.end)).map_err(|e| e.code().as_str().to_owned())
        };
        assert_eq!(span(None), Ok((0, 10)));
        assert_eq!(span(Some("bytes=2-9")), Ok((2, 10)));
        assert_eq!(span(Some("bytes=2-10")), Err("InvalidRange".to_owned()));
        for bad in ["bytes=2-", "bytes=-2", "2-3", "bytes=3-2", "bytes=a-b"] {
            assert_eq!(span(Some(bad)), Err("InvalidArgument".to_owned()), "{bad}");
        }
    }
}

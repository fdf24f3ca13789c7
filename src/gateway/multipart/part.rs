//! UploadPart and UploadPartCopy. Whoever sends the bytes, they are stored in one way.
use super::session::{Session, check_writer, no_such_upload, part_number};
use super::staging;
use crate::audit::RequestContext;
use crate::authz::Permit;
use crate::gateway::Gateway;
use crate::gateway::checksum::{Declared, set_checksum};
use crate::gateway::conditions::Conditions;
use crate::gateway::copy::{read_of, source};
use crate::gateway::customer::Brought;
use crate::gateway::ingest::{Ingest, declared_length};
use crate::gateway::put::{MAX_PUT, note_write};
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::gateway::terms;
use crate::s3::{PlainETag, PlainLen};
use crate::seal::{PartEntry, message_len};
use crate::site::tee::{Committed, TeeWrite};
use crate::site::{Location, ObjectHeaders, SiteName, WriteCondition};
use crate::state::Part;
use bytes::Bytes;
use futures_util::Stream;
use s3s::dto::{CopyPartResult, ETag, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError, TrailingHeaders};
use std::sync::Arc;

/// A part on its way in.
struct NewPart<B> {
    number: u16,
    body: B,
    length: PlainLen,
    declared: Declared,
    trailers: Option<TrailingHeaders>,
    /// The client's own key: that of the upload.
    brought: Option<Brought>,
}

/// A part whose last bytes are still held back.
struct Pending {
    session: Session,
    staged: Option<Location>,
    write: TeeWrite,
    rest: Bytes,
    /// As the state will keep it, but for the sites' ETags.
    part: Part,
}

pub(in crate::gateway) async fn upload_part(
    gateway: &Arc<Gateway>,
    mut req: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let declared = Declared::from_headers(&req.headers)?;
    let trailers = req.trailing_headers.clone();
    let input = &mut req.input;
    let brought = Brought::of(&req.headers, context.as_ref())?;
    let number = part_number(input.part_number)?;
    let session = Session::find(gateway, &at, &input.upload_id).await?;
    session.check_customer_key(brought.as_ref())?;
    let length = declared_length(input.content_length)?;
    let body = input.body.take().ok_or_else(|| S3Error::new(S3ErrorCode::IncompleteBody))?;
    let declared = declared.also(session.algorithm())?;
    let told = session.told(gateway, brought.as_ref());
    let part = NewPart { number, body, length, declared, trailers, brought };
    let entry = store(gateway, session, part, &permit, context.as_ref()).await?;
    let mut output = UploadPartOutput {
        e_tag: Some(etag(&entry)),
        server_side_encryption: told.encryption,
        ssekms_key_id: told.key_id,
        sse_customer_algorithm: told.customer_algorithm,
        sse_customer_key_md5: told.customer_md5,
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
    let brought = Brought::of(&req.headers, context.as_ref())?;
    let number = part_number(input.part_number)?;
    let (from, version) = source::locate(gateway, &permit, &input.copy_source, context.as_ref())?;
    let asked = source::Asked {
        at: from,
        version,
        conditions: conditions(input),
        range: input.copy_source_range.as_deref().map(source::parse_range).transpose()?,
        brought: Brought::of_source(&req.headers, context.as_ref())?,
    };
    let session = Session::find(gateway, &at, &input.upload_id).await?;
    session.check_customer_key(brought.as_ref())?;
    let source::Source { opened, span, body, fault } = source::find(gateway, &asked).await?;
    request::may_read(gateway, &permit, &opened)?;
    request::note(context.as_ref(), |facts| facts.also.push(read_of(&asked.at)));
    let declared = Declared::default().also(session.algorithm())?;
    let told = session.told(gateway, brought.as_ref());
    let part = NewPart { number, body, length: span.len(), declared, trailers: None, brought };
    let entry = store(gateway, session, part, &permit, context.as_ref()).await;
    let entry = entry.map_err(|error| fault.or(error))?;
    let mut result = CopyPartResult {
        e_tag: Some(etag(&entry)),
        last_modified: Some(crate::clock::now().into()),
        ..CopyPartResult::default()
    };
    set_checksum!(result, entry.checksum.as_ref());
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: opened.version_id.clone(),
        server_side_encryption: told.encryption,
        ssekms_key_id: told.key_id,
        sse_customer_algorithm: told.customer_algorithm,
        sse_customer_key_md5: told.customer_md5,
        ..UploadPartCopyOutput::default()
    }))
}

/// Seals and stores one part.
async fn store<B>(
    gateway: &Arc<Gateway>,
    session: Session,
    part: NewPart<B>,
    permit: &Permit,
    context: Option<&RequestContext>,
) -> Result<PartEntry, GatewayError>
where
    B: Stream<Item = Result<Bytes, StdError>> + Unpin,
{
    let NewPart { number, body, length, declared, trailers, brought } = part;
    let sealed = message_len(length).0;
    if sealed > MAX_PUT {
        return Err(S3Error::new(S3ErrorCode::EntityTooLarge).into());
    }
    terms::check_part(gateway, &session.limit, &session.upload.id, number, length).await?;
    let (uploads, tee) = session.uploads(gateway, true).await?;
    let staged = staging::is_staged(length).then(|| staging::new_place(gateway, &session.upload.id, number));
    let staged = staged.transpose()?;
    if staged.is_some() {
        check_writer(gateway, permit, &session.upload)?;
    }
    let mut write = match &staged {
        Some(place) => {
            let tee = gateway.tee.as_proxy().acting(place, true, session.mode).await?;
            tee.put(place, sealed, ObjectHeaders::default(), WriteCondition::Always, session.mode)
        }
        None => tee.part(&session.at, &uploads, number, sealed, session.mode),
    };
    let ingest = Ingest {
        gateway,
        sealer: &session.sealer,
        customer: brought.as_ref().map(Brought::key),
        body,
        length,
        declared: &declared,
        trailers: trailers.as_ref(),
    };
    let ingested = ingest.run(number, &mut write).await?;
    let entry = ingested.entry;
    let part = Part {
        part_number: number,
        record: session.sealer.seal_part_record(number, &entry, gateway.entropy.as_ref())?,
        plain_len: length,
        etags: Vec::new(),
        staged_key: staged.as_ref().map(|place| place.key.as_str().to_owned()),
        written_at: crate::clock::now().unix_timestamp(),
    };
    let pending = Pending { session, staged, write, rest: ingested.rest.freeze(), part };
    // To its end, even when the client has gone away: what a site has must be in the state.
    let task = tokio::spawn(finish(Arc::clone(gateway), pending));
    let (session, committed) = task.await.map_err(S3Error::internal_error)??;
    gateway.metrics.moved(permit.operation(), length.0, sealed);
    note_write(context, &session.limit.rule, &session.sealer, &committed, length, sealed);
    Ok(entry)
}

/// Sends the last bytes and records the part, while nobody completes or aborts the upload.
async fn finish(gateway: Arc<Gateway>, pending: Pending) -> Result<(Session, Committed), GatewayError> {
    let Pending { session, staged, write, rest, mut part } = pending;
    let id = &session.upload.id;
    let _turn = gateway.uploads.part(id, part.part_number).await;
    if gateway.state.upload(id).await?.is_none() {
        return Err(no_such_upload().into());
    }
    let committed = write.commit(rest).await?;
    if staged.is_none() {
        for site in &committed.pending {
            leave_out(&gateway, &session, site).await?;
        }
        part.etags = committed.written.iter().map(|(site, etag)| (site.to_string(), etag.clone())).collect();
    }
    let recorded = gateway.state.put_part(id, &part).await;
    let unwanted = match &recorded {
        Ok(replaced) => replaced.as_ref().and_then(|old| old.staged_key.as_deref()),
        Err(_) => part.staged_key.as_deref(),
    };
    if let Some(key) = unwanted {
        staging::remove(&gateway, &[key]).await;
    }
    recorded?;
    Ok((session, committed))
}

/// A site that missed a part takes no part in the upload any more; Complete records what it misses.
async fn leave_out(gateway: &Arc<Gateway>, session: &Session, site: &SiteName) -> Result<(), GatewayError> {
    tracing::warn!(%site, bucket = %session.at.bucket, "a site missed a part and is left out of the upload");
    gateway.state.drop_upload_site(&session.upload.id, &site.0).await?;
    super::ending::abort_at(gateway, &session.at, &session.all_uploads(), site);
    Ok(())
}

fn etag(entry: &PartEntry) -> ETag {
    ETag::Strong(PlainETag::from_md5(entry.md5).as_str().to_owned())
}

fn conditions(input: &UploadPartCopyInput) -> Conditions {
    Conditions {
        if_match: input.copy_source_if_match.clone(),
        if_none_match: input.copy_source_if_none_match.clone(),
        if_modified_since: input.copy_source_if_modified_since.clone(),
        if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
    }
}

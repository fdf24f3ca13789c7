//! CompleteMultipartUpload: the parts are checked, the footer is made, every site is told.
use super::session::{Completed, Session};
use super::staging;
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::checksum::{combine, encode, matches, over_parts, part_checksum, set_checksum, type_name};
use crate::gateway::put::{Stored, condition, note_stored, note_write, now};
use crate::gateway::request;
use crate::gateway::respond::{GatewayError, custom, not_implemented};
use crate::s3::{PlainLen, SealedETag};
use crate::seal::{
    ChecksumAlgorithm, ChecksumType, ChecksumValue, ContentInfo, MAX_OBJECT, MIN_PART, ObjectName, PartEntry,
    sealed_len,
};
use crate::site::tee::{Committed, SiteUploads};
use crate::site::{SiteName, WriteCondition};
use crate::state::Part;
use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;
use md5::Digest as _;
use s3s::dto::{
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, ETag, ServerSideEncryption,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// The parts chosen for the object, in order.
struct Chosen {
    rows: Vec<Part>,
    entries: Vec<PartEntry>,
    /// Uploaded, but left out: their staged bytes are to be removed.
    left_out: Vec<Part>,
}

pub(in crate::gateway) async fn complete_multipart_upload(
    gateway: &Arc<Gateway>,
    req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    let input = req.input;
    let asked = input.multipart_upload.clone().and_then(|upload| upload.parts).unwrap_or_default();
    let numbers = ascending(&asked)?;
    let _alone = gateway.uploads.alone(&input.upload_id).await;
    if let Some(done) = gateway.uploads.completed(&input.upload_id).filter(|done| done.parts == numbers) {
        return Ok(S3Response::new((done.output)()));
    }
    let session = Session::find(gateway, at, &input.upload_id).await?;
    let condition = write_condition(gateway, &session, &input).await?;
    let chosen = choose(gateway, &session, &asked, &numbers).await?;
    check_size(&chosen, input.mpu_object_size)?;
    let content = content(&session, &chosen, &input)?;
    let stored = finish(gateway, &session, &chosen, content, &condition, context.as_ref()).await?;
    let parts = chosen.entries.len() as u32;
    note_stored(gateway, &session.at, &stored, parts);
    gateway.objects.forget(&session.at);
    let output = describe(&session, &stored, parts);
    gateway.uploads.remember(&input.upload_id, Completed { parts: numbers, output: Box::new(output.clone()) });
    if let Err(error) = gateway.state.delete_upload(&input.upload_id).await {
        // The object is there. The row that stays can only be aborted, or completed to NoSuchUpload at the sites.
        tracing::error!(%error, "a finished multipart upload could not be removed from the state database");
    }
    staging::remove(gateway, &session, chosen.rows.into_iter().chain(chosen.left_out)).await;
    Ok(S3Response::new(output()))
}

/// The part numbers a client names: at least one, ascending.
fn ascending(asked: &[CompletedPart]) -> S3Result<Vec<u16>> {
    if asked.is_empty() {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let number = |part: &CompletedPart| {
        part.part_number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0)
    };
    let numbers: Option<Vec<u16>> = asked.iter().map(number).collect();
    let numbers = numbers.ok_or_else(|| S3Error::new(S3ErrorCode::InvalidPart))?;
    if numbers.is_sorted_by(|a, b| a < b) { Ok(numbers) } else { Err(S3Error::new(S3ErrorCode::InvalidPartOrder)) }
}

async fn write_condition(
    gateway: &Arc<Gateway>,
    session: &Session,
    input: &CompleteMultipartUploadInput,
) -> Result<WriteCondition, GatewayError> {
    if input.if_none_match.is_some() && !gateway.sites.primary.capabilities().complete_if_none_match {
        return Err(not_implemented("If-None-Match on CompleteMultipartUpload over this storage").into());
    }
    condition(gateway, &session.at, input.if_match.as_ref(), input.if_none_match.as_ref()).await
}

/// Finds the named parts and checks each against what the client says of it.
async fn choose(
    gateway: &Gateway,
    session: &Session,
    asked: &[CompletedPart],
    numbers: &[u16],
) -> Result<Chosen, GatewayError> {
    let rows = gateway.state.parts(&session.upload.id, 0, u32::from(u16::MAX)).await?;
    let (rows, left_out): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| numbers.binary_search(&row.part_number).is_ok());
    if rows.len() != numbers.len() {
        return Err(S3Error::new(S3ErrorCode::InvalidPart).into());
    }
    let mut entries = Vec::with_capacity(rows.len());
    for (row, asked) in rows.iter().zip(asked) {
        let entry = session.sealer.open_part_record(row.part_number, &row.record)?;
        check_part(&entry, asked)?;
        entries.push(entry);
    }
    let (_, but_last) = entries.split_last().ok_or_else(|| S3Error::new(S3ErrorCode::MalformedXML))?;
    if but_last.iter().any(|entry| entry.plain_len.0 < MIN_PART) {
        return Err(S3Error::new(S3ErrorCode::EntityTooSmall).into());
    }
    Ok(Chosen { rows, entries, left_out })
}

fn check_part(entry: &PartEntry, asked: &CompletedPart) -> S3Result<()> {
    let same_etag = asked.e_tag.as_ref().is_some_and(|etag| etag.value() == hex::encode(entry.md5));
    let same_checksum = part_checksum(asked).into_iter().all(|(algorithm, text)| match (text, &entry.checksum) {
        (None, _) => true,
        (Some(text), Some(value)) => value.algorithm == algorithm && matches(value, text),
        (Some(_), None) => false,
    });
    if same_etag && same_checksum { Ok(()) } else { Err(S3Error::new(S3ErrorCode::InvalidPart)) }
}

fn check_size(chosen: &Chosen, declared: Option<i64>) -> S3Result<()> {
    let total: u64 = chosen.entries.iter().map(|entry| entry.plain_len.0).sum();
    if total > MAX_OBJECT {
        return Err(S3Error::new(S3ErrorCode::EntityTooLarge));
    }
    if declared.is_some_and(|declared| u64::try_from(declared) != Ok(total)) {
        let message = "The provided 'x-amz-mp-object-size' header value does not match what was computed.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// The object's ETag and checksum, from its parts'.
fn content(session: &Session, chosen: &Chosen, input: &CompleteMultipartUploadInput) -> S3Result<ContentInfo> {
    let mut md5 = md5::Md5::new();
    chosen.entries.iter().for_each(|entry| md5.update(entry.md5));
    let checksum = match session.algorithm()? {
        Some(algorithm) => whole_checksum(algorithm, session.checksum_type(), &chosen.entries),
        None => None,
    };
    check_whole(checksum.as_ref(), chosen.entries.len(), input)?;
    Ok(ContentInfo {
        md5: md5.finalize().into(),
        multipart: true,
        checksum,
        written_at: now(),
        metadata_tag: session.upload.metadata_tag,
    })
}

fn whole_checksum(
    algorithm: ChecksumAlgorithm,
    kind: ChecksumType,
    entries: &[PartEntry],
) -> Option<(ChecksumValue, ChecksumType)> {
    let values: Option<Vec<_>> = entries.iter().map(|entry| Some((entry.checksum?, entry.plain_len))).collect();
    let values = values?;
    let whole = match kind {
        ChecksumType::FullObject => combine(algorithm, &values),
        ChecksumType::Composite => over_parts(algorithm, &values.iter().map(|(value, _)| *value).collect::<Vec<_>>()),
    };
    whole.map(|value| (value, kind))
}

/// A checksum of the whole that the client brings must be ours. A composite one may carry `-N`.
fn check_whole(
    ours: Option<&(ChecksumValue, ChecksumType)>,
    parts: usize,
    input: &CompleteMultipartUploadInput,
) -> S3Result<()> {
    let brought = [
        (ChecksumAlgorithm::Crc32, &input.checksum_crc32),
        (ChecksumAlgorithm::Crc32c, &input.checksum_crc32c),
        (ChecksumAlgorithm::Crc64Nvme, &input.checksum_crc64nvme),
        (ChecksumAlgorithm::Sha1, &input.checksum_sha1),
        (ChecksumAlgorithm::Sha256, &input.checksum_sha256),
    ];
    for (algorithm, text) in brought {
        let Some(text) = text else { continue };
        let text = text.strip_suffix(&format!("-{parts}")).unwrap_or(text);
        if !ours.is_some_and(|(value, _)| value.algorithm == algorithm && matches(value, text)) {
            let message = "The checksum you specified did not match the calculated checksum of the parts.";
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
        }
    }
    Ok(())
}

/// Sends the footer, alone or behind the staged last part, and completes the upload everywhere.
async fn finish(
    gateway: &Arc<Gateway>,
    session: &Session,
    chosen: &Chosen,
    content: ContentInfo,
    condition: &WriteCondition,
    context: Option<&RequestContext>,
) -> Result<Stored, GatewayError> {
    let name = ObjectName { bucket: &session.at.bucket, key: &session.at.key };
    let footer = session.sealer.footer(&name, &chosen.entries, &content, gateway.entropy.as_ref())?;
    let total = PlainLen(chosen.entries.iter().map(|entry| entry.plain_len.0).sum());
    let (last, committed) = send_last(gateway, session, chosen, Bytes::from(footer)).await?;
    let (uploads, parts) = per_site(session, chosen, last, &committed);
    let mode = session.mode();
    let committed = gateway.tee.complete_multipart(&session.at, &uploads, &parts, condition, mode).await;
    let committed = committed.map_err(|error| gone_at_the_primary(error.into()))?;
    note_write(context, &session.plan, &session.sealer, &committed, total, sealed_len(total)?.0);
    Ok(Stored { content, committed })
}

/// The last backend part: its number, and which sites have it.
async fn send_last(
    gateway: &Gateway,
    session: &Session,
    chosen: &Chosen,
    footer: Bytes,
) -> Result<(u16, Committed), GatewayError> {
    let last = chosen.rows.last().ok_or_else(|| S3Error::new(S3ErrorCode::MalformedXML))?;
    let sites = session.sites();
    let Some(staged) = &last.staged_key else {
        let number = last.part_number + 1;
        let write = gateway.tee.part(&session.at, &sites, number, footer.len() as u64, session.mode());
        return Ok((number, write.commit(footer).await?));
    };
    let mut got = staging::fetch(gateway, staged).await?;
    let length = got.length + footer.len() as u64;
    let mut write = gateway.tee.part(&session.at, &sites, last.part_number, length, session.mode());
    while let Some(chunk) = got.body.next().await {
        write.send(chunk?).await?;
    }
    Ok((last.part_number, write.commit(footer).await?))
}

/// Each site's own list of parts. A site that lacks one is left out, and so recorded as a miss.
fn per_site(
    session: &Session,
    chosen: &Chosen,
    last: u16,
    committed: &Committed,
) -> (SiteUploads, Vec<(SiteName, Vec<(u16, SealedETag)>)>) {
    let mut uploads = SiteUploads::new();
    let mut parts = Vec::new();
    for (site, upload) in session.sites() {
        let own = chosen.rows.iter().filter(|row| row.staged_key.is_none()).map(|row| {
            let etag = row.etags.iter().find(|(name, _)| *name == *site.0);
            etag.map(|(_, etag)| (row.part_number, etag.clone()))
        });
        let closing = committed.written.iter().find(|(name, _)| *name == site).map(|(_, etag)| (last, etag.clone()));
        if let Some(list) = own.chain([closing]).collect::<Option<Vec<_>>>() {
            uploads.push((site.clone(), upload));
            parts.push((site, list));
        }
    }
    (uploads, parts)
}

/// The primary no longer knows its upload: it was completed by a Complete whose answer was lost, or swept away.
fn gone_at_the_primary(error: GatewayError) -> GatewayError {
    let error = S3Error::from(error);
    if *error.code() == S3ErrorCode::NoSuchUpload {
        return custom("NoSuchUpload", StatusCode::NOT_FOUND, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").into();
    }
    error.into()
}

/// The answer, as often as it is asked for.
fn describe(
    session: &Session,
    stored: &Stored,
    parts: u32,
) -> impl Fn() -> CompleteMultipartUploadOutput + Clone + Send + Sync + 'static {
    let (bucket, key) = (session.at.bucket.to_string(), session.at.key.to_string());
    let etag = stored.content.etag(parts).as_str().to_owned();
    let (checksum, version_id) = (stored.content.checksum, stored.committed.primary.version_id.clone());
    move || {
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket.clone()),
            key: Some(key.clone()),
            e_tag: Some(ETag::Strong(etag.clone())),
            checksum_type: checksum.map(|(_, kind)| type_name(kind).to_owned().into()),
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            version_id: version_id.clone(),
            ..CompleteMultipartUploadOutput::default()
        };
        set_checksum!(output, checksum.as_ref().map(|(value, _)| value));
        if let Some((value, ChecksumType::Composite)) = &checksum {
            let text = Some(format!("{}-{parts}", encode(value)));
            match value.algorithm {
                ChecksumAlgorithm::Crc32 => output.checksum_crc32 = text,
                ChecksumAlgorithm::Crc32c => output.checksum_crc32c = text,
                ChecksumAlgorithm::Crc64Nvme => output.checksum_crc64nvme = text,
                ChecksumAlgorithm::Sha1 => output.checksum_sha1 = text,
                ChecksumAlgorithm::Sha256 => output.checksum_sha256 = text,
            }
        }
        output
    }
}

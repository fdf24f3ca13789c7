//! ListParts and ListMultipartUploads, from state: plain sizes, plain ETags.
use super::session::Session;
use crate::gateway::Gateway;
use crate::gateway::checksum::set_checksum;
use crate::gateway::list::Encoding;
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::state::Upload;
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Owner, Part, StorageClass, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// S3's page.
const PAGE: i32 = 1000;

pub(in crate::gateway) async fn list_parts(
    gateway: &Arc<Gateway>,
    req: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let input = req.input;
    let max = page(input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let after = u16::try_from(marker).map_err(|_| S3Error::new(S3ErrorCode::InvalidArgument))?;
    let session = Session::find(gateway, at, &input.upload_id).await?;
    let mut rows = gateway.state.parts(&session.upload.id, after, max + 1).await.map_err(GatewayError::from)?;
    let truncated = rows.len() > max as usize;
    rows.truncate(max as usize);
    let mut parts = Vec::with_capacity(rows.len());
    for row in &rows {
        let entry = session.sealer.open_part_record(row.part_number, &row.record).map_err(GatewayError::from)?;
        let mut part = Part {
            part_number: Some(i32::from(row.part_number)),
            size: i64::try_from(row.plain_len.0).ok(),
            e_tag: Some(ETag::Strong(hex::encode(entry.md5))),
            last_modified: Some(timestamp(row.written_at)),
            ..Part::default()
        };
        set_checksum!(part, entry.checksum.as_ref());
        parts.push(part);
    }
    let upload = &session.upload;
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(session.at.bucket.to_string()),
        key: Some(session.at.key.to_string()),
        upload_id: Some(upload.id.clone()),
        max_parts: Some(max as i32),
        part_number_marker: Some(marker),
        next_part_number_marker: rows.last().map(|row| i32::from(row.part_number)),
        is_truncated: Some(truncated),
        initiator: Some(initiator(upload)),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: named(&upload.checksum_algorithm).map(Into::into),
        checksum_type: named(&upload.checksum_type).map(Into::into),
        parts: (!parts.is_empty()).then_some(parts),
        ..ListPartsOutput::default()
    }))
}

pub(in crate::gateway) async fn list_multipart_uploads(
    gateway: &Arc<Gateway>,
    req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let input = req.input;
    let max = page(input.max_uploads)? as usize;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    gateway.sites.primary.head_bucket(&bucket).await.map_err(GatewayError::from)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.clone().filter(|delimiter| !delimiter.is_empty());
    let mut page = Page { prefix: &prefix, delimiter: delimiter.as_deref(), uploads: Vec::new(), prefixes: Vec::new() };
    // A key marker without an upload id stands behind every upload of that key.
    let after_key = input.key_marker.clone().unwrap_or_default();
    let after_id = input.upload_id_marker.clone().unwrap_or_else(|| "\u{10ffff}".to_owned());
    let mut after = (!after_key.is_empty()).then_some((after_key, after_id));
    let mut truncated = false;
    'pages: loop {
        let marker = after.as_ref().map(|(key, id)| (key.as_str(), id.as_str()));
        let rows = gateway.state.uploads(&bucket, &prefix, marker, PAGE as u32).await.map_err(GatewayError::from)?;
        let more = rows.len() == PAGE as usize;
        for row in rows {
            if !page.has(&row) && page.len() == max {
                truncated = true;
                break 'pages;
            }
            after = Some((row.key.to_string(), row.id.clone()));
            page.take(row);
        }
        if !more {
            break;
        }
    }
    let next = after.filter(|_| truncated);
    let uploads: Vec<_> = page.uploads.iter().map(|upload| describe(upload, encoding)).collect();
    let prefixes = page.prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encoding.apply(prefix)) });
    let prefixes: Vec<_> = prefixes.collect();
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(bucket.to_string()),
        prefix: Some(encoding.apply(&prefix)),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(&delimiter)),
        encoding_type: input.encoding_type.map(|_| EncodingType::from_static(EncodingType::URL)),
        key_marker: Some(encoding.apply(&input.key_marker.unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        next_key_marker: next.as_ref().map(|(key, _)| encoding.apply(key)),
        next_upload_id_marker: next.map(|(_, id)| id),
        max_uploads: Some(max as i32),
        is_truncated: Some(truncated),
        common_prefixes: (!prefixes.is_empty()).then_some(prefixes),
        uploads: (!uploads.is_empty()).then_some(uploads),
        ..ListMultipartUploadsOutput::default()
    }))
}

/// A page being filled: uploads, and what the delimiter rolls up.
struct Page<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    uploads: Vec<Upload>,
    prefixes: Vec<String>,
}

impl Page<'_> {
    fn len(&self) -> usize {
        self.uploads.len() + self.prefixes.len()
    }

    /// The common prefix that an upload's key rolls up to.
    fn rolled_up(&self, upload: &Upload) -> Option<String> {
        let delimiter = self.delimiter?;
        let rest = upload.key.as_str().strip_prefix(self.prefix)?;
        let at = rest.find(delimiter)?;
        Some(format!("{}{}", self.prefix, &rest[..at + delimiter.len()]))
    }

    /// Whether the upload adds nothing new to the page.
    fn has(&self, upload: &Upload) -> bool {
        self.rolled_up(upload).is_some_and(|prefix| self.prefixes.last() == Some(&prefix))
    }

    fn take(&mut self, upload: Upload) {
        match self.rolled_up(&upload) {
            Some(prefix) if self.prefixes.last() == Some(&prefix) => {}
            Some(prefix) => self.prefixes.push(prefix),
            None => self.uploads.push(upload),
        }
    }
}

fn describe(upload: &Upload, encoding: Encoding) -> MultipartUpload {
    MultipartUpload {
        key: Some(encoding.apply(upload.key.as_str())),
        upload_id: Some(upload.id.clone()),
        initiated: Some(timestamp(upload.created_at)),
        initiator: Some(initiator(upload)),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: named(&upload.checksum_algorithm).map(Into::into),
        checksum_type: named(&upload.checksum_type).map(Into::into),
    }
}

fn initiator(upload: &Upload) -> Initiator {
    Initiator { id: Some(upload.initiator.clone()), display_name: Some(upload.initiator.clone()) }
}

fn owner() -> Owner {
    Owner { id: Some("strongroom".to_owned()), display_name: Some("strongroom".to_owned()) }
}

fn named(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

fn page(asked: Option<i32>) -> S3Result<u32> {
    u32::try_from(asked.unwrap_or(PAGE).min(PAGE)).map_err(|_| S3Error::new(S3ErrorCode::InvalidArgument))
}

fn timestamp(unix: i64) -> Timestamp {
    Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(unix).unwrap_or(0)))
}

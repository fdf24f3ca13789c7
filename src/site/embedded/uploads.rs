//! Multipart uploads of an embedded site: parts are blobs, completing names them in an entry. Nothing is copied.
use super::blobs::{self, WrittenBlob, blocking, random_id};
use super::buckets::remove_folder;
use super::entry::{Attributes, Entry, PartFile, PartRecord, UploadFile, time_of};
use super::index::Upload;
use super::objects::{Conditions, check_part_source, copied_from};
use super::unkept;
use super::wrapper::{Shared, Store, existing};
use crate::clock;
use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every part but the last has at least so many bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

impl Store {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = request.input;
        existing(&self.0.index(), &input.bucket)?;
        unkept::of_upload(&input)?;
        let id = random_id()?;
        let file = UploadFile {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            initiated_nanos: clock::now().unix_timestamp_nanos(),
            attributes: Attributes {
                metadata: input.metadata.unwrap_or_default().into_iter().collect(),
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                expires: input.expires,
            },
        };
        let (shared, upload_id) = (self.0.clone(), id.clone());
        blocking(move || {
            shared.disk.replace(&shared.disk.upload(&upload_id).join("upload.json"), &file)?;
            shared.index_mut().uploads.insert(upload_id, Upload { file, parts: BTreeMap::new() });
            Ok(())
        })
        .await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    pub(super) async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let shared = &self.0;
        let (id, number) = (request.input.upload_id.clone(), part_number(request.input.part_number)?);
        let bucket = request.input.bucket.clone();
        shared.upload(&id, &bucket, &request.input.key)?;
        let written = blobs::write(&shared.fs, &shared.disk, &bucket, request.map_input(as_put)).await?;
        let (etag, sums) = (written.etag.clone(), &written.checksums);
        let output = UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: sums.checksum_crc32.clone(),
            checksum_crc32c: sums.checksum_crc32c.clone(),
            checksum_crc64nvme: sums.checksum_crc64nvme.clone(),
            checksum_sha1: sums.checksum_sha1.clone(),
            checksum_sha256: sums.checksum_sha256.clone(),
            ..Default::default()
        };
        shared.commit_part(id, number, written).await?;
        Ok(output)
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let shared = &self.0;
        let (id, number) = (request.input.upload_id.clone(), part_number(request.input.part_number)?);
        let bucket = request.input.bucket.clone();
        shared.upload(&id, &bucket, &request.input.key)?;
        let (source_bucket, source_key) = copied_from(&request.input.copy_source)?;
        let source = shared.find(source_bucket, source_key)?;
        check_part_source(&request.input, &source)?;
        let span = copy_span(request.input.copy_source_range.as_deref(), source.size)?;
        let body = StreamingBlob::wrap(blobs::read(source.blobs.clone(), span));
        let put = request.map_input(|_| PutObjectInput { body: Some(body), ..Default::default() });
        let written = blobs::write(&shared.fs, &shared.disk, &bucket, put).await?;
        let etag = ETag::Strong(written.etag.clone());
        let last_modified = shared.commit_part(id, number, written).await?;
        let result = CopyPartResult { e_tag: Some(etag), last_modified: Some(last_modified), ..Default::default() };
        Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let input = request.input;
        let (shared, bucket, key) = (self.0.clone(), input.bucket.clone(), input.key.clone());
        let asked = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let done =
            blocking(move || Ok(shared.complete(&input.bucket, &input.key, &input.upload_id, &asked, &conditions)));
        let etag = done.await??;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        })
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        self.0.upload(&upload_id, &bucket, &key)?;
        let shared = self.0.clone();
        blocking(move || {
            let _lock = shared.lock_upload(&upload_id);
            shared.drop_upload(&upload_id)
        })
        .await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let upload = self.0.upload(&input.upload_id, &input.bucket, &input.key)?;
        let after = input.part_number_marker.unwrap_or(0);
        let most = input.max_parts.unwrap_or(1000).clamp(0, 1000);
        let mut rest = upload.parts.iter().filter(|(number, _)| i32::from(**number) > after);
        let parts: Vec<Part> = rest.by_ref().take(usize::try_from(most).unwrap_or(0)).map(listed_part).collect();
        let next_part_number_marker = parts.last().and_then(|part| part.part_number);
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: Some(after),
            max_parts: Some(most),
            is_truncated: Some(rest.next().is_some()),
            next_part_number_marker,
            parts: Some(parts),
            ..Default::default()
        })
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        let index = self.0.index();
        existing(&index, &input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = (input.key_marker.clone().unwrap_or_default(), input.upload_id_marker.clone().unwrap_or_default());
        let passed = |key: &str, id: &str| {
            key > after.0.as_str() || (key == after.0 && !after.1.is_empty() && id > after.1.as_str())
        };
        let mut found: Vec<_> = index
            .uploads
            .iter()
            .filter(|(id, upload)| upload.file.bucket == input.bucket && passed(&upload.file.key, id))
            .filter(|(_, upload)| upload.file.key.starts_with(&prefix))
            .map(|(id, upload)| (upload.file.key.clone(), id.clone(), upload.file.initiated_nanos))
            .collect();
        found.sort();
        let most = input.max_uploads.unwrap_or(1000).clamp(0, 1000);
        let truncated = found.len() > usize::try_from(most).unwrap_or(0);
        found.truncate(usize::try_from(most).unwrap_or(0));
        let last = found.last().filter(|_| truncated).cloned();
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            max_uploads: Some(most),
            is_truncated: Some(truncated),
            next_key_marker: last.as_ref().map(|(key, _, _)| key.clone()),
            next_upload_id_marker: last.map(|(_, id, _)| id),
            uploads: Some(found.into_iter().map(listed_upload).collect()),
            ..Default::default()
        })
    }
}

impl Shared {
    /// The upload, if it is one of this object.
    fn upload(&self, id: &str, bucket: &str, key: &str) -> S3Result<Upload> {
        let index = self.index();
        existing(&index, bucket)?;
        let found = index.uploads.get(id).filter(|upload| upload.file.bucket == bucket && upload.file.key == key);
        found.cloned().ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Makes a blob a part, unless the upload has ended meanwhile; when it was modified.
    async fn commit_part(self: &Arc<Self>, id: String, number: u16, written: WrittenBlob) -> S3Result<Timestamp> {
        let shared = self.clone();
        let modified = clock::now();
        let WrittenBlob { blob, etag, .. } = written;
        let kept = blocking(move || {
            let _lock = shared.lock_upload(&id);
            if !shared.index().uploads.contains_key(&id) {
                return Ok(false);
            }
            let file =
                PartFile { blob: blob.to_ref(), etag: etag.clone(), modified_nanos: modified.unix_timestamp_nanos() };
            shared.disk.replace(&shared.disk.upload(&id).join(number.to_string()), &file)?;
            blob.keep();
            let part = PartRecord { blob, etag, modified };
            let before = shared.index_mut().uploads.get_mut(&id).and_then(|upload| upload.parts.insert(number, part));
            if let Some(before) = before {
                before.blob.forget();
            }
            Ok(true)
        });
        if kept.await? { Ok(modified.into()) } else { Err(s3_error!(NoSuchUpload)) }
    }

    /// The new object's ETag.
    fn complete(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        asked: &[CompletedPart],
        conditions: &Conditions,
    ) -> S3Result<String> {
        let _upload_lock = self.lock_upload(id);
        let upload = self.upload(id, bucket, key)?;
        let parts = chosen(&upload, asked)?;
        let etag = etag_of(&parts)?;
        let blobs = parts.iter().map(|part| part.blob.clone()).collect();
        let entry = Entry::new(etag.clone(), upload.file.attributes.clone(), blobs);
        self.commit_completed(bucket, key, id, entry, conditions)?;
        let used: Vec<_> = parts.iter().map(|part| part.blob.name.clone()).collect();
        let unused = upload.parts.values().filter(|part| !used.contains(&part.blob.name));
        unused.for_each(|part| part.blob.forget());
        Ok(etag)
    }

    /// The entry first: a kill between the two leaves an upload that the next start recognises as completed.
    fn commit_completed(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        entry: Entry,
        conditions: &Conditions,
    ) -> S3Result<()> {
        let key_lock = self.lock_key(bucket, key);
        self.commit_locked(bucket, key, entry, conditions)?;
        drop(key_lock);
        self.index_mut().uploads.remove(id);
        remove_folder(&self.disk.upload(id)).map_err(|e| s3_error!(e, InternalError))
    }

    fn drop_upload(&self, id: &str) -> std::io::Result<()> {
        remove_folder(&self.disk.upload(id))?;
        let removed = self.index_mut().uploads.remove(id);
        removed.iter().flat_map(|upload| upload.parts.values()).for_each(|part| part.blob.forget());
        Ok(())
    }
}

/// The parts that the client names, checked as S3 does.
fn chosen(upload: &Upload, asked: &[CompletedPart]) -> S3Result<Vec<PartRecord>> {
    let mut parts: Vec<PartRecord> = Vec::with_capacity(asked.len());
    let mut before = 0;
    for part in asked {
        let number = part_number(part.part_number.unwrap_or(0))?;
        if number <= before {
            return Err(s3_error!(InvalidPartOrder));
        }
        before = number;
        let found = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
        if part.e_tag.as_ref().is_none_or(|etag| etag.value() != found.etag) {
            return Err(s3_error!(InvalidPart));
        }
        if parts.last().is_some_and(|previous| previous.blob.length < SMALLEST_PART) {
            return Err(s3_error!(EntityTooSmall));
        }
        parts.push(found.clone());
    }
    if parts.is_empty() { Err(s3_error!(InvalidPart)) } else { Ok(parts) }
}

/// The MD5 over the parts' MD5s, and how many there are.
fn etag_of(parts: &[PartRecord]) -> S3Result<String> {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(hex::decode(&part.etag).map_err(|e| s3_error!(e, InternalError))?);
    }
    Ok(format!("{}-{}", hex::encode(digest.finalize()), parts.len()))
}

fn part_number(number: i32) -> S3Result<u16> {
    let number = u16::try_from(number).ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| s3_error!(InvalidArgument, "part numbers are 1 to 10,000"))
}

/// A part's body and checksums as those of an object.
fn as_put(input: UploadPartInput) -> PutObjectInput {
    PutObjectInput {
        body: input.body,
        content_length: input.content_length,
        content_md5: input.content_md5,
        checksum_algorithm: input.checksum_algorithm,
        checksum_crc32: input.checksum_crc32,
        checksum_crc32c: input.checksum_crc32c,
        checksum_crc64nvme: input.checksum_crc64nvme,
        checksum_sha1: input.checksum_sha1,
        checksum_sha256: input.checksum_sha256,
        ..Default::default()
    }
}

/// `bytes=first-last`, both inclusive and inside the source (S3 does not cut a copy range off).
fn copy_span(range: Option<&str>, size: u64) -> S3Result<std::ops::Range<u64>> {
    let Some(range) = range else { return Ok(0..size) };
    let bounds = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let bounds = bounds.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    match bounds {
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some(_) => Err(s3_error!(InvalidRange)),
        None => Err(s3_error!(InvalidArgument)),
    }
}

fn listed_part((number, part): (&u16, &PartRecord)) -> Part {
    Part {
        part_number: Some(i32::from(*number)),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        size: i64::try_from(part.blob.length).ok(),
        last_modified: Some(part.modified.into()),
        ..Default::default()
    }
}

fn listed_upload((key, id, initiated): (String, String, i128)) -> MultipartUpload {
    MultipartUpload {
        key: Some(key),
        upload_id: Some(id),
        initiated: Some(time_of(initiated).into()),
        ..Default::default()
    }
}

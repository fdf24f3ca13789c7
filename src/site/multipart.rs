//! Multipart uploads but for the parts themselves, through the SDK door.
use super::error::SiteError;
use super::object::{Location, ObjectHeaders, PartSource, WriteCondition, Written};
use super::path::{self, METADATA_HEADER};
use super::sdk;
use super::site::Site;
use crate::s3::SealedETag;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use std::collections::HashMap;

/// The CRC-64/NVME of parts, in base64, by their numbers.
type PartSums = HashMap<i32, String>;

/// Of a checksum over the whole object S3 wants none of the parts'
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>); versitygw does all the same.
fn wants_sums(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { status: 400, message, .. } if message.contains("the checksum for each part"))
}

impl Site {
    /// Starts an upload; its id.
    ///
    /// # Errors
    /// As the site answered.
    pub async fn create_multipart(&self, at: &Location, headers: &ObjectHeaders) -> Result<String, SiteError> {
        let inner = &self.inner;
        let name = METADATA_HEADER.trim_start_matches("x-amz-meta-");
        let request = async {
            let mut call = inner
                .sdk
                .create_multipart_upload()
                .bucket(inner.bucket(&at.bucket))
                .key(at.key.as_str())
                .content_type("application/octet-stream");
            if inner.wants_checksums(&at.bucket).await {
                // Of the whole object, so that Complete need not list the parts' own.
                call = call.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
            }
            if let Some(metadata) = &headers.metadata {
                call = call.metadata(name, metadata);
            }
            let lock = inner.lock_headers(&at.bucket, headers.lock).await?;
            let lock = lock.into_iter().flatten().map(|(name, value)| (name.to_owned(), value));
            let beside: Vec<_> = headers.beside_metadata().into_iter().chain(lock).collect();
            let created = sdk::with_headers(call.customize(), beside).send().await.map_err(|e| inner.sdk_error(e))?;
            created.upload_id.ok_or_else(|| inner.nonsense("an upload without an id"))
        };
        inner.watched("create_multipart", request).await
    }

    /// Completes; where the backend answers an empty ETag, finds it out with a HEAD.
    ///
    /// # Errors
    /// As the site answered, also inside a 200; never repeated, since the second try of a Complete that
    /// succeeded answers `NoSuchUpload`. [`SiteError::Unsupported`] for a condition that the probe found ignored.
    pub async fn complete_multipart(
        &self,
        at: &Location,
        upload_id: &str,
        parts: &[(u16, SealedETag)],
        condition: &WriteCondition,
    ) -> Result<Written, SiteError> {
        self.inner.allow(condition, true)?;
        self.complete_unchecked(at, upload_id, parts, condition).await
    }

    /// As [`Self::complete_multipart`], also with a condition that the probe has yet to try.
    pub(super) async fn complete_unchecked(
        &self,
        at: &Location,
        upload_id: &str,
        parts: &[(u16, SealedETag)],
        condition: &WriteCondition,
    ) -> Result<Written, SiteError> {
        let ask = |sums| self.inner.watched("complete_multipart", self.complete(at, upload_id, parts, sums, condition));
        let written = match ask(PartSums::new()).await {
            Err(error) if wants_sums(&error) => {
                let sums = self.inner.watched("list_parts", self.part_sums(at, upload_id)).await?;
                ask(sums).await?
            }
            answer => answer?,
        };
        if !written.etag.as_str().is_empty() {
            return Ok(written);
        }
        self.inner.quirks.note_empty_complete_etag();
        let (etag, _) = self.head(at).await?;
        Ok(Written { etag, ..written })
    }

    async fn complete(
        &self,
        at: &Location,
        upload_id: &str,
        parts: &[(u16, SealedETag)],
        sums: PartSums,
        condition: &WriteCondition,
    ) -> Result<Written, SiteError> {
        let inner = &self.inner;
        let part = |(number, etag): &(u16, SealedETag)| {
            let part = CompletedPart::builder().part_number(i32::from(*number)).e_tag(etag.quoted());
            part.set_checksum_crc64_nvme(sums.get(&i32::from(*number)).cloned()).build()
        };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(part).collect())).build();
        let mut call = inner
            .sdk
            .complete_multipart_upload()
            .bucket(inner.bucket(&at.bucket))
            .key(at.key.as_str())
            .upload_id(upload_id)
            .multipart_upload(parts);
        match condition {
            WriteCondition::Always => {}
            WriteCondition::IfAbsent => call = call.if_none_match("*"),
            WriteCondition::IfMatch(etag) => call = call.if_match(inner.if_match(etag)),
        }
        let done = call.customize().config_override(sdk::slow(inner)).send().await.map_err(|e| inner.sdk_error(e))?;
        let etag = SealedETag::from_backend(done.e_tag().unwrap_or_default());
        let version_id = done.version_id.filter(|id| !id.is_empty());
        Ok(Written { etag, version_id, expiration: done.expiration })
    }

    /// The checksums that a site has of an upload's parts.
    async fn part_sums(&self, at: &Location, upload_id: &str) -> Result<PartSums, SiteError> {
        let inner = &self.inner;
        let mut sums = PartSums::new();
        let mut marker = None;
        loop {
            let call = inner.sdk.list_parts().bucket(inner.bucket(&at.bucket)).key(at.key.as_str());
            let call = call.upload_id(upload_id).set_part_number_marker(marker);
            let page = call.send().await.map_err(|e| inner.sdk_error(e))?;
            sums.extend(
                page.parts()
                    .iter()
                    .filter_map(|part| Some((part.part_number()?, part.checksum_crc64_nvme()?.to_owned()))),
            );
            marker = page.next_part_number_marker.filter(|_| page.is_truncated == Some(true));
            if marker.is_none() {
                return Ok(sums);
            }
        }
    }

    /// Aborts an upload.
    ///
    /// # Errors
    /// 404 `NoSuchUpload` when there is none (any more).
    pub async fn abort_multipart(&self, at: &Location, upload_id: &str) -> Result<(), SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.abort_multipart_upload().bucket(inner.bucket(&at.bucket)).key(at.key.as_str());
            let call = call.upload_id(upload_id);
            call.send().await.map(drop).map_err(|e| inner.sdk_error(e))
        };
        inner.watched("abort_multipart", request).await
    }

    /// UploadPartCopy of a span (start, length) of sealed bytes of an object at this site, pinned by its ETag.
    ///
    /// # Errors
    /// 412 when the source changed; else as the site answered.
    pub async fn upload_part_copy(
        &self,
        at: &Location,
        upload_id: &str,
        part: u16,
        source: PartSource<'_>,
        span: (u64, u64),
    ) -> Result<SealedETag, SiteError> {
        let copy = self.copy_part(at, upload_id, part, source, span);
        if !self.inner.quirks.copy_source_if_match_ignored() {
            return self.inner.watched("upload_part_copy", copy).await;
        }
        self.check_source(source).await?;
        let etag = self.inner.watched("upload_part_copy", copy).await?;
        self.check_source(source).await?;
        Ok(etag)
    }

    /// For backends that ignore the condition on a copy's source: every sealed version has an ETag of its own, so the
    /// same one before and after the copy means that this version was copied.
    async fn check_source(&self, source: PartSource<'_>) -> Result<(), SiteError> {
        if self.head_version(source.at, source.version).await?.0 == *source.etag {
            return Ok(());
        }
        Err(SiteError::from_answer(self.name(), 412, b""))
    }

    async fn copy_part(
        &self,
        at: &Location,
        upload_id: &str,
        part: u16,
        source: PartSource<'_>,
        (start, length): (u64, u64),
    ) -> Result<SealedETag, SiteError> {
        let inner = &self.inner;
        let last = start.saturating_add(length).saturating_sub(1);
        let call = inner
            .sdk
            .upload_part_copy()
            .bucket(inner.bucket(&at.bucket))
            .key(at.key.as_str())
            .upload_id(upload_id)
            .part_number(i32::from(part))
            .copy_source(path::copy_source(
                &inner.bucket_prefix,
                source.at,
                source.version,
                inner.quirks.copy_source_decoded_twice(),
            ))
            .copy_source_if_match(source.etag.quoted())
            .copy_source_range(format!("bytes={start}-{last}"));
        let copied = call.customize().config_override(sdk::slow(inner)).send().await.map_err(|e| inner.sdk_error(e))?;
        let etag = copied.copy_part_result.and_then(|result| result.e_tag).filter(|etag| !etag.is_empty());
        etag.map(|etag| SealedETag::from_backend(&etag)).ok_or_else(|| inner.nonsense("a copied part without an ETag"))
    }
}

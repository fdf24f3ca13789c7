//! Objects of an embedded site: written as blobs, committed by one rename under the key's lock.
use super::blobs::{self, blocking};
use super::entry::{Attributes, Blob, Entry};
use super::removal::only_version;
use super::unkept;
use super::wrapper::{Shared, Store, existing};
use crate::clock;
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What must hold for a write to happen.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

/// What must hold for a read (RFC 9110 section 13.2.2 gives the order).
struct ReadConditions {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

impl Store {
    pub(super) async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let shared = &self.0;
        let mut request = request;
        let input = &mut request.input;
        let (bucket, key) = (std::mem::take(&mut input.bucket), std::mem::take(&mut input.key));
        let conditions = Conditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        // Before the body is read: refuse at once what cannot succeed.
        unkept::of_put(input)?;
        let current = existing(&shared.index(), &bucket)?.objects.get(&key).cloned();
        conditions.check(current.as_deref())?;
        let attributes = Attributes::of_put(input);
        let written = blobs::write(&shared.fs, &shared.disk, &bucket, request).await?;
        let etag = written.etag;
        let entry = Entry::new(etag.clone(), attributes, vec![written.blob]);
        shared.commit(bucket, key, entry, conditions).await?;
        Ok(PutObjectOutput { e_tag: Some(ETag::Strong(etag)), ..written.checksums })
    }

    pub(super) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        let entry = self.0.find(&input.bucket, &input.key)?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&entry)?;
        let span = span(input.range, entry.size)?;
        let content_range = input.range.is_some().then(|| content_range(&span, entry.size));
        let attributes = entry.attributes.clone();
        Ok(GetObjectOutput {
            body: Some(StreamingBlob::wrap(blobs::read(entry.blobs.clone(), span.clone()))),
            content_length: i64::try_from(span.end - span.start).ok(),
            content_range,
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(entry.etag.clone())),
            last_modified: Some(entry.modified()),
            metadata: attributes.metadata(),
            content_type: attributes.content_type,
            content_encoding: attributes.content_encoding,
            content_disposition: attributes.content_disposition,
            content_language: attributes.content_language,
            cache_control: attributes.cache_control,
            expires: attributes.expires,
            ..Default::default()
        })
    }

    pub(super) async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        let entry = self.0.find(&input.bucket, &input.key)?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&entry)?;
        let span = span(input.range, entry.size)?;
        let attributes = entry.attributes.clone();
        Ok(HeadObjectOutput {
            content_length: i64::try_from(span.end - span.start).ok(),
            content_range: input.range.is_some().then(|| content_range(&span, entry.size)),
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(entry.etag.clone())),
            last_modified: Some(entry.modified()),
            metadata: attributes.metadata(),
            content_type: attributes.content_type,
            content_encoding: attributes.content_encoding,
            content_disposition: attributes.content_disposition,
            content_language: attributes.content_language,
            cache_control: attributes.cache_control,
            expires: attributes.expires,
            ..Default::default()
        })
    }

    pub(super) async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let input = request.input;
        let shared = &self.0;
        let (source_bucket, source_key) = copied_from(&input.copy_source)?;
        let source = shared.find(source_bucket, source_key)?;
        existing(&shared.index(), &input.bucket)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        };
        conditions.check_source(&source)?;
        let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        if !replace && (source_bucket, source_key) == (&input.bucket, &input.key) {
            return Err(s3_error!(InvalidRequest, "copying an object onto itself must change something"));
        }
        let attributes = if replace { Attributes::of_copy(&input) } else { source.attributes.clone() };
        let names = source.blobs.iter().map(|_| blobs::fresh_name()).collect::<S3Result<Vec<_>>>()?;
        let (disk, bucket, etag) = (shared.disk.clone(), input.bucket.clone(), source.etag.clone());
        let link_all = move || {
            let pairs = source.blobs.iter().zip(names);
            pairs.map(|(blob, name)| blobs::link(&disk, blob, &bucket, name)).collect::<io::Result<Vec<_>>>()
        };
        let entry = Entry::new(etag.clone(), attributes, blocking(link_all).await?);
        let last_modified = Some(entry.modified());
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        shared.commit(input.bucket, input.key, entry, conditions).await?;
        let result = CopyObjectResult { e_tag: Some(ETag::Strong(etag)), last_modified, ..Default::default() };
        Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }
}

impl Shared {
    /// Makes `entry` the object, if the conditions hold. Runs to its end once begun, whatever the client does.
    pub(super) async fn commit(
        self: &Arc<Self>,
        bucket: String,
        key: String,
        entry: Entry,
        conditions: Conditions,
    ) -> S3Result<()> {
        let shared = self.clone();
        blocking(move || {
            let _lock = shared.lock_key(&bucket, &key);
            Ok(shared.commit_locked(&bucket, &key, entry, &conditions))
        })
        .await?
    }

    /// As [`Self::commit`], under the key's lock.
    pub(super) fn commit_locked(&self, bucket: &str, key: &str, entry: Entry, conditions: &Conditions) -> S3Result<()> {
        let current = existing(&self.index(), bucket)?.objects.get(key).cloned();
        conditions.check(current.as_deref())?;
        let file = self.disk.entry_file(bucket, key);
        self.disk.replace(&file, &entry.to_file(key)).map_err(|e| s3_error!(e, InternalError))?;
        entry.blobs.iter().for_each(|blob| blob.keep());
        if let Some(bucket) = self.index_mut().buckets.get_mut(bucket) {
            bucket.objects.insert(key.to_owned(), Arc::new(entry));
        }
        forget(current);
        Ok(())
    }
}

pub(super) fn forget(entry: Option<Arc<Entry>>) {
    entry.iter().flat_map(|entry| &entry.blobs).for_each(|blob| blob.forget());
}

/// Bucket and key of a copy's source.
pub(super) fn copied_from(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            only_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        _ => Err(s3_error!(NotImplemented, "only objects of this site can be copied")),
    }
}

/// The bytes a range selects.
pub(super) fn span(range: Option<s3s::dto::Range>, size: u64) -> S3Result<Range<u64>> {
    match range {
        None => Ok(0..size),
        Some(_) if size == 0 => Err(s3_error!(InvalidRange)),
        Some(range) => Ok(range.check(size)?),
    }
}

fn content_range(span: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", span.start, span.end.saturating_sub(1))
}

// === impl Entry, Attributes ===

impl Entry {
    pub(super) fn new(etag: String, attributes: Attributes, blobs: Vec<Arc<Blob>>) -> Self {
        let size = blobs.iter().map(|blob| blob.length).sum();
        Self { etag, size, modified: clock::now(), attributes, blobs }
    }
}

impl Attributes {
    /// Takes them out of the input, so that `s3s-fs` does not store them a second time.
    fn of_put(input: &mut PutObjectInput) -> Self {
        Self {
            metadata: input.metadata.take().unwrap_or_default().into_iter().collect(),
            content_type: input.content_type.take(),
            content_encoding: input.content_encoding.take(),
            content_disposition: input.content_disposition.take(),
            content_language: input.content_language.take(),
            cache_control: input.cache_control.take(),
            expires: input.expires.take(),
        }
    }

    fn of_copy(input: &CopyObjectInput) -> Self {
        Self {
            metadata: input.metadata.clone().unwrap_or_default().into_iter().collect(),
            content_type: input.content_type.clone(),
            content_encoding: input.content_encoding.clone(),
            content_disposition: input.content_disposition.clone(),
            content_language: input.content_language.clone(),
            cache_control: input.cache_control.clone(),
            expires: input.expires.clone(),
        }
    }

    fn metadata(&self) -> Option<Metadata> {
        (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect())
    }
}

// === impl Conditions ===

impl Conditions {
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
    pub(super) fn check(&self, current: Option<&Entry>) -> S3Result<()> {
        if let Some(condition) = &self.if_match {
            let current = current.ok_or_else(|| s3_error!(NoSuchKey))?;
            if !matches(condition, current) {
                return Err(s3_error!(PreconditionFailed));
            }
        }
        match (&self.if_none_match, current) {
            (Some(condition), Some(current)) if matches(condition, current) => Err(s3_error!(PreconditionFailed)),
            _ => Ok(()),
        }
    }
}

// === impl ReadConditions ===

impl ReadConditions {
    fn check(&self, entry: &Entry) -> S3Result<()> {
        match self.verdict(entry) {
            Verdict::Holds => Ok(()),
            Verdict::Unchanged => Err(s3_error!(NotModified)),
            Verdict::Changed => Err(s3_error!(PreconditionFailed)),
        }
    }

    /// A copy knows no 304.
    pub(super) fn check_source(&self, entry: &Entry) -> S3Result<()> {
        match self.verdict(entry) {
            Verdict::Holds => Ok(()),
            _ => Err(s3_error!(PreconditionFailed)),
        }
    }

    fn verdict(&self, entry: &Entry) -> Verdict {
        let modified = entry.modified();
        if let Some(condition) = &self.if_match {
            if !matches(condition, entry) {
                return Verdict::Changed;
            }
        } else if self.if_unmodified_since.as_ref().is_some_and(|since| modified > *since) {
            return Verdict::Changed;
        }
        let unchanged = match &self.if_none_match {
            Some(condition) => matches(condition, entry),
            None => self.if_modified_since.as_ref().is_some_and(|since| modified <= *since),
        };
        if unchanged { Verdict::Unchanged } else { Verdict::Holds }
    }
}

enum Verdict {
    Holds,
    Unchanged,
    Changed,
}

pub(super) fn matches(condition: &ETagCondition, entry: &Entry) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == entry.etag,
    }
}

/// Pins the source of a part copy.
pub(super) fn check_part_source(input: &UploadPartCopyInput, entry: &Entry) -> S3Result<()> {
    let conditions = ReadConditions {
        if_match: input.copy_source_if_match.clone(),
        if_none_match: input.copy_source_if_none_match.clone(),
        if_modified_since: input.copy_source_if_modified_since.clone(),
        if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
    };
    conditions.check_source(entry)
}

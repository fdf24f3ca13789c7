//! What a backend really does, found out by doing it: nothing is believed that a request can test.
//!
//! Some servers answer 200 to a condition and ignore it; a proxy that trusted them would lose writes. Everything
//! happens under `probe/` in the system bucket and is removed again.
use super::delete::DeleteOptions;
use super::error::SiteError;
use super::object::{Location, NO_HEADERS, ObjectHeaders, PartSource, PutBody, SealedRange, WriteCondition};
use super::site::Site;
use super::trailed::Trailed;
use super::{Capabilities, body::OutBody};
use crate::clock;
use crate::s3::{BucketName, ObjectKey, SealedETag};
use bytes::Bytes;
use std::sync::Arc;

/// AWS copies a range only out of objects larger than this.
const COPY_SOURCE: usize = 5 * 1024 * 1024 + 1;
/// An ETag that no object has.
const NO_ETAG: &str = "00000000000000000000000000000000";
/// Values of one metadata header that are tried, longest first.
const METADATA_SIZES: [usize; 4] = [8192, 4096, 2048, 1024];

impl Site {
    /// Probes in the system bucket `bucket` (created when missing); stores and returns the result.
    ///
    /// # Errors
    /// When the site is out, or does not let us write to the bucket at all.
    pub async fn probe(&self, bucket: &BucketName) -> Result<Arc<Capabilities>, SiteError> {
        self.ensure_bucket(bucket).await?;
        let mut id = [0u8; 8];
        clock::random(&mut id).map_err(|e| self.inner.unreachable(e.to_string()))?;
        let probe = Probe { site: self, bucket, id: hex::encode(id) };
        let found = probe.run().await;
        probe.clean_up().await;
        let found = Arc::new(found?);
        if let Err(error) = self.list_buckets().await {
            tracing::info!(site = %self.name(), %error, "the site does not say whose its buckets are");
        }
        self.inner.capabilities.store(Some(found.clone()));
        Ok(found)
    }

    async fn ensure_bucket(&self, bucket: &BucketName) -> Result<(), SiteError> {
        match self.head_bucket(bucket).await {
            Err(error) if error.is_not_found() => {}
            other => return other,
        }
        match self.create_bucket(bucket, None).await {
            Err(SiteError::S3 { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
            other => other,
        }
    }
}

/// One run: every key it uses begins with its own id.
struct Probe<'a> {
    site: &'a Site,
    bucket: &'a BucketName,
    id: String,
}

/// The objects a run may leave.
const OBJECTS: [&str; 6] = ["condition", "delete", SOURCE, "copy", "checksum", "metadata"];
/// A server that decodes a copy source twice looks for `sourceA`. (A lone `%` would make RGW 16 abort.)
const SOURCE: &str = "source%41";

impl Probe<'_> {
    async fn run(&self) -> Result<Capabilities, SiteError> {
        let put_if_none_match = self.put_if_none_match().await?;
        let put_if_match = self.put_if_match().await?;
        let absent_fails_if_match = self.absent_fails_if_match().await?;
        let get_if_match = self.get_if_match().await?;
        let delete_if_match = self.delete_if_match().await?;
        let complete_if_none_match = self.complete_if_none_match().await?;
        let upload_part_copy = answered(self.upload_part_copy().await)?.unwrap_or(false);
        let versioning = self.versioning().await?;
        let object_lock = self.object_lock().await?;
        let checksums = self.checksums().await?;
        let checksum_trailers = self.checksum_trailers().await?;
        let max_metadata = self.max_metadata().await?;
        Ok(Capabilities {
            put_if_none_match,
            put_if_match,
            absent_fails_if_match,
            complete_if_none_match,
            get_if_match,
            delete_if_match,
            upload_part_copy,
            versioning,
            object_lock,
            checksums,
            checksum_trailers,
            max_metadata,
            quirks: self.site.inner.quirks.lines(),
        })
    }

    async fn clean_up(&self) {
        for object in OBJECTS {
            if let Ok(at) = self.at(object)
                && let Err(error) = self.site.delete(&at).await
            {
                tracing::warn!(site = %self.site.name(), %error, "an object of the probe could not be removed");
            }
        }
    }

    fn at(&self, object: &str) -> Result<Location, SiteError> {
        let key = ObjectKey::parse(&format!("probe/{}/{object}", self.id));
        let key = key.map_err(|e| self.site.inner.nonsense(e.to_string()))?;
        Ok(Location { bucket: self.bucket.clone(), key })
    }

    async fn put(&self, object: &str) -> Result<SealedETag, SiteError> {
        let at = self.at(object)?;
        let put = self.site.put_small(&at, Bytes::from_static(b"probe"), &WriteCondition::Always);
        Ok(put.await?.etag)
    }

    /// Past the refusal of what an earlier probe found missing.
    async fn put_if(&self, object: &str, header: (&'static str, &str)) -> Result<(), SiteError> {
        let at = self.at(object)?;
        let put = self.site.inner.put_with(&at, header, Bytes::from_static(b"probe"));
        put.await.map(drop)
    }

    /// Leaves the object `condition` behind, for the probes that follow.
    async fn put_if_none_match(&self) -> Result<bool, SiteError> {
        let if_absent = ("if-none-match", "*");
        let first = answered(self.put_if("condition", if_absent).await)?;
        let second = refused(self.put_if("condition", if_absent).await)?;
        self.put("condition").await?;
        Ok(first.is_some() && second)
    }

    /// Tries the quoted form first, as RFC 9110 writes it, then the bare one, and remembers which one works.
    async fn put_if_match(&self) -> Result<bool, SiteError> {
        let etag = self.put("condition").await?;
        let none = SealedETag::from_backend(NO_ETAG);
        let quoted = self.if_match_works(etag.quoted(), none.quoted()).await?;
        let bare = !quoted && self.if_match_works(etag.as_str().to_owned(), none.as_str().to_owned()).await?;
        self.site.inner.quirks.set_if_match_unquoted(bare);
        Ok(quoted || bare)
    }

    async fn if_match_works(&self, right: String, wrong: String) -> Result<bool, SiteError> {
        let wrong_is_refused = refused(self.put_if("condition", ("if-match", &wrong)).await)?;
        Ok(wrong_is_refused && answered(self.put_if("condition", ("if-match", &right)).await)?.is_some())
    }

    /// Asked about the object `delete`, before it is written.
    async fn absent_fails_if_match(&self) -> Result<bool, SiteError> {
        match self.put_if("delete", ("if-match", "*")).await {
            Err(SiteError::S3 { status, .. }) => Ok(status == 412),
            other => other.map(|()| false),
        }
    }

    /// At the bare door: [`Site::get`] would hide a condition that is ignored.
    async fn get_if_match(&self) -> Result<bool, SiteError> {
        let none = SealedETag::from_backend(NO_ETAG);
        refused(self.site.inner.send_get(&self.at("condition")?, None, SealedRange::Whole, Some(&none)).await)
    }

    /// On an object of its own: a backend that ignores the condition deletes it.
    async fn delete_if_match(&self) -> Result<bool, SiteError> {
        let (at, etag) = (self.at("delete")?, self.put("delete").await?);
        let only = |etag| DeleteOptions { if_match: Some(etag), ..DeleteOptions::default() };
        let wrong = self.site.delete_unchecked(&at, &only(SealedETag::from_backend(NO_ETAG))).await;
        if !refused(wrong)? {
            return Ok(false);
        }
        Ok(answered(self.site.delete_unchecked(&at, &only(etag)).await)?.is_some())
    }

    async fn complete_if_none_match(&self) -> Result<bool, SiteError> {
        let at = self.at("condition")?;
        let id = self.site.create_multipart(&at, &NO_HEADERS).await?;
        let tried = async {
            let (sender, chunks) = tokio::sync::mpsc::channel(1);
            let _ = sender.send(Bytes::from_static(b"probe")).await;
            let part = self.site.upload_part(&at, &id, 1, PutBody { length: 5, chunks }).await?;
            self.site.complete_unchecked(&at, &id, &[(1, part)], &WriteCondition::IfAbsent).await
        };
        let honoured = refused(tried.await)?;
        // Completed uploads are gone already.
        let _ = self.site.abort_multipart(&at, &id).await;
        Ok(honoured)
    }

    /// Also finds out whether the source must be encoded twice, and whether it can be pinned.
    async fn upload_part_copy(&self) -> Result<bool, SiteError> {
        let source = self.at(SOURCE)?;
        let bytes = Bytes::from(vec![0u8; COPY_SOURCE]);
        let length = bytes.len() as u64;
        let inner = &self.site.inner;
        let put = inner.put_object(&source, &NO_HEADERS, &WriteCondition::Always, length, OutBody::Full(bytes), None);
        let etag = put.await?.etag;
        for twice in [false, true] {
            inner.quirks.set_copy_source_decoded_twice(twice);
            if answered(self.copied(&source, &etag, length).await)?.unwrap_or(false) {
                return Ok(true);
            }
        }
        inner.quirks.set_copy_source_decoded_twice(false);
        Ok(false)
    }

    /// Copies all but the first byte through a part; true when they arrived.
    async fn copied(&self, source: &Location, etag: &SealedETag, length: u64) -> Result<bool, SiteError> {
        let at = self.at("copy")?;
        let id = self.site.create_multipart(&at, &NO_HEADERS).await?;
        let none = SealedETag::from_backend(NO_ETAG);
        let from = |etag| PartSource { at: source, version: None, etag };
        let quirks = &self.site.inner.quirks;
        let tried = async {
            quirks.set_copy_source_if_match_ignored(false);
            let pinned = refused(self.site.upload_part_copy(&at, &id, 1, from(&none), (1, length - 1)).await)?;
            let part = self.site.upload_part_copy(&at, &id, 1, from(etag), (1, length - 1)).await?;
            quirks.set_copy_source_if_match_ignored(!pinned);
            self.site.complete_multipart(&at, &id, &[(1, part)], &WriteCondition::Always).await?;
            Ok(self.site.head(&at).await?.1.0 == length - 1)
        };
        let worked: Result<bool, SiteError> = tried.await;
        if worked.is_err() {
            let _ = self.site.abort_multipart(&at, &id).await;
        }
        worked
    }

    async fn versioning(&self) -> Result<bool, SiteError> {
        let inner = &self.site.inner;
        let call = inner.sdk.get_bucket_versioning().bucket(inner.bucket(self.bucket));
        Ok(answered(call.send().await.map_err(|e| inner.sdk_error(e)))?.is_some())
    }

    /// A bucket without a lock configuration says so with a code of its own where locks are known.
    async fn object_lock(&self) -> Result<bool, SiteError> {
        let inner = &self.site.inner;
        let call = inner.sdk.get_object_lock_configuration().bucket(inner.bucket(self.bucket));
        match call.send().await.map_err(|e| inner.sdk_error(e)) {
            Ok(_) => Ok(true),
            Err(SiteError::S3 { code, .. }) if code.contains("ObjectLock") => Ok(true),
            Err(error) if error.is_outage() => Err(error),
            Err(_) => Ok(false),
        }
    }

    async fn checksums(&self) -> Result<bool, SiteError> {
        let header = ("x-amz-checksum-crc32", "AAAAAA==");
        let sent = self.site.inner.put_with(&self.at("checksum")?, header, Bytes::from_static(b"probe")).await;
        Ok(answered(sent)?.is_none())
    }

    /// A wrong one is refused, and with a right one the object has its bytes and nothing of the framing.
    async fn checksum_trailers(&self) -> Result<bool, SiteError> {
        let (at, inner) = (self.at("checksum")?, &self.site.inner);
        let wrong = Trailed::new(OutBody::Full(Bytes::from_static(b"other")), 5);
        let put = |body: Trailed| {
            inner.put_object(&at, &NO_HEADERS, &WriteCondition::Always, 5, OutBody::Trailed(body), None)
        };
        let refused = answered(put(wrong.spoilt()).await)?.is_none();
        let right = Trailed::new(OutBody::Full(Bytes::from_static(b"probe")), 5);
        if !refused || answered(put(right).await)?.is_none() {
            return Ok(false);
        }
        Ok(answered(self.site.get_small(&at).await)?.is_some_and(|(bytes, _)| bytes == b"probe"[..]))
    }

    async fn max_metadata(&self) -> Result<usize, SiteError> {
        let at = self.at("metadata")?;
        for size in METADATA_SIZES {
            let value = "m".repeat(size);
            let body = OutBody::Full(Bytes::from_static(b"probe"));
            let headers = ObjectHeaders::of(Some(&value));
            let put = self.site.inner.put_object(&at, &headers, &WriteCondition::Always, 5, body, None);
            if answered(put.await)?.is_none() {
                continue;
            }
            let got = answered(self.site.get(&at, SealedRange::Whole, None).await)?;
            if got.is_some_and(|got| got.metadata == Some(value)) {
                return Ok(size);
            }
        }
        Ok(0)
    }
}

/// `None` when the site refused; an outage proves nothing and ends the probe.
fn answered<T>(result: Result<T, SiteError>) -> Result<Option<T>, SiteError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_outage() => Err(error),
        Err(_) => Ok(None),
    }
}

/// True only for a 412: any other answer means that the condition was not understood.
fn refused<T>(result: Result<T, SiteError>) -> Result<bool, SiteError> {
    match result {
        Ok(_) => Ok(false),
        Err(error) if error.is_precondition_failed() => Ok(true),
        Err(error) if error.is_outage() => Err(error),
        Err(_) => Ok(false),
    }
}

//! HEAD and deletes, through the SDK door.
use super::error::SiteError;
use super::object::Location;
use super::sdk;
use super::site::Site;
use crate::s3::{BucketName, ObjectKey, SealedETag, SealedLen};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

/// The most keys one DeleteObjects may carry.
const DELETE_BATCH: usize = 1000;
/// The most XML one DeleteObjects may be: Ceph's RADOS Gateway refuses bodies over 1 MiB (`rgw_max_put_param_size`)
/// with `InvalidRange`; 1,000 of the longest keys, escaped, are more.
const DELETE_XML: usize = 900 * 1024;
/// `<Object><Key></Key></Object>`, rounded up.
const DELETE_ENTRY: usize = 32;

impl Site {
    /// ETag and length of an object.
    ///
    /// # Errors
    /// [`SiteError::S3`] with status 404 when there is none.
    pub async fn head(&self, at: &Location) -> Result<(SealedETag, SealedLen), SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.head_object().bucket(inner.bucket(&at.bucket)).key(at.key.as_str());
            let found = call.send().await.map_err(|e| inner.sdk_error(e))?;
            let etag = found.e_tag().map(SealedETag::from_backend);
            let length = found.content_length().and_then(|length| u64::try_from(length).ok());
            etag.zip(length).ok_or_else(|| inner.nonsense("HEAD without ETag or length"))
        };
        let (etag, length) = inner.watched("head", request).await?;
        Ok((etag, SealedLen(length)))
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// As the site answered.
    pub async fn delete(&self, at: &Location) -> Result<(), SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.delete_object().bucket(inner.bucket(&at.bucket)).key(at.key.as_str());
            match call.send().await.map_err(|e| inner.sdk_error(e)) {
                Err(SiteError::S3 { code, .. }) if code == "NoSuchKey" => Ok(()),
                other => other.map(drop),
            }
        };
        inner.watched("delete", request).await
    }

    /// Deletes many; the result has one entry per key that failed.
    ///
    /// # Errors
    /// When a whole batch of up to 1,000 keys failed.
    pub async fn delete_many(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
    ) -> Result<Vec<(ObjectKey, SiteError)>, SiteError> {
        let mut failed = Vec::new();
        for batch in delete_batches(keys) {
            failed.extend(self.inner.watched("delete_many", self.delete_batch(bucket, batch)).await?);
        }
        Ok(failed)
    }

    async fn delete_batch(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
    ) -> Result<Vec<(ObjectKey, SiteError)>, SiteError> {
        let inner = &self.inner;
        let identifiers = keys
            .iter()
            .map(|key| ObjectIdentifier::builder().key(key.as_str()).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| inner.nonsense(e.to_string()))?;
        let delete = Delete::builder().set_objects(Some(identifiers)).quiet(true).build();
        let delete = delete.map_err(|e| inner.nonsense(e.to_string()))?;
        let call = inner.sdk.delete_objects().bucket(inner.bucket(bucket)).delete(delete);
        let answer = call.customize().config_override(sdk::once()).send().await.map_err(|e| inner.sdk_error(e))?;
        let failures = answer.errors().iter().filter(|error| error.code() != Some("NoSuchKey"));
        Ok(failures.filter_map(|error| self.failed_key(keys, error)).collect())
    }

    fn failed_key(&self, keys: &[ObjectKey], error: &aws_sdk_s3::types::Error) -> Option<(ObjectKey, SiteError)> {
        let key = keys.iter().find(|key| Some(key.as_str()) == error.key())?.clone();
        let code = error.code().unwrap_or("InternalError").to_owned();
        let status = match code.as_str() {
            "AccessDenied" => 403,
            "InternalError" => 500,
            _ => 400,
        };
        let message = error.message().unwrap_or_default().to_owned();
        Some((key, SiteError::S3 { site: self.name().clone(), status, code, message }))
    }
}

/// As many keys in one request as every backend takes.
fn delete_batches(mut keys: &[ObjectKey]) -> impl Iterator<Item = &[ObjectKey]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = keys.iter().take(DELETE_BATCH).take_while(|key| {
            bytes += DELETE_ENTRY + escaped_len(key.as_str());
            bytes <= DELETE_XML
        });
        // One key always fits: it is at most 6 KiB.
        let (batch, rest) = keys.split_at(fits.count().max(1).min(keys.len()));
        keys = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// No less than the bytes of `text` in XML: an escaped character is up to six.
fn escaped_len(text: &str) -> usize {
    text.bytes().map(|byte| if matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | 0..0x20) { 6 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_is_cut_into_requests_that_every_backend_takes() {
        let keys = |text: &str, count| vec![ObjectKey::parse(text).expect("a key"); count];
        let sizes = |keys: &[ObjectKey]| delete_batches(keys).map(<[_]>::len).collect::<Vec<_>>();
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&keys("short", 2001)), [1000, 1000, 1]);
        assert_eq!(sizes(&keys(&"&".repeat(1024), 1000)), [149, 149, 149, 149, 149, 149, 106]);
    }
}

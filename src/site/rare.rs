//! HEAD and deletes, through the SDK door.
use super::error::SiteError;
use super::object::Location;
use super::sdk;
use super::site::Site;
use crate::s3::{BucketName, ObjectKey, SealedETag, SealedLen};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

/// The most keys one DeleteObjects may carry.
const DELETE_BATCH: usize = 1000;

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
        for batch in keys.chunks(DELETE_BATCH) {
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

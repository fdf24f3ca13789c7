//! HEAD, through the SDK door.
use super::error::SiteError;
use super::object::Location;
use super::site::Site;
use crate::s3::{SealedETag, SealedLen};

impl Site {
    /// ETag and length of an object.
    ///
    /// # Errors
    /// [`SiteError::S3`] with status 404 when there is none.
    pub async fn head(&self, at: &Location) -> Result<(SealedETag, SealedLen), SiteError> {
        self.head_version(at, None).await
    }

    /// The same of one version.
    ///
    /// # Errors
    /// As [`Site::head`].
    pub async fn head_version(
        &self,
        at: &Location,
        version: Option<&str>,
    ) -> Result<(SealedETag, SealedLen), SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.head_object().bucket(inner.bucket(&at.bucket)).key(at.key.as_str());
            let found = call.set_version_id(version.map(str::to_owned)).send().await.map_err(|e| inner.sdk_error(e))?;
            let etag = found.e_tag().map(SealedETag::from_backend);
            let length = found.content_length().and_then(|length| u64::try_from(length).ok());
            etag.zip(length).ok_or_else(|| inner.nonsense("HEAD without ETag or length"))
        };
        let (etag, length) = inner.watched("head", request).await?;
        Ok((etag, SealedLen(length)))
    }
}

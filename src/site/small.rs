//! Small objects of the system bucket (keyring, staging), whole in memory.
use super::body::OutBody;
use super::error::SiteError;
use super::object::{Location, NO_HEADERS, SealedRange, WriteCondition, Written};
use super::site::Site;
use crate::s3::SealedETag;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

/// The largest object that is read whole.
pub const SMALL_LIMIT: u64 = 8 * 1024 * 1024;

impl Site {
    /// A whole object of at most [`SMALL_LIMIT`] bytes.
    ///
    /// # Errors
    /// As [`Site::get`]; [`SiteError::Protocol`] when the object is larger.
    pub async fn get_small(&self, at: &Location) -> Result<(Bytes, SealedETag), SiteError> {
        let mut got = self.get(at, SealedRange::Whole, None).await?;
        if got.length > SMALL_LIMIT {
            return Err(self.inner.nonsense("a small object is larger than 8 MiB"));
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(got.length).unwrap_or(0));
        while let Some(chunk) = got.body.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok((bytes.freeze(), got.etag))
    }

    /// Writes a whole object.
    ///
    /// # Errors
    /// 412 when the condition does not hold; [`SiteError::Unsupported`] as for [`Site::put`]; else as the site answered.
    pub async fn put_small(
        &self,
        at: &Location,
        bytes: Bytes,
        condition: &WriteCondition,
    ) -> Result<Written, SiteError> {
        self.inner.allow(condition, false)?;
        let length = bytes.len() as u64;
        let sent = async {
            let body = self.inner.with_checksum(&at.bucket, OutBody::Full(bytes), length).await;
            self.inner.put_object(at, &NO_HEADERS, condition, length, body, None).await
        };
        self.inner.watched("put", sent).await
    }
}

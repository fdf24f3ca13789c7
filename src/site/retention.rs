//! What a site must not let go of yet, through the SDK door: object lock of a bucket, retention and legal hold of a version.
use super::bucket::instant;
use super::error::SiteError;
use super::object::Location;
use super::site::{Inner, Site};
use crate::s3::BucketName;
use aws_sdk_s3::types::ObjectLockLegalHoldStatus;
use time::OffsetDateTime;

/// Why a version has to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Governance or compliance retention that ends then.
    Until(OffsetDateTime),
    /// A legal hold: until somebody takes it off.
    Legal,
}

impl Site {
    /// Whether objects of this bucket can have retention or a hold. Sites without object lock, and buckets that are gone, have none.
    ///
    /// # Errors
    /// When the site gives no definite answer, 403 included.
    pub async fn has_object_lock(&self, bucket: &BucketName) -> Result<bool, SiteError> {
        self.inner.object_lock(bucket).await
    }

    /// Why this version has to be kept at `now`; `None` when it has not to be, or is gone. To be asked in buckets with object lock.
    ///
    /// # Errors
    /// When the site gives no definite answer, 403 included.
    pub async fn hold(
        &self,
        at: &Location,
        version: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Option<Hold>, SiteError> {
        let inner = &self.inner;
        let (bucket, key, version) = (inner.bucket(&at.bucket), at.key.as_str(), version.map(str::to_owned));
        let request = async {
            let call = inner.sdk.get_object_legal_hold().bucket(&bucket).key(key).set_version_id(version.clone());
            call.send().await.map_err(|e| inner.sdk_error(e))
        };
        match inner.watched("get_legal_hold", request).await {
            Ok(answer) => {
                if answer.legal_hold().and_then(|hold| hold.status()) == Some(&ObjectLockLegalHoldStatus::On) {
                    return Ok(Some(Hold::Legal));
                }
            }
            Err(error) if is_none(&error) => {}
            Err(error) => return Err(error),
        }
        let request = async {
            let call = inner.sdk.get_object_retention().bucket(&bucket).key(key).set_version_id(version.clone());
            call.send().await.map_err(|e| inner.sdk_error(e))
        };
        match inner.watched("get_retention", request).await {
            Ok(answer) => {
                let until = answer.retention().and_then(|retention| retention.retain_until_date()).map(|date| {
                    instant(date).ok_or_else(|| inner.nonsense("a retention until a date that does not exist"))
                });
                Ok(until.transpose()?.filter(|until| *until > now).map(Hold::Until))
            }
            Err(error) if is_none(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// As [`Site::has_object_lock`].
    pub(super) async fn object_lock(&self, bucket: &BucketName) -> Result<bool, SiteError> {
        let request = async {
            let call = self.sdk.get_object_lock_configuration().bucket(self.bucket(bucket));
            call.send().await.map_err(|e| self.sdk_error(e))
        };
        match self.watched("get_object_lock", request).await {
            Ok(answer) => Ok(answer.object_lock_configuration().is_some()),
            Err(error) if is_none(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// 404: no lock in this bucket, no retention, no hold, or no such object any more. 405 and 501: the site knows no object lock.
fn is_none(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { status: 404 | 405 | 501, .. } | SiteError::DeleteMarker { .. })
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Legal => f.write_str("under a legal hold"),
            Self::Until(date) => write!(f, "retained until {}", date.date()),
        }
    }
}

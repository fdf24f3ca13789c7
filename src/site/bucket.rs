//! Buckets, through the SDK door. The site's prefix is put on and taken off here.
use super::error::SiteError;
use super::sdk;
use super::site::Site;
use crate::s3::BucketName;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use std::sync::Arc;
use time::OffsetDateTime;

/// One bucket.
#[derive(Clone, Debug)]
pub struct ListedBucket {
    /// Name without the site's prefix.
    pub name: String,
    /// Created.
    pub created: Option<OffsetDateTime>,
}

/// Whom a site takes us for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteOwner {
    /// S3's canonical user id.
    pub id: String,
    /// Where the site has one.
    pub display_name: Option<String>,
}

impl Site {
    /// Creates a bucket, in `location` when given.
    ///
    /// # Errors
    /// 409 `BucketAlreadyOwnedByYou` when it is there already (the caller decides what that means).
    pub async fn create_bucket(&self, bucket: &BucketName, location: Option<&str>) -> Result<(), SiteError> {
        self.create_bucket_with(bucket, location, &[]).await
    }

    /// The same with headers that configure it (ACL, object lock, ownership).
    ///
    /// # Errors
    /// As [`Site::create_bucket`].
    pub async fn create_bucket_with(
        &self,
        bucket: &BucketName,
        location: Option<&str>,
        headers: &[(&'static str, String)],
    ) -> Result<(), SiteError> {
        let inner = &self.inner;
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let request = async {
            let mut call = inner.sdk.create_bucket().bucket(inner.bucket(bucket));
            if let Some(location) = location {
                let constraint = BucketLocationConstraint::from(location);
                call = call.create_bucket_configuration(
                    CreateBucketConfiguration::builder().location_constraint(constraint).build(),
                );
            }
            let call = sdk::with_headers(call.customize(), headers.clone()).config_override(sdk::once());
            call.send().await.map(drop).map_err(|e| inner.sdk_error(e))
        };
        self.forget_lock(bucket);
        inner.watched("create_bucket", request).await
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// 409 `BucketNotEmpty`, 404 `NoSuchBucket`.
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.delete_bucket().bucket(inner.bucket(bucket));
            let call = call.customize().config_override(sdk::once());
            call.send().await.map(drop).map_err(|e| inner.sdk_error(e))
        };
        inner.watched("delete_bucket", request).await
    }

    /// Whether a bucket is there.
    ///
    /// # Errors
    /// 404 `NoSuchBucket`; 403 when it belongs to somebody else.
    pub async fn head_bucket(&self, bucket: &BucketName) -> Result<(), SiteError> {
        let inner = &self.inner;
        let request = async {
            let sent = inner.sdk.head_bucket().bucket(inner.bucket(bucket)).send().await;
            // A HEAD has no body, so no code: a 404 can only mean the bucket.
            sent.map(drop).map_err(|e| match inner.sdk_error(e) {
                SiteError::S3 { site, status: 404, message, .. } => {
                    SiteError::S3 { site, status: 404, code: "NoSuchBucket".to_owned(), message }
                }
                other => other,
            })
        };
        inner.watched("head_bucket", request).await
    }

    /// Every bucket that carries the site's prefix, without it. Also learns who we are there ([`Site::owner`]).
    ///
    /// # Errors
    /// As the site answered.
    pub async fn list_buckets(&self) -> Result<Vec<ListedBucket>, SiteError> {
        let mut buckets = Vec::new();
        let mut token = None;
        loop {
            token = self.inner.watched("list_buckets", self.bucket_page(token, &mut buckets)).await?;
            if token.is_none() {
                return Ok(buckets);
            }
        }
    }

    async fn bucket_page(
        &self,
        token: Option<String>,
        buckets: &mut Vec<ListedBucket>,
    ) -> Result<Option<String>, SiteError> {
        let inner = &self.inner;
        let call = inner.sdk.list_buckets().set_continuation_token(token);
        let page = call.send().await.map_err(|e| inner.sdk_error(e))?;
        buckets.extend(page.buckets().iter().filter_map(|bucket| {
            let name = bucket.name()?.strip_prefix(&inner.bucket_prefix)?;
            Some(ListedBucket { name: name.to_owned(), created: bucket.creation_date().and_then(instant) })
        }));
        if let Some(owner) = &page.owner
            && let Some(id) = owner.id.clone().filter(|id| !id.is_empty())
        {
            inner.owner.store(Some(Arc::new(SiteOwner { id, display_name: owner.display_name.clone() })));
        }
        Ok(page.continuation_token.filter(|token| !token.is_empty()))
    }

    /// The location constraint of a bucket; `None` where the site gives none.
    ///
    /// # Errors
    /// 404 `NoSuchBucket`.
    pub async fn bucket_location(&self, bucket: &BucketName) -> Result<Option<String>, SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.get_bucket_location().bucket(inner.bucket(bucket));
            let found = call.send().await.map_err(|e| inner.sdk_error(e))?;
            Ok(found.location_constraint.map(|c| c.as_str().to_owned()).filter(|c| !c.is_empty()))
        };
        inner.watched("bucket_location", request).await
    }
}

/// The SDK's time in ours.
pub(super) fn instant(time: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok()
}

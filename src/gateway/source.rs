//! The source of a copy: another object of ours, opened, judged by the client's conditions, read as plaintext.
use super::Gateway;
use super::conditions::{Conditions, Verdict};
use super::open::{self, Opened};
use super::respond::{GatewayError, not_implemented};
use crate::authz::Permit;
use crate::s3::{BucketName, ObjectKey, Operation, PlainSpan};
use crate::site::Location;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use s3s::dto::CopySource;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError};
use std::sync::Arc;

/// An opened source.
pub(super) struct Source {
    pub(super) at: Location,
    pub(super) opened: Arc<Opened>,
}

/// The copy conditions of any `s3s` input that has them.
macro_rules! conditions {
    ($input:expr) => {
        $crate::gateway::conditions::Conditions {
            if_match: $input.copy_source_if_match.clone(),
            if_none_match: $input.copy_source_if_none_match.clone(),
            if_modified_since: $input.copy_source_if_modified_since.clone(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.clone(),
        }
    };
}
pub(super) use conditions;

// === impl Source ===

impl Source {
    /// Opens it, if the caller may read it and the conditions hold.
    pub(super) async fn open(
        gateway: &Arc<Gateway>,
        permit: &Permit,
        source: &CopySource,
        conditions: &Conditions,
    ) -> Result<Self, GatewayError> {
        let at = location(source)?;
        let allowed =
            gateway.authorizer.permit(permit.principal(), Operation::GetObject, Some(&at.bucket), Some(&at.key));
        allowed.map_err(|_| S3Error::new(S3ErrorCode::AccessDenied))?;
        let opened = open::open(gateway, &at).await?;
        match conditions.judge(&opened.object.etag(), opened.last_modified) {
            Verdict::Proceed => Ok(Self { at, opened }),
            // For copies, "not modified" is a failed precondition, too.
            Verdict::NotModified | Verdict::Failed => Err(S3Error::new(S3ErrorCode::PreconditionFailed).into()),
        }
    }

    /// Its plaintext, as a body to take in.
    pub(super) async fn read(
        &self,
        gateway: &Arc<Gateway>,
        span: PlainSpan,
    ) -> Result<impl Stream<Item = Result<Bytes, StdError>> + Unpin + use<>, GatewayError> {
        let body = open::read(gateway, &self.at, &self.opened, span).await?;
        Ok(body.map(|chunk| chunk.map_err(StdError::from)))
    }
}

/// Where a copy source lies; versions and access points come later.
pub(super) fn location(source: &CopySource) -> S3Result<Location> {
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(not_implemented("Copying from an access point"));
    };
    if version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(not_implemented("Copying a version"));
    }
    let bucket = BucketName::parse(bucket).map_err(|_| S3Error::new(S3ErrorCode::InvalidBucketName))?;
    let key = ObjectKey::parse(key).map_err(|_| S3Error::new(S3ErrorCode::KeyTooLongError))?;
    Ok(Location { bucket, key })
}

//! The one place that turns inner errors into S3 errors. CONTRACT SKELETON (owner: write path).
use crate::keys::KeyError;
use crate::seal::SealError;
use crate::site::tee::TeeError;
use crate::site::{SiteError, SiteName};
use crate::state::StateError;
use s3s::{S3Error, S3ErrorCode};

/// Everything an operation can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// A site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The tee.
    #[error(transparent)]
    Tee(#[from] TeeError),
    /// Sealed bytes that a site returned do not authenticate.
    #[error("object at site {site} does not authenticate: {source}")]
    Integrity { site: SiteName, source: SealError },
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// State.
    #[error(transparent)]
    State(#[from] StateError),
    /// Already an S3 error.
    #[error("{0}")]
    S3(S3Error),
}

impl From<S3Error> for GatewayError {
    fn from(error: S3Error) -> Self {
        Self::S3(error)
    }
}

impl From<GatewayError> for S3Error {
    fn from(_error: GatewayError) -> Self {
        S3Error::new(S3ErrorCode::InternalError)
    }
}

//! An object that every site makes by itself, out of a body that it holds and a footer that it is sent.
use crate::gateway::Gateway;
use crate::gateway::multipart::{Ending, abort_at, abort_where_missing, end};
use crate::gateway::respond::GatewayError;
use crate::s3::Operation;
use crate::site::tee::{Committed, CopySource, Mode, SiteParts, SiteUploads, TeeError};
use crate::site::{Location, ObjectHeaders, SiteError, WriteCondition};
use bytes::Bytes;

/// S3's smallest part but the last; the body becomes parts, the footer is the last one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub(super) const SMALLEST_BODY: u64 = 5 * 1024 * 1024;

/// What is made of what.
pub(super) struct Assembly<'a> {
    pub(super) at: &'a Location,
    pub(super) source: &'a CopySource,
    pub(super) headers: &'a ObjectHeaders,
    /// What comes behind the copied bytes.
    pub(super) footer: Bytes,
    pub(super) condition: &'a WriteCondition,
    pub(super) mode: Mode,
}

/// Makes it; the inner error is that of a site that is needed and refuses to copy, with nothing left behind.
pub(super) async fn assemble(
    gateway: &Gateway,
    assembly: Assembly<'_>,
) -> Result<Result<Committed, SiteError>, GatewayError> {
    let (uploads, parts) = match start(gateway, &assembly).await {
        Err(TeeError::Site(error)) if !error.is_outage() => {
            tracing::info!(bucket = %assembly.at.bucket, %error, "the sites do not copy a body by themselves");
            return Ok(Err(error));
        }
        started => started?,
    };
    let Assembly { at, footer, condition, mode, .. } = assembly;
    let number = parts.first().map_or(1, |(_, parts)| parts.len() as u16 + 1);
    let last = (number, None, footer);
    let ending = Ending { at, mode, condition, parts, last, operation: Operation::CopyObject };
    match end(gateway, &gateway.tee, &uploads, ending).await {
        Ok(committed) => {
            abort_where_missing(gateway, at, &uploads, &committed);
            Ok(Ok(committed))
        }
        Err(error) => {
            uploads.iter().for_each(|(site, _)| abort_at(gateway, at, &uploads, site));
            Err(error)
        }
    }
}

/// The body, as parts of uploads under way.
async fn start(
    gateway: &Gateway,
    Assembly { at, source, headers, mode, .. }: &Assembly<'_>,
) -> Result<(SiteUploads, SiteParts), TeeError> {
    let mut uploads = gateway.tee.create_multipart(at, headers, *mode).await?;
    let parts = gateway.tee.copy_body(at, &uploads, source, *mode).await?;
    // The tee has seen to the others.
    uploads.retain(|(site, _)| parts.iter().any(|(name, _)| name == site));
    Ok((uploads, parts))
}

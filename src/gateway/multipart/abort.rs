//! AbortMultipartUpload: nothing of the upload stays anywhere.
use super::session::{find_row, uploads_of};
use super::{leftover, staging};
use crate::gateway::Gateway;
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::site::Location;
use crate::state::Part;
use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};
use s3s::{S3Error, S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(in crate::gateway) async fn abort_multipart_upload(
    gateway: &Arc<Gateway>,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let (gateway, id) = (Arc::clone(gateway), req.input.upload_id);
    // To its end, even when the client has gone away.
    let task = tokio::spawn(async move { abort(&gateway, &at, &id).await });
    task.await.map_err(S3Error::internal_error)??;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

async fn abort(gateway: &Gateway, at: &Location, id: &str) -> Result<(), GatewayError> {
    let _alone = gateway.uploads.alone(id).await;
    let upload = find_row(gateway, at, id).await?;
    let uploads = uploads_of(&upload);
    for site in gateway.tee.abort_multipart(at, &uploads).await? {
        if let Some((_, backend_id)) = uploads.iter().find(|(name, _)| *name == site) {
            leftover::remember(&gateway.state, at, &site, backend_id).await;
        }
    }
    let parts = gateway.state.parts(id, 0, u32::from(u16::MAX)).await?;
    forget(gateway, id, &parts).await
}

/// Staged parts first: they are found through the state only.
pub(super) async fn forget(gateway: &Gateway, id: &str, parts: &[Part]) -> Result<(), GatewayError> {
    staging::remove(gateway, &staging::keys_of(parts)).await;
    Ok(gateway.state.delete_upload(id).await?)
}

//! AbortMultipartUpload: nothing of the upload stays, at any site.
use super::session::Session;
use super::staging;
use crate::gateway::Gateway;
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(in crate::gateway) async fn abort_multipart_upload(
    gateway: &Arc<Gateway>,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let id = &req.input.upload_id;
    let _alone = gateway.uploads.alone(id).await;
    let session = Session::find(gateway, at, id).await?;
    gateway.tee.abort_multipart(&session.at, &session.sites()).await.map_err(GatewayError::from)?;
    let parts = gateway.state.parts(id, 0, u32::from(u16::MAX)).await.map_err(GatewayError::from)?;
    gateway.state.delete_upload(id).await.map_err(GatewayError::from)?;
    staging::remove(gateway, &session, parts).await;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

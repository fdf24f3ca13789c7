//! CONTRACT SKELETON.
use super::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn delete_object(
    _gateway: &Arc<Gateway>,
    _req: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    unimplemented!()
}

pub(super) async fn delete_objects(
    _gateway: &Arc<Gateway>,
    _req: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    unimplemented!()
}

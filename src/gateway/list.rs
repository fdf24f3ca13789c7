//! CONTRACT SKELETON.
use super::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn list_objects(
    _gateway: &Arc<Gateway>,
    _req: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    unimplemented!()
}

pub(super) async fn list_objects_v2(
    _gateway: &Arc<Gateway>,
    _req: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    unimplemented!()
}

//! CONTRACT SKELETON.
use super::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn get_object(
    _gateway: &Arc<Gateway>,
    _req: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    unimplemented!()
}

pub(super) async fn head_object(
    _gateway: &Arc<Gateway>,
    _req: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    unimplemented!()
}

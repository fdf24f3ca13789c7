//! CONTRACT SKELETON.
use super::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn put_object(
    _gateway: &Arc<Gateway>,
    _req: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    unimplemented!()
}

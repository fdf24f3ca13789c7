//! CONTRACT SKELETON.
use super::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn copy_object(
    _gateway: &Arc<Gateway>,
    _req: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    unimplemented!()
}

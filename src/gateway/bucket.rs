//! CONTRACT SKELETON.
use super::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn create_bucket(
    _gateway: &Arc<Gateway>,
    _req: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    unimplemented!()
}

pub(super) async fn delete_bucket(
    _gateway: &Arc<Gateway>,
    _req: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    unimplemented!()
}

pub(super) async fn head_bucket(
    _gateway: &Arc<Gateway>,
    _req: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    unimplemented!()
}

pub(super) async fn list_buckets(
    _gateway: &Arc<Gateway>,
    _req: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    unimplemented!()
}

pub(super) async fn get_bucket_location(
    _gateway: &Arc<Gateway>,
    _req: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    unimplemented!()
}

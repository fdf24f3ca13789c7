//! CONTRACT SKELETON.
use crate::gateway::Gateway;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(in crate::gateway) async fn create_multipart_upload(
    _gateway: &Arc<Gateway>,
    _req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    unimplemented!()
}

pub(in crate::gateway) async fn upload_part(
    _gateway: &Arc<Gateway>,
    _req: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    unimplemented!()
}

pub(in crate::gateway) async fn upload_part_copy(
    _gateway: &Arc<Gateway>,
    _req: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    unimplemented!()
}

pub(in crate::gateway) async fn complete_multipart_upload(
    _gateway: &Arc<Gateway>,
    _req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    unimplemented!()
}

pub(in crate::gateway) async fn abort_multipart_upload(
    _gateway: &Arc<Gateway>,
    _req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    unimplemented!()
}

pub(in crate::gateway) async fn list_parts(
    _gateway: &Arc<Gateway>,
    _req: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    unimplemented!()
}

pub(in crate::gateway) async fn list_multipart_uploads(
    _gateway: &Arc<Gateway>,
    _req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    unimplemented!()
}

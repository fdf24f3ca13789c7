//! PostObject: an upload by a browser's form. It is a PutObject whose headers are fields, with an answer of its own
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>).
use super::Gateway;
use super::list::Encoding;
use super::put;
use super::request;
use http::header::{ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto::{ETag, PostObjectInput, PostObjectOutput, PutObjectInput, PutObjectOutput};
use s3s::{S3, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// `s3s` makes a PutObject of a form, for operations that know of nothing else.
struct Formless(Arc<Gateway>);

#[async_trait::async_trait]
impl S3 for Formless {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        put::put_object(&self.0, req).await
    }
}

pub(super) async fn post_object(
    gateway: &Arc<Gateway>,
    mut req: S3Request<PostObjectInput>,
) -> S3Result<S3Response<PostObjectOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let redirects = req.input.success_action_redirect.is_some();
    // `s3s` takes the length of an empty file for none.
    req.input.content_length.get_or_insert(0);
    for (name, value) in fields(&req.input) {
        put(&mut req.headers, HeaderName::from_static(name), value.as_deref());
    }
    let mut response = Formless(gateway.clone()).post_object(req).await?;
    let etag = response.output.e_tag.as_ref().map(|etag| format!("\"{}\"", etag.value()));
    let location = (!redirects).then(|| format!("/{}/{}", at.bucket, Encoding::Url.apply(at.key.as_str())));
    let version = response.output.version_id.clone();
    let headers = &mut response.headers;
    put(headers, ETAG, etag.as_deref());
    put(headers, LOCATION, location.as_deref());
    put(headers, HeaderName::from_static("x-amz-version-id"), version.as_deref());
    // `s3s` writes the bare value into the body of a 201 and the address of a redirect, where S3 has the quotes, too.
    response.output.e_tag = etag.map(ETag::Strong);
    Ok(response)
}

/// What a PutObject has in its headers and a form in its fields: what the sites keep, and what the body is compared with.
fn fields(input: &PostObjectInput) -> Vec<(&'static str, Option<String>)> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    vec![
        ("content-md5", input.content_md5.clone()),
        ("x-amz-acl", text(input.acl.as_ref().map(|acl| acl.as_str()))),
        ("x-amz-checksum-crc32", input.checksum_crc32.clone()),
        ("x-amz-checksum-crc32c", input.checksum_crc32c.clone()),
        ("x-amz-checksum-crc64nvme", input.checksum_crc64nvme.clone()),
        ("x-amz-checksum-sha1", input.checksum_sha1.clone()),
        ("x-amz-checksum-sha256", input.checksum_sha256.clone()),
        ("x-amz-object-lock-mode", text(input.object_lock_mode.as_ref().map(|mode| mode.as_str()))),
        ("x-amz-storage-class", text(input.storage_class.as_ref().map(|class| class.as_str()))),
        ("x-amz-tagging", input.tagging.clone()),
    ]
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

//! PostObject: an upload by a browser's form. It is a PutObject whose headers are fields, with an answer of its own
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>).
//!
//! | file | what it does |
//! |---|---|
//! | `recorder` | sees the fields go by that `s3s` keeps to itself |
//! | `effect` | what they mean |
//! | `tail` | leaves out what comes behind the file |
mod effect;
mod recorder;
mod tail;

pub(super) use recorder::Recorder;

use super::Gateway;
use super::address::address_of;
use super::anonymous::asks_for_more;
use super::publish;
use super::put;
use super::request;
use super::xml::push_element;
use effect::{headers_of, is_address, refuse_any_bucket};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::dto::{ETag, PostObjectInput, PostObjectOutput, PutObjectInput, PutObjectOutput};
use s3s::{HttpResponse, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

const XML: HeaderValue = HeaderValue::from_static("application/xml");

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
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let address = address_of(&req.uri, &req.headers, request::context(&req).as_ref(), &at);
    let recorder = req.extensions.get::<Recorder>().cloned();
    let recorder = recorder.ok_or_else(|| S3Error::new(S3ErrorCode::MalformedPOSTRequest))?;
    let fields = recorder.fields().await?;
    // Nobody's form has no policy.
    if !permit.principal().is_anonymous() {
        refuse_any_bucket(&fields)?;
    }
    req.headers.extend(headers_of(&fields)?);
    if permit.principal().is_anonymous() && asks_for_more(&req.headers) {
        return Err(S3Error::new(S3ErrorCode::AccessDenied));
    }
    publish::remember(gateway, &permit, &req.headers, b"").await?;
    let (redirect, status) = (req.input.success_action_redirect.clone(), req.input.success_action_status);
    // A page's empty field is a type that nobody chose.
    req.input.content_type.take_if(|kind| kind.is_empty());
    // `s3s` takes the length of an empty file for none.
    req.input.content_length.get_or_insert(0);
    let mut response = Formless(gateway.clone()).post_object(req).await?;
    let etag = response.output.e_tag.as_ref().map(|etag| format!("\"{}\"", etag.value()));
    let redirects = redirect.as_deref().is_some_and(is_address);
    let location = (!redirects).then_some(address);
    let version = response.output.version_id.clone();
    let headers = &mut response.headers;
    put(headers, ETAG, etag.as_deref());
    put(headers, LOCATION, location.as_deref());
    put(headers, HeaderName::from_static("x-amz-version-id"), version.as_deref());
    if redirect.is_some() && !redirects {
        // `s3s` would refuse it now that the object is stored.
        let etag = etag.as_deref().unwrap_or_default();
        let told = [
            ("Location", location.as_deref().unwrap_or_default()),
            ("Bucket", at.bucket.as_str()),
            ("Key", at.key.as_str()),
            ("ETag", etag),
        ];
        recorder.answer_with(plain_answer(status, &told, headers.clone()));
    }
    // `s3s` writes the bare value into the body of a 201 and the address of a redirect, where S3 has the quotes, too.
    response.output.e_tag = etag.map(ETag::Strong);
    Ok(response)
}

/// The answer to a form that sends its reader nowhere.
fn plain_answer(status: Option<i32>, told: &[(&str, &str)], headers: HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::new(s3s::Body::empty());
    *response.headers_mut() = headers;
    *response.status_mut() = match status {
        Some(200) => StatusCode::OK,
        Some(201) => StatusCode::CREATED,
        _ => StatusCode::NO_CONTENT,
    };
    if status == Some(201) {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><PostResponse>");
        for (name, value) in told {
            push_element(&mut xml, name, value);
        }
        xml.push_str("</PostResponse>");
        response.headers_mut().insert(CONTENT_TYPE, XML);
        *response.body_mut() = s3s::Body::from(xml);
    }
    response
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

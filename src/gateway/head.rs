//! HeadObject: a GET without a body, from one suffix request.
use super::Gateway;
use super::conditions::Conditions;
use super::customer::Brought;
use super::get::{ATTEMPTS, answer, asks_checksum, busy};
use super::get::{select::Question, select::Selection};
use super::open::{Candidates, Opened, has_changed, open_unsealed};
use super::replication;
use super::request;
use super::respond::GatewayError;
use crate::site::{Location, Site};
use s3s::dto::{GetObjectOutput, HeadObjectInput, HeadObjectOutput, TimestampFormat};
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(super) async fn head_object(
    gateway: &Arc<Gateway>,
    req: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    let brought = Brought::of(&req.headers, context.as_ref())?;
    let conditions = Conditions {
        if_match: input.if_match.clone(),
        if_none_match: input.if_none_match.clone(),
        if_modified_since: input.if_modified_since.clone(),
        if_unmodified_since: input.if_unmodified_since.clone(),
    };
    let if_range = req.headers.get(http::header::IF_RANGE);
    let question = Question::new(input.range, input.part_number, if_range, conditions, input.version_id.clone())?;
    let question = Question { brought, ..question };

    let (opened, selection) = look(gateway, &at, &question).await?;
    request::may_read(gateway, &permit, &opened)?;
    request::note_object(gateway, context.as_ref(), &at, &opened);
    let with_checksum = asks_checksum(input.checksum_mode.as_ref());
    let mut output = without_body(answer::describe(gateway, &opened, &selection, &question, with_checksum));
    override_headers(input, &mut output);
    output.replication_status = replication::status(gateway, &at).await;
    let mut response = S3Response::with_headers(output, answer::extra_headers(gateway, &opened));
    if selection.partial {
        response.status = Some(http::StatusCode::PARTIAL_CONTENT);
    }
    Ok(response)
}

/// Asks one site after the other. One request each, and one more for the index when a part was asked for.
async fn look(
    gateway: &Arc<Gateway>,
    at: &Location,
    question: &Question,
) -> Result<(Arc<Opened>, Selection), GatewayError> {
    for _ in 0..ATTEMPTS {
        let ask = |site: Site| async move { look_at(gateway, &site, at, question).await };
        let opened =
            match Candidates::of_object(gateway, at).of_version(question.version_id.as_deref()).first(ask).await {
                Err(GatewayError::Unsealed) => open_unsealed(gateway, at, question.version_id.as_deref()).await,
                found => return found,
            };
        match opened {
            Err(error) if has_changed(&error) => {}
            opened => {
                let opened = opened?;
                return question.select(gateway, at, &opened).await.map(|selection| (opened, selection));
            }
        }
    }
    Err(busy().into())
}

async fn look_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    question: &Question,
) -> Result<(Arc<Opened>, Selection), GatewayError> {
    for _ in 0..ATTEMPTS {
        let opened = question.open_at(gateway, site, at).await?;
        match question.select(gateway, at, &opened).await {
            Err(error) if has_changed(&error) => {}
            result => return result.map(|selection| (opened, selection)),
        }
    }
    Err(busy().into())
}

/// `response-*` parameters: `s3s` applies them to GET by itself, S3 to HEAD as well.
fn override_headers(input: &HeadObjectInput, output: &mut HeadObjectOutput) {
    let put = |slot: &mut Option<String>, value: &Option<String>| {
        if value.is_some() {
            slot.clone_from(value);
        }
    };
    put(&mut output.cache_control, &input.response_cache_control);
    put(&mut output.content_disposition, &input.response_content_disposition);
    put(&mut output.content_encoding, &input.response_content_encoding);
    put(&mut output.content_language, &input.response_content_language);
    put(&mut output.content_type, &input.response_content_type);
    let mut date = Vec::new();
    if let Some(expires) = &input.response_expires
        && expires.format(TimestampFormat::HttpDate, &mut date).is_ok()
    {
        output.expires = String::from_utf8(date).ok();
    }
}

fn without_body(output: GetObjectOutput) -> HeadObjectOutput {
    HeadObjectOutput {
        accept_ranges: output.accept_ranges,
        cache_control: output.cache_control,
        checksum_crc32: output.checksum_crc32,
        checksum_crc32c: output.checksum_crc32c,
        checksum_crc64nvme: output.checksum_crc64nvme,
        checksum_sha1: output.checksum_sha1,
        checksum_sha256: output.checksum_sha256,
        checksum_type: output.checksum_type,
        content_disposition: output.content_disposition,
        content_encoding: output.content_encoding,
        content_language: output.content_language,
        content_length: output.content_length,
        content_range: output.content_range,
        content_type: output.content_type,
        e_tag: output.e_tag,
        expires: output.expires,
        last_modified: output.last_modified,
        metadata: output.metadata,
        parts_count: output.parts_count,
        server_side_encryption: output.server_side_encryption,
        ssekms_key_id: output.ssekms_key_id,
        sse_customer_algorithm: output.sse_customer_algorithm,
        sse_customer_key_md5: output.sse_customer_key_md5,
        version_id: output.version_id,
        website_redirect_location: output.website_redirect_location,
        ..HeadObjectOutput::default()
    }
}

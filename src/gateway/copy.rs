//! CopyObject: the source's plaintext becomes a new object, sealed under a key of its own.
use super::Gateway;
use super::checksum::{Declared, algorithm_by_name, set_checksum, type_name};
use super::conditions::Conditions;
use super::metadata::{UserMetadata, from_input};
use super::put::{NewObject, condition, store};
use super::refuse::{refusable, refuse_unsupported};
use super::request;
use crate::s3::Operation;
use crate::seal::ChecksumAlgorithm;
use crate::site::Location;
use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, ETag, MetadataDirective, ServerSideEncryption};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use source::{Asked, Source};
use std::sync::Arc;

pub(super) mod source;

pub(super) async fn copy_object(
    gateway: &Arc<Gateway>,
    req: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    let mut options = refusable!(input);
    options.customer_key |=
        input.copy_source_sse_customer_algorithm.is_some() || input.copy_source_sse_customer_key.is_some();
    refuse_unsupported(&options)?;
    let replaced = replaced(input)?;
    let from = source::locate(gateway, &permit, &input.copy_source)?;
    if from == at {
        refuse_no_change(input, replaced)?;
    }
    let asked_algorithm = input.checksum_algorithm.as_ref().map(|name| algorithm_by_name(name.as_str())).transpose()?;
    let condition = condition(gateway, &at, input.if_match.as_ref(), input.if_none_match.as_ref()).await?;
    let asked = Asked { at: from, conditions: conditions(input), range: None };
    let source = source::find(gateway, &asked).await?;
    let metadata = if replaced { from_input!(input) } else { kept(&source, input) };
    request::note(context.as_ref(), |facts| facts.also.push(read_of(&asked.at)));

    let Source { opened, span, body, fault } = source;
    let algorithm = asked_algorithm.or_else(|| own_algorithm(&opened));
    let object = NewObject {
        at,
        body,
        length: span.len(),
        metadata,
        declared: Declared::default().also(algorithm)?,
        trailers: None,
        condition,
    };
    let stored = store(gateway, object, Operation::CopyObject, context.as_ref()).await;
    let stored = stored.map_err(|error| fault.or(error))?;
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(stored.content.etag(1).as_str().to_owned())),
        last_modified: Some(crate::clock::now().into()),
        ..CopyObjectResult::default()
    };
    set_checksum!(result, stored.content.checksum.as_ref().map(|(value, _)| value));
    result.checksum_type = stored.content.checksum.map(|(_, kind)| type_name(kind).to_owned().into());
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: opened.version_id.clone(),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        version_id: stored.committed.primary.version_id,
        ..CopyObjectOutput::default()
    }))
}

/// The record of the source's read.
pub(super) fn read_of(from: &Location) -> (Operation, String, String) {
    (Operation::GetObject, from.bucket.to_string(), from.key.to_string())
}

/// True when the client brings the metadata of the new object.
fn replaced(input: &CopyObjectInput) -> S3Result<bool> {
    match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Unknown metadata directive.")),
    }
}

/// A copy onto itself that changes nothing is refused, as S3 does.
fn refuse_no_change(input: &CopyObjectInput, replaced: bool) -> S3Result<()> {
    let changes = replaced
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some();
    if changes {
        return Ok(());
    }
    let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
    Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
}

fn conditions(input: &CopyObjectInput) -> Conditions {
    Conditions {
        if_match: input.copy_source_if_match.clone(),
        if_none_match: input.copy_source_if_none_match.clone(),
        if_modified_since: input.copy_source_if_modified_since.clone(),
        if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
    }
}

/// The source's metadata. A redirect belongs to one object and is never copied
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
fn kept(source: &Source, input: &CopyObjectInput) -> UserMetadata {
    UserMetadata { website_redirect: input.website_redirect_location.clone(), ..source.opened.metadata.clone() }
}

fn own_algorithm(opened: &super::open::Opened) -> Option<ChecksumAlgorithm> {
    opened.object.content().checksum.map(|(value, _)| value.algorithm)
}

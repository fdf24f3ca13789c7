//! CopyObject: opened under the source's key, sealed afresh under the destination's rule, streamed.
use super::Gateway;
use super::checksum::{Declared, algorithm_by_name, set_checksum, type_name};
use super::metadata::from_input;
use super::put::{MAX_PUT, NewObject, condition, store};
use super::refuse::{refusable, refuse_unsupported};
use super::request;
use super::source::{Source, conditions, location};
use crate::s3::{Operation, PlainSpan};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, ETag, MetadataDirective, ServerSideEncryption, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;
use std::time::SystemTime;

pub(super) async fn copy_object(
    gateway: &Arc<Gateway>,
    req: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    refuse_unsupported(&refusable!(input))?;
    let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    if !replace && location(&input.copy_source)? == at {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let source = Source::open(gateway, &permit, &input.copy_source, &conditions!(input)).await?;
    let length = source.opened.object.plain_len();
    if length.0 > MAX_PUT {
        let message =
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let kept = source.opened.object.content().checksum.map(|(value, _)| value.algorithm);
    let asked = input.checksum_algorithm.as_ref().map(|name| algorithm_by_name(name.as_str())).transpose()?;
    let metadata = if replace { from_input!(input) } else { source.opened.metadata.clone() };
    request::note(context.as_ref(), |facts| {
        facts.also.push((Operation::CopyObject, source.at.bucket.to_string(), source.at.key.to_string()));
    });
    let object = NewObject {
        at: at.clone(),
        body: source.read(gateway, PlainSpan::whole(length)).await?,
        length,
        metadata,
        declared: Declared::default().also(asked.or(kept))?,
        trailers: None,
        condition: condition(gateway, &at, input.if_match.as_ref(), input.if_none_match.as_ref()).await?,
    };
    let stored = store(gateway, object, Operation::CopyObject, context.as_ref()).await?;
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(stored.content.etag(1).as_str().to_owned())),
        last_modified: Some(Timestamp::from(SystemTime::from(crate::clock::now()))),
        ..CopyObjectResult::default()
    };
    set_checksum!(result, stored.content.checksum.as_ref().map(|(value, _)| value));
    result.checksum_type = stored.content.checksum.map(|(_, kind)| type_name(kind).to_owned().into());
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        version_id: stored.committed.primary.version_id.clone(),
        ..CopyObjectOutput::default()
    }))
}

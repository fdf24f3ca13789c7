//! DeleteObject and DeleteObjects, at every site.
use super::Gateway;
use super::put::mode;
use super::request;
use super::respond::{GatewayError, not_implemented};
use crate::authz::Permit;
use crate::s3::{BucketName, ObjectKey, Operation};
use crate::site::tee::Mode;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    Error as DeleteError, ObjectIdentifier,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// S3's limit on one DeleteObjects.
const MAX_KEYS: usize = 1000;

pub(super) async fn delete_object(
    gateway: &Arc<Gateway>,
    req: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let input = &req.input;
    refuse_version(input.version_id.as_deref())?;
    refuse_condition(
        input.if_match.is_some() || input.if_match_last_modified_time.is_some() || input.if_match_size.is_some(),
    )?;
    let plan = gateway.rules.plan(&at.bucket, &at.key);
    request::note(request::context(&req).as_ref(), |facts| facts.rule = Some(plan.rule.to_string()));
    let done = gateway.tee.delete(&at, mode(&plan)).await;
    gateway.objects.forget(&at);
    done.map_err(GatewayError::from)?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

pub(super) async fn delete_objects(
    gateway: &Arc<Gateway>,
    req: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let permit = request::permit(&req)?;
    let bucket = request::bucket_of(&permit)?;
    let asked = &req.input.delete.objects;
    if asked.is_empty() || asked.len() > MAX_KEYS {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let (mut keys, mut errors) = (Vec::new(), Vec::new());
    for object in asked {
        match admit(gateway, &permit, &bucket, object) {
            Ok(key) => keys.push(key),
            Err(error) => errors.push(delete_error(&object.key, &error)),
        }
    }
    let (tee, strict): (Vec<_>, Vec<_>) =
        keys.iter().cloned().partition(|key| mode(&gateway.rules.plan(&bucket, key)) == Mode::Tee);
    for (keys, mode) in [(tee, Mode::Tee), (strict, Mode::Strict)] {
        if !keys.is_empty() {
            let failed = gateway.tee.delete_many(&bucket, &keys, mode).await.map_err(GatewayError::from)?;
            errors.extend(
                failed.into_iter().map(|(key, error)| delete_error(key.as_str(), &GatewayError::from(error).into())),
            );
        }
    }
    let gone = keys.iter().filter(|key| !errors.iter().any(|error| error.key.as_deref() == Some(key.as_str())));
    let gone: Vec<_> = gone.map(|key| key.as_str().to_owned()).collect();
    request::note(request::context(&req).as_ref(), |facts| {
        facts.also.extend(gone.iter().map(|key| (Operation::DeleteObjects, bucket.to_string(), key.clone())));
    });
    let quiet = req.input.delete.quiet.unwrap_or(false);
    let deleted = gone.into_iter().map(|key| DeletedObject { key: Some(key), ..DeletedObject::default() });
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

/// Whether one key of a list may be deleted; each has an answer of its own.
fn admit(gateway: &Gateway, permit: &Permit, bucket: &BucketName, object: &ObjectIdentifier) -> S3Result<ObjectKey> {
    let key = ObjectKey::parse(&object.key).map_err(|_| S3Error::new(S3ErrorCode::KeyTooLongError))?;
    refuse_version(object.version_id.as_deref())?;
    refuse_condition(object.e_tag.is_some() || object.last_modified_time.is_some() || object.size.is_some())?;
    let allowed = gateway.authorizer.permit(permit.principal(), Operation::DeleteObject, Some(bucket), Some(&key));
    allowed.map_err(|_| S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied"))?;
    Ok(key)
}

/// A condition that is not decided by the storage itself would be a race; refused rather than pretended.
fn refuse_condition(asked: bool) -> S3Result<()> {
    if asked { Err(not_implemented("A condition on a delete")) } else { Ok(()) }
}

/// Versions come with a later issue; `null` is the only one there is.
fn refuse_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(not_implemented("Deleting a version")),
    }
}

fn delete_error(key: &str, error: &S3Error) -> DeleteError {
    DeleteError {
        key: Some(key.to_owned()),
        code: Some(error.code().as_str().to_owned()),
        message: error.message().map(str::to_owned),
        ..DeleteError::default()
    }
}

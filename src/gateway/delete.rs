//! DeleteObject and DeleteObjects, at every site.
use super::Gateway;
use super::put::mode;
use super::request;
use super::respond::{GatewayError, not_implemented};
use crate::s3::{ObjectKey, Operation};
use crate::site::tee::Mode;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error as DeleteError,
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
    refuse_version(req.input.version_id.as_deref())?;
    if req.input.if_match.is_some() {
        return Err(not_implemented("If-Match on DeleteObject"));
    }
    let plan = gateway.rules.plan(&at.bucket, &at.key);
    request::note(request::context(&req).as_ref(), |facts| facts.rule = Some(plan.rule.to_string()));
    gateway.tee.delete(&at, mode(&plan)).await.map_err(GatewayError::from)?;
    gateway.objects.forget(&at);
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
        match ObjectKey::parse(&object.key) {
            Ok(key) => match refuse_version(object.version_id.as_deref()) {
                Ok(()) => keys.push(key),
                Err(error) => errors.push(delete_error(&object.key, &error)),
            },
            Err(_) => errors.push(delete_error(&object.key, &S3Error::new(S3ErrorCode::KeyTooLongError))),
        }
    }
    for key in &keys {
        gateway
            .authorizer
            .permit(permit.principal(), Operation::DeleteObject, Some(&bucket), Some(key))
            .map_err(|_| S3Error::new(S3ErrorCode::AccessDenied))?;
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

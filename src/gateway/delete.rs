//! DeleteObject and DeleteObjects, at every site, of what is current or of one version.
use super::Gateway;
use super::conditions::{Conditions, Verdict};
use super::open::{self, Opened};
use super::put::fate;
use super::request;
use super::respond::{GatewayError, not_implemented, own_words};
use crate::authz::Permit;
use crate::s3::{BucketName, ObjectKey, Operation};
use crate::site::tee::{Fate, TeeError};
use crate::site::{DeleteOptions, Deleted, Doomed, Location, SiteError};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
    Error as DeleteError, ObjectIdentifier, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// S3's limit on one DeleteObjects.
const MAX_KEYS: usize = 1000;

/// The conditions of one delete.
#[derive(Clone, Debug, Default)]
struct Only {
    etag: Option<ETagCondition>,
    last_modified: Option<Timestamp>,
    size: Option<i64>,
}

pub(super) async fn delete_object(
    gateway: &Arc<Gateway>,
    req: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    let input = req.input;
    let only =
        Only { etag: input.if_match, last_modified: input.if_match_last_modified_time, size: input.if_match_size };
    let options = DeleteOptions {
        version: input.version_id,
        if_match: None,
        bypass_governance: input.bypass_governance_retention.unwrap_or(false),
        mfa: input.mfa,
    };
    let plan = gateway.rules.plan(&at.bucket, &at.key);
    request::note(context.as_ref(), |facts| facts.rule = Some(plan.rule.to_string()));
    let deleted = delete(gateway, &at, options, &only, fate(&plan)).await?;
    request::note(context.as_ref(), |facts| facts.version_id.clone_from(&deleted.version_id));
    let delete_marker = deleted.delete_marker.then_some(true);
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker,
        version_id: deleted.version_id,
        ..DeleteObjectOutput::default()
    }))
}

pub(super) async fn delete_objects(
    gateway: &Arc<Gateway>,
    req: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let permit = request::permit(&req)?;
    let bucket = request::bucket_of(&permit)?;
    let context = request::context(&req);
    let bypass = req.input.bypass_governance_retention.unwrap_or(false);
    let asked = &req.input.delete.objects;
    let unwritable = |object: &ObjectIdentifier| object.key.chars().any(|one| !is_xml(one));
    if asked.is_empty() || asked.len() > MAX_KEYS || asked.iter().any(unwritable) {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let mut answers: Vec<(Answered, S3Result<Deleted>)> = Vec::new();
    let mut by_fate: BTreeMap<Fate, Vec<Doomed>> = BTreeMap::new();
    for object in asked {
        let key = match admit(gateway, &permit, &bucket, object) {
            Ok(key) => key,
            Err(error) => {
                answers.push((Answered::of(object), Err(error)));
                continue;
            }
        };
        let fate = fate(&gateway.rules.plan(&bucket, &key));
        let only =
            Only { etag: condition(object), last_modified: object.last_modified_time.clone(), size: object.size };
        if only.is_any() {
            let at = Location { bucket: bucket.clone(), key };
            let options = DeleteOptions {
                version: object.version_id.clone(),
                bypass_governance: bypass,
                mfa: req.input.mfa.clone(),
                ..DeleteOptions::default()
            };
            answers.push((Answered::of(object), delete(gateway, &at, options, &only, fate).await));
            continue;
        }
        let doomed = Doomed { key, version: object.version_id.clone().filter(|version| !version.is_empty()) };
        by_fate.entry(fate).or_default().push(doomed);
    }
    for (fate, doomed) in by_fate {
        let keys: Vec<ObjectKey> = doomed.iter().map(|one| one.key.clone()).collect();
        let plain = fate.retain_until.is_none() && doomed.iter().all(|one| one.version.is_none());
        let tee = gateway.tee.acting_for_all(&bucket, &keys, plain, fate.mode).await.map_err(GatewayError::from)?;
        let done = tee.delete_many(&bucket, doomed.clone(), bypass, fate).await.map_err(GatewayError::from)?;
        for (one, answer) in doomed.into_iter().zip(done) {
            gateway.objects.forget(&Location { bucket: bucket.clone(), key: one.key.clone() });
            let asked = Answered { key: one.key.as_str().to_owned(), version: one.version };
            answers.push((asked, answer.map_err(|error| refused(error.into()))));
        }
    }
    let gone = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(asked, _)| asked.key.clone());
    let gone: Vec<String> = gone.collect();
    request::note(context.as_ref(), |facts| {
        facts.also.extend(gone.iter().map(|key| (Operation::DeleteObjects, bucket.to_string(), key.clone())));
    });
    let quiet = req.input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for (asked, answer) in answers {
        match answer {
            Ok(left) => deleted.push(asked.deleted(left)),
            Err(error) => errors.push(asked.failed(&error)),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

/// Whether XML 1.0 can hold a character (<https://www.w3.org/TR/xml/#charsets>): `s3s` is not strict about it, the sites' parsers are.
fn is_xml(one: char) -> bool {
    matches!(one, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// One delete with whatever conditions it has.
async fn delete(
    gateway: &Arc<Gateway>,
    at: &Location,
    options: DeleteOptions,
    only: &Only,
    fate: Fate,
) -> S3Result<Deleted> {
    let mut options = DeleteOptions { version: options.version.filter(|version| !version.is_empty()), ..options };
    if only.is_any() {
        if options.version.is_some() {
            return Err(not_implemented("A condition on the delete of a named version"));
        }
        let opened = current(gateway, at).await?;
        only.check(&opened)?;
        options.if_match = Some(opened.sealed_etag.clone());
    }
    let plain = fate.retain_until.is_none() && options.version.is_none() && options.if_match.is_none();
    let tee = gateway.tee.acting(at, plain, fate.mode).await.map_err(GatewayError::from)?;
    let done = tee.delete(at, options, fate).await;
    gateway.objects.forget(at);
    done.map_err(|error| refused(error.into()))
}

/// The version that a condition is about, as the primary has it: it decides.
async fn current(gateway: &Arc<Gateway>, at: &Location) -> S3Result<Arc<Opened>> {
    if !gateway.sites.primary.capabilities().delete_if_match {
        return Err(not_implemented("A condition on a delete over this storage"));
    }
    Ok(open::open_at_primary(gateway, at).await?)
}

/// A lock or a policy of the storage is the client's answer; its own words name it.
fn refused(error: GatewayError) -> S3Error {
    match error {
        GatewayError::Site(error @ SiteError::S3 { .. })
        | GatewayError::Tee(TeeError::Site(error @ SiteError::S3 { .. })) => own_words(error),
        error => error.into(),
    }
}

/// Whether one key of a list may be deleted; each has an answer of its own.
fn admit(gateway: &Gateway, permit: &Permit, bucket: &BucketName, object: &ObjectIdentifier) -> S3Result<ObjectKey> {
    let key = ObjectKey::parse(&object.key).map_err(|_| S3Error::new(S3ErrorCode::KeyTooLongError))?;
    let allowed = gateway.authorizer.permit(permit.principal(), Operation::DeleteObject, Some(bucket), Some(&key));
    allowed.map_err(|_| S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied"))?;
    Ok(key)
}

fn condition(object: &ObjectIdentifier) -> Option<ETagCondition> {
    object.e_tag.as_ref().map(|etag| match etag.as_strong() {
        Some("*") => ETagCondition::Any,
        _ => ETagCondition::ETag(etag.clone()),
    })
}

// === impl Only ===

impl Only {
    fn is_any(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some() || self.size.is_some()
    }

    fn check(&self, opened: &Opened) -> S3Result<()> {
        let etag = Conditions { if_match: self.etag.clone(), ..Conditions::default() };
        let same_etag = etag.judge(&opened.object.etag(), opened.last_modified) == Verdict::Proceed;
        let same_time = self.last_modified.as_ref().is_none_or(|time| {
            time::OffsetDateTime::from(time.clone()).unix_timestamp() == opened.last_modified.unix_timestamp()
        });
        let same_size = self.size.is_none_or(|size| u64::try_from(size) == Ok(opened.object.plain_len().0));
        if same_etag && same_time && same_size { Ok(()) } else { Err(S3Error::new(S3ErrorCode::PreconditionFailed)) }
    }
}

/// One line of the answer to a list.
struct Answered {
    key: String,
    version: Option<String>,
}

// === impl Answered ===

impl Answered {
    fn of(object: &ObjectIdentifier) -> Self {
        Self { key: object.key.clone(), version: object.version_id.clone() }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletedObject.html>: what was named, and the delete marker that was made
    /// or deleted.
    fn deleted(self, left: Deleted) -> DeletedObject {
        DeletedObject {
            key: Some(self.key),
            version_id: self.version,
            delete_marker: left.delete_marker.then_some(true),
            delete_marker_version_id: left.version_id.filter(|_| left.delete_marker),
        }
    }

    fn failed(self, error: &S3Error) -> DeleteError {
        DeleteError {
            key: Some(self.key),
            version_id: self.version,
            code: Some(error.code().as_str().to_owned()),
            message: error.message().map(str::to_owned),
        }
    }
}

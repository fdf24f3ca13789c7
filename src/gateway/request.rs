//! What every read takes from a request: the permit, the place it is for, the facts for the access log.
use super::Gateway;
use super::open::Opened;
use super::respond::GatewayError;
use crate::audit::{Facts, RequestContext};
use crate::authz::Permit;
use crate::keys::Use;
use crate::s3::{BucketName, Suite};
use crate::site::{Location, Site};
use crate::telemetry::SuiteUse;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

/// Names the site that served, when it was not the primary.
const SERVED_BY: &str = "x-strongroom-served-by";

/// The permit that the access check left with the request. None: the check did not run, so nothing is served.
pub(super) fn permit<T>(req: &S3Request<T>) -> S3Result<Permit> {
    req.extensions.get::<Permit>().cloned().ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
}

/// The object that a permit is for.
pub(super) fn object_of(permit: &Permit) -> S3Result<Location> {
    match (permit.bucket(), permit.key()) {
        (Some(bucket), Some(key)) => Ok(Location { bucket: bucket.clone(), key: key.clone() }),
        _ => Err(S3Error::new(S3ErrorCode::AccessDenied)),
    }
}

/// The bucket that a permit is for.
pub(super) fn bucket_of(permit: &Permit) -> S3Result<BucketName> {
    permit.bucket().cloned().ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
}

/// The context of a request, where the front brought one.
pub(super) fn context<T>(req: &S3Request<T>) -> Option<RequestContext> {
    req.extensions.get::<RequestContext>().cloned()
}

/// Notes facts, where somebody listens.
pub(super) fn note(context: Option<&RequestContext>, change: impl FnOnce(&mut Facts)) {
    if let Some(context) = context {
        context.with(change);
    }
}

/// Whether objects of this suite are read, and the key that it is sealed under may be used by this caller for reading. What may be read is
/// counted by its suite.
pub(super) fn may_read(gateway: &Gateway, permit: &Permit, opened: &Opened) -> Result<(), GatewayError> {
    let Some(object) = opened.object.sealed() else { return Ok(()) };
    let suite = object.suite();
    if !gateway.rules.may_read(suite) {
        return Err(GatewayError::SuiteNotRead(suite));
    }
    gateway.keyring.may(&object.key_ref().id, Use::Decrypt, &permit.principal().name)?;
    gateway.metrics.object_of_suite(suite, SuiteUse::Opened);
    Ok(())
}

/// Notes what a read of an object found.
pub(super) fn note_object(gateway: &Gateway, context: Option<&RequestContext>, at: &Location, opened: &Opened) {
    note(context, |facts| {
        facts.object_size = Some(opened.object.plain_len().0);
        facts.served_by = Some(opened.site.name().to_string());
        let key = opened.object.key_ref();
        facts.vault_key = key.map(|key| key.id.as_str().to_owned());
        facts.vault_key_version = key.map(|key| key.version);
        facts.suite = opened.object.suite().map(Suite::name);
        facts.rule = Some(gateway.rules.plan(&at.bucket, &at.key).rule.to_string());
        facts.version_id.clone_from(&opened.version_id);
    });
}

/// Says in the answer which site served, when it was not the primary.
pub(super) fn name_site(gateway: &Gateway, site: &Site, headers: &mut http::HeaderMap) {
    if site.name() == gateway.sites.primary.name() {
        return;
    }
    if let Ok(value) = http::HeaderValue::from_str(&site.name().0) {
        headers.insert(SERVED_BY, value);
    }
}

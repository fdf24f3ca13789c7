//! PutObject: one message, one footer, every site.
use super::Gateway;
use super::checksum::{Declared, set_checksum, type_name};
use super::customer::Brought;
use super::describe::Description;
use super::encryption::Encryption;
use super::ingest::{Ingest, declared_length};
use super::metadata::{UserMetadata, check_sealed, from_input};
use super::open;
use super::refuse::{kept, refusable, refuse_unsupported};
use super::request;
use super::respond::{GatewayError, not_implemented};
use super::retention;
use super::terms;
use crate::audit::RequestContext;
use crate::authz::Permit;
use crate::policy::{Deletes, Plan, Replication};
use crate::s3::{Operation, PlainLen, Suite};
use crate::seal::{ChecksumType, ContentInfo, ObjectName, ObjectSealer, SealedMetadata, VaultKeyId, sealed_len};
use crate::site::tee::{Committed, Fate, Mode};
use crate::site::{BUCKET_OWNER_TOO, Location, ObjectHeaders, SiteError, WriteCondition, retention_note};
use crate::state::IndexEntry;
use crate::telemetry::SuiteUse;
use bytes::Bytes;
use futures_util::Stream;
use s3s::dto::{ETag, ETagCondition, PutObjectInput, PutObjectOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError, TrailingHeaders};
use std::sync::Arc;

/// The most one PUT takes, bytes of plaintext (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub(super) const MAX_PUT: u64 = 5 * 1024 * 1024 * 1024;

/// A whole object on its way in, whoever sends it: a client's PUT, or a copy.
pub(super) struct NewObject<B> {
    pub(super) at: Location,
    pub(super) body: B,
    pub(super) length: PlainLen,
    pub(super) metadata: UserMetadata,
    /// What the sites are to keep beside it.
    pub(super) kept: Vec<(&'static str, String)>,
    pub(super) declared: Declared,
    pub(super) trailers: Option<TrailingHeaders>,
    pub(super) condition: WriteCondition,
    pub(super) encryption: Encryption,
    /// Whose credential asks for it.
    pub(super) who: Arc<str>,
}

/// What a written object is known by.
pub(super) struct Stored {
    pub(super) content: ContentInfo,
    /// The vault key it is sealed under.
    pub(super) key: VaultKeyId,
    pub(super) suite: Suite,
    pub(super) committed: Committed,
}

pub(super) async fn put_object(
    gateway: &Arc<Gateway>,
    mut req: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let declared = Declared::from_headers(&req.headers)?;
    let input = &mut req.input;
    let encryption = refuse_unsupported(refusable!(input, Brought::of(&req.headers, context.as_ref())?))?;
    let mut kept = kept(&req.headers)?;
    kept.extend(acl_of_nobodys(gateway, &permit));
    if input.write_offset_bytes.is_some() {
        return Err(not_implemented("Appending to an object"));
    }
    let length = declared_length(input.content_length)?;
    if length.0 > MAX_PUT {
        return Err(S3Error::new(S3ErrorCode::EntityTooLarge));
    }
    let metadata = UserMetadata { kms: encryption.is_kms(), ..from_input!(input) };
    terms::check_object(&plan_of(gateway, &at, &metadata, &kept, &encryption), &metadata, length)?;
    let condition = condition(gateway, &at, input.if_match.as_ref(), input.if_none_match.as_ref()).await?;
    let body = input.body.take().ok_or_else(|| S3Error::new(S3ErrorCode::IncompleteBody))?;
    let trailers = req.trailing_headers.clone();
    let (asked, who) = (encryption.clone(), permit.principal().name.clone());
    let object = NewObject { at, body, length, metadata, kept, declared, trailers, condition, encryption, who };
    let stored = store(gateway, object, Operation::PutObject, context.as_ref()).await?;

    let told = asked.told(gateway, &stored.key);
    let mut output = PutObjectOutput {
        e_tag: Some(ETag::Strong(stored.content.etag(1).as_str().to_owned())),
        server_side_encryption: told.encryption,
        ssekms_key_id: told.key_id,
        sse_customer_algorithm: told.customer_algorithm,
        sse_customer_key_md5: told.customer_md5,
        version_id: stored.committed.primary.version_id.clone(),
        expiration: stored.committed.primary.expiration.clone(),
        ..PutObjectOutput::default()
    };
    set_checksum!(output, stored.content.checksum.as_ref().map(|(value, _)| value));
    output.checksum_type = stored.content.checksum.map(|(_, kind)| type_name(kind).to_owned().into());
    Ok(S3Response::new(output))
}

/// What nobody in particular puts belongs to the proxy's user. Where the bucket may be another user's, they have to be able to read it, as they
/// could if it was nobody's (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>, canned ACLs).
fn acl_of_nobodys(gateway: &Gateway, permit: &Permit) -> Option<(&'static str, String)> {
    let shared = permit.principal().is_anonymous() && gateway.tee.is_among_users();
    shared.then(|| ("x-amz-acl", BUCKET_OWNER_TOO.to_owned()))
}

/// Seals and stores one object.
pub(super) async fn store<B>(
    gateway: &Arc<Gateway>,
    object: NewObject<B>,
    operation: Operation,
    context: Option<&RequestContext>,
) -> Result<Stored, GatewayError>
where
    B: Stream<Item = Result<Bytes, StdError>> + Unpin,
{
    let plan = plan_of(gateway, &object.at, &object.metadata, &object.kept, &object.encryption);
    terms::check_object(&plan, &object.metadata, object.length)?;
    let sealer = new_sealer(gateway, &plan, &object.encryption, &object.who).await?;
    let entropy = gateway.entropy.as_ref();
    let sealed = sealed_len(object.length)?;
    let metadata = seal_metadata(gateway, &object.metadata, &sealer)?;
    let headers = headers(&plan, &object.metadata, metadata.as_ref(), object.kept);
    let plain = object.condition == WriteCondition::Always;
    let tee = gateway.tee.acting(&object.at, plain, mode(&plan)).await?;
    let mut write = tee.put(&object.at, sealed.0, headers, object.condition, mode(&plan));
    let ingest = Ingest {
        gateway,
        sealer: &sealer,
        customer: object.encryption.customer().map(Brought::key),
        body: object.body,
        length: object.length,
        declared: &object.declared,
        trailers: object.trailers.as_ref(),
    };
    let mut ingested = ingest.run(1, &mut write).await?;
    let content = ContentInfo {
        md5: ingested.entry.md5,
        multipart: false,
        checksum: ingested.checksum.map(|value| (value, ChecksumType::FullObject)),
        written_at: now(),
        metadata_tag: metadata.map(|sealed| sealed.tag),
    };
    let name = ObjectName { bucket: &object.at.bucket, key: &object.at.key };
    let footer = sealer.footer(&name, std::slice::from_ref(&ingested.entry), &content, entropy)?;
    ingested.rest.extend_from_slice(&footer);
    // The body may have taken long: nothing is finished under a key that was disabled meanwhile.
    gateway.keyring.usable(sealer.key_ref())?;
    let committed = write.commit(ingested.rest.freeze()).await?;
    let stored = Stored { content, key: sealer.key_ref().id.clone(), suite: sealer.suite(), committed };
    note_stored(gateway, &object.at, &stored, 1);
    gateway.metrics.moved(operation, object.length.0, sealed.0);
    note_write(context, &plan.rule, &sealer, &stored.committed, object.length, sealed.0);
    Ok(stored)
}

/// The plan for an object that is being written as this.
pub(super) fn plan_of(
    gateway: &Gateway,
    at: &Location,
    metadata: &UserMetadata,
    kept: &[(&'static str, String)],
    encryption: &Encryption,
) -> Plan {
    gateway.rules.plan_write(&at.bucket, &at.key, &Description { metadata, kept, encryption })
}

/// Checks and seals what the client attached.
pub(super) fn seal_metadata(
    gateway: &Gateway,
    metadata: &UserMetadata,
    sealer: &ObjectSealer,
) -> Result<Option<SealedMetadata>, GatewayError> {
    metadata.check()?;
    let sealed = metadata.seal(sealer, gateway.entropy.as_ref())?;
    if let Some(sealed) = &sealed {
        check_sealed(sealed, gateway.sites.all().map(|site| site.capabilities().max_metadata))?;
    }
    Ok(sealed)
}

/// What is written beside the bytes.
pub(super) fn headers(
    plan: &Plan,
    metadata: &UserMetadata,
    sealed: Option<&SealedMetadata>,
    kept: Vec<(&'static str, String)>,
) -> ObjectHeaders {
    let clear = metadata.in_clear(plan.terms.metadata);
    let (mut kept, lock) = retention::with_rule(kept, plan.terms.retention, crate::clock::now());
    if plan.by_headers {
        kept.push(retention_note(lock));
    }
    ObjectHeaders { metadata: sealed.map(|sealed| sealed.value.clone()), kept, clear, lock }
}

/// A fresh DEK and object id of the plan's suite, under the vault key of the plan or the one that was asked for; with the client's own key,
/// where it brings one.
pub(super) async fn new_sealer(
    gateway: &Gateway,
    plan: &Plan,
    encryption: &Encryption,
    who: &str,
) -> Result<ObjectSealer, GatewayError> {
    let vault = encryption.key(gateway, plan, who).await?;
    let sealer = ObjectSealer::generate(plan.terms.suite, &vault, gateway.entropy.as_ref())?;
    Ok(sealer.with_customer_key(encryption.customer().map(Brought::key))?)
}

/// The plan's replication, in the tee's terms.
pub(super) fn mode(plan: &Plan) -> Mode {
    match plan.terms.replication {
        Replication::Tee => Mode::Tee,
        Replication::Strict => Mode::Strict,
        Replication::Async => Mode::Async,
    }
}

/// The plan of a delete that is asked for now, in the tee's terms.
pub(super) fn fate(plan: &Plan) -> Fate {
    let retain_until = match plan.terms.deletes {
        Deletes::Mirror => None,
        Deletes::Retain(term) => {
            let seconds = i64::try_from(term.as_secs()).unwrap_or(i64::MAX);
            Some(crate::clock::now().unix_timestamp().saturating_add(seconds))
        }
    };
    Fate { mode: mode(plan), retain_until }
}

/// Tells the index what listings will see, and the metrics of the suite.
pub(super) fn note_stored(gateway: &Gateway, at: &Location, stored: &Stored, parts: u32) {
    gateway.metrics.object_of_suite(stored.suite, SuiteUse::Sealed);
    let etag = stored.content.etag(parts);
    let mut known: Vec<_> = stored.committed.written.iter().map(|(_, sealed)| sealed).collect();
    known.dedup();
    for sealed in known {
        gateway.state.note(&at.bucket, &at.key, IndexEntry { sealed_etag: sealed.clone(), etag: etag.clone() });
    }
}

/// Tells the access log what was written where, under which key.
pub(super) fn note_write(
    context: Option<&RequestContext>,
    rule: &str,
    sealer: &ObjectSealer,
    committed: &Committed,
    plain: PlainLen,
    sealed: u64,
) {
    request::note(context, |facts| {
        facts.rule = Some(rule.to_owned());
        facts.vault_key = Some(sealer.key_ref().id.as_str().to_owned());
        facts.vault_key_version = Some(sealer.key_ref().version);
        facts.suite = Some(sealer.suite().name());
        facts.sites_written = committed.written.iter().map(|(site, _)| site.to_string()).collect();
        facts.sites_pending = committed.pending.iter().map(ToString::to_string).collect();
        facts.object_size = Some(plain.0);
        facts.bytes_plain = plain.0;
        facts.bytes_sealed = sealed;
        facts.version_id.clone_from(&committed.primary.version_id);
    });
}

/// Unix seconds.
pub(super) fn now() -> u64 {
    u64::try_from(crate::clock::now().unix_timestamp()).unwrap_or(0)
}

/// A write's condition on the plain ETag, in the primary's own terms; refused where the primary would ignore it.
pub(super) async fn condition(
    gateway: &Arc<Gateway>,
    at: &Location,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<WriteCondition, GatewayError> {
    let able = gateway.sites.primary.capabilities();
    match (if_match, if_none_match) {
        (None, None) => Ok(WriteCondition::Always),
        (None, Some(ETagCondition::Any)) if able.put_if_none_match => Ok(WriteCondition::IfAbsent),
        (None, Some(ETagCondition::Any)) => Err(not_implemented("If-None-Match on writes over this storage").into()),
        (None, Some(_)) if !(able.put_if_match && able.put_if_none_match) => {
            Err(not_implemented("If-None-Match with an ETag on writes over this storage").into())
        }
        (None, Some(ETagCondition::ETag(unwanted))) => if_none_match_condition(gateway, at, unwanted).await,
        (Some(_), Some(_)) => Err(not_implemented("If-Match together with If-None-Match on writes").into()),
        (Some(_), None) if !able.put_if_match => Err(not_implemented("If-Match on writes over this storage").into()),
        (Some(wanted), None) => if_match_condition(gateway, at, wanted).await,
    }
}

async fn if_match_condition(
    gateway: &Arc<Gateway>,
    at: &Location,
    wanted: &ETagCondition,
) -> Result<WriteCondition, GatewayError> {
    let opened = match open::open_at_primary(gateway, at).await {
        Err(GatewayError::Site(error)) if error.is_not_found() && absent_fails(gateway, &error) => {
            return Err(S3Error::new(S3ErrorCode::PreconditionFailed).into());
        }
        result => result?,
    };
    let current = opened.object.etag();
    match wanted {
        ETagCondition::ETag(etag) if etag.as_strong() != Some(current.as_str()) => {
            Err(S3Error::new(S3ErrorCode::PreconditionFailed).into())
        }
        _ => Ok(WriteCondition::IfMatch(opened.sealed_etag.clone())),
    }
}

/// AWS takes only `*`; Ceph an ETag, too. The write is pinned to what was looked at: an object that is overwritten in between fails the
/// condition, even if its new ETag is another one.
async fn if_none_match_condition(
    gateway: &Arc<Gateway>,
    at: &Location,
    unwanted: &ETag,
) -> Result<WriteCondition, GatewayError> {
    let opened = match open::open_at_primary(gateway, at).await {
        Err(GatewayError::Site(error)) if error.is_not_found() && !is_of_bucket(&error) => {
            return Ok(WriteCondition::IfAbsent);
        }
        result => result?,
    };
    if unwanted.as_strong() == Some(opened.object.etag().as_str()) {
        return Err(S3Error::new(S3ErrorCode::PreconditionFailed).into());
    }
    Ok(WriteCondition::IfMatch(opened.sealed_etag.clone()))
}

/// `If-Match` on an object that is not there: AWS says so (404), others say that the condition failed (412).
fn absent_fails(gateway: &Gateway, error: &SiteError) -> bool {
    !is_of_bucket(error) && gateway.sites.primary.capabilities().absent_fails_if_match
}

fn is_of_bucket(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { code, .. } if code == "NoSuchBucket")
}

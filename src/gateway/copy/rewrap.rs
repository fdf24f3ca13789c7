//! The same object under the newest version of its vault key. The messages stay, and with them the data key, the object id, the ETag, the
//! time it was written and the sealed metadata; the data key is wrapped anew, and the trailer (with several parts the index, too) is sealed anew.
//!
//! From 5 MiB on every site copies what stays by itself. A smaller object is read, authenticated to its last byte, and written to every site.
//! Nothing is done for an object that some site does not have as the primary has it, and what is written is bound to the version that was
//! looked at: a client's write wins. Every site is needed (`Mode::Strict`): what one cannot copy would have to be sent there whole.
use super::assemble::{Assembly, SMALLEST_BODY, assemble};
use crate::audit::RequestContext;
use crate::authz::Permit;
use crate::gateway::Gateway;
use crate::gateway::open::{Opened, layout, open_at_primary, open_version_at, sealed_bytes, trailer_bytes};
use crate::gateway::put::{Stored, note_stored, note_write};
use crate::gateway::request;
use crate::gateway::respond::{GatewayError, not_implemented, not_sealed};
use crate::keys::Use;
use crate::s3::rewrap::{FATE, FROM, Fate, MOVED, ONLY, WISH, Wish};
use crate::s3::{Operation, PlainETag};
use crate::seal::{ObjectName, ObjectSealer, OpenObject, TRAILER_LEN, VaultKeyRef};
use crate::site::tee::{Committed, CopySource, Mode};
use crate::site::{Acl, Location, ObjectHeaders, SealedRange, SiteError, WriteCondition, kept};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use s3s::dto::{CopyObjectOutput, CopyObjectResult, ETag};
use s3s::{S3Error, S3ErrorCode, S3Response, S3Result};
use std::sync::Arc;
use time::OffsetDateTime;

/// What the headers ask for.
pub(super) struct Asked {
    wish: Wish,
    only: Option<String>,
}

/// An object to be moved.
pub(super) struct Rewrap {
    pub(super) at: Location,
    /// The copy's source: the same object.
    pub(super) from: Location,
    /// An older version can only be looked at.
    pub(super) version: Option<String>,
    pub(super) asked: Asked,
    pub(super) permit: Permit,
}

/// What is answered.
struct Told {
    fate: Fate,
    from: VaultKeyRef,
    etag: PlainETag,
    moved: u64,
}

/// What is written.
struct New {
    sealer: ObjectSealer,
    headers: ObjectHeaders,
    footer: Bytes,
    condition: WriteCondition,
}

/// From the request's headers; `None`: an ordinary copy.
pub(super) fn asked(headers: &HeaderMap) -> S3Result<Option<Asked>> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(wish) = text(WISH) else { return Ok(None) };
    let wish = Wish::of(wish).ok_or_else(|| invalid("That is no way to rewrap an object."))?;
    Ok(Some(Asked { wish, only: text(ONLY).map(str::to_owned) }))
}

/// Does it. Runs to its end even if the client goes away.
pub(super) async fn rewrap(
    gateway: &Arc<Gateway>,
    rewrap: Rewrap,
    context: Option<RequestContext>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    if rewrap.from != rewrap.at {
        return Err(invalid("Only an object itself can be rewrapped."));
    }
    let gateway = Arc::clone(gateway);
    let task = tokio::spawn(async move { run(&gateway, &rewrap, context.as_ref()).await });
    let told = task.await.map_err(S3Error::internal_error)??;
    Ok(answer(&told))
}

fn answer(told: &Told) -> S3Response<CopyObjectOutput> {
    let result = CopyObjectResult {
        e_tag: Some(ETag::Strong(told.etag.as_str().to_owned())),
        last_modified: Some(crate::clock::now().into()),
        ..CopyObjectResult::default()
    };
    let mut headers = HeaderMap::new();
    headers.insert(FATE, HeaderValue::from_static(told.fate.name()));
    headers.insert(MOVED, HeaderValue::from(told.moved));
    if let Ok(from) = HeaderValue::from_str(&format!("{}/{}", told.from.id, told.from.version)) {
        headers.insert(FROM, from);
    }
    let output = CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() };
    S3Response::with_headers(output, headers)
}

async fn run(
    gateway: &Arc<Gateway>,
    Rewrap { at, version, asked, permit, .. }: &Rewrap,
    context: Option<&RequestContext>,
) -> Result<Told, GatewayError> {
    let opened = match version {
        Some(version) => open_version_at(gateway, &gateway.sites.primary, at, version).await?,
        None => open_at_primary(gateway, at).await?,
    };
    let object = opened.object.sealed().ok_or_else(not_sealed)?;
    request::note_object(gateway, context, at, &opened);
    request::may_read(gateway, permit, &opened)?;
    let from = object.key_ref().clone();
    let told = |fate, moved| Told { fate, from: from.clone(), etag: object.etag(), moved };
    if asked.only.as_ref().is_some_and(|only| *only != *from.id.as_str()) {
        return Ok(told(Fate::Other, TRAILER_LEN));
    }
    if gateway.keyring.for_sealing(&from.id)?.reference.version <= from.version {
        return Ok(told(Fate::Current, TRAILER_LEN));
    }
    if asked.wish == Wish::Look {
        return Ok(told(Fate::Due, TRAILER_LEN));
    }
    if version.is_some() {
        return Err(invalid("An older version cannot be written anew.").into());
    }
    gateway.keyring.may(&from.id, Use::Encrypt, &permit.principal().name)?;
    if gateway.state.is_behind(&at.bucket, &at.key).await? {
        return Ok(told(Fate::Behind, TRAILER_LEN));
    }
    let able = gateway.sites.primary.capabilities();
    if !able.put_if_match {
        return Err(not_implemented("If-Match on writes over this storage").into());
    }
    let vault = gateway.keyring.take(&from.id).await?;
    let new = prepare(gateway, at, &opened, ObjectSealer::rewrap(object, &vault, gateway.entropy.as_ref())?).await?;
    // What is copied: with one part the padding, too, for there only the trailer is new.
    let stays = match object.index_span() {
        Some((start, _)) => start,
        None => object.sealed_len().0 - TRAILER_LEN,
    };
    let written = if stays < SMALLEST_BODY {
        whole(gateway, at, &opened, object, &new).await?
    } else if able.upload_part_copy && able.complete_if_none_match {
        in_place(gateway, at, &opened, object, &new, stays).await?
    } else {
        return Err(not_implemented("A conditional copy without moving the body over this storage").into());
    };
    let Some((committed, moved)) = written else { return Ok(told(Fate::Behind, TRAILER_LEN)) };
    gateway.objects.forget(at);
    let (key, suite) = (new.sealer.key_ref().id.clone(), new.sealer.suite());
    let stored = Stored { content: object.content().clone(), key, suite, committed };
    note_stored(gateway, at, &stored, object.part_count());
    let plan = gateway.rules.plan(&at.bucket, &at.key);
    note_write(context, &plan.rule, &new.sealer, &stored.committed, object.plain_len(), moved);
    request::note(context, |facts| facts.bytes_plain = 0);
    Ok(told(Fate::Done, moved))
}

/// The footer, and what the sites keep beside the bytes: all as it was.
async fn prepare(
    gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
    sealer: ObjectSealer,
) -> Result<New, GatewayError> {
    let object = opened.object.sealed().ok_or_else(not_sealed)?;
    if opened.metadata_missing {
        let message = "The object has lost its sealed metadata at the primary; reconcile the sites first.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidObjectState, message).into());
    }
    let tags = if opened.has_tags { opened.site.tagging_header(at, None).await? } else { None };
    let acl = match opened.site.acl(at, None).await? {
        Acl::Usual => None,
        Acl::Canned(name) => Some(name),
        Acl::Own => {
            let message = "The object has an ACL of its own, which a write cannot carry over.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidObjectState, message).into());
        }
    };
    let written = OffsetDateTime::from_unix_timestamp(object.content().written_at.cast_signed()).ok();
    let (mut kept, lock) = kept(&opened.told, tags);
    kept.extend(acl.map(|acl| ("x-amz-acl", acl.to_owned())));
    let headers = ObjectHeaders {
        metadata: opened.sealed_metadata.clone(),
        kept,
        clear: clear(gateway, at, opened).await?,
        lock,
    };
    let headers = headers.or_locked(|| gateway.tee.lock_of(at, written?));
    let layout = layout(gateway, at, opened).await?;
    let name = ObjectName { bucket: &at.bucket, key: &at.key };
    let footer = sealer.footer(&name, layout.parts(), object.content(), gateway.entropy.as_ref())?.into();
    Ok(New { sealer, headers, footer, condition: WriteCondition::IfMatch(opened.sealed_etag.clone()) })
}

/// What lies in clear beside the sealed metadata: as the rule says, or, where that depends on headers of the write which nobody knows any
/// more, as it lies there now.
async fn clear(gateway: &Gateway, at: &Location, opened: &Opened) -> Result<Vec<(String, String)>, GatewayError> {
    let rules = gateway.rules.current();
    if !rules.asks_for_headers(&at.bucket, &at.key) {
        return Ok(opened.metadata.in_clear(rules.plan(&at.bucket, &at.key).terms.metadata));
    }
    let got = opened.site.get_version(at, None, SealedRange::Last(1), Some(&opened.sealed_etag)).await?;
    Ok(got.headers(None).clear)
}

/// All of it goes through here, once from the primary and once to every site.
async fn whole(
    gateway: &Gateway,
    at: &Location,
    opened: &Opened,
    object: &OpenObject,
    new: &New,
) -> Result<Option<(Committed, u64)>, GatewayError> {
    let bytes = match sealed_bytes(at, opened).await {
        Err(error @ GatewayError::Integrity { .. }) => {
            gateway.tee.damaged(opened.site.name(), at, &error.to_string());
            return Err(error);
        }
        bytes => bytes?,
    };
    if object.has_customer_key() && !have_the_same(gateway, at, opened, &bytes).await? {
        return Ok(None);
    }
    let body = bytes.slice(..object.footer_span().0 as usize);
    let total = object.sealed_len().0;
    let mut write = gateway.tee.put(at, total, new.headers.clone(), new.condition.clone(), Mode::Strict);
    write.send(body).await?;
    gateway.keyring.usable(new.sealer.key_ref())?;
    let committed = write.commit(new.footer.clone()).await?;
    let written = total * gateway.sites.all().count() as u64;
    gateway.metrics.moved(Operation::CopyObject, 0, total + written);
    Ok(Some((committed, TRAILER_LEN + total + written)))
}

/// What only the customer can check is written to every site only if every site has it byte for byte: so damage is not spread.
async fn have_the_same(gateway: &Gateway, at: &Location, opened: &Opened, bytes: &Bytes) -> Result<bool, GatewayError> {
    for site in gateway.sites.all().filter(|site| site.name() != opened.site.name()) {
        if site.get_small(at).await?.0 != *bytes {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every site copies what stays. `None` when one does not hold this version.
async fn in_place(
    gateway: &Gateway,
    at: &Location,
    opened: &Opened,
    object: &OpenObject,
    new: &New,
    stays: u64,
) -> Result<Option<(Committed, u64)>, GatewayError> {
    let source = CopySource {
        at: at.clone(),
        version: None,
        etag: opened.sealed_etag.clone(),
        total: object.sealed_len(),
        body: stays,
        last_bytes: trailer_bytes(at, opened).await?,
    };
    let rest = object.sealed_len().0 - stays;
    let footer = new.footer.slice(new.footer.len() - rest as usize..);
    let (headers, condition) = (&new.headers, &new.condition);
    gateway.keyring.usable(new.sealer.key_ref())?;
    let assembly = Assembly { at, source: &source, headers, footer, condition, mode: Mode::Strict };
    let committed = match assemble(gateway, assembly).await? {
        Ok(committed) => committed,
        Err(SiteError::S3 { site, status: 404 | 412, .. }) if site != *opened.site.name() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let sites = gateway.sites.all().count() as u64;
    let index = object.index_span().map_or(0, |(_, length)| length);
    // The trailer at each site, and once more at the primary; the index; what is new, to each.
    Ok(Some((committed, TRAILER_LEN * (sites + 1) + index + rest * sites)))
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

//! The one place that opens sealed objects: trailer, key, index, metadata; cached by the sealed ETag.
//!
//! | file | what it holds |
//! |---|---|
//! | [`sites`] | which site is asked next, and when a failure is final |
//! | [`trailer`] | from stored bytes to an authenticated object |
//! | [`cache`] | opened objects, kept for a short while |
//! | [`whole`] | a whole object in as few requests as possible |
//! | [`body`] | the stream of verified plaintext |
//! | [`rescue`] | the rest of a body that failed, from another site |
//! | [`readable`] | what clients read: a sealed object, or a plain one |
//! | [`unsealed`] | when a plain one may be served |
use super::Gateway;
use super::customer::Brought;
use super::respond::{GatewayError, unavailable};
use crate::s3::{PlainETag, PlainLen, PlainSpan, SealedETag};
use crate::seal::{Layout, SealError, TRAILER_LEN, WholeReader};
use crate::site::{Location, SealedRange, Site, SiteError, ToldHeaders};
use bytes::{Bytes, BytesMut};
use std::sync::{Arc, OnceLock};

mod body;
mod cache;
mod readable;
mod rescue;
mod sites;
mod trailer;
mod unsealed;
mod whole;

pub(super) use body::PlainStream;
pub use cache::ObjectCache;
pub use readable::Readable;
use rescue::Whence;
pub(super) use sites::{Candidates, has_changed};
pub(super) use unsealed::open_unsealed;
pub(super) use whole::whole_at;

/// An opened object: authenticated trailer (but for one that is not sealed), which site and sealed version it was read from.
pub struct Opened {
    /// The authenticated object (DEK inside; no `Debug`), or a plain one.
    pub object: Readable,
    /// The site that served it.
    pub site: Site,
    /// Its sealed ETag there: pins every further request.
    pub sealed_etag: SealedETag,
    /// When the site says it was written.
    pub last_modified: time::OffsetDateTime,
    /// Version id, where versioned.
    pub version_id: Option<String>,
    /// Opened, decoded metadata.
    pub metadata: crate::gateway::metadata::UserMetadata,
    /// True when the trailer remembers metadata that the site no longer has.
    pub metadata_missing: bool,
    /// The sealed metadata value as stored (for copies).
    pub sealed_metadata: Option<String>,
    /// What else the site tells of the object: for clients, as it is.
    pub told: ToldHeaders,
    /// Whether the site keeps tags with it.
    pub has_tags: bool,
    /// The version that was asked for by name, as this site calls it.
    pub named_version: Option<String>,
    layout: OnceLock<Layout>,
}

/// What a listing needs to know of one object.
pub(super) struct Glimpse {
    pub etag: PlainETag,
    pub sealed_etag: SealedETag,
    pub plain_len: PlainLen,
    pub last_modified: time::OffsetDateTime,
}

/// Opens the current version of an object: one request (the trailer comes by suffix range; the cache is
/// revalidated against the sealed ETag). Primary first, then backups when it is down or damaged.
pub(super) async fn open(gateway: &Arc<Gateway>, at: &Location) -> Result<Arc<Opened>, GatewayError> {
    open_among(gateway, at, Candidates::of_object(gateway, at)).await
}

async fn open_among(
    gateway: &Arc<Gateway>,
    at: &Location,
    candidates: Candidates<'_>,
) -> Result<Arc<Opened>, GatewayError> {
    let ask = |site: Site| async move { open_at(gateway, &site, at, None).await };
    match candidates.first(ask).await {
        Err(GatewayError::Unsealed) => open_unsealed(gateway, at, None).await,
        opened => opened,
    }
}

/// The same at the primary, which decides on conditions; 503 while it does not serve.
pub(super) async fn open_at_primary(gateway: &Arc<Gateway>, at: &Location) -> Result<Arc<Opened>, GatewayError> {
    let opened = open_among(gateway, at, Candidates::of_object(gateway, at).of_primary()).await?;
    if opened.site.name() == gateway.sites.primary.name() { Ok(opened) } else { Err(unavailable().into()) }
}

/// The same of one version, named as the primary names it.
pub(super) async fn open_version_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    version: &str,
) -> Result<Arc<Opened>, GatewayError> {
    let named = gateway.sites.version_at(site, at, version).await?.ok_or_else(|| sites::no_such_version(site))?;
    let (stored, bytes) = last_bytes(site, at, None, Some(&named)).await?;
    // The cache holds current versions; a named one would push the current one out.
    let mut opened = trailer::unseal(gateway, site, at, stored, &bytes).await?;
    opened.named_version = Some(named);
    Ok(Arc::new(opened))
}

/// The same at one site, of exactly the version `pin` names.
pub(super) async fn open_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    pin: Option<&SealedETag>,
) -> Result<Arc<Opened>, GatewayError> {
    let (stored, bytes) = last_bytes(site, at, pin, None).await?;
    let cached = gateway.objects.confirmed(&gateway.keyring, at, site, &stored);
    gateway.metrics.trailer_cache(cached.is_some());
    if let Some(opened) = cached {
        return Ok(opened);
    }
    let opened = Arc::new(trailer::unseal(gateway, site, at, stored, &bytes).await?);
    gateway.objects.keep(at, &opened);
    Ok(opened)
}

/// What a listing needs, without metadata and without the cache. At one site, whose own id `version` is.
pub(super) async fn glimpse_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    version: Option<&str>,
) -> Result<Glimpse, GatewayError> {
    let (stored, bytes) = last_bytes(site, at, None, version).await?;
    let object = trailer::authenticate(gateway, site, at, stored.total, &bytes).await?;
    Ok(Glimpse {
        etag: object.etag(),
        sealed_etag: stored.etag,
        plain_len: object.plain_len(),
        last_modified: stored.last_modified,
    })
}

/// The layout of an opened object (fetches and keeps the index when there are several parts).
pub(super) async fn layout(
    _gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
) -> Result<Layout, GatewayError> {
    if let Some(layout) = opened.layout.get() {
        return Ok(layout.clone());
    }
    let damaged = trailer::damaged(&opened.site);
    let object = sealed(opened)?;
    let layout = match object.index_span() {
        None => object.layout_single().map_err(damaged)?,
        Some((start, length)) => {
            let mut got = get_pinned(at, opened, SealedRange::Span { start, length }).await?;
            let index = trailer::collect(&opened.site, &mut got).await?;
            object.layout_from_index(&index).map_err(damaged)?
        }
    };
    Ok(opened.layout.get_or_init(|| layout).clone())
}

/// Streams a span of plaintext of exactly this version (also the source of copies), with the client's own key where it brings one. Returns
/// when the first batch is verified.
pub(super) async fn read_span(
    gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
    span: PlainSpan,
    brought: Option<&Brought>,
) -> Result<PlainStream, GatewayError> {
    let Some(object) = opened.object.sealed() else { return read_plain(gateway, at, opened, span).await };
    let layout = layout(gateway, at, opened).await?;
    let reader =
        object.reader_with(brought.map(Brought::key), &layout, span).map_err(trailer::damaged(&opened.site))?;
    let (start, length) = reader.sealed_span();
    if length == 0 {
        reader.finish().map_err(trailer::damaged(&opened.site))?;
        return Ok(PlainStream::ready(&opened.site, bytes::BytesMut::new(), 0, &gateway.metrics));
    }
    let got = get_pinned(at, opened, SealedRange::Span { start, length }).await?;
    let whence =
        Whence { gateway: gateway.clone(), at: at.clone(), opened: opened.clone(), span, brought: brought.cloned() };
    PlainStream::new(whence, got.body, reader, 0).prime().await
}

/// A span of an object that is not sealed.
async fn read_plain(
    gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
    span: PlainSpan,
) -> Result<PlainStream, GatewayError> {
    let length = span.len().0;
    if length == 0 {
        return Ok(PlainStream::ready(&opened.site, bytes::BytesMut::new(), 0, &gateway.metrics));
    }
    let got = get_pinned(at, opened, SealedRange::Span { start: span.start, length }).await?;
    PlainStream::verbatim(&opened.site, got.body, length, &gateway.metrics).prime().await
}

/// What only a sealed object has is asked of no other.
fn sealed(opened: &Opened) -> Result<&crate::seal::OpenObject, GatewayError> {
    opened.object.sealed().ok_or_else(|| trailer::damaged(&opened.site)(SealError::NotSealed("a plain object")))
}

/// The last bytes of exactly this version: they tell it from any other, at whatever site.
pub(super) async fn trailer_bytes(at: &Location, opened: &Opened) -> Result<Bytes, GatewayError> {
    let mut got = get_pinned(at, opened, SealedRange::Last(TRAILER_LEN)).await?;
    trailer::collect(&opened.site, &mut got).await
}

/// All sealed bytes of exactly this version, every one of them authenticated, but for content under a customer's key. For small objects: they
/// are all in memory.
pub(super) async fn sealed_bytes(at: &Location, opened: &Opened) -> Result<Bytes, GatewayError> {
    let object = sealed(opened)?;
    let mut got = get_pinned(at, opened, SealedRange::Whole).await?;
    let bytes = trailer::collect(&opened.site, &mut got).await?;
    let cut = |(start, length): (u64, u64)| bytes.slice(start as usize..(start + length) as usize);
    let index = object.index_span().map_or_else(Bytes::new, cut);
    let trailer = cut((bytes.len() as u64 - TRAILER_LEN, TRAILER_LEN));
    let verified = if object.has_customer_key() {
        WholeReader::frame(object, index, trailer)
    } else {
        WholeReader::new(object, index, trailer)
    };
    let verified = verified.and_then(|mut reader| {
        reader.push(bytes.clone(), &mut BytesMut::new())?;
        reader.finish()
    });
    verified.map(|()| bytes.clone()).map_err(trailer::damaged(&opened.site))
}

/// A further request for a version that is open already; 412 when it is no longer the current one.
async fn get_pinned(
    at: &Location,
    opened: &Opened,
    range: SealedRange,
) -> Result<crate::site::GotObject, GatewayError> {
    let site = &opened.site;
    let got = site.get_version(at, opened.named_version.as_deref(), range, Some(&opened.sealed_etag)).await?;
    if got.etag != opened.sealed_etag {
        return Err(sites::changed(site));
    }
    let wanted = match range {
        SealedRange::Span { length, .. } | SealedRange::Last(length) => length,
        SealedRange::Whole => sealed(opened)?.sealed_len().0,
    };
    if got.length != wanted {
        let detail = format!("{} bytes where {wanted} were asked for", got.length);
        return Err(SiteError::Protocol { site: site.name().clone(), detail }.into());
    }
    Ok(got)
}

/// The trailer's bytes of the current (or the pinned) version: one suffix request.
async fn last_bytes(
    site: &Site,
    at: &Location,
    pin: Option<&SealedETag>,
    version: Option<&str>,
) -> Result<(trailer::Stored, Bytes), GatewayError> {
    let mut got = match site.get_version(at, version, SealedRange::Last(TRAILER_LEN), pin).await {
        // an empty object has no last bytes
        Err(SiteError::S3 { status: 416, .. }) => {
            return Err(trailer::damaged(site)(SealError::NotSealed("empty")));
        }
        result => result?,
    };
    if pin.is_some_and(|pin| *pin != got.etag) {
        return Err(sites::changed(site));
    }
    let stored = trailer::Stored::of(&got);
    let bytes = trailer::collect(site, &mut got).await?;
    Ok((stored, bytes))
}

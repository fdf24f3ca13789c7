//! A whole object in as few requests as possible: the trailer is its last bytes, so a small object needs one.
use super::body::PlainStream;
use super::rescue::Whence;
use super::trailer::{Stored, collect, damaged, unseal};
use super::{Opened, layout, open_at};
use crate::gateway::Gateway;
use crate::gateway::customer::Brought;
use crate::gateway::respond::GatewayError;
use crate::s3::PlainSpan;
use crate::site::{GotObject, Location, SealedRange, Site};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Sealed objects up to this length are taken into memory whole.
const SMALL: u64 = 256 * 1024;

/// The current version at one site, and the stream of all its plaintext with the first batch verified.
pub(in crate::gateway) async fn whole_at(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    brought: Option<&Brought>,
) -> Result<(Arc<Opened>, PlainStream), GatewayError> {
    let got = site.get(at, SealedRange::Whole, None).await?;
    if got.total.0 <= SMALL {
        small(gateway, site, at, got, brought).await
    } else {
        large(gateway, site, at, got, brought).await
    }
}

/// One request: everything is in these bytes.
async fn small(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    mut got: GotObject,
    brought: Option<&Brought>,
) -> Result<(Arc<Opened>, PlainStream), GatewayError> {
    let stored = Stored::of(&got);
    let bytes = collect(site, &mut got).await?;
    let cached = gateway.objects.confirmed(&gateway.keyring, at, site, &stored);
    gateway.metrics.trailer_cache(cached.is_some());
    let opened = match cached {
        Some(opened) => opened,
        None => {
            let opened = Arc::new(unseal(gateway, site, at, stored, &bytes).await?);
            gateway.objects.keep(at, &opened);
            opened
        }
    };
    let plain = decrypt(site, &opened, &bytes, brought)?;
    Ok((opened, PlainStream::ready(site, plain, bytes.len() as u64, &gateway.metrics)))
}

fn decrypt(site: &Site, opened: &Opened, sealed: &Bytes, brought: Option<&Brought>) -> Result<BytesMut, GatewayError> {
    let object = super::sealed(opened)?;
    let cut = |(start, length): (u64, u64)| {
        let end = start.saturating_add(length).min(sealed.len() as u64);
        sealed.slice(start.min(end) as usize..end as usize)
    };
    let layout = match (opened.layout.get(), object.index_span()) {
        (Some(layout), _) => layout.clone(),
        (None, None) => object.layout_single().map_err(damaged(site))?,
        (None, Some(span)) => object.layout_from_index(&cut(span)).map_err(damaged(site))?,
    };
    let span = PlainSpan::whole(object.plain_len());
    let mut reader = object.reader_with(brought.map(Brought::key), &layout, span).map_err(damaged(site))?;
    let mut plain = BytesMut::with_capacity(object.plain_len().0 as usize);
    reader.push(cut(reader.sealed_span()), &mut plain).map_err(damaged(site))?;
    reader.finish().map_err(damaged(site))?;
    opened.layout.get_or_init(|| layout);
    Ok(plain)
}

/// The body is open and waits while trailer (and index) are fetched, unless the cache knows this version.
async fn large(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    got: GotObject,
    brought: Option<&Brought>,
) -> Result<(Arc<Opened>, PlainStream), GatewayError> {
    let opened = match gateway.objects.confirmed(&gateway.keyring, at, site, &Stored::of(&got)) {
        Some(opened) => {
            gateway.metrics.trailer_cache(true);
            opened
        }
        None => open_at(gateway, site, at, Some(&got.etag)).await?,
    };
    let layout = layout(gateway, at, &opened).await?;
    let span = PlainSpan::whole(opened.object.plain_len());
    let reader = super::sealed(&opened)?.reader_with(brought.map(Brought::key), &layout, span);
    let reader = reader.map_err(damaged(site))?;
    let (_, length) = reader.sealed_span();
    let behind = got.total.0.saturating_sub(length);
    let whence =
        Whence { gateway: gateway.clone(), at: at.clone(), opened: opened.clone(), span, brought: brought.cloned() };
    let stream = PlainStream::new(whence, got.body, reader, behind).prime().await?;
    Ok((opened, stream))
}

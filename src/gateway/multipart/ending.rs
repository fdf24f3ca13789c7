//! How every backend upload ends, a client's as well as a copy's own: the part that ends in the footer, then Complete at every site that
//! has all parts.
use super::leftover;
use crate::gateway::Gateway;
use crate::gateway::respond::GatewayError;
use crate::s3::Operation;
use crate::site::tee::{Committed, Mode, SiteParts, SiteUploads, Tee, TeeError};
use crate::site::{Location, SiteName, WriteCondition};
use bytes::Bytes;

/// An object that lacks nothing but its footer.
pub(in crate::gateway) struct Ending<'a> {
    pub(in crate::gateway) at: &'a Location,
    pub(in crate::gateway) mode: Mode,
    pub(in crate::gateway) condition: &'a WriteCondition,
    /// The parts so far, at every site that has all of them, primary first.
    pub(in crate::gateway) parts: SiteParts,
    /// The part that is still to come: what it begins with, if anything, and the footer.
    pub(in crate::gateway) last: (u16, Option<Bytes>, Bytes),
    /// For the metrics.
    pub(in crate::gateway) operation: Operation,
}

/// Sends the last backend part and completes. Sites that are not in `ending.parts`, or do not take the last one, are recorded as misses.
pub(in crate::gateway) async fn end(
    gateway: &Gateway,
    tee: &Tee,
    uploads: &SiteUploads,
    ending: Ending<'_>,
) -> Result<Committed, GatewayError> {
    let Ending { at, mode, condition, parts, last, operation } = ending;
    let number = last.0;
    let uploads = among(uploads, |site| parts.iter().any(|(name, _)| name == site));
    let last = send_last(gateway, tee, at, &uploads, last, mode, operation).await?;
    let (uploads, parts) = with_last(uploads, parts, number, &last);
    let result = tee.complete_multipart(at, &uploads, &parts, condition, mode).await;
    gateway.objects.forget(at);
    match result {
        Err(TeeError::Site(error)) if error.is_outage() => {
            level_backups(tee, at, &error.to_string()).await?;
            Err(error.into())
        }
        result => Ok(result?),
    }
}

/// Drops what a site holds of an upload that goes on without it. In the background: the site may well be down. Then it is remembered.
pub(in crate::gateway) fn abort_at(gateway: &Gateway, at: &Location, uploads: &SiteUploads, site: &SiteName) {
    let found = gateway.sites.by_name(site).cloned();
    let upload = uploads.iter().find(|(name, _)| name == site).map(|(_, upload)| upload.clone());
    if let (Some(site), Some(upload)) = (found, upload) {
        let (at, state) = (at.clone(), gateway.state.clone());
        tokio::spawn(async move {
            if let Err(error) = site.abort_multipart(&at, &upload).await
                && !error.is_not_found()
            {
                tracing::warn!(site = %site.name(), %error, "a left-out site keeps parts of an upload for now");
                leftover::remember(&state, &at, site.name(), &upload).await;
            }
        });
    }
}

/// The same at every site that did not get the object.
pub(in crate::gateway) fn abort_where_missing(
    gateway: &Gateway,
    at: &Location,
    uploads: &SiteUploads,
    committed: &Committed,
) {
    for (site, _) in uploads {
        if !committed.written.iter().any(|(written, _)| written == site) {
            abort_at(gateway, at, uploads, site);
        }
    }
}

/// The footer, and what goes before it in the same part.
async fn send_last(
    gateway: &Gateway,
    tee: &Tee,
    at: &Location,
    uploads: &SiteUploads,
    (number, before, footer): (u16, Option<Bytes>, Bytes),
    mode: Mode,
    operation: Operation,
) -> Result<Committed, GatewayError> {
    let length = footer.len() as u64 + before.as_ref().map_or(0, |bytes| bytes.len() as u64);
    let mut write = tee.part(at, uploads, number, length, mode);
    if let Some(bytes) = before {
        write.send(bytes).await?;
    }
    let committed = write.commit(footer).await?;
    gateway.metrics.moved(operation, 0, length);
    Ok(committed)
}

/// The sites that took the last part as well, and what each completes with.
fn with_last(uploads: SiteUploads, parts: SiteParts, number: u16, last: &Committed) -> (SiteUploads, SiteParts) {
    let whole = parts.into_iter().filter_map(|(site, mut parts)| {
        let (_, etag) = last.written.iter().find(|(name, _)| *name == site)?;
        parts.push((number, etag.clone()));
        Some((site, parts))
    });
    let parts: SiteParts = whole.collect();
    (among(&uploads, |site| parts.iter().any(|(name, _)| name == site)), parts)
}

fn among(uploads: &SiteUploads, is_in: impl Fn(&SiteName) -> bool) -> SiteUploads {
    uploads.iter().filter(|(site, _)| is_in(site)).cloned().collect()
}

/// It may have happened at the primary: let the backups follow whatever it shows later.
async fn level_backups(tee: &Tee, at: &Location, reason: &str) -> Result<(), GatewayError> {
    for backup in tee.sites().backups.iter() {
        tee.level(at, backup.name(), reason).await?;
    }
    Ok(())
}

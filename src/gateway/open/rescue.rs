//! A body that breaks off or stops to authenticate goes on from another site: the same version, from the next byte
//! that the client does not have yet, and verified like any other.
use super::sites::is_behind;
use super::{Opened, get_pinned, layout, open_at, open_version_at};
use crate::gateway::Gateway;
use crate::gateway::customer::Brought;
use crate::gateway::respond::GatewayError;
use crate::s3::PlainSpan;
use crate::seal::{Layout, SpanReader};
use crate::site::{Location, SealedBody, SealedRange, Site, SiteName};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio_util::task::AbortOnDropHandle;

/// What a body is of: enough to ask for the rest of it elsewhere.
#[derive(Clone)]
pub(super) struct Whence {
    pub(super) gateway: Arc<Gateway>,
    pub(super) at: Location,
    pub(super) opened: Arc<Opened>,
    pub(super) span: PlainSpan,
    pub(super) brought: Option<Brought>,
}

/// The rest of a body.
pub(super) struct Continuation {
    pub(super) site: Site,
    pub(super) source: SealedBody,
    pub(super) reader: SpanReader,
    /// Bytes of plaintext at its beginning that the client has already.
    pub(super) skip: usize,
}

/// Sees to it that each site is asked at most once for the rest of one body; the one that broke off a second time, last.
pub(super) struct Rescuer {
    whence: Whence,
    tried: Vec<SiteName>,
    errand: Option<(GatewayError, AbortOnDropHandle<Option<Continuation>>)>,
}

// === impl Rescuer ===

impl Rescuer {
    pub(super) fn new(whence: Whence) -> Self {
        Self { whence, tried: Vec::new(), errand: None }
    }

    /// Sends for the rest behind `verified` bytes of plaintext; gives the error back when it is final.
    pub(super) fn send(&mut self, site: &SiteName, error: GatewayError, verified: u64) -> Option<GatewayError> {
        let broke_off = match &error {
            GatewayError::Integrity { source, .. } => {
                self.whence.gateway.tee.damaged(site, &self.whence.at, &source.to_string());
                false
            }
            GatewayError::Site(error) if error.is_outage() => true,
            _ => return Some(error),
        };
        let again = broke_off && !self.tried.contains(site);
        let (queue, last): (Vec<_>, Vec<_>) = self
            .whence
            .gateway
            .sites
            .all()
            .filter(|candidate| !self.tried.contains(candidate.name()))
            .cloned()
            .partition(|candidate| candidate.name() != site);
        self.tried.push(site.clone());
        let queue: Vec<_> = queue.into_iter().chain(last.into_iter().filter(|_| again)).collect();
        if queue.is_empty() {
            return Some(error);
        }
        tracing::warn!(bucket = %self.whence.at.bucket, %site, %error, verified, "a body is sent for at another site");
        let errand = tokio::spawn(self.whence.clone().go_on(queue, verified));
        self.errand = Some((error, AbortOnDropHandle::new(errand)));
        None
    }

    /// The rest, or the error that it was sent for after.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Continuation, GatewayError>>> {
        let Some((_, handle)) = self.errand.as_mut() else { return Poll::Ready(None) };
        let found = ready!(Pin::new(handle).poll(cx));
        let Some((error, _)) = self.errand.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(found.ok().flatten().ok_or(error)))
    }
}

// === impl Whence ===

impl Whence {
    /// Asks one site after the other.
    async fn go_on(self, queue: Vec<Site>, verified: u64) -> Option<Continuation> {
        for site in queue {
            match self.rest_at(&site, verified).await {
                Ok(Some(rest)) => {
                    self.gateway.metrics.rescued(&site.name().0);
                    tracing::warn!(bucket = %self.at.bucket, site = %site.name(), verified, "a body goes on from here");
                    return Some(rest);
                }
                Ok(None) => tracing::warn!(site = %site.name(), "has not the version that is being read"),
                Err(error) => tracing::warn!(site = %site.name(), %error, "cannot go on with a body"),
            }
        }
        None
    }

    /// `None` when the site holds another version, or may.
    async fn rest_at(&self, site: &Site, verified: u64) -> Result<Option<Continuation>, GatewayError> {
        let is_primary = site.name() == self.gateway.sites.primary.name();
        if !is_primary && is_behind(&self.gateway, &self.at).await {
            return Ok(None);
        }
        let Some(opened) = self.reopened(site).await? else { return Ok(None) };
        let (span, skip) = remaining(self.span, verified);
        let layout = self.layout(&opened).await?;
        let brought = self.brought.as_ref().map(Brought::key);
        let reader = super::sealed(&opened)?.reader_with(brought, &layout, span);
        let reader = reader.map_err(super::trailer::damaged(site))?;
        let (start, length) = reader.sealed_span();
        let got = get_pinned(&self.at, &opened, SealedRange::Span { start, length }).await?;
        Ok(Some(Continuation { site: site.clone(), source: got.body, reader, skip }))
    }

    /// The same version at that site.
    async fn reopened(&self, site: &Site) -> Result<Option<Arc<Opened>>, GatewayError> {
        let first = &self.opened;
        let opened = match &first.named_version {
            None => open_at(&self.gateway, site, &self.at, None).await?,
            Some(named) if first.site.name() == self.gateway.sites.primary.name() => {
                open_version_at(&self.gateway, site, &self.at, named).await?
            }
            // A backup's own name of a version says nothing elsewhere.
            Some(_) => return Ok(None),
        };
        let same = opened.object.sealed().zip(first.object.sealed()).is_some_and(|(a, b)| a.is_same_version(b));
        Ok(same.then_some(opened))
    }

    /// The index is authenticated: the one that is known serves for every copy of this version.
    async fn layout(&self, opened: &Arc<Opened>) -> Result<Layout, GatewayError> {
        match self.opened.layout.get() {
            Some(layout) => Ok(layout.clone()),
            None => layout(&self.gateway, &self.at, opened).await,
        }
    }
}

/// The span behind `verified` bytes, and how many of its first bytes are known already. A span that is all known is read again
/// from its last byte on: what failed then was the proof that it ends there.
fn remaining(span: PlainSpan, verified: u64) -> (PlainSpan, usize) {
    let next = span.start.saturating_add(verified).min(span.end);
    let skip = usize::from(next == span.end && !span.is_empty());
    (PlainSpan { start: next - skip as u64, ..span }, skip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::PlainLen;

    fn span(start: u64, end: u64) -> PlainSpan {
        PlainSpan { start, end, total: PlainLen(1000) }
    }

    #[test]
    fn the_rest_begins_at_the_next_byte() {
        assert_eq!(remaining(span(0, 1000), 0), (span(0, 1000), 0));
        assert_eq!(remaining(span(100, 900), 50), (span(150, 900), 0));
    }

    #[test]
    fn when_only_the_end_was_not_proven_the_last_byte_is_read_again() {
        assert_eq!(remaining(span(100, 900), 800), (span(899, 900), 1));
        let empty = PlainSpan { start: 0, end: 0, total: PlainLen(0) };
        assert_eq!(remaining(empty, 0), (empty, 0));
    }
}

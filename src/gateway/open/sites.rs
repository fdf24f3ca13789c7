//! Which site is asked next, and when a failure is final.
//!
//! - The primary's word is final: a 404 from it is a 404.
//! - But for an object that a backup accepted in the primary's place and that is not home yet: that backup has the word, and nobody else.
//!   Likewise while the primary may still carry out an earlier change over a later one ([`crate::site::tee::Tee::refuge_of`]); what the primary
//!   itself is asked to decide, and named versions, go to the primary all the same.
//! - An outage, or bytes that do not authenticate, send the read to the next site.
//! - A site that takes longer than it usually does ([`crate::site::Hedge`]) is not waited for alone.
//! - What is not sealed at the primary is served by nobody, or as a plain object where the rule lets it ([`super::unsealed`]) and no
//!   backup has anything else to say.
//! - A backup is not asked for an object that the journal says some site still misses: it could be an older
//!   version, or one that was deleted. The client then gets the primary's error, never a stale object.
use crate::gateway::Gateway;
use crate::gateway::respond::{GatewayError, not_sealed};
use crate::keys::KeyError;
use crate::policy;
use crate::seal::SealError;
use crate::site::tee::TeeError;
use crate::site::{Location, Site, SiteError, SiteName};
use futures_util::future::{Either, select};
use s3s::{S3Error, S3ErrorCode};
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

/// The sites of one read, in the order in which they are asked.
pub(in crate::gateway) struct Candidates<'a> {
    gateway: &'a Gateway,
    at: Option<&'a Location>,
    queue: VecDeque<Site>,
    behind: Option<bool>,
    /// A backup has what was acknowledged last, and the primary has not: it alone is asked, and its word is final.
    home: Option<SiteName>,
    /// Whether what is wanted is the current version, wherever it is.
    current: bool,
    primary_error: Option<GatewayError>,
    other_error: Option<GatewayError>,
    not_sealed: Vec<SiteName>,
    /// A backup holds something of ours, though it does not open.
    refuted: bool,
}

// === impl Candidates ===

impl<'a> Candidates<'a> {
    /// For one object.
    pub(in crate::gateway) fn of_object(gateway: &'a Gateway, at: &'a Location) -> Self {
        Self::new(gateway, Some(at))
    }

    /// For a listing or a bucket.
    pub(in crate::gateway) fn of_bucket(gateway: &'a Gateway) -> Self {
        Self::new(gateway, None)
    }

    fn new(gateway: &'a Gateway, at: Option<&'a Location>) -> Self {
        let (healthy, sick): (Vec<_>, Vec<_>) = gateway.sites.all().cloned().partition(Site::is_healthy);
        Self {
            gateway,
            at,
            queue: healthy.into_iter().chain(sick).collect(),
            behind: None,
            home: None,
            current: true,
            primary_error: None,
            other_error: None,
            not_sealed: Vec::new(),
            refuted: false,
        }
    }

    /// For a version that was named: it changes no more, whatever else the primary may carry out.
    #[must_use]
    pub(in crate::gateway) fn of_version(self, version: Option<&str>) -> Self {
        Self { current: self.current && version.is_none(), ..self }
    }

    /// For what the primary decides: by what it holds now.
    #[must_use]
    pub(super) fn of_primary(self) -> Self {
        Self { current: false, ..self }
    }

    /// Asks one site after the other, until one serves or a failure is final. A site that takes unusually long over an
    /// object stays asked, and the next one is asked beside it: the first that serves wins.
    pub(in crate::gateway) async fn first<T, F>(mut self, ask: impl Fn(Site) -> F) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        let named = |site: Site| {
            let answer = ask(site.clone());
            async move { (site, answer.await) }
        };
        self.find_home().await?;
        loop {
            let Some(site) = self.next().await else { return Err(self.exhausted()) };
            let patience = self.patience_with(&site);
            let (answered, other) = self.answered(Box::pin(named(site)), patience, &named).await;
            if let Some(answer) = self.settled(answered, &ask).await? {
                return Ok(answer);
            }
            if let Some(other) = other
                && let Some(answer) = self.settled(other.await, &ask).await?
            {
                return Ok(answer);
            }
        }
    }

    /// The answer of the site that was asked, or of the next one where it takes unusually long; and the other of the two, if there
    /// is one, under way.
    async fn answered<N: Future>(
        &mut self,
        mut asked: Pin<Box<N>>,
        patience: Option<Duration>,
        named: &impl Fn(Site) -> N,
    ) -> (N::Output, Option<Pin<Box<N>>>) {
        let Some(patience) = patience else { return (asked.await, None) };
        if let Ok(answer) = tokio::time::timeout(patience, asked.as_mut()).await {
            return (answer, None);
        }
        let Some(site) = self.next().await else { return (asked.await, None) };
        self.gateway.metrics.hedged(&site.name().0);
        match select(asked, Box::pin(named(site))).await {
            Either::Left((answer, other)) | Either::Right((answer, other)) => (answer, Some(other)),
        }
    }

    /// What a site's answer means: served, nothing yet, or final.
    async fn settled<T, F>(
        &mut self,
        (site, answer): (Site, Result<T, GatewayError>),
        ask: &impl Fn(Site) -> F,
    ) -> Result<Option<T>, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        match answer {
            Ok(answer) => {
                // Sealed in place just now: the backup may have had it a moment before the primary.
                if self.is_plain()
                    && let Ok(sealed) = Box::pin(ask(self.gateway.sites.primary.clone())).await
                {
                    return Ok(Some(sealed));
                }
                self.served(&site);
                Ok(Some(answer))
            }
            Err(error) => self.failed(&site, error).map(|()| None),
        }
    }

    /// Whether the object is away from home: then the queue is the site that has it.
    async fn find_home(&mut self) -> Result<(), GatewayError> {
        let Some(at) = self.at else { return Ok(()) };
        self.home = self.gateway.tee.home_of(at).await.map_err(TeeError::from)?;
        if self.home.is_none() && self.current {
            self.home = self.gateway.tee.refuge_of(at).await;
        }
        if let Some(home) = &self.home {
            self.queue.retain(|site| site.name() == home);
        }
        Ok(())
    }

    /// How long one site is waited for alone.
    fn patience_with(&self, site: &Site) -> Option<Duration> {
        self.at?;
        self.gateway.hedge?.patience_with(site)
    }

    /// The next site to ask.
    async fn next(&mut self) -> Option<Site> {
        while let Some(site) = self.queue.pop_front() {
            if self.is_primary(&site) || !self.is_behind().await {
                return Some(site);
            }
        }
        None
    }

    /// Takes note of a failure; gives it back when asking on would be wrong.
    fn failed(&mut self, site: &Site, error: GatewayError) -> Result<(), GatewayError> {
        let go_on = match &error {
            GatewayError::Site(e) => e.is_outage() || (e.is_not_found() && !self.is_primary(site)),
            // A key that may not be used now may not be used for another site's copy either.
            GatewayError::Key(KeyError::State(..) | KeyError::Withheld(_) | KeyError::OutOfReach(..)) => false,
            GatewayError::Integrity { .. } | GatewayError::Key(_) => true,
            _ => false,
        };
        if !go_on {
            return Err(error);
        }
        match &error {
            GatewayError::Integrity { source: SealError::NotSealed(_), .. } => {
                self.not_sealed.push(site.name().clone());
            }
            GatewayError::Integrity { source, .. } => {
                self.gateway.metrics.integrity_failure(&site.name().0);
                tracing::error!(site = %site.name(), error = %source, "a sealed object does not authenticate");
                if let Some(at) = self.at {
                    self.gateway.tee.damaged(site.name(), at, &source.to_string());
                }
            }
            _ => tracing::warn!(site = %site.name(), error = %error, "a read goes on to the next site"),
        }
        self.refuted |= !self.is_primary(site) && is_ours(&error);
        let slot = if self.is_primary(site) { &mut self.primary_error } else { &mut self.other_error };
        slot.get_or_insert(error);
        Ok(())
    }

    /// A site served: counts the failover, and what the others turned out to hold.
    fn served(&self, site: &Site) {
        for other in &self.not_sealed {
            self.gateway.metrics.integrity_failure(&other.0);
            tracing::error!(site = %other, served_by = %site.name(), "a site holds something else than a sealed object");
            if let Some(at) = self.at {
                self.gateway.tee.damaged(other, at, "it holds something else than a sealed object");
            }
        }
        if site.name() != self.gateway.sites.primary.name() {
            self.gateway.metrics.failover(&site.name().0);
        }
    }

    /// No site served: the primary's error, unless a backup that misses nothing says there is no such object.
    fn exhausted(self) -> GatewayError {
        let absent = matches!(&self.other_error, Some(GatewayError::Site(e)) if e.is_not_found());
        let primary_is_down = matches!(&self.primary_error, Some(GatewayError::Site(e)) if e.is_outage());
        let plain = self.is_plain();
        let error = match (self.primary_error, self.other_error) {
            (_, Some(other)) if absent && primary_is_down && self.at.is_some() => other,
            (Some(error), _) | (None, Some(error)) => error,
            (None, None) => GatewayError::S3(S3Error::new(S3ErrorCode::ServiceUnavailable)),
        };
        match error {
            GatewayError::Integrity { source: SealError::NotSealed(_), .. } if plain => GatewayError::Unsealed,
            GatewayError::Integrity { source: SealError::NotSealed(_), .. } => not_sealed().into(),
            error => error,
        }
    }

    /// True when the primary has a plain object of this name, the rule lets it be served, and no backup speaks against it. (One that does not
    /// answer cannot: an outage of a backup is no reason to stop.)
    fn is_plain(&self) -> bool {
        let at_primary =
            matches!(&self.primary_error, Some(GatewayError::Integrity { source: SealError::NotSealed(_), .. }));
        let allowed =
            |at: &Location| self.gateway.rules.plan(&at.bucket, &at.key).terms.unsealed == policy::Unsealed::Read;
        self.home.is_none() && at_primary && !self.refuted && self.at.is_some_and(allowed)
    }

    /// The one that decides whether there is such an object.
    fn is_primary(&self, site: &Site) -> bool {
        site.name() == self.home.as_ref().unwrap_or(self.gateway.sites.primary.name())
    }

    /// Asked at most once a read, and only when the primary does not serve.
    async fn is_behind(&mut self) -> bool {
        let Some(at) = self.at else { return false };
        if let Some(known) = self.behind {
            return known;
        }
        *self.behind.insert(is_behind(self.gateway, at).await)
    }
}

/// Whether some site misses something of this object. Not knowing counts as behind.
pub(super) async fn is_behind(gateway: &Gateway, at: &Location) -> bool {
    let behind = gateway.state.is_behind(&at.bucket, &at.key).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot tell whether a backup is up to date; it is not asked");
        true
    });
    if behind {
        tracing::warn!(bucket = %at.bucket, "a backup is behind for this object; it is not asked");
    }
    behind
}

/// True when the failure says that a sealed object of ours lies there.
fn is_ours(error: &GatewayError) -> bool {
    match error {
        GatewayError::Integrity { source, .. } => !matches!(source, SealError::NotSealed(_)),
        GatewayError::Key(_) => true,
        _ => false,
    }
}

/// True when a pinned request met another version than the one it asked for.
pub(in crate::gateway) fn has_changed(error: &GatewayError) -> bool {
    matches!(error, GatewayError::Site(e) if e.is_precondition_failed())
}

/// The site does not have the version that was named.
pub(super) fn no_such_version(site: &Site) -> GatewayError {
    GatewayError::Site(SiteError::S3 {
        site: site.name().clone(),
        status: 404,
        code: "NoSuchVersion".to_owned(),
        message: "the site lacks this version".to_owned(),
    })
}

/// What a pinned request answers when the site served another version all the same.
pub(super) fn changed(site: &Site) -> GatewayError {
    GatewayError::Site(SiteError::S3 {
        site: site.name().clone(),
        status: 412,
        code: "PreconditionFailed".to_owned(),
        message: "the object changed while it was read".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::testbed::{Testbed, at, pattern};
    use crate::state::Missed;

    /// Which site serves when each answers after so long (`None`: never).
    async fn winner(bed: &Testbed, primary: Option<u64>, backup: Option<u64>) -> Result<String, GatewayError> {
        let at = at("object");
        let candidates = Candidates::of_object(&bed.gateway, &at);
        let asked = candidates.first(|site| async move {
            let after = if site.name().0.as_ref() == "primary" { primary } else { backup };
            match after {
                Some(after) => tokio::time::sleep(Duration::from_millis(after)).await,
                None => std::future::pending().await,
            }
            Ok(site.name().to_string())
        });
        asked.await
    }

    #[tokio::test]
    async fn a_site_that_is_slower_than_usual_is_not_waited_for_alone() {
        let bed = Testbed::start().await;
        bed.put("object", &pattern(100)).await;
        for _ in 0..100 {
            bed.get("/object", &[]).await;
        }
        assert_eq!(winner(&bed, None, Some(0)).await.ok().as_deref(), Some("backup"), "the primary hangs");
        assert_eq!(winner(&bed, Some(0), None).await.ok().as_deref(), Some("primary"), "it is not slow");
        let page = bed.gateway.metrics.render();
        assert!(page.contains("strongroom_hedged_reads_total{site=\"backup\"} 1"), "{page}");
        assert!(page.contains("strongroom_failovers_total{site=\"backup\"} 1"), "{page}");
        let object = at("object");
        let missed = Missed::new("backup", &object.bucket, Some(&object.key), "test");
        bed.gateway.state.record_misses(vec![missed], 1).await.expect("recorded");
        assert_eq!(winner(&bed, Some(200), Some(0)).await.ok().as_deref(), Some("primary"), "the backup is behind");
    }

    #[tokio::test]
    async fn nothing_is_known_of_a_site_that_was_hardly_asked() {
        let bed = Testbed::start().await;
        assert_eq!(winner(&bed, Some(300), Some(0)).await.ok().as_deref(), Some("primary"));
    }
}

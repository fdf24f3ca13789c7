//! Which site is asked next, and when a failure is final.
//!
//! - The primary's word is final: a 404 from it is a 404.
//! - An outage, or bytes that do not authenticate, send the read to the next site.
//! - What is not sealed at the primary is served by nobody, or as a plain object where the rule lets it ([`super::unsealed`]) and no
//!   backup has anything else to say.
//! - A backup is not asked for an object that the journal says some site still misses: it could be an older
//!   version, or one that was deleted. The client then gets the primary's error, never a stale object.
use crate::gateway::Gateway;
use crate::gateway::respond::{GatewayError, not_sealed};
use crate::policy;
use crate::seal::SealError;
use crate::site::{Location, Site, SiteError, SiteName};
use s3s::{S3Error, S3ErrorCode};
use std::collections::VecDeque;

/// The sites of one read, in the order in which they are asked.
pub(in crate::gateway) struct Candidates<'a> {
    gateway: &'a Gateway,
    at: Option<&'a Location>,
    queue: VecDeque<Site>,
    behind: Option<bool>,
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
            primary_error: None,
            other_error: None,
            not_sealed: Vec::new(),
            refuted: false,
        }
    }

    /// Asks one site after the other, until one serves or a failure is final.
    pub(in crate::gateway) async fn first<T, F>(mut self, ask: impl Fn(Site) -> F) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        while let Some(site) = self.next().await {
            match ask(site.clone()).await {
                Ok(answer) => {
                    // Sealed in place just now: the backup may have had it a moment before the primary.
                    if self.is_plain()
                        && let Ok(sealed) = ask(self.gateway.sites.primary.clone()).await
                    {
                        return Ok(sealed);
                    }
                    self.served(&site);
                    return Ok(answer);
                }
                Err(error) => self.failed(&site, error)?,
            }
        }
        Err(self.exhausted())
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
        }
        if !self.is_primary(site) {
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
        let allowed = |at: &Location| self.gateway.rules.plan(&at.bucket, &at.key).unsealed == policy::Unsealed::Read;
        at_primary && !self.refuted && self.at.is_some_and(allowed)
    }

    fn is_primary(&self, site: &Site) -> bool {
        site.name() == self.gateway.sites.primary.name()
    }

    /// Asked at most once a read, and only when the primary does not serve. Not knowing counts as behind.
    async fn is_behind(&mut self) -> bool {
        let Some(at) = self.at else { return false };
        if let Some(known) = self.behind {
            return known;
        }
        let behind = self.gateway.state.is_pending(&at.bucket, &at.key).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell whether a backup is up to date; it is not asked");
            true
        });
        if behind {
            tracing::warn!(bucket = %at.bucket, "a backup is behind for this object; it is not asked");
        }
        *self.behind.insert(behind)
    }
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

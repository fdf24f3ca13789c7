//! A backup in the primary's place: while that is out, a change can be accepted at a backup and brought home later.
//!
//! The deputy is a tee over the same sites in another order: the backup decides, and the primary is not even tried. So all rules of the tee
//! hold there as they are, and what the primary misses goes to the journal as a miss whose bytes are to be had at that backup
//! ([`Miss::home_from`]) instead of at the primary. While such a row is open,
//!
//! - the key's changes go on at that backup, whether the primary is back or not: one order for each key;
//! - reads ask that backup (see `gateway/open/sites`);
//! - nobody levels that backup to the primary (see `replication/mirror`).
//!
//! Only a backup that misses nothing of the key can act for it. What only the primary can decide is not accepted: conditions, named versions,
//! retention, `strict`, and buckets.
use super::{Change, Inner, Intent, Miss, MissError, MissRecorder, Mode, Tee, TeeError};
use crate::s3::{BucketName, ObjectKey};
use crate::site::{Location, Site, SiteError, SiteName, Sites};
use std::sync::Arc;

/// Records what the primary misses as to be had at the deputy.
struct Deputised {
    misses: Arc<dyn MissRecorder>,
    primary: SiteName,
    deputy: SiteName,
}

// === impl Tee ===

impl Tee {
    /// Over the same sites: accepts changes at a backup while the primary is out.
    #[must_use]
    pub fn accepting_on_backup(&self) -> Self {
        let inner = Inner { accepts: true, ..self.inner.like() };
        Self { inner: Arc::new(inner) }
    }

    /// The backup that has what was acknowledged last of this object, while it is not at the primary yet.
    ///
    /// # Errors
    /// When nobody can tell.
    pub async fn home_of(&self, at: &Location) -> Result<Option<SiteName>, MissError> {
        self.inner.misses.home_of(at).await
    }

    /// Who takes a change of this object: the primary's own tee, or a backup's. `plain`: it has no condition and names no version.
    ///
    /// # Errors
    /// `Unreachable` when the object is away from home and this change cannot be made there.
    pub async fn acting(&self, at: &Location, plain: bool, mode: Mode) -> Result<Self, TeeError> {
        let plain = plain && mode != Mode::Strict;
        if let Some(home) = self.home_of(at).await? {
            let site = self.inner.sites.backups.iter().find(|site| *site.name() == home);
            return match site.filter(|_| plain) {
                Some(site) => Ok(self.deputy(site)),
                None => Err(self.away(&home).into()),
            };
        }
        if !self.inner.accepts || !plain || !self.inner.sites.primary.is_out() {
            return Ok(self.clone());
        }
        let behind = self.inner.misses.behind(at).await?;
        let fit = |site: &&Site| site.is_healthy() && !behind.contains(site.name());
        Ok(self.inner.sites.backups.iter().find(fit).map_or_else(|| self.clone(), |site| self.deputy(site)))
    }

    /// The same for an upload, which goes on where its parts are: at the primary, or, when that is out, at a backup that has them all.
    ///
    /// # Errors
    /// As [`Tee::acting`].
    pub async fn acting_for(
        &self,
        at: &Location,
        sites: &[SiteName],
        plain: bool,
        mode: Mode,
    ) -> Result<Self, TeeError> {
        let acting = self.acting(at, plain, mode).await?;
        if sites.contains(acting.sites().primary.name()) {
            return Ok(acting);
        }
        // It was begun, or has parts, at other sites than the one that acts now.
        let behind = self.inner.misses.behind(at).await?;
        let chief = sites.first().filter(|site| !behind.contains(site));
        let site = self.inner.sites.backups.iter().find(|site| Some(site.name()) == chief);
        match (site, self.home_of(at).await?) {
            (Some(site), None) if plain && mode != Mode::Strict => Ok(self.deputy(site)),
            (_, Some(home)) => Err(self.away(&home).into()),
            _ => Err(self.away(acting.sites().primary.name()).into()),
        }
    }

    /// The same for a delete of many: one tee takes them all, or they are to be tried again one by one.
    ///
    /// # Errors
    /// As [`Tee::acting`].
    pub async fn acting_for_all(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
        plain: bool,
        mode: Mode,
    ) -> Result<Self, TeeError> {
        let mut chosen: Option<Self> = None;
        for key in keys {
            let at = Location { bucket: bucket.clone(), key: key.clone() };
            let acting = self.acting(&at, plain, mode).await?;
            match &chosen {
                None => chosen = Some(acting),
                Some(before) if before.sites().primary.name() == acting.sites().primary.name() => {}
                Some(before) => return Err(self.away(before.sites().primary.name()).into()),
            }
        }
        Ok(chosen.unwrap_or_else(|| self.clone()))
    }

    /// The tee that takes a change of these objects when the primary turns out not to answer it; `None`: nobody does.
    pub(super) async fn heir(&self, places: &[Location], plain: bool, mode: Mode) -> Result<Option<Self>, MissError> {
        if !self.inner.accepts || self.inner.left_out.is_some() || !plain || mode != Mode::Tee {
            return Ok(None);
        }
        let mut behind = Vec::new();
        for at in places {
            behind.extend(self.inner.misses.behind(at).await?);
        }
        let fit = |site: &&Site| site.is_healthy() && !behind.contains(site.name());
        Ok(self.inner.sites.backups.iter().find(fit).map(|site| self.deputy(site)))
    }

    fn deputy(&self, site: &Site) -> Self {
        let primary = &self.inner.sites.primary;
        let others = self.inner.sites.backups.iter().filter(|other| other.name() != site.name());
        let sites = Sites { primary: site.clone(), backups: others.chain([primary]).cloned().collect() };
        let (misses, deputy) = (Arc::clone(&self.inner.misses), site.name().clone());
        let misses = Arc::new(Deputised { misses, primary: primary.name().clone(), deputy });
        tracing::debug!(backup = %site.name(), "a change goes to a backup if the primary is out");
        let inner = Inner { sites, misses, left_out: Some(primary.name().clone()), ..self.inner.like() };
        Self { inner: Arc::new(inner) }
    }

    fn away(&self, home: &SiteName) -> SiteError {
        let detail = format!("the object is not at the primary yet: its newest version is at {home}");
        SiteError::Unreachable { site: self.inner.sites.primary.name().clone(), detail }
    }
}

// === impl Inner ===

impl Inner {
    /// Over the same things.
    pub(super) fn like(&self) -> Self {
        Self {
            sites: self.sites.clone(),
            own: self.own.clone(),
            misses: Arc::clone(&self.misses),
            backup_grace: self.backup_grace,
            locks: self.locks.clone(),
            stragglers: Arc::clone(&self.stragglers),
            orphans: self.orphans.clone(),
            accepts: self.accepts,
            left_out: self.left_out.clone(),
            keeps: self.keeps.clone(),
            users: self.users,
        }
    }

    /// Whether a site that is not required is asked at once.
    pub(super) fn asks(&self, mode: Mode, site: &Site) -> bool {
        self.left_out.as_ref() != Some(site.name()) && mode.asks(site)
    }

    /// To be asked under the key's lock, before any site is told: whoever was chosen to decide still is the one.
    pub(super) async fn still_decides(&self, at: &Location) -> Result<(), TeeError> {
        let decides = match (self.misses.home_of(at).await?, &self.left_out) {
            (None, None) => true,
            (Some(home), Some(_)) => home == *self.sites.primary.name(),
            (Some(_), None) => false,
            (None, Some(_)) => !self.misses.behind(at).await?.contains(self.sites.primary.name()),
        };
        if decides {
            return Ok(());
        }
        let detail = "another site decides on this object since a moment ago".to_owned();
        Err(SiteError::Unreachable { site: self.sites.primary.name().clone(), detail }.into())
    }

    /// Version ids are the primary's: those of a deputy mean nothing to anybody.
    pub(super) fn told_version(&self, version: Option<String>) -> Option<String> {
        version.filter(|_| self.left_out.is_none())
    }
}

#[async_trait::async_trait]
impl MissRecorder for Deputised {
    async fn record(&self, miss: Miss) -> Result<(), MissError> {
        self.record_all(vec![miss]).await
    }

    async fn record_all(&self, misses: Vec<Miss>) -> Result<(), MissError> {
        let away = |miss: Miss| match miss.site == self.primary {
            true => Miss { home_from: Some(self.deputy.clone()), ..miss },
            false => miss,
        };
        self.misses.record_all(misses.into_iter().map(away).collect()).await
    }

    async fn home_of(&self, at: &Location) -> Result<Option<SiteName>, MissError> {
        self.misses.home_of(at).await
    }

    async fn behind(&self, at: &Location) -> Result<Vec<SiteName>, MissError> {
        self.misses.behind(at).await
    }

    fn damaged(&self, site: &SiteName, at: &Location, why: &str) {
        self.misses.damaged(site, at, why);
    }

    fn is_changing(&self, at: &Location) -> bool {
        self.misses.is_changing(at)
    }

    fn is_shared(&self) -> bool {
        self.misses.is_shared()
    }

    fn intend(&self, change: Change) -> Intent {
        self.misses.intend(change)
    }
}

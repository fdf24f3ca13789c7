//! Backups that do not answer in time: nobody waits for them, and nobody forgets them.
use super::leg::left_out;
use super::straggler::ON_ITS_WAY;
use super::{Change, Inner, Miss, MissError, Mode, Tee};
use crate::s3::{BucketName, ObjectKey};
use crate::site::{Location, NULL_VERSION, Site, SiteError, SiteName};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What a backup said when it was asked.
pub(super) struct Asked<T> {
    pub(super) site: SiteName,
    pub(super) answer: Result<T, SiteError>,
    /// A request was sent at all.
    was_told: bool,
    /// The request that was still under way when patience ended.
    late: Option<JoinHandle<Result<T, SiteError>>>,
}

/// Why a backup is not told of a change although it answers.
pub(super) const OUT_OF_TURN: &str = "it misses earlier versions, which come first";

// === impl Inner ===

impl Inner {
    /// A backup's request that ended without an answer after its last bytes had gone out may still lie somewhere on the way and take effect later, even
    /// after the miss was levelled. So the miss is recorded once more, a good while later.
    pub(super) fn look_again(self: &Arc<Self>, misses: Vec<Miss>) {
        self.follow(tokio::spawn(tokio::time::sleep(ON_ITS_WAY)), misses);
    }

    /// As [`Self::out_of_turn`], of a bucket's keys; in other modes than `Tee` nobody waits.
    pub(super) async fn waiting(&self, mode: Mode, bucket: &BucketName, keys: &[ObjectKey]) -> Arc<Vec<SiteName>> {
        if mode != Mode::Tee {
            return Arc::default();
        }
        let at = |key: &ObjectKey| Location { bucket: bucket.clone(), key: key.clone() };
        let places: Vec<Location> = keys.iter().map(at).collect();
        Arc::new(self.out_of_turn(&places).await)
    }

    /// The backups that miss something of these objects, where versions are kept: told of a new one now, they could never have them in order.
    pub(super) async fn out_of_turn(&self, places: &[Location]) -> Vec<SiteName> {
        let mut waiting: Vec<SiteName> = Vec::new();
        if !self.sites.primary.may_keep_versions() {
            return waiting;
        }
        for at in places {
            // Not knowing, it is told: that costs an order, not a version.
            let behind = self.misses.behind(at).await.unwrap_or_default();
            if behind.iter().all(|site| waiting.contains(site)) {
                continue;
            }
            let versions = self.sites.primary.versions_of(at).await.unwrap_or_default();
            if versions.iter().any(|version| version.version_id != NULL_VERSION) {
                waiting.extend(behind);
            }
        }
        waiting
    }

    /// A request that nobody waits for any more may still change its site, even after the miss was levelled. So when it ends, the
    /// miss is recorded once more. (It ends by the site's own time-outs.)
    pub(super) fn follow<T: Send + 'static>(self: &Arc<Self>, late: JoinHandle<T>, misses: Vec<Miss>) {
        let Some(bucket) = misses.first().map(|miss| miss.bucket.clone()) else { return };
        let keys = misses.iter().filter_map(|miss| miss.key.clone()).collect();
        let inner = Arc::clone(self);
        // The change's own intent is durable and not taken back before this one stands beside it.
        let mut intent = inner.misses.intend(Change { bucket, keys, retain_until: None });
        intent.arm_at_once();
        tokio::spawn(async move {
            let _ = late.await;
            match inner.misses.record_all(misses).await {
                Ok(()) => intent.settle(),
                Err(error) => tracing::error!(%error, "a late answer of a backup could not be recorded yet"),
            }
        });
    }
}

// === impl Tee ===

impl Tee {
    /// Asks every backup at once. In `Mode::Tee` an unhealthy one is left out, and the others have the grace period; in
    /// `Mode::Async` all are left out.
    pub(super) async fn at_backups<T, F>(&self, mode: Mode, ask: impl Fn(Site) -> F) -> Vec<Asked<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SiteError>> + Send + 'static,
    {
        let patience = (mode == Mode::Tee).then_some(self.inner.backup_grace);
        join_all(self.inner.sites.backups.iter().map(|site| {
            let running = self.inner.asks(mode, site).then(|| tokio::spawn(ask(site.clone())));
            let site = site.name().clone();
            async move {
                let Some(mut running) = running else {
                    let answer = Err(left_out(&site, mode));
                    return Asked { site, answer, was_told: false, late: None };
                };
                let joined = match patience {
                    None => (&mut running).await,
                    Some(patience) => match tokio::time::timeout(patience, &mut running).await {
                        Ok(joined) => joined,
                        Err(_) => {
                            let answer = Err(unreachable(&site, "it did not answer in time"));
                            return Asked { site, answer, was_told: true, late: Some(running) };
                        }
                    },
                };
                let answer = joined.unwrap_or_else(|_| Err(unreachable(&site, "its task ended unexpectedly")));
                Asked { site, answer, was_told: true, late: None }
            }
        }))
        .await
    }

    /// Records that a backup missed what happened to these names (none: the bucket itself).
    pub(super) async fn missed<T: Send + 'static>(
        &self,
        asked: Asked<T>,
        bucket: &BucketName,
        keys: &[ObjectKey],
        error: &SiteError,
    ) -> Result<(), MissError> {
        let misses = misses(&asked.site, bucket, keys, error, None);
        self.inner.misses.record_all(misses.clone()).await?;
        match asked.late {
            Some(late) => self.inner.follow(late, misses),
            None if asked.was_told && error.is_outage() => self.inner.look_again(misses),
            None => {}
        }
        Ok(())
    }

    /// The primary did not say what became of a change: every backup is to be made equal to it later.
    pub(super) async fn undecided(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
        error: &SiteError,
        retain_until: Option<i64>,
    ) -> Result<(), MissError> {
        if !error.is_outage() {
            return Ok(());
        }
        self.may_come_late(bucket, keys, error);
        self.later(bucket, keys, error, retain_until).await
    }

    /// The primary did not say what became of a change, and may yet do it.
    pub(super) fn may_come_late(&self, bucket: &BucketName, keys: &[ObjectKey], error: &SiteError) {
        for key in keys {
            // Nobody else was told yet.
            self.inner.expect_straggler(
                &Location { bucket: bucket.clone(), key: key.clone() },
                Some(error),
                Vec::new(),
            );
        }
    }

    /// Records these names for every backup.
    pub(super) async fn later(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
        why: &SiteError,
        retain_until: Option<i64>,
    ) -> Result<(), MissError> {
        self.inner.misses.record_all(self.misses(bucket, keys, why, retain_until)).await
    }

    fn misses(&self, bucket: &BucketName, keys: &[ObjectKey], why: &SiteError, retain_until: Option<i64>) -> Vec<Miss> {
        let backups = self.inner.sites.backups.iter();
        backups.flat_map(|backup| misses(backup.name(), bucket, keys, why, retain_until)).collect()
    }
}

fn misses(
    site: &SiteName,
    bucket: &BucketName,
    keys: &[ObjectKey],
    error: &SiteError,
    retain_until: Option<i64>,
) -> Vec<Miss> {
    let miss = |key: Option<ObjectKey>| {
        let (site, bucket, reason) = (site.clone(), bucket.clone(), error.to_string());
        Miss { site, bucket, key, reason, bytes: 0, retain_until, home_from: None }
    };
    if keys.is_empty() { vec![miss(None)] } else { keys.iter().cloned().map(|key| miss(Some(key))).collect() }
}

pub(super) fn unreachable(site: &SiteName, detail: &str) -> SiteError {
    SiteError::Unreachable { site: site.clone(), detail: detail.to_owned() }
}

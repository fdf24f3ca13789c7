//! Stragglers: requests that the primary never answered, and may carry out yet.
//!
//! A request that lies in a stalled network or server when everybody has given up on it can take effect later, over a change of the same
//! object that was acknowledged meanwhile. So for a while after such a request
//!
//! - nobody makes a backup equal to the primary in that object ([`Tee::awaits`]): what was acknowledged last is safe there;
//! - what is acknowledged of it is remembered, and read from a backup that has it ([`Tee::refuge_of`]);
//! - then the primary is looked at. When it does not hold what was acknowledged last and a backup does, that backup is the object's home, and the
//!   primary is made equal to it ([`Miss::home_from`]).
//!
//! This is remembered in memory: a proxy that dies meanwhile leaves its misses, and the primary's word is law again. Where several proxies share
//! their state nothing is brought back: what the primary has may be another proxy's newer change.
use super::{Inner, Miss, MissError, Tee};
use crate::s3::SealedETag;
use crate::site::{Location, Site, SiteError, SiteName};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is on its way after so long is not on its way any more: buffers of middleboxes, and a site's own queue.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(15);

/// The objects that a straggler may still change.
#[derive(Default)]
pub(super) struct Stragglers {
    awaited: Mutex<HashMap<Location, Awaited>>,
    /// Their number: nearly always none, and nobody need ask further.
    count: AtomicUsize,
}

struct Awaited {
    until: Instant,
    /// What was acknowledged since; and behind it, of what the primary did not answer after that, what backups have: as good as acknowledged.
    last: Vec<Last>,
}

/// What was acknowledged last of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Last {
    /// At these sites, under these ETags.
    Has(Vec<(SiteName, SealedETag)>),
    Gone,
}

// === impl Last ===

impl Last {
    /// What this site should hold; outer `None`: nobody knows.
    fn at(&self, site: &Site) -> Option<Option<&SealedETag>> {
        match self {
            Self::Gone => Some(None),
            Self::Has(written) => Some(Some(&written.iter().find(|(name, _)| name == site.name())?.1)),
        }
    }
}

// === impl Stragglers ===

impl Stragglers {
    /// One more, that backups may have carried out already. True when nobody waits for one of this object yet: then the caller has to.
    fn expect(&self, at: &Location, until: Instant, at_backups: Vec<(SiteName, SealedETag)>) -> bool {
        let mut awaited = self.lock();
        if let Some(before) = awaited.get_mut(at) {
            before.until = until;
            if !before.last.is_empty() && !at_backups.is_empty() {
                before.last.push(Last::Has(at_backups));
            }
            return false;
        }
        awaited.insert(at.clone(), Awaited { until, last: Vec::new() });
        self.count.store(awaited.len(), Ordering::SeqCst);
        true
    }

    fn carried_out(&self, at: &Location, last: impl FnOnce() -> Option<Last>) {
        if self.count.load(Ordering::SeqCst) > 0
            && let Some(awaited) = self.lock().get_mut(at)
        {
            awaited.last = last().into_iter().collect();
        }
    }

    /// How long one is still waited for.
    fn left(&self, at: &Location) -> Option<Duration> {
        if self.count.load(Ordering::SeqCst) == 0 {
            return None;
        }
        Some(self.lock().get(at)?.until.saturating_duration_since(Instant::now()))
    }

    fn last(&self, at: &Location) -> Vec<Last> {
        self.lock().get(at).map(|awaited| awaited.last.clone()).unwrap_or_default()
    }

    fn forget(&self, at: &Location) {
        let mut awaited = self.lock();
        awaited.remove(at);
        self.count.store(awaited.len(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Location, Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Tee ===

impl Tee {
    /// How long an earlier change that the primary did not answer may still take effect: until then nobody is to be made equal to it.
    pub fn awaits(&self, at: &Location) -> Option<Duration> {
        self.inner.stragglers.left(at)
    }

    /// While the primary may still change this object late: a backup that has what was acknowledged last. `None`: nothing is awaited, nothing
    /// was acknowledged since, or no backup has it.
    pub async fn refuge_of(&self, at: &Location) -> Option<SiteName> {
        self.inner.stragglers.left(at)?;
        if !self.inner.brings_back() {
            return None;
        }
        let last = self.inner.stragglers.last(at);
        let holder = self.inner.holder_of(at, &last).await.ok()?;
        holder.map(|(backup, _)| backup.name().clone())
    }
}

// === impl Inner ===

impl Inner {
    /// The primary did not answer a change of this object; which backups carried it out.
    pub(super) fn expect_straggler(
        self: &Arc<Self>,
        at: &Location,
        why: Option<&SiteError>,
        at_backups: Vec<(SiteName, SealedETag)>,
    ) {
        if why.is_some_and(is_final) || !self.stragglers.expect(at, Instant::now() + ON_ITS_WAY, at_backups) {
            return;
        }
        let (inner, at) = (Arc::clone(self), at.clone());
        tokio::spawn(async move {
            while let Some(left) = inner.stragglers.left(&at) {
                if left.is_zero() {
                    inner.look_for_straggler(&at).await;
                } else {
                    tokio::time::sleep(left).await;
                }
            }
        });
    }

    /// The primary carried out a write; who has it.
    pub(super) fn carried_out(&self, at: &Location, written: impl FnOnce() -> Vec<(SiteName, SealedETag)>) {
        self.stragglers.carried_out(at, || Some(Last::Has(written())));
    }

    /// The primary carried out a delete; of one named version: nobody knows what is left.
    pub(super) fn carried_out_delete(&self, at: &Location, named: bool) {
        self.stragglers.carried_out(at, || (!named).then_some(Last::Gone));
    }

    /// The time is over: did the straggler come, and over what?
    async fn look_for_straggler(&self, at: &Location) {
        let _guard = self.locks.one(at).await;
        // Another one was expected meanwhile.
        if self.stragglers.left(at).is_some_and(|left| !left.is_zero()) {
            return;
        }
        let outcome = if self.brings_back() { self.bring_back(at, &self.stragglers.last(at)).await } else { Ok(()) };
        match outcome {
            Ok(()) => self.stragglers.forget(at),
            // Nothing was learned: the same again. What was acknowledged stays known.
            Err(error) => {
                tracing::debug!(%error, "whether an earlier change came late is not known yet");
                let mut awaited = self.stragglers.lock();
                awaited.entry(at.clone()).and_modify(|awaited| awaited.until = Instant::now() + ON_ITS_WAY);
            }
        }
    }

    /// Whether what was acknowledged is told from what came late: not at a deputy's, nor where others change objects as well.
    fn brings_back(&self) -> bool {
        self.left_out.is_none() && !self.misses.is_shared()
    }

    async fn bring_back(&self, at: &Location, last: &[Last]) -> Result<(), StragglerError> {
        let primary = &self.own.primary;
        // Nothing to be brought back; or it is at a backup already, or recorded as such: whoever accepted it there sees to it.
        let Some(expected) = last.first().and_then(|last| last.at(primary)) else { return Ok(()) };
        if self.misses.home_of(at).await?.is_some() || held(primary, at).await?.as_ref() == expected {
            return Ok(());
        }
        if let Some((backup, exists)) = self.holder_of(at, last).await? {
            let home = backup.name().clone();
            tracing::warn!(
                bucket = %at.bucket, from = %home,
                "the primary carried out an earlier request, which it had not answered, over a later one; the later one is brought back"
            );
            let miss = Miss {
                site: primary.name().clone(),
                bucket: at.bucket.clone(),
                key: Some(at.key.clone()),
                reason: "an earlier request came late".to_owned(),
                bytes: u64::from(exists),
                retain_until: None,
                home_from: Some(home),
            };
            return Ok(self.misses.record(miss).await?);
        }
        tracing::error!(
            bucket = %at.bucket, primary = %primary.name(),
            "the primary carried out an earlier request, which it had not answered, over a later one, and no backup has the later one: \
             where versions are kept it is the version before"
        );
        Ok(())
    }

    /// A backup that holds what was acknowledged last, or what came after it; and whether that is an object.
    async fn holder_of(&self, at: &Location, last: &[Last]) -> Result<Option<(&Site, bool)>, SiteError> {
        let mut unknown = None;
        for backup in self.own.backups.iter() {
            let expected: Vec<_> = last.iter().filter_map(|last| last.at(backup)).collect();
            if expected.is_empty() {
                continue;
            }
            match held(backup, at).await {
                Ok(found) if expected.contains(&found.as_ref()) => return Ok(Some((backup, found.is_some()))),
                Ok(_) => {}
                Err(error) => unknown = Some(error),
            }
        }
        unknown.map_or(Ok(None), Err)
    }
}

/// Why it is not known whether a straggler came.
#[derive(Debug, thiserror::Error)]
enum StragglerError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Journal(#[from] MissError),
}

/// A site that gave an answer of its own is done with the request. (A gateway's 502 or 504 says nothing of it.)
fn is_final(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { status, .. } if *status < 500 || *status == 503)
}

/// The ETag of what a site holds.
async fn held(site: &Site, at: &Location) -> Result<Option<SealedETag>, SiteError> {
    match site.head(at).await {
        Ok((etag, _)) => Ok(Some(etag)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

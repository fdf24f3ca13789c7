//! One row of the journal: make the site equal to the primary, whatever that takes by now.
use super::compare::{self, Likeness, Version};
use super::history;
use super::throttle::Throttle;
use super::transfer::{Copied, Cut, Transfer};
use super::{HealError, Healed, Healer};
use crate::clock;
use crate::s3::{BucketName, ObjectKey, SealedETag};
use crate::site::tee::{Intent, MissError, Tee};
use crate::site::{ListedVersion, Location, Site, SiteError, SiteName};
use crate::state::{Pending, State, StateError, Task};
use std::sync::Arc;
use std::time::Duration;

/// How often an object that keeps changing under the copy is followed before its turn is over.
const ROUNDS: u32 = 3;

/// S3 codes of a refused credential or key, whatever their status.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const REFUSALS: [&str; 5] =
    ["AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidAccessKeyId", "ExpiredToken"];

/// Why a row is not settled yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Intent(#[from] MissError),
    #[error("site {0} is not in the configuration any more")]
    UnknownSite(String),
    #[error(
        "the site {0} accepted a change in the primary's place and does not have it any more: the primary's copy is left as it is. \
         Restore the object at {0}, then `strongroom replication retry`"
    )]
    LostAccepted(SiteName),
    #[error("{0}")]
    Heal(String),
    #[error("an earlier change that the primary did not answer may still come; until then nothing is made equal to it")]
    Awaited(Duration),
    #[error("the object changes faster than it can be copied")]
    Changing,
    #[error(
        "the primary has no bucket {0} and nobody deleted it through the proxy: the backup's copy is not deleted. \
         Restore the primary from the backup first"
    )]
    LostBucket(BucketName),
}

/// What the work on a row needs.
#[derive(Clone)]
pub(super) struct Mirror {
    pub(super) tee: Tee,
    pub(super) state: State,
    pub(super) cut: Cut,
    pub(super) throttle: Throttle,
    pub(super) healer: Option<Arc<dyn Healer>>,
}

/// How a row ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Levelled {
    /// The site equals the primary.
    Equal,
    /// The site keeps what the primary deleted, until the row's term.
    Retained,
    /// The site's copy was looked at for its damage.
    Healed(Healed),
}

// === impl Failure ===

impl From<HealError> for Failure {
    fn from(error: HealError) -> Self {
        match error {
            HealError::Site(error) => Self::Site(error),
            HealError::Other(why) => Self::Heal(why),
        }
    }
}

impl Failure {
    /// The site that is down, when that is the reason.
    pub(super) fn outage(&self) -> Option<&SiteName> {
        match self {
            Self::Site(error) if error.is_outage() => match error {
                SiteError::S3 { site, .. } | SiteError::Unreachable { site, .. } | SiteError::Protocol { site, .. } => {
                    Some(site)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl Failure {
    /// True for what no retry will mend: a site refuses our credential, or a key that it needs.
    pub(super) fn needs_help(&self) -> bool {
        match self {
            Self::LostAccepted(_) => true,
            Self::Site(SiteError::S3 { status, code, .. }) => {
                matches!(status, 401 | 403) || code.starts_with("KMS.") || REFUSALS.contains(&code.as_str())
            }
            _ => false,
        }
    }
}

// === impl Mirror ===

impl Mirror {
    /// Returns when the site was seen to equal the primary, or to keep what it has to keep.
    pub(super) async fn equalise(&self, row: &Pending) -> Result<Levelled, Failure> {
        let name = SiteName(row.site.as_str().into());
        let site = self.tee.sites().by_name(&name).ok_or_else(|| Failure::UnknownSite(row.site.clone()))?;
        match &row.key {
            Some(key) if row.task == Task::Repair => {
                let at = Location { bucket: row.bucket.clone(), key: key.clone() };
                let Some(healer) = &self.healer else {
                    return Ok(Levelled::Healed(Healed::Hopeless("replication.repair_on_read is off".to_owned())));
                };
                Ok(Levelled::Healed(healer.heal(site, &at).await?))
            }
            Some(key) if let Some(left) = self.awaits(row, key) => Err(Failure::Awaited(left)),
            Some(key) if let Task::Home { from, gone } = &row.task => {
                self.bring_home(site, row, key, from, *gone).await
            }
            None => Ok(self.bucket(site, &row.bucket).await.map(|()| Levelled::Equal)?),
            Some(key) => self.object(site, row, key).await,
        }
    }

    fn awaits(&self, row: &Pending, key: &ObjectKey) -> Option<Duration> {
        self.tee.awaits(&Location { bucket: row.bucket.clone(), key: key.clone() })
    }

    fn primary(&self) -> &Site {
        &self.tee.sites().primary
    }

    /// A bucket that is not empty is never deleted: S3 itself refuses, and the row waits.
    async fn bucket(&self, site: &Site, bucket: &BucketName) -> Result<(), SiteError> {
        match (exists(self.primary(), bucket).await?, exists(site, bucket).await?) {
            (true, false) => create(site, bucket).await,
            (false, true) => match site.delete_bucket(bucket).await {
                Err(error) if error.is_not_found() => Ok(()),
                other => other,
            },
            _ => Ok(()),
        }
    }

    /// Who has what was acknowledged last: the primary, or the backup that accepted it in its place.
    async fn chief(&self, at: &Location) -> Result<Site, Failure> {
        match self.state.home_of(&at.bucket, &at.key).await? {
            None => Ok(self.primary().clone()),
            Some(home) => {
                let site = self.tee.sites().by_name(&SiteName(home.as_str().into())).cloned();
                site.ok_or(Failure::UnknownSite(home))
            }
        }
    }

    /// Makes the primary equal to the backup that accepted changes in its place.
    async fn bring_home(
        &self,
        primary: &Site,
        row: &Pending,
        key: &ObjectKey,
        from: &str,
        gone: bool,
    ) -> Result<Levelled, Failure> {
        let at = Location { bucket: row.bucket.clone(), key: key.clone() };
        let name = SiteName(from.into());
        let backup = self.tee.sites().by_name(&name).ok_or_else(|| Failure::UnknownSite(from.to_owned()))?;
        for _ in 0..ROUNDS {
            match self.catch_up(backup, primary, &at).await? {
                Some(true) => return Ok(Levelled::Equal),
                Some(false) => continue,
                None => {}
            }
            let equal = match compare::version(backup, &at).await? {
                Some(source) => self.copy(backup, primary, &at, &source).await?,
                None if !gone || !exists(backup, &at.bucket).await? => return Err(Failure::LostAccepted(name)),
                None => self.delete(backup, primary, &at, true).await?,
            };
            if equal {
                return Ok(Levelled::Equal);
            }
        }
        Err(Failure::Changing)
    }

    async fn object(&self, site: &Site, row: &Pending, key: &ObjectKey) -> Result<Levelled, Failure> {
        let at = Location { bucket: row.bucket.clone(), key: key.clone() };
        for _ in 0..ROUNDS {
            let chief = &self.chief(&at).await?;
            // What it has goes home; the primary is to be made equal to it, not the other way round.
            if chief.name() == site.name() {
                return Ok(Levelled::Equal);
            }
            if row.retain_until <= clock::now().unix_timestamp() {
                match self.catch_up(chief, site, &at).await? {
                    Some(true) => return Ok(Levelled::Equal),
                    Some(false) => continue,
                    None => {}
                }
            }
            let equal = match compare::version(chief, &at).await? {
                None if row.retain_until > clock::now().unix_timestamp() => {
                    if compare::version(site, &at).await?.is_some() {
                        return Ok(Levelled::Retained);
                    }
                    true
                }
                None => self.delete(chief, site, &at, true).await?,
                Some(source) => self.copy(chief, site, &at, &source).await?,
            };
            if equal {
                return Ok(Levelled::Equal);
            }
        }
        Err(Failure::Changing)
    }

    /// Where versions are kept: adds those that the site lacks, in order. True when it lacks none any more; `None`: there is nothing
    /// to put in order, only the current version counts.
    async fn catch_up(&self, chief: &Site, site: &Site, at: &Location) -> Result<Option<bool>, Failure> {
        let Some(gap) = history::gap(chief, site, at).await? else { return Ok(None) };
        if gap.missing.is_empty() {
            // (What the site has on top of that is for the comparison of current versions.)
            let newest = |versions: Vec<ListedVersion>| versions.first().is_none_or(|newest| newest.object.is_none());
            let (ours, theirs) = tokio::try_join!(chief.versions_of(at), site.versions_of(at))?;
            return Ok(if newest(ours) && newest(theirs) { Some(true) } else { None });
        }
        for version in &gap.missing {
            let done = match &version.object {
                None => self.delete(chief, site, at, false).await?,
                Some(object) => {
                    let Some(etag) = object.etag.clone() else { return Ok(None) };
                    let source = Version { etag, length: object.size };
                    self.transfer(chief, site, at, &source, Some(&version.version_id)).await?.is_some()
                }
            };
            if !done {
                return Ok(Some(false));
            }
        }
        // A site whose bucket is not versioned has only the newest now; else the next look finds nothing missing.
        let after = history::gap(chief, site, at).await?;
        Ok(if after.is_some_and(|gap| gap.missing.is_empty()) { Some(false) } else { None })
    }

    /// False when the chief has the object after all, or is another one by now.
    async fn delete(&self, chief: &Site, site: &Site, at: &Location, current: bool) -> Result<bool, Failure> {
        if !exists(chief, &at.bucket).await? {
            if !exists(site, &at.bucket).await? {
                return Ok(true);
            }
            // A bucket deleted through the proxy leaves a row of its own while the backup still has objects in it.
            // Without one the primary has lost the bucket, and its backup is all there is.
            if !self.state.is_bucket_pending(&site.name().0, &at.bucket).await? {
                return Err(Failure::LostBucket(at.bucket.clone()));
            }
        }
        let intent = self.intent(at).await?;
        let _guard = self.tee.lock(at).await;
        if self.chief(at).await?.name() != chief.name() || self.tee.awaits(at).is_some() {
            intent.settle();
            return Ok(false);
        }
        let deleted = match compare::version(chief, at).await {
            Ok(Some(_)) if current => Ok(false),
            Ok(_) => match site.delete(at).await {
                Err(error) if error.is_not_found() => Ok(true),
                other => other.map(|_| true),
            },
            Err(error) => Err(error),
        };
        intent.settle();
        Ok(deleted?)
    }

    /// Of a change at one site. Where the state is shared another proxy may be changing the key at the same time: an intent shows
    /// that to both, and the later of the two has it compared once more. (Within one proxy the key's lock is enough.)
    async fn intent(&self, at: &Location) -> Result<Intent, MissError> {
        if self.state.is_shared() { self.tee.intent_to_level(at).await } else { Ok(Intent::default()) }
    }

    /// False when the chief's version changed meanwhile, or the copy is not (yet) seen to be the same.
    async fn copy(&self, chief: &Site, site: &Site, at: &Location, source: &Version) -> Result<bool, Failure> {
        let sides = |target: Version| async move { compare::likeness(at, (chief, source), (site, &target)).await };
        if let Some(target) = compare::version(site, at).await?
            && matches!(sides(target).await?, Likeness::Same | Likeness::Alike)
        {
            return Ok(true);
        }
        match self.transfer(chief, site, at, source, None).await? {
            None => Ok(false),
            Some(etag) if etag == source.etag => Ok(true),
            // It was sent just now as it was read. Suspect or not, another copy would be no better.
            Some(etag) => Ok(sides(Version { etag, length: source.length }).await? != Likeness::Different),
        }
    }

    /// The ETag of the copy; `None` when the chief has another version by now, or the site had no such bucket.
    async fn transfer(
        &self,
        from: &Site,
        site: &Site,
        at: &Location,
        source: &Version,
        named: Option<&str>,
    ) -> Result<Option<SealedETag>, Failure> {
        let (throttle, tee, cut) = (&self.throttle, &self.tee, self.cut);
        let transfer = Transfer { tee, from, site, at, source, named, replaces: None, decides: true, cut, throttle };
        let intent = self.intent(at).await?;
        let copied = transfer.run().await;
        // What failed is still on record in its row.
        intent.settle();
        match copied {
            Err(SiteError::S3 { site: from, code, .. }) if code == "NoSuchBucket" && from == *site.name() => {
                create(site, &at.bucket).await?;
                Ok(None)
            }
            Ok(Copied::Changed) => Ok(None),
            Ok(Copied::Done(etag)) => Ok(Some(etag)),
            Err(error) => Err(error.into()),
        }
    }
}

async fn exists(site: &Site, bucket: &BucketName) -> Result<bool, SiteError> {
    match site.head_bucket(bucket).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn create(site: &Site, bucket: &BucketName) -> Result<(), SiteError> {
    match site.create_bucket(bucket, None).await {
        Err(SiteError::S3 { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
        other => other,
    }
}

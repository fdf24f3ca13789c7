//! One row of the journal: make the site equal to the primary, whatever that takes by now.
use super::compare::{self, Version};
use super::throttle::Throttle;
use super::transfer::{Copied, Cut, Transfer};
use super::{HealError, Healed, Healer};
use crate::clock;
use crate::s3::{BucketName, ObjectKey};
use crate::site::tee::{Intent, MissError, Tee};
use crate::site::{Location, Site, SiteError, SiteName};
use crate::state::{Pending, State, StateError, Task};
use std::sync::Arc;

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
    #[error("nobody repairs what is damaged: replication.repair_on_read is off")]
    NoHealer,
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
                let healer = self.healer.as_ref().ok_or(Failure::NoHealer)?;
                Ok(Levelled::Healed(healer.heal(site, &at).await?))
            }
            Some(key) if let Task::Home { from, gone } = &row.task => self.bring_home(site, row, key, from, *gone).await,
            None => Ok(self.bucket(site, &row.bucket).await.map(|()| Levelled::Equal)?),
            Some(key) => self.object(site, row, key).await,
        }
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
            let equal = match compare::version(backup, &at).await? {
                Some(source) => self.copy(backup, primary, &at, &source).await?,
                None if !gone || !exists(backup, &at.bucket).await? => return Err(Failure::LostAccepted(name)),
                None => self.delete(backup, primary, &at).await?,
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
            let equal = match compare::version(chief, &at).await? {
                None if row.retain_until > clock::now().unix_timestamp() => {
                    if compare::version(site, &at).await?.is_some() {
                        return Ok(Levelled::Retained);
                    }
                    true
                }
                None => self.delete(chief, site, &at).await?,
                Some(source) => self.copy(chief, site, &at, &source).await?,
            };
            if equal {
                return Ok(Levelled::Equal);
            }
        }
        Err(Failure::Changing)
    }

    /// False when the chief has the object after all, or is another one by now.
    async fn delete(&self, chief: &Site, site: &Site, at: &Location) -> Result<bool, Failure> {
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
        if self.chief(at).await?.name() != chief.name() {
            intent.settle();
            return Ok(false);
        }
        let deleted = match compare::version(chief, at).await {
            Ok(Some(_)) => Ok(false),
            Ok(None) => match site.delete(at).await {
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
        let sides = |target: Version| async move {
            compare::same(at, (chief, source), (site, &target)).await.map_err(Failure::from)
        };
        if let Some(target) = compare::version(site, at).await?
            && sides(target).await?
        {
            return Ok(true);
        }
        let (from, throttle, tee, cut) = (chief, &self.throttle, &self.tee, self.cut);
        let transfer = Transfer { tee, from, site, at, source, replaces: None, decides: true, cut, throttle };
        let intent = self.intent(at).await?;
        let copied = transfer.run().await;
        // What failed is still on record in its row.
        intent.settle();
        let copied = match copied {
            Err(SiteError::S3 { site: from, code, .. }) if code == "NoSuchBucket" && from == *site.name() => {
                create(site, &at.bucket).await?;
                return Ok(false);
            }
            other => other?,
        };
        match copied {
            Copied::Changed => Ok(false),
            Copied::Done(etag) if etag == source.etag => Ok(true),
            Copied::Done(etag) => sides(Version { etag, length: source.length }).await,
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

//! Moving objects to the newest versions of their vault keys, through the running proxy, so that old versions can be destroyed.
//!
//! Nothing here touches a site or a key: each object is a request to the proxy, which writes as it always does (same order, same journal, every
//! site the same bytes) and for which a client's write that comes between wins. An object that is under the newest version already costs one
//! small question, so a job that was broken off can simply be started again; with a state file it goes on where it was.
use super::checkpoint::{Checkpoint, CheckpointError};
use super::pace::Pace;
use super::reconcile::merge;
use crate::s3::BucketName;
use crate::s3::rewrap::{Fate, Wish};
use crate::seal::VaultKeyId;
use crate::site::{Site, SiteError, VersionQuery};
use futures_util::{StreamExt, stream};
use object::Found;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod object;

/// What is moved, and how.
pub struct Rewrap {
    /// The proxy, as a client reaches it.
    pub proxy: Site,
    /// Only keys that begin so.
    pub prefix: String,
    /// Only what is under this vault key.
    pub only: Option<VaultKeyId>,
    /// Only look.
    pub dry_run: bool,
    /// Objects at a time.
    pub parallel: usize,
    /// Objects a second (its "bytes" are objects).
    pub pace: Pace,
}

/// What came of it; goes into the checkpoint. Every current object is in exactly one of the first eight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrapped {
    /// Under the newest version now, at every site.
    pub moved: u64,
    /// Under the newest version before.
    pub current: u64,
    /// In a dry run: under an older version.
    pub due: u64,
    /// Under another key than the one in question.
    pub other: u64,
    /// Not sealed.
    pub plain: u64,
    /// Written or deleted by a client meanwhile.
    pub changed: u64,
    /// Left for later: some site has not got what the primary has.
    pub behind: u64,
    /// Not moved, for the reason that the observer was told.
    pub failed: u64,
    /// Bytes that went between the proxy and the sites, both ways, all sites together.
    pub bytes: u64,
    /// Versions behind the current one that are under an older version of their key, by bucket. They cannot be written anew.
    pub older: BTreeMap<String, u64>,
}

/// Told of everything as it is found.
pub trait Observer: Send {
    /// One more object or version was dealt with.
    fn looked(&mut self);
    /// This object was left as it is.
    fn left(&mut self, bucket: &BucketName, key: &str, why: &str);
}

/// Why the work stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewrapError {
    /// The state file.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A listing.
    #[error("{bucket} cannot be listed: {why}")]
    List { bucket: String, why: String },
    /// The storage cannot.
    #[error(
        "the primary does not honour conditional writes, so a client's write could be lost; nothing is rewrapped there"
    )]
    Unconditional,
}

// === impl Rewrap ===

impl Rewrap {
    /// Moves what is in one bucket, from where the checkpoint stands. Ends early, with what is done so far, when `go_on` says no.
    ///
    /// # Errors
    /// When the bucket cannot be listed to its end, nothing can be moved there, or the state file not be written. What is wrong with single
    /// objects is counted and the observer's.
    pub async fn bucket(
        &self,
        bucket: &BucketName,
        checkpoint: &mut Checkpoint<Rewrapped>,
        observer: &mut dyn Observer,
        go_on: impl Fn() -> bool,
    ) -> Result<(), RewrapError> {
        let stage = bucket.to_string();
        let Some(after) = checkpoint.begin(&stage) else { return Ok(()) };
        let after = Some(after).filter(|key| !key.is_empty());
        let list_error = |why: String| RewrapError::List { bucket: bucket.to_string(), why };
        let listing = merge::listing_after(&self.proxy, bucket, &self.prefix, after);
        let work = listing.take_while(|_| std::future::ready(go_on())).map(|listed| async move {
            let key = listed.map_err(|error| list_error(error.to_string()))?.key;
            let found = self.one(bucket, &key, None).await;
            Ok::<_, RewrapError>((key, found))
        });
        let mut work = Box::pin(work.buffered(self.parallel.max(1)));
        while let Some(done) = work.next().await {
            let (key, found) = done?;
            if found == Found::Unconditional {
                return Err(RewrapError::Unconditional);
            }
            observer.looked();
            if let Some(why) = found.why() {
                observer.left(bucket, &key, &why);
            }
            checkpoint.reached.counted.count(&found);
            checkpoint.done(&key)?;
        }
        drop(work);
        if !go_on() {
            return Ok(checkpoint.keep()?);
        }
        let older = self.older(bucket, observer).await.map_err(|error| list_error(error.to_string()))?;
        if older > 0 {
            checkpoint.reached.counted.older.insert(bucket.to_string(), older);
        }
        Ok(checkpoint.end(&stage)?)
    }

    async fn one(&self, bucket: &BucketName, key: &str, version: Option<&str>) -> Found {
        self.pace.take(1).await;
        let wish = if self.dry_run || version.is_some() { Wish::Look } else { Wish::Newest };
        object::ask(&self.proxy, bucket, key, version, wish, self.only.as_ref()).await
    }

    /// How many versions behind the current ones are under an older version of their key.
    async fn older(&self, bucket: &BucketName, observer: &mut dyn Observer) -> Result<u64, SiteError> {
        let mut query = VersionQuery {
            bucket: bucket.clone(),
            prefix: self.prefix.clone(),
            delimiter: None,
            key_marker: None,
            version_marker: None,
            max_keys: 1000,
        };
        let mut older = 0;
        loop {
            let page = match self.proxy.list_versions(&query).await {
                Err(SiteError::S3 { status: 404 | 405 | 501, .. } | SiteError::Unsupported { .. }) => return Ok(older),
                page => page?,
            };
            let behind = page.versions.iter().filter(|version| !version.is_latest && version.object.is_some());
            let looks = behind.map(|version| self.one(bucket, &version.key, Some(&version.version_id)));
            let looks: Vec<_> = looks.collect();
            let mut looks = stream::iter(looks).buffer_unordered(self.parallel.max(1));
            while let Some(found) = looks.next().await {
                observer.looked();
                older += u64::from(found.is(Fate::Due));
            }
            if !page.truncated {
                return Ok(older);
            }
            (query.key_marker, query.version_marker) = (page.next_key_marker, page.next_version_marker);
        }
    }
}

// === impl Rewrapped ===

impl Rewrapped {
    /// Whether every current object in question is under the newest version.
    pub fn is_well(&self) -> bool {
        self.changed == 0 && self.behind == 0 && self.failed == 0
    }

    fn count(&mut self, found: &Found) {
        let place = match found {
            Found::Told { fate: Fate::Done, .. } => &mut self.moved,
            Found::Told { fate: Fate::Current, .. } => &mut self.current,
            Found::Told { fate: Fate::Due, .. } => &mut self.due,
            Found::Told { fate: Fate::Other, .. } => &mut self.other,
            Found::Told { fate: Fate::Behind, .. } => &mut self.behind,
            Found::Plain => &mut self.plain,
            Found::Changed => &mut self.changed,
            Found::Unconditional | Found::Failed(_) => &mut self.failed,
        };
        *place += 1;
        if let Found::Told { bytes, .. } = found {
            self.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_counted_once() {
        let told = |fate| Found::Told { fate, bytes: 528 };
        let mut counted = Rewrapped::default();
        for found in [
            told(Fate::Done),
            told(Fate::Current),
            told(Fate::Due),
            told(Fate::Other),
            Found::Plain,
            Found::Changed,
            told(Fate::Behind),
            Found::Failed("it is disabled".to_owned()),
        ] {
            counted.count(&found);
        }
        let Rewrapped { moved, current, due, other, plain, changed, behind, failed, bytes, .. } = counted.clone();
        assert_eq!([moved, current, due, other, plain, changed, behind, failed], [1; 8]);
        assert_eq!(bytes, 5 * 528);
        assert!(!counted.is_well());
        assert!(Rewrapped { moved: 3, current: 1, plain: 1, ..Rewrapped::default() }.is_well());
    }
}

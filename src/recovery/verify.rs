//! Is every object of a site still what was sealed? Every chunk, index, padding and trailer is read and authenticated.
use super::checkpoint::{Checkpoint, CheckpointError};
use super::object::{Opener, ReadError};
use super::reconcile::merge::{self, ListError};
use super::sample::Depth;
use crate::s3::{BucketName, ObjectKey};
use crate::site::{Location, Site};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

/// What is verified, and how.
pub struct Verify {
    /// Opens content.
    pub opener: Opener,
    /// Which objects.
    pub depth: Depth,
    /// Only keys that begin so.
    pub prefix: String,
    /// Objects read at once.
    pub parallel: usize,
}

/// What came of it; goes into the checkpoint, so that a run that went on knows of what was found before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Objects of which every byte authenticated.
    pub good: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Objects that are not what was sealed.
    pub damaged: u64,
    /// Objects that were not written through Strongroom.
    pub foreign: u64,
    /// Objects that could not be read.
    pub errors: u64,
    /// Objects that the sample left out.
    pub skipped: u64,
    /// Objects of which everything authenticated but the content, which is under a customer's key.
    #[serde(default)]
    pub unchecked: u64,
}

/// Told of everything as it is found.
pub trait Observer: Send {
    /// An object was verified, or left out by the sample (no bytes).
    fn good(&mut self, sealed_bytes: u64);
    /// An object is damaged, foreign or cannot be read.
    fn bad(&mut self, site: &Site, bucket: &BucketName, key: &str, error: &ReadError);
}

/// Why the work stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The state file.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A listing.
    #[error("{bucket} at {site} cannot be listed: {why}")]
    List { bucket: String, site: String, why: String },
}

/// What was found right.
struct Read {
    sealed: u64,
    /// The content, too.
    checked: bool,
}

enum Looked {
    Skipped,
    Read(Result<Read, ReadError>),
}

// === impl Verify ===

impl Verify {
    /// Verifies one bucket at one site, from where the checkpoint stands.
    ///
    /// # Errors
    /// When the bucket cannot be listed to its end, or the state file not be written. What is wrong with single objects is
    /// counted and the observer's.
    pub async fn bucket(
        &self,
        site: &Site,
        bucket: &BucketName,
        checkpoint: &mut Checkpoint<Verified>,
        observer: &mut dyn Observer,
    ) -> Result<(), VerifyError> {
        let stage = format!("{}:{bucket}", site.name());
        let Some(after) = checkpoint.begin(&stage) else { return Ok(()) };
        let after = Some(after).filter(|key| !key.is_empty());
        let looks =
            merge::listing_after(site, bucket, &self.prefix, after).map(|listed| self.look(site, bucket, listed));
        let mut looks = Box::pin(looks.buffered(self.parallel.max(1)));
        while let Some(looked) = looks.next().await {
            let (key, looked) = looked.map_err(|error| VerifyError::List {
                bucket: bucket.to_string(),
                site: site.name().to_string(),
                why: error.to_string(),
            })?;
            checkpoint.reached.counted.count(&looked);
            match &looked {
                Looked::Skipped => observer.good(0),
                Looked::Read(Ok(read)) => observer.good(read.sealed),
                // Deleted since the listing.
                Looked::Read(Err(error)) if error.is_gone() => {}
                Looked::Read(Err(error)) => observer.bad(site, bucket, &key, error),
            }
            checkpoint.done(&key)?;
        }
        Ok(checkpoint.end(&stage)?)
    }

    async fn look(
        &self,
        site: &Site,
        bucket: &BucketName,
        listed: Result<crate::site::ListedObject, ListError>,
    ) -> Result<(String, Looked), ListError> {
        let key = listed?.key;
        if !self.depth.includes(bucket.as_str(), &key) {
            return Ok((key, Looked::Skipped));
        }
        let Ok(parsed) = ObjectKey::parse(&key) else { return Ok((key, Looked::Skipped)) };
        let (opener, site, at) = (self.opener.clone(), site.clone(), Location { bucket: bucket.clone(), key: parsed });
        // A task of its own: every core decrypts.
        let read = tokio::spawn(async move {
            let opened = opener.authenticate(&site, &at).await;
            opened.map(|opened| Read { sealed: opened.sealed_len().0, checked: !opened.has_customer_key() })
        });
        let result = read.await.unwrap_or_else(|broken| Err(ReadError::Sink(std::io::Error::other(broken))));
        Ok((key, Looked::Read(result)))
    }
}

// === impl Verified ===

impl Verified {
    fn count(&mut self, looked: &Looked) {
        match looked {
            Looked::Skipped => self.skipped += 1,
            Looked::Read(Ok(Read { checked: false, .. })) => self.unchecked += 1,
            Looked::Read(Ok(read)) => {
                self.good += 1;
                self.bytes += read.sealed;
            }
            Looked::Read(Err(ReadError::NotSealed(_))) => self.foreign += 1,
            Looked::Read(Err(error)) if error.is_gone() => {}
            Looked::Read(Err(error)) if error.is_damage() => self.damaged += 1,
            Looked::Read(Err(_)) => self.errors += 1,
        }
    }
}

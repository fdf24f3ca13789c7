//! What every site holds under certain vault keys, and what of it has to be kept: before a key is destroyed.
//!
//! Every version of every object of every bucket is looked at, at every site, by its last bytes. Whatever cannot be known is an error: a key is
//! destroyed when it is certain that nobody has to be able to read what it sealed.
use super::buckets;
use crate::s3::{BucketName, ObjectKey};
use crate::seal::{ObjectSealer, SealError, TRAILER_LEN, Trailer, VaultKeyId, VaultKeyRef};
use crate::site::{
    Hold, ListQuery, ListedVersion, Location, NULL_VERSION, SealedRange, Site, SiteError, Sites, VersionObject,
    VersionPage, VersionQuery,
};
use crate::state::{State, StateError};
use futures_util::{StreamExt, stream};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// The work.
pub struct Holdings<'a> {
    /// All of them are asked.
    pub sites: &'a Sites,
    /// Left out: it holds no objects of clients.
    pub system_bucket: &'a BucketName,
    /// What is in question.
    pub under: &'a Under,
    /// Versions looked at at once.
    pub parallel: usize,
    /// What is retained until then is over.
    pub now: OffsetDateTime,
}

/// What objects are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Under {
    /// Those under any version of these keys.
    Keys(BTreeSet<VaultKeyId>),
    /// Those under one version of a key.
    Version(VaultKeyRef),
}

/// What was found, over all sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Versions looked at.
    pub looked: u64,
    /// Of them, under one of the keys.
    pub under: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Sealed, and it cannot be told under what: whatever of theirs is damaged, or of a later format.
    pub unknown: u64,
    /// Of them, to be kept; and versions to be kept whose key cannot be told.
    pub kept: u64,
}

/// Told as it is found.
pub trait Observer: Send {
    /// One more version was looked at.
    fn looked(&mut self) {}
    /// This one is under what is in question, or cannot be told.
    fn found(&mut self, _site: &Site, _bucket: &BucketName, _key: &str, _version: &str) {}
    /// This one has to be kept.
    fn kept(&mut self, _site: &Site, _bucket: &BucketName, _key: &str, _version: &str, _hold: Hold) {}
}

/// What could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{site}, {what}: {source}")]
pub struct HoldingsError {
    site: String,
    what: String,
    source: SiteError,
}

/// Why the uploads in progress cannot be looked through.
#[derive(Debug, thiserror::Error)]
#[error("the uploads in progress: {0}")]
pub enum UploadsError {
    /// The state.
    State(#[from] StateError),
    /// An upload.
    Upload(#[from] SealError),
}

/// What the last bytes of a version say about its key.
enum Key {
    Ours,
    Another,
    /// Sealed, and it cannot be told under what.
    Unknown,
}

// === impl Under ===

impl Under {
    /// Whether what is under this version is in question.
    pub fn includes(&self, key: &VaultKeyRef) -> bool {
        match self {
            Self::Keys(keys) => keys.contains(&key.id),
            Self::Version(version) => version == key,
        }
    }
}

/// How many uploads in progress will be objects under `under` when they are completed.
///
/// # Errors
/// When the state cannot be read, or an upload in it makes no sense.
pub async fn uploads(state: &State, under: &Under) -> Result<u64, UploadsError> {
    const PAGE: u32 = 1000;
    let (mut found, mut after) = (0, String::new());
    loop {
        let page = state.idle_uploads(i64::MAX, &after, PAGE).await?;
        for upload in &page {
            found += u64::from(under.includes(&ObjectSealer::wrapped_key_ref(&upload.wrapped)?));
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after.clone_from(&last.id),
            _ => return Ok(found),
        }
    }
}

// === impl Holdings ===

impl Holdings<'_> {
    /// Looks at everything.
    ///
    /// # Errors
    /// With the first answer that some site does not give.
    pub async fn look(&self, observer: &mut dyn Observer) -> Result<Held, HoldingsError> {
        let mut held = Held::default();
        for site in self.sites.all() {
            let failed = |what: &str| failed(site, what.to_owned());
            let buckets = buckets::all([site], self.system_bucket).await.map_err(failed("its buckets"))?;
            for bucket in buckets {
                self.bucket(site, &bucket, &mut held, observer).await?;
            }
        }
        Ok(held)
    }

    async fn bucket(
        &self,
        site: &Site,
        bucket: &BucketName,
        held: &mut Held,
        observer: &mut dyn Observer,
    ) -> Result<(), HoldingsError> {
        let locked = site.has_object_lock(bucket).await.map_err(failed(site, format!("object lock of {bucket}")))?;
        let mut query = VersionQuery {
            bucket: bucket.clone(),
            prefix: String::new(),
            delimiter: None,
            key_marker: None,
            version_marker: None,
            max_keys: 1000,
        };
        loop {
            let page = self::page(site, &query).await.map_err(failed(site, format!("the list of {bucket}")))?;
            let objects = page.versions.into_iter().filter_map(|version| version.object.clone().map(|o| (version, o)));
            let looks = objects.map(|(version, object)| self.version(site, bucket, version, object, locked));
            let mut looks = stream::iter(looks).buffer_unordered(self.parallel.max(1));
            while let Some(found) = looks.next().await {
                let (version, size, key, hold) = found?;
                observer.looked();
                held.looked += 1;
                match key {
                    Key::Ours => {
                        held.under += 1;
                        held.bytes += size;
                    }
                    Key::Unknown => held.unknown += 1,
                    Key::Another => {}
                }
                if !matches!(key, Key::Another) {
                    observer.found(site, bucket, &version.key, &version.version_id);
                }
                if let Some(hold) = hold {
                    held.kept += 1;
                    observer.kept(site, bucket, &version.key, &version.version_id, hold);
                }
            }
            if !page.truncated {
                return Ok(());
            }
            (query.key_marker, query.version_marker) = (page.next_key_marker, page.next_version_marker);
        }
    }

    async fn version(
        &self,
        site: &Site,
        bucket: &BucketName,
        version: ListedVersion,
        object: VersionObject,
        locked: bool,
    ) -> Result<(ListedVersion, u64, Key, Option<Hold>), HoldingsError> {
        let size = object.size.0;
        // Not a key that we could have written under.
        let Ok(key) = ObjectKey::parse(&version.key) else { return Ok((version, size, Key::Another, None)) };
        let at = Location { bucket: bucket.clone(), key };
        let id = Some(version.version_id.as_str()).filter(|id| *id != NULL_VERSION || locked);
        let what = || format!("{bucket}/{} version {}", version.key.escape_debug(), version.version_id);
        let key = self.key_of(site, &at, id).await.map_err(failed(site, what()))?;
        let hold = match key {
            Key::Ours | Key::Unknown if locked => site.hold(&at, id, self.now).await.map_err(failed(site, what()))?,
            _ => None,
        };
        Ok((version, size, key, hold))
    }

    async fn key_of(&self, site: &Site, at: &Location, version: Option<&str>) -> Result<Key, SiteError> {
        let mut got = match site.get_version(at, version, SealedRange::Last(TRAILER_LEN), None).await {
            // Gone since the listing, or empty: nothing of ours is.
            Err(error) if error.is_not_found() || matches!(error, SiteError::S3 { status: 416, .. }) => {
                return Ok(Key::Another);
            }
            other => other?,
        };
        let mut last = Vec::with_capacity(TRAILER_LEN as usize);
        while let Some(chunk) = got.body.next().await {
            last.extend_from_slice(&chunk?);
        }
        Ok(match Trailer::parse(&last, got.total) {
            Ok(trailer) if self.under.includes(trailer.key_ref()) => Key::Ours,
            Ok(_) | Err(SealError::NotSealed(_)) => Key::Another,
            Err(_) => Key::Unknown,
        })
    }
}

/// A page of versions; where the site knows none, of objects.
async fn page(site: &Site, query: &VersionQuery) -> Result<VersionPage, SiteError> {
    match site.list_versions(query).await {
        Err(SiteError::S3 { status: 405 | 501, .. } | SiteError::Unsupported { .. }) => {}
        Err(error) if error.is_not_found() => return Ok(VersionPage::default()),
        other => return other,
    }
    let plain = ListQuery {
        bucket: query.bucket.clone(),
        prefix: String::new(),
        delimiter: None,
        token: None,
        start_after: query.key_marker.clone(),
        max_keys: query.max_keys,
    };
    let page = site.list(&plain).await?;
    let next_key_marker = page.objects.last().map(|object| object.key.clone());
    let versions = page.objects.into_iter().map(|object| ListedVersion {
        key: object.key,
        version_id: NULL_VERSION.to_owned(),
        is_latest: true,
        last_modified: object.last_modified,
        owner: None,
        object: Some(VersionObject { size: object.size, etag: object.etag, storage_class: object.storage_class }),
    });
    Ok(VersionPage {
        versions: versions.collect(),
        truncated: page.truncated,
        next_key_marker,
        ..VersionPage::default()
    })
}

fn failed(site: &Site, what: String) -> impl FnOnce(SiteError) -> HoldingsError + use<> {
    let site = site.name().to_string();
    move |source| HoldingsError { site, what, source }
}

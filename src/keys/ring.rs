//! The opened keyring, in memory. Lookups never do I/O.
use super::copies::{self, Copies};
use super::record::{PREFIX, Record};
use super::{KeyError, RootKey};
use crate::s3::BucketName;
use crate::seal::{Entropy, VaultKey, VaultKeyId, VaultKeyRef};
use crate::site::{SiteError, Sites};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// How often the race to create a key is run before giving up.
const TRIES: usize = 5;

/// Every vault key of a deployment. No `Debug`: it holds keys.
pub struct Keyring {
    /// Versions of each key, oldest first, never empty.
    keys: HashMap<VaultKeyId, Vec<Arc<VaultKey>>>,
    root: RootKey,
    /// Where the copies lie; none when opened from a folder.
    bucket: Option<BucketName>,
    entropy: Arc<dyn Entropy>,
}

// === impl Keyring ===

impl Keyring {
    /// Reads the keyring from every reachable site, reconciles copies, creates what `wanted` lacks (only when it is certain that
    /// no site holds it), verifies by opening what was written, writes stale copies anew.
    ///
    /// # Errors
    /// When it is not certain what the keyring is, or it does not open under this root key.
    pub async fn open(
        root: RootKey,
        sites: &Sites,
        system_bucket: &BucketName,
        wanted: &[VaultKeyId],
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyError> {
        ensure_bucket(sites, system_bucket).await;
        let mut ids: BTreeSet<VaultKeyId> = copies::listed(sites, system_bucket).await;
        ids.extend(wanted.iter().cloned());
        let mut ring = Self { keys: HashMap::new(), root, bucket: Some(system_bucket.clone()), entropy };
        for id in ids {
            let keys = ring.settle(sites, system_bucket, &id).await?;
            ring.keys.insert(id, keys);
        }
        tracing::info!(root = ring.root.fingerprint(), keys = ring.keys.len(), "keyring open");
        Ok(ring)
    }

    /// From a folder that holds a copy of the system bucket (or of its `keyring/v1/`), offline.
    ///
    /// # Errors
    /// When there is no keyring there or it does not open under this root key.
    pub fn open_folder(root: RootKey, folder: &Path) -> Result<Self, KeyError> {
        let nested = folder.join(PREFIX);
        let place = if nested.is_dir() { nested.as_path() } else { folder };
        let failed = |error: std::io::Error| KeyError::Unsettled(format!("cannot read {}: {error}", place.display()));
        let mut keys = HashMap::new();
        for entry in std::fs::read_dir(place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(id) = entry.file_name().to_str().and_then(|name| VaultKeyId::parse(name).ok()) else { continue };
            if !entry.file_type().map_err(failed)?.is_file() {
                continue;
            }
            let opened = Record::open(&root, id.as_str(), &std::fs::read(entry.path()).map_err(failed)?);
            let opened = opened.and_then(|record| record.keys());
            let wrong = |source| KeyError::WrongRoot { site: entry.path().display().to_string(), source };
            keys.insert(id, opened.map_err(wrong)?.into_iter().map(Arc::new).collect());
        }
        if keys.is_empty() {
            return Err(KeyError::Unsettled(format!(
                "{} holds no keyring; copy the system bucket there",
                place.display()
            )));
        }
        Ok(Self { keys, root, bucket: None, entropy: Arc::new(super::OsEntropy) })
    }

    /// The newest version, for sealing.
    ///
    /// # Errors
    /// [`KeyError::NotFound`].
    pub fn for_sealing(&self, id: &VaultKeyId) -> Result<Arc<VaultKey>, KeyError> {
        let newest = self.keys.get(id).and_then(|versions| versions.last());
        newest.cloned().ok_or_else(|| KeyError::NotFound(id.to_string(), 0))
    }

    /// Exactly this version, for opening.
    ///
    /// # Errors
    /// [`KeyError::NotFound`].
    pub fn for_opening(&self, reference: &VaultKeyRef) -> Result<Arc<VaultKey>, KeyError> {
        let versions = self.keys.get(&reference.id).into_iter().flatten();
        let found = versions.into_iter().find(|key| key.reference.version == reference.version);
        found.cloned().ok_or_else(|| KeyError::NotFound(reference.id.to_string(), reference.version))
    }

    /// Tries again to bring stale or missing copies up to date; how many copies are still missing.
    pub async fn sync_copies(&self, sites: &Sites) -> usize {
        let Some(bucket) = &self.bucket else { return 0 };
        ensure_bucket(sites, bucket).await;
        let mut lacking = 0;
        for id in self.keys.keys() {
            let Ok(at) = copies::location(bucket, id) else { continue };
            let copies = Copies::read(&self.root, sites, &at, id).await;
            lacking += match copies.newest() {
                Ok(Some(record)) => copies.level(&self.root, &at, record, self.entropy.as_ref()).await.unwrap_or(1),
                _ => 1,
            };
        }
        lacking
    }

    /// One key's versions, agreed between the sites.
    async fn settle(
        &self,
        sites: &Sites,
        bucket: &BucketName,
        id: &VaultKeyId,
    ) -> Result<Vec<Arc<VaultKey>>, KeyError> {
        let at = copies::location(bucket, id)?;
        for _ in 0..TRIES {
            let copies = Copies::read(&self.root, sites, &at, id).await;
            if let Some(record) = copies.newest()? {
                copies.level(&self.root, &at, record, self.entropy.as_ref()).await?;
                let keys = record.keys().map_err(|source| KeyError::WrongRoot { site: "every site".into(), source })?;
                return Ok(keys.into_iter().map(Arc::new).collect());
            }
            // Whoever wins, the next round reads what is there now: nothing is used that was not read back.
            if copies::create(&self.root, sites, &at, id, self.entropy.as_ref()).await? {
                tracing::info!(key = %id, "vault key created");
            }
        }
        Err(KeyError::Unsettled(format!("the vault key {id} was written and cannot be read back")))
    }
}

/// Best effort: whoever needs the bucket later says clearly that it is missing.
async fn ensure_bucket(sites: &Sites, bucket: &BucketName) {
    for site in sites.all() {
        if site.head_bucket(bucket).await.is_err_and(|error| error.is_not_found()) {
            match site.create_bucket(bucket, None).await {
                Ok(()) => tracing::info!(site = %site.name(), %bucket, "system bucket created"),
                Err(SiteError::S3 { status: 409, .. }) => {}
                Err(error) => {
                    tracing::warn!(site = %site.name(), %bucket, %error, "the system bucket cannot be created")
                }
            }
        }
    }
}

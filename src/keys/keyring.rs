//! [`Keyring`]: what the proxy seals and opens with.
use super::copies;
use super::document::VersionState;
use super::settle::{Maker, Settled, settle};
use super::survey::{self, Answer};
use super::{KeyError, RootKey};
use crate::s3::BucketName;
use crate::seal::{Entropy, VaultKey, VaultKeyId, VaultKeyRef};
use crate::site::Sites;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The opened keyring, in memory. Lookups never do I/O and take no lock.
pub struct Keyring {
    root: RootKey,
    /// `None` when it came from a folder.
    bucket: Option<BucketName>,
    keys: HashMap<VaultKeyId, Entry>,
}

/// One vault key.
struct Entry {
    settled: Settled,
    /// The newest enabled version.
    sealing: Option<Arc<VaultKey>>,
    /// By version number; a disabled version opens nothing.
    opening: HashMap<u32, Arc<VaultKey>>,
}

// === impl Keyring ===

impl Keyring {
    /// Reads the keyring from every reachable site, reconciles copies, creates what `wanted` lacks (only when
    /// it is certain that no site holds it), verifies by unwrapping, writes stale copies anew.
    ///
    /// # Errors
    /// [`KeyError::WrongRoot`] when a key's copies are there and none opens; [`KeyError::Conflict`] when two copies of
    /// the same serial differ; [`KeyError::Unsettled`] when a key is nowhere to be found and some site cannot be asked,
    /// or the primary cannot do conditional writes. Nothing is written in these cases.
    pub async fn open(
        root: RootKey,
        sites: &Sites,
        system_bucket: &BucketName,
        wanted: &[VaultKeyId],
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyError> {
        tracing::info!(fingerprint = root.fingerprint(), "opening the keyring with this root key");
        let answers = survey::survey(&root.0, sites, system_bucket, wanted).await?;
        let silent = silent(&answers);
        let mut settled = settle(answers)?;
        let maker = Maker { root: &root.0, sites, bucket: system_bucket, entropy: &*entropy };
        for id in wanted {
            if settled.contains_key(id) {
                continue;
            }
            if let Some(reasons) = &silent {
                return Err(KeyError::Unsettled(format!(
                    "no site that answers has vault key {}, but not all could be asked, so one may exist there: \
                     {reasons}. Start again when every site answers",
                    id.as_str()
                )));
            }
            settled.insert(id.clone(), maker.make(id).await?);
        }
        if let Some(reasons) = silent {
            tracing::warn!(%reasons, "the keyring is opened without some of the sites");
        }
        let keyring = Self::of(root, Some(system_bucket.clone()), settled)?;
        keyring.sync_copies(sites).await;
        Ok(keyring)
    }

    /// From a folder that holds the system bucket's objects (offline: `unseal`): `FOLDER/keyring/v1/ID`, or `FOLDER/ID`.
    ///
    /// # Errors
    /// [`KeyError::WrongRoot`], [`KeyError::Malformed`]; [`KeyError::Unsettled`] when there is no keyring in it.
    pub fn open_folder(root: RootKey, folder: &std::path::Path) -> Result<Self, KeyError> {
        let settled = super::folder::read(&root, folder)?;
        Self::of(root, None, settled)
    }

    /// The newest enabled version, for sealing.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] (version 0) when the key is not there or has no enabled version.
    pub fn for_sealing(&self, id: &VaultKeyId) -> Result<Arc<VaultKey>, KeyError> {
        let key = self.keys.get(id).and_then(|entry| entry.sealing.clone());
        key.ok_or_else(|| KeyError::NotFound(id.as_str().to_owned(), 0))
    }

    /// Exactly this version, for opening.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] when it is not there or disabled.
    pub fn for_opening(&self, reference: &VaultKeyRef) -> Result<Arc<VaultKey>, KeyError> {
        let entry = self.keys.get(&reference.id);
        let key = entry.and_then(|entry| entry.opening.get(&reference.version).cloned());
        key.ok_or_else(|| KeyError::NotFound(reference.id.as_str().to_owned(), reference.version))
    }

    /// Tries again to bring stale or missing copies up to date; how many sites still lack one.
    pub async fn sync_copies(&self, sites: &Sites) -> usize {
        let Some(bucket) = &self.bucket else { return 0 };
        let synced = sites.all().map(|site| async {
            let result = self.sync_site(site, bucket).await;
            if let Err(error) = &result {
                tracing::warn!(site = %site.name(), %error, "a site lacks a copy of the keyring, or has another one");
            }
            usize::from(result.is_err())
        });
        futures_util::future::join_all(synced).await.into_iter().sum()
    }

    /// Every key of the ring, whatever became of the others.
    async fn sync_site(&self, site: &crate::site::Site, bucket: &BucketName) -> Result<(), KeyError> {
        survey::ensure_bucket(site, bucket).await?;
        let mut outcome = Ok(());
        for (id, entry) in &self.keys {
            match copies::bring_up(&self.root.0, site, bucket, id, &entry.settled).await {
                Ok(false) => {}
                Ok(true) => tracing::info!(site = %site.name(), key = id.as_str(), "a keyring copy was written"),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    fn of(root: RootKey, bucket: Option<BucketName>, settled: BTreeMap<VaultKeyId, Settled>) -> Result<Self, KeyError> {
        let entries = settled.into_iter().map(|(id, settled)| Entry::of(&id, settled).map(|entry| (id, entry)));
        Ok(Self { root, bucket, keys: entries.collect::<Result<_, _>>()? })
    }
}

// === impl Entry ===

impl Entry {
    fn of(id: &VaultKeyId, settled: Settled) -> Result<Self, KeyError> {
        let enabled = settled.document.usable(id)?.into_iter().filter(|usable| usable.state == VersionState::Enabled);
        let mut entry = Self { settled, sealing: None, opening: HashMap::new() };
        for usable in enabled {
            let key = Arc::new(usable.key);
            entry.opening.insert(key.reference.version, key.clone());
            entry.sealing = Some(key);
        }
        Ok(entry)
    }
}

/// Why some sites could not be asked; `None` when all answered.
fn silent(answers: &[Answer]) -> Option<String> {
    let reasons: Vec<_> =
        answers.iter().filter_map(|answer| answer.copies.as_ref().err().map(ToString::to_string)).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

//! What was last seen of the keyring at each site: one listing tells what changed since, by the objects' ETags.
use super::survey::{self, Answer, Copy};
use crate::s3::{BucketName, SealedETag};
use crate::seal::VaultKeyId;
use crate::site::{Site, SiteError, SiteName};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// The serial of a copy that does not open: the highest, because it is left alone.
pub(super) const UNREADABLE: u64 = u64::MAX;

/// Every copy that was looked at.
pub(super) struct Watch(Mutex<HashMap<(SiteName, VaultKeyId), Seen>>);

/// A copy as it was when it was looked at.
struct Seen {
    etag: Option<SealedETag>,
    /// Its serial, or [`UNREADABLE`].
    serial: u64,
}

/// What one listing says.
pub(super) struct Look {
    /// Copies that have to be read: they are new, or not what was looked at.
    pub(super) changed: Vec<(VaultKeyId, Option<SealedETag>)>,
    listed: BTreeMap<VaultKeyId, Option<SealedETag>>,
}

// === impl Watch ===

impl Watch {
    /// Begins with what a survey has just read.
    pub(super) fn of(answers: &[Answer]) -> Self {
        let watch = Self(Mutex::default());
        for Answer { site, copies } in answers {
            for (id, copy) in copies.iter().flatten() {
                if let Copy::Good { document, etag, .. } = copy {
                    watch.seen(site, id, Some(etag.clone()), document.serial);
                }
            }
        }
        watch
    }

    /// Lists what the site has now; its bucket is made when it has none.
    ///
    /// # Errors
    /// When the site cannot be asked.
    pub(super) async fn look(&self, site: &Site, bucket: &BucketName) -> Result<Look, SiteError> {
        let listed = match survey::listing(site, bucket).await {
            Err(error) if error.is_not_found() => {
                survey::ensure_bucket(site, bucket).await?;
                BTreeMap::new()
            }
            listed => listed?,
        };
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |id: &VaultKeyId, etag: &Option<SealedETag>| {
            // A site that lists no ETags has to be read every time.
            etag.is_some() && seen.get(&(site.name().clone(), id.clone())).is_some_and(|seen| seen.etag == *etag)
        };
        let changed = listed.iter().filter(|(id, etag)| !is_known(id, etag));
        Ok(Look { changed: changed.map(|(id, etag)| (id.clone(), etag.clone())).collect(), listed })
    }

    /// It was looked at.
    pub(super) fn seen(&self, site: &Site, id: &VaultKeyId, etag: Option<SealedETag>, serial: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((site.name().clone(), id.clone()), Seen { etag, serial });
    }

    /// Whether the site lacks a key, or has an older serial of it.
    pub(super) fn lags(&self, site: &Site, look: &Look, id: &VaultKeyId, serial: u64) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = seen.get(&(site.name().clone(), id.clone())).map(|seen| seen.serial);
        !look.listed.contains_key(id) || held.is_some_and(|held| held < serial)
    }
    /// Whether the site has copies that do not open, or make no sense.
    pub(super) fn is_blind(&self, site: &Site) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().any(|((at, _), seen)| at == site.name() && seen.serial == UNREADABLE)
    }

    /// Another root is known now: what did not open is looked at again.
    pub(super) fn look_again(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, seen| seen.serial != UNREADABLE);
    }
}

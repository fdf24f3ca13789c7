//! Opened objects, kept for a short while. The cache only saves parsing and unwrapping: whatever is served from it
//! is first confirmed by an answer of the site that names the same sealed ETag.
use super::Opened;
use super::trailer::Stored;
use crate::keys::Keyring;
use crate::site::{Location, Site};
use std::sync::Arc;
use std::time::Duration;

/// How long an entry lives. It holds a DEK, so not for long.
const TIME_TO_LIVE: Duration = Duration::from_secs(300);

/// An object weighs one entry, and one more for so many parts: their layout is kept with it.
const PARTS_PER_ENTRY: u32 = 16;

/// Cache of opened trailers by (bucket, key), bounded, short-lived. Holds DEKs: no `Debug`.
pub struct ObjectCache {
    entries: moka::sync::Cache<Location, Arc<Opened>>,
}

// === impl ObjectCache ===

impl ObjectCache {
    /// At most `entries` objects, fewer when some have very many parts.
    pub fn new(entries: u64) -> Self {
        let weight = |_: &Location, opened: &Arc<Opened>| 1 + opened.object.part_count() / PARTS_PER_ENTRY;
        let builder = moka::sync::Cache::builder().max_capacity(entries).weigher(weight);
        Self { entries: builder.time_to_live(TIME_TO_LIVE).build() }
    }

    /// What was last opened at `site`; the caller pins its further requests to that version. What is sealed under a key that cannot be used
    /// now is forgotten, the DEK with it.
    pub(in crate::gateway) fn last(&self, keyring: &Keyring, at: &Location, site: &Site) -> Option<Arc<Opened>> {
        let opened = self.entries.get(at)?;
        if opened.object.key_ref().is_some_and(|key| keyring.usable(key).is_err()) {
            self.entries.invalidate(at);
            return None;
        }
        // Further requests go out as whoever opened it.
        Some(opened).filter(|opened| opened.site.is_same(site))
    }

    /// The entry for exactly what `site` has just answered, metadata included.
    pub(super) fn confirmed(
        &self,
        keyring: &Keyring,
        at: &Location,
        site: &Site,
        stored: &Stored,
    ) -> Option<Arc<Opened>> {
        self.last(keyring, at, site).filter(|opened| stored.is_of(opened))
    }

    pub(super) fn keep(&self, at: &Location, opened: &Arc<Opened>) {
        self.entries.insert(at.clone(), opened.clone());
    }

    pub(in crate::gateway) fn forget(&self, at: &Location) {
        self.entries.invalidate(at);
    }
}

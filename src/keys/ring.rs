//! The keys in memory: read without a lock, replaced as a whole when one changes.
use super::KeyError;
use super::document::VersionState;
use super::settle::Settled;
use super::state::KeyState;
use super::tally::Tally;
use super::usage::Tallies;
use crate::seal::{VaultKey, VaultKeyId};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Every key, by name.
pub(super) type Keys = HashMap<VaultKeyId, Arc<Entry>>;

/// The keys in memory.
pub(super) struct Ring {
    keys: ArcSwap<Keys>,
    generation: AtomicU64,
    writing: Mutex<()>,
    /// Why no key may be used now.
    withheld: ArcSwapOption<&'static str>,
}

/// One vault key. A key that may not be used holds no secret in usable form.
pub(super) struct Entry {
    pub(super) settled: Settled,
    /// The newest enabled version.
    pub(super) sealing: Option<Held>,
    /// By version number.
    pub(super) opening: HashMap<u32, Held>,
}

/// One version.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) state: VersionState,
    pub(super) key: Arc<VaultKey>,
    pub(super) tally: Arc<Tally>,
}

// === impl Ring ===

impl Ring {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys),
            generation: AtomicU64::new(0),
            writing: Mutex::new(()),
            withheld: ArcSwapOption::empty(),
        }
    }

    pub(super) fn get(&self, id: &VaultKeyId) -> Option<Arc<Entry>> {
        self.keys.load().get(id).cloned()
    }

    pub(super) fn all(&self) -> Arc<Keys> {
        self.keys.load_full()
    }

    /// Takes a key over unless one of the same or a higher serial is known. True when it was taken.
    pub(super) fn insert(&self, id: &VaultKeyId, entry: Entry) -> bool {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = Keys::clone(&self.keys.load());
        let known = keys.get(id).map(|known| known.settled.document.serial);
        if known.is_some_and(|known| known >= entry.settled.document.serial) {
            return false;
        }
        keys.insert(id.clone(), Arc::new(entry));
        self.keys.store(Arc::new(keys));
        self.generation.fetch_add(1, Ordering::Release);
        true
    }

    /// No key may be used from now on, for this reason; `None`: keys may be used. True when that is a change.
    pub(super) fn withhold(&self, why: Option<&'static str>) -> bool {
        let before = self.withheld.swap(why.map(Arc::new));
        let changed = before.as_deref() != why.as_ref();
        if changed {
            self.generation.fetch_add(1, Ordering::Release);
        }
        changed
    }

    /// What was usable a moment ago may not be any more.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(super) fn withheld(&self) -> Option<&'static str> {
        self.withheld.load().as_deref().copied()
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn states(&self) -> BTreeMap<&'static str, u64> {
        let mut states = BTreeMap::new();
        for entry in self.keys.load().values() {
            *states.entry(entry.settled.document.state.name()).or_default() += 1;
        }
        states
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn of(id: &VaultKeyId, settled: Settled, tallies: &Tallies) -> Result<Self, KeyError> {
        let usable = settled.document.state == KeyState::Enabled;
        let versions = if usable { settled.document.usable(id)? } else { Vec::new() };
        let mut entry = Self { settled, sealing: None, opening: HashMap::new() };
        for version in versions {
            let tally = tallies.of(&version.key.reference);
            let held = Held { state: version.state, key: Arc::new(version.key), tally };
            entry.opening.insert(held.key.reference.version, held.clone());
            if held.state == VersionState::Enabled {
                entry.sealing = Some(held);
            }
        }
        Ok(entry)
    }

    /// Whether the key may be used at all.
    pub(super) fn usable(&self, id: &VaultKeyId) -> Result<(), KeyError> {
        match self.settled.document.state {
            KeyState::Enabled => Ok(()),
            state => Err(KeyError::State(id.as_str().to_owned(), state)),
        }
    }
}

//! One commit at a time for one key.
//!
//! Striped: keys that share a stripe wait for each other's commits, which costs little and needs no memory a key. Whoever needs
//! several takes them in ascending order ([`KeyLocks::all`]); nobody may take a second one while holding a first.
use crate::site::Location;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

const STRIPES: usize = 8192;

/// The locks of all keys.
pub(super) struct KeyLocks {
    stripes: Box<[Arc<Mutex<()>>]>,
    hasher: std::hash::RandomState,
}

/// Holds the commit lock of one or several keys.
pub struct KeyGuard {
    _guards: Vec<OwnedMutexGuard<()>>,
}

// === impl KeyLocks ===

impl KeyLocks {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Arc::default()).collect(), hasher: std::hash::RandomState::new() }
    }

    /// Waits for the lock of one key.
    pub(super) async fn one(&self, at: &Location) -> KeyGuard {
        let guard = Arc::clone(&self.stripes[self.stripe(at)]).lock_owned().await;
        KeyGuard { _guards: vec![guard] }
    }

    /// Waits for the locks of several keys.
    pub(super) async fn all(&self, at: impl Iterator<Item = Location>) -> KeyGuard {
        let stripes: BTreeSet<usize> = at.map(|at| self.stripe(&at)).collect();
        let mut guards = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            guards.push(Arc::clone(&self.stripes[stripe]).lock_owned().await);
        }
        KeyGuard { _guards: guards }
    }

    fn stripe(&self, at: &Location) -> usize {
        (self.hasher.hash_one(at) % STRIPES as u64) as usize
    }
}

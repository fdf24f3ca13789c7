//! A start without some of the roots: what opens is served, what does not is named, and nothing is decided without knowing everything.
//!
//! | what cannot be asked for | what the proxy does |
//! |---|---|
//! | the root | **read-only**: nothing is sealed, no key is made or rotated, no copy of the keyring is written |
//! | another root | everything under keys that open; while some do not, no key is made, because the root that seals may be the one that is missing |
//!
//! A key of which any site has a copy that does not open is **out of reach** as a whole, whatever other copies say: the one that does not open may be the newer
//! one, and say that the key is disabled. Roots are asked for again until all are there ([`Keyring::complete`]).
use super::keyring::{Home, Keyring};
use super::settle::sift;
use super::{KeyError, Roots, survey};
use crate::seal::VaultKeyId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is missing.
#[derive(Clone)]
pub(super) struct Reach {
    /// Roots that no custodian could be asked for, as people know them.
    roots: Vec<String>,
    /// The root of the configuration is among them.
    read_only: bool,
    /// Keys that lie under them, or may.
    keys: BTreeSet<VaultKeyId>,
}

// === impl Reach ===

impl Reach {
    /// `None`: every root is there.
    pub(super) fn of(roots: &Roots, keys: BTreeSet<VaultKeyId>) -> Option<Self> {
        let silent = roots.silent();
        (!silent.is_empty()).then(|| Self { roots: silent, read_only: roots.lacks_the_first(), keys })
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn lacks(&self, id: &VaultKeyId) -> bool {
        self.keys.contains(id)
    }

    /// Whether a key can be made: not while one may lie under a root that seals and is not there.
    pub(super) fn may_make(&self) -> bool {
        !self.read_only && self.keys.is_empty()
    }

    fn what(&self) -> String {
        self.roots.join(", ")
    }

    /// Said once, at a start or when it changes.
    pub(super) fn tell(&self) {
        let keys: Vec<&str> = self.keys.iter().map(VaultKeyId::as_str).collect();
        let (roots, keys) = (self.what(), keys.join(", "));
        if self.read_only {
            tracing::error!(
                roots,
                keys,
                "read-only: the custodians of the root cannot be asked; what lies under these keys cannot be read, nothing can be written. They are asked on"
            );
        } else {
            tracing::error!(
                roots,
                keys,
                "the custodians of another root cannot be asked; what lies under these keys cannot be read or written. They are asked on"
            );
        }
    }
}

// === impl Keyring ===

impl Keyring {
    /// Whether roots are missing that no custodian could be asked for.
    pub fn is_partial(&self) -> bool {
        self.reach.load().is_some()
    }

    /// What does not work because of that, in words for operators; `None` when nothing is missing that anything needs.
    pub fn shortage(&self) -> Option<String> {
        let reach = self.reach.load();
        let reach = reach.as_ref()?;
        let keys = match reach.keys.len() {
            0 => String::new(),
            1 => "; 1 vault key does not open".to_owned(),
            some => format!("; {some} vault keys do not open"),
        };
        match (reach.read_only, reach.keys.is_empty()) {
            (true, _) => Some(format!("read-only: no custodian of the root key can be asked{keys}")),
            (false, false) => Some(format!("no custodian of another root key can be asked{keys}")),
            (false, true) => None,
        }
    }

    /// Whether nothing can be sealed because the root is missing, and how many keys are out of reach.
    pub fn missing(&self) -> (bool, usize) {
        self.reach.load().as_ref().map_or((false, 0), |reach| (reach.read_only, reach.keys.len()))
    }

    /// Nothing may be sealed while the root is missing.
    ///
    /// # Errors
    /// [`KeyError::ReadOnly`].
    pub fn writable(&self) -> Result<(), KeyError> {
        match self.reach.load().as_ref() {
            Some(reach) if reach.is_read_only() => Err(KeyError::ReadOnly(reach.what())),
            _ => Ok(()),
        }
    }

    pub(super) fn refuse_out_of_reach(&self, id: &VaultKeyId) -> Result<(), KeyError> {
        match self.reach.load().as_ref() {
            Some(reach) if reach.lacks(id) => Err(KeyError::OutOfReach(id.as_str().to_owned(), reach.what())),
            _ => Ok(()),
        }
    }

    /// A copy of this key does not open: with a root missing, that is what it may need.
    pub(super) fn lose(&self, id: &VaultKeyId) {
        let before = self.reach.rcu(|reach| {
            let mut reach = reach.as_deref().cloned()?;
            reach.keys.insert(id.clone());
            Some(Arc::new(reach))
        });
        if before.is_some_and(|before| !before.lacks(id)) {
            self.ring.changed();
            tracing::error!(key = id.as_str(), "a vault key is out of reach while a root is missing");
        }
    }

    /// Asks again for the roots that are missing, and takes over what they open. True when none is missing any more.
    pub async fn complete(&self) -> bool {
        let (Some(before), Some(home)) = (self.reach.load_full(), &self.home) else { return true };
        self.roots().ask_again().await;
        if self.roots().silent() == before.roots {
            return false;
        }
        match self.take_over_all(home).await {
            Ok(None) => {
                tracing::info!("every root is there: all keys are in use again");
                true
            }
            Ok(Some(reach)) => {
                reach.tell();
                false
            }
            Err(error) => {
                tracing::warn!(%error, "a root is there now, and the keyring cannot be read; tried again");
                false
            }
        }
    }

    async fn take_over_all(&self, home: &Home) -> Result<Option<Reach>, KeyError> {
        let answers = survey::survey(self.roots(), &home.sites, &home.bucket, &[]).await?;
        if answers.iter().all(|answer| answer.copies.is_err()) {
            return Err(KeyError::Unsettled("no site can be asked".to_owned()));
        }
        let (settled, closed) = sift(answers)?;
        let lost = closed.iter().map(|closed| closed.id.clone()).collect();
        let reach = Reach::of(self.roots(), lost);
        for closed in closed.iter().filter(|_| reach.is_none()) {
            closed.tell();
        }
        for (id, settled) in settled {
            if reach.as_ref().is_none_or(|reach| !reach.lacks(&id)) {
                self.keep(&id, settled)?;
            }
        }
        home.watch.look_again();
        self.reach.store(reach.clone().map(Arc::new));
        self.ring.changed();
        Ok(reach)
    }
}

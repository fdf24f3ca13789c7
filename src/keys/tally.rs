//! Counting what is sealed under one version of a vault key.
//!
//! **Never too little.** Nothing is sealed that was not added to the [`Ledger`] before, durably. So that this costs a request two additions in memory and
//! no I/O, a process takes from the ledger ahead: as much as it has used so far, up to a bound. A kill loses nothing of what was used; what was
//! taken and not used stays counted. A clean end gives it back.
use crate::seal::VaultKeyRef;
use async_trait::async_trait;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Taken ahead at most: this many objects and bytes, and no more than this share of the limit.
const AHEAD: Used = Used { objects: 65_536, bytes: 1 << 30 };
const SHARE: u64 = 1024;
/// In the background a version is replaced once it has used all but this share of its limit.
const EARLY: u64 = 16;

/// What was sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Data keys that were wrapped.
    pub objects: u64,
    /// Bytes of plaintext.
    pub bytes: u64,
}

/// When a version has sealed enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How old the newest version gets; `None`: as old as it likes.
    pub after: Option<Duration>,
    /// How many objects it seals, at most [`crate::seal::OBJECTS_PER_VERSION`].
    pub objects: u64,
    /// How many bytes of plaintext; `None`: any number, for the suites set no limit.
    pub bytes: Option<u64>,
}

/// Where it is added up, over restarts and over all proxies that share it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Adds, and returns the sum; durable when it returns.
    ///
    /// # Errors
    /// Why nothing was added, or may not have been.
    async fn add(&self, key: &VaultKeyRef, more: Used) -> Result<Used, String>;

    /// Takes back what was added and not used.
    ///
    /// # Errors
    /// Why it was not.
    async fn give_back(&self, key: &VaultKeyRef, less: Used) -> Result<(), String>;

    /// Every sum, by name and version.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn sums(&self) -> Result<Vec<(String, u32, Used)>, String>;
}

/// The counts of one version.
pub(super) struct Tally {
    key: VaultKeyRef,
    objects: Count,
    bytes: Count,
    /// Odd while the ledger is being changed for it.
    changes: AtomicU64,
    /// Whose turn it is to ask the ledger, and how the last one failed.
    turn: tokio::sync::Mutex<Option<(Instant, String)>>,
    /// Whoever replaces the version, and how the last one failed.
    pub(super) successor: tokio::sync::Mutex<Option<(Instant, String)>>,
}

/// One of its two counts.
#[derive(Default)]
struct Count {
    /// By this process.
    used: AtomicU64,
    /// Of what the ledger holds, taken by this process. Never less than what it has sealed.
    taken: AtomicU64,
    /// The rest of what the ledger holds.
    others: AtomicU64,
}

/// Which count has come to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The number of objects.
    Objects,
    /// Their bytes of plaintext.
    Bytes,
}

/// Why nothing may be sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// The version has sealed as much as it may.
    Spent(Counted),
    /// It cannot be counted.
    Ledger(String),
}

// === impl Counted ===

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Objects => "objects",
            Self::Bytes => "bytes",
        })
    }
}

// === impl Allowance ===

impl Default for Allowance {
    /// What the suites allow.
    fn default() -> Self {
        Self { after: None, objects: Self::MOST_OBJECTS, bytes: None }
    }
}

impl Allowance {
    /// What the suites allow.
    pub const MOST_OBJECTS: u64 = crate::seal::OBJECTS_PER_VERSION;

    /// How much of it is used: 1 is all.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn share(&self, used: Used) -> f64 {
        let bytes = self.bytes.map_or(0.0, |limit| used.bytes as f64 / limit as f64);
        bytes.max(used.objects as f64 / self.objects as f64)
    }

    /// What of it is used up, or nearly so: time for a new version, without haste.
    pub(super) fn due(&self, used: Used) -> Option<Counted> {
        let early = |limit: u64| limit - limit / EARLY;
        if used.objects >= early(self.objects) {
            return Some(Counted::Objects);
        }
        self.bytes.filter(|limit| used.bytes >= early(*limit)).map(|_| Counted::Bytes)
    }

    fn ahead(&self) -> Used {
        let share = |limit: u64, most: u64| (limit / SHARE).clamp(1, most);
        let bytes = self.bytes.map_or(AHEAD.bytes, |limit| share(limit, AHEAD.bytes));
        Used { objects: share(self.objects, AHEAD.objects), bytes }
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn new(key: VaultKeyRef) -> Self {
        let (changes, turn, successor) = (AtomicU64::new(0), Default::default(), Default::default());
        Self { key, objects: Count::default(), bytes: Count::default(), changes, turn, successor }
    }

    pub(super) fn key(&self) -> &VaultKeyRef {
        &self.key
    }

    /// As far as this process knows: what it used itself, and what the ledger held of others when it was last asked.
    pub(super) fn used(&self) -> Used {
        Used { objects: self.objects.known(), bytes: self.bytes.known() }
    }

    /// Counts one object that is about to be sealed.
    ///
    /// # Errors
    /// [`Short`]: it must not be sealed.
    pub(super) async fn take_object(&self, ledger: &dyn Ledger, allowance: &Allowance) -> Result<(), Short> {
        self.take(Used { objects: 1, bytes: 0 }, ledger, allowance).await?;
        if allowance.bytes.is_some_and(|limit| self.bytes.known() >= limit) {
            self.objects.used.fetch_sub(1, Ordering::AcqRel);
            return Err(Short::Spent(Counted::Bytes));
        }
        Ok(())
    }

    /// Counts bytes of an object that was counted before. It may be finished, whatever the limit: of the next object the limit decides.
    ///
    /// # Errors
    /// [`Short::Ledger`]: they must not be sealed.
    pub(super) async fn take_bytes(&self, bytes: u64, ledger: &dyn Ledger, allowance: &Allowance) -> Result<(), Short> {
        self.take(Used { objects: 0, bytes }, ledger, allowance).await
    }

    async fn take(&self, more: Used, ledger: &dyn Ledger, allowance: &Allowance) -> Result<(), Short> {
        let (objects, bytes) = (self.objects.take(more.objects), self.bytes.take(more.bytes));
        if objects && bytes {
            return Ok(());
        }
        // Rare, so on the heap: every write holds this future.
        let taken = Box::pin(self.take_ahead(more.objects > 0, ledger, allowance)).await;
        if taken.is_err() {
            self.objects.used.fetch_sub(more.objects, Ordering::AcqRel);
            self.bytes.used.fetch_sub(more.bytes, Ordering::AcqRel);
        }
        taken
    }

    /// Takes from the ledger what is used and not taken yet, by whomever, and some ahead; objects only for who counts one.
    ///
    /// Who comes here has added to what is used before, so what lacks now includes its own. Others may add while the ledger is asked: they
    /// come after, and whether they are short is not this one's answer.
    async fn take_ahead(&self, an_object: bool, ledger: &dyn Ledger, allowance: &Allowance) -> Result<(), Short> {
        let came = Instant::now();
        let mut trouble = self.turn.lock().await;
        let (objects, bytes) = (if an_object { self.objects.lacks() } else { 0 }, self.bytes.lacks());
        if objects == 0 && bytes == 0 {
            return Ok(());
        }
        if objects > 0 && self.objects.in_ledger() >= allowance.objects {
            return Err(Short::Spent(Counted::Objects));
        }
        // Who waited while another one asked in vain does not ask, too: it may have taken long.
        if let Some((_, why)) = trouble.as_ref().filter(|(at, _)| *at >= came) {
            return Err(Short::Ledger(why.clone()));
        }
        let ahead = allowance.ahead();
        let more =
            Used { objects: self.objects.ask(objects, ahead.objects), bytes: self.bytes.ask(bytes, ahead.bytes) };
        let added = self.changing(ledger.add(&self.key, more)).await;
        *trouble = added.as_ref().err().map(|why| (Instant::now(), why.clone()));
        let sum = added.map_err(Short::Ledger)?;
        self.bytes.have_taken(more.bytes, sum.bytes);
        // What is past the limit goes back: others may have been faster.
        let excess = sum.objects.saturating_sub(allowance.objects).min(more.objects);
        let granted = more.objects - excess;
        self.objects.have_taken(granted, sum.objects - excess);
        if excess > 0 {
            let less = Used { objects: excess, bytes: 0 };
            if let Err(error) = self.changing(ledger.give_back(&self.key, less)).await {
                tracing::warn!(key = %self.key.id, %error, "some objects are counted that were not sealed");
            }
        }
        if granted < objects { Err(Short::Spent(Counted::Objects)) } else { Ok(()) }
    }

    async fn changing<T>(&self, change: impl Future<Output = T>) -> T {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let done = change.await;
        self.changes.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// Before the ledger is read: what must not have changed by the time it was.
    pub(super) fn mark(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// What the ledger held, if it was not changed from here since the mark.
    pub(super) fn learn(&self, mark: u64, sum: Used) {
        let Ok(_alone) = self.turn.try_lock() else { return };
        if mark == self.mark() && mark.is_multiple_of(2) {
            self.objects.have_taken(0, sum.objects);
            self.bytes.have_taken(0, sum.bytes);
        }
    }

    /// Gives back what was taken and not used. What is sealed afterwards is taken anew.
    pub(super) async fn settle(&self, ledger: &dyn Ledger) -> Result<(), String> {
        let _alone = self.turn.lock().await;
        let less = Used { objects: self.objects.release(), bytes: self.bytes.release() };
        if less == Used::default() {
            return Ok(());
        }
        self.changing(ledger.give_back(&self.key, less)).await
    }
}

// === impl Count ===

impl Count {
    /// False when it was not all taken from the ledger before.
    fn take(&self, more: u64) -> bool {
        more == 0 || self.used.fetch_add(more, Ordering::AcqRel) + more <= self.taken.load(Ordering::Acquire)
    }

    fn lacks(&self) -> u64 {
        self.used.load(Ordering::Acquire).saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// What is asked for when so much is lacking: nothing, or at least as much as was used so far, within bounds.
    fn ask(&self, lacks: u64, ahead: u64) -> u64 {
        if lacks == 0 { 0 } else { lacks.max(self.used.load(Ordering::Acquire).min(ahead)) }
    }

    fn have_taken(&self, more: u64, sum: u64) {
        let taken = self.taken.fetch_add(more, Ordering::AcqRel) + more;
        self.others.store(sum.saturating_sub(taken), Ordering::Release);
    }

    fn in_ledger(&self) -> u64 {
        self.others.load(Ordering::Acquire) + self.taken.load(Ordering::Acquire)
    }

    fn known(&self) -> u64 {
        self.others.load(Ordering::Acquire) + self.used.load(Ordering::Acquire)
    }

    /// Lets go of what was taken and not used; returns how much.
    fn release(&self) -> u64 {
        let spare = self.taken.load(Ordering::Acquire).saturating_sub(self.used.load(Ordering::Acquire));
        self.taken.fetch_sub(spare, Ordering::AcqRel);
        spare
    }
}

#[cfg(test)]
mod tests;

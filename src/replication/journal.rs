//! [`Journal`]: misses become rows, rows wake the worker, and intents go to the [`desk`](super::desk).
use super::desk::Desk;
use crate::clock;
use crate::site::tee::{Change, Intent, Miss, MissError, MissRecorder};
use crate::site::{Location, SiteName};
use crate::state::{Missed, Owner, State, StateError, Task};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Damage that was recorded is not recorded again for so long: an object that is read all the time is found damaged all the time.
const SILENCE: Duration = Duration::from_secs(10);
/// So many are remembered for that.
const REMEMBERED: usize = 4096;

/// Makes misses durable in the state's journal and wakes the worker.
pub struct Journal {
    state: State,
    bell: Arc<Bell>,
    /// `None`: no intents are written.
    desk: Option<Desk>,
    /// Whose the rows are that are worked on.
    owner: Owner,
    damages: Damages,
}

/// Damage that reads found lately.
#[derive(Default)]
struct Damages {
    wanted: AtomicBool,
    lately: Mutex<HashMap<(SiteName, Location), Instant>>,
}

/// Wakes the worker.
#[derive(Default)]
struct Bell {
    wake: Notify,
    /// Sites that were said to be back and not yet looked at.
    back: Mutex<BTreeSet<SiteName>>,
}

// === impl Journal ===

impl Journal {
    /// With intents, on behalf of these backups. What processes that died in the middle of a change left behind is taken
    /// over first.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn start(state: State, backups: impl IntoIterator<Item = &SiteName>) -> Result<Arc<Self>, StateError> {
        let backups: Vec<String> = backups.into_iter().map(ToString::to_string).collect();
        let owner = take_over(&state, &backups).await?;
        let bell: Arc<Bell> = Arc::default();
        let ring = Arc::clone(&bell);
        let desk = Desk::open(state.clone(), owner.clone(), backups, move || ring.wake.notify_one());
        Ok(Arc::new(Self { state, bell, desk: Some(desk), owner, damages: Damages::default() }))
    }

    /// Without intents: what is missed is recorded when it is seen to be missed, so a crash in the middle of a change may
    /// leave the sites different, and nobody told.
    ///
    /// # Errors
    /// As [`Journal::start`].
    pub async fn without_intents(
        state: State,
        backups: impl IntoIterator<Item = &SiteName>,
    ) -> Result<Arc<Self>, StateError> {
        let backups: Vec<String> = backups.into_iter().map(ToString::to_string).collect();
        let owner = take_over(&state, &backups).await?;
        Ok(Arc::new(Self { state, bell: Arc::default(), desk: None, owner, damages: Damages::default() }))
    }

    /// Takes back the intents of what has ended. Nothing may be written through it any more.
    pub async fn close(&self) {
        if let Some(desk) = &self.desk {
            desk.close().await;
        }
    }

    /// A site answers again: everything it misses is tried at once. For the wiring of
    /// [`crate::site::SiteObserver::health`]; cheap, never blocks.
    pub fn site_is_back(&self, site: &SiteName) {
        self.bell.back.lock().unwrap_or_else(PoisonError::into_inner).insert(site.clone());
        self.bell.wake.notify_one();
    }

    /// Somebody repairs what reads find damaged: from now on it is recorded.
    pub(super) fn repairs(&self) {
        self.damages.wanted.store(true, Ordering::Relaxed);
    }

    /// This process, among those that share the state.
    pub(super) fn owner(&self) -> &str {
        self.owner.id()
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Returns when something was recorded or a site is back (also when that was before the call).
    pub(super) async fn woken(&self) {
        self.bell.wake.notified().await;
    }

    pub(super) fn take_back(&self) -> BTreeSet<SiteName> {
        std::mem::take(&mut *self.bell.back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Damages ===

impl Damages {
    fn is_news(&self, site: &SiteName, at: &Location) -> bool {
        if !self.wanted.load(Ordering::Relaxed) {
            return false;
        }
        let now = Instant::now();
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.clear();
        }
        let before = lately.insert((site.clone(), at.clone()), now);
        before.is_none_or(|before| now.duration_since(before) >= SILENCE)
    }
}

/// A new process among those that share the state; what the dead ones left becomes misses.
async fn take_over(state: &State, backups: &[String]) -> Result<Owner, StateError> {
    let owner = state.enlist().await?;
    state.bury_dead(&owner, backups, clock::now().unix_timestamp()).await?;
    Ok(owner)
}

#[async_trait::async_trait]
impl MissRecorder for Journal {
    async fn record(&self, miss: Miss) -> Result<(), MissError> {
        self.record_all(vec![miss]).await
    }

    async fn record_all(&self, misses: Vec<Miss>) -> Result<(), MissError> {
        let missed = misses.into_iter().map(|miss| {
            let Miss { site, bucket, key, reason, bytes, retain_until, home_from } = miss;
            let home = |from: SiteName| Task::Home { from: from.to_string(), gone: bytes == 0 };
            let task = home_from.map_or(Task::Level, home);
            Missed { site: site.to_string(), bucket, key, reason, bytes, retain_until: retain_until.unwrap_or(0), task }
        });
        let recorded = self.state.record_misses(missed.collect(), clock::now().unix_timestamp()).await;
        recorded.map_err(|error| MissError(error.to_string()))?;
        self.bell.wake.notify_one();
        Ok(())
    }

    async fn home_of(&self, at: &Location) -> Result<Option<SiteName>, MissError> {
        let home = self.state.home_of(&at.bucket, &at.key).await.map_err(|error| MissError(error.to_string()))?;
        Ok(home.map(|site| SiteName(site.as_str().into())))
    }

    async fn behind(&self, at: &Location) -> Result<Vec<SiteName>, MissError> {
        let behind = self.state.behind(&at.bucket, &at.key).await.map_err(|error| MissError(error.to_string()))?;
        Ok(behind.into_iter().map(|site| SiteName(site.as_str().into())).collect())
    }

    fn damaged(&self, site: &SiteName, at: &Location, why: &str) {
        if !self.damages.is_news(site, at) {
            return;
        }
        let (bucket, key) = (&at.bucket, Some(&at.key));
        let missed = Missed { task: Task::Repair, ..Missed::new(&site.0, bucket, key, why) };
        let (state, bell) = (self.state.clone(), Arc::clone(&self.bell));
        tokio::spawn(async move {
            match state.record_misses(vec![missed], clock::now().unix_timestamp()).await {
                Ok(()) => bell.wake.notify_one(),
                Err(error) => {
                    tracing::error!(%error, "damage that a read found could not be recorded; the next read will")
                }
            }
        });
    }

    fn is_changing(&self, at: &Location) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.is_changing(at))
    }

    fn is_shared(&self) -> bool {
        self.state.is_shared()
    }

    fn intend(&self, change: Change) -> Intent {
        self.desk.as_ref().map_or_else(Intent::default, |desk| desk.intend(change))
    }
}

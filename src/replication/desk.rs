//! The desk where intents are left: one task carries the [`Book`] to the state, whatever is waiting in one transaction.
use super::book::{Book, Verdict};
use crate::clock;
use crate::s3::{BucketName, ObjectKey};
use crate::site::Location;
use crate::site::tee::{Change, Intent, MissError, Promise};
use crate::state::{Owner, State};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long an intent that is over may stay in the file: a burst on its key takes it up again, and so many are taken
/// back in one go.
const LINGER: Duration = Duration::from_millis(200);
/// So many do not linger.
const MANY: usize = 500;
/// After a failed exchange, before what is over is tried again. (What is begun is tried at once: somebody waits.)
const RETRY: Duration = Duration::from_secs(1);
/// How often dead processes are looked for, where nobody has to give signs of life.
const WATCH: Duration = Duration::from_secs(10);

/// The desk. Its task ends with [`Desk::close`].
pub(super) struct Desk {
    shared: Arc<Shared>,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

struct Shared {
    state: State,
    owner: Owner,
    backups: Vec<String>,
    book: Mutex<Book>,
    /// Something is to be written.
    begun: Notify,
    /// Something is to be taken back.
    over: Notify,
    /// Something became a miss.
    recorded: Box<dyn Fn() + Send + Sync>,
}

/// What one change left at the desk.
struct Left {
    shared: Arc<Shared>,
    /// Number and verdict of each key's intent.
    entries: Vec<(i64, watch::Receiver<Verdict>)>,
    durable: bool,
}

// === impl Desk ===

impl Desk {
    /// On behalf of a process. `recorded` is called when something became a miss.
    pub(super) fn open(
        state: State,
        owner: Owner,
        backups: Vec<String>,
        recorded: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            state,
            owner,
            backups,
            book: Mutex::new(Book::new()),
            begun: Notify::new(),
            over: Notify::new(),
            recorded: Box::new(recorded),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(work(Arc::clone(&shared), stop.clone()));
        Self { shared, task: Mutex::new(Some(task)), _stop_when_dropped: stop.clone().drop_guard(), stop }
    }

    /// Begins to write down every key of the change.
    pub(super) fn intend(&self, change: Change) -> Intent {
        let Change { bucket, keys, retain_until } = change;
        let mut names: Vec<(BucketName, Option<ObjectKey>)> =
            keys.into_iter().map(|key| (bucket.clone(), Some(key))).collect();
        if names.is_empty() {
            names.push((bucket, None));
        }
        let mut book = self.shared.book();
        let entries = names.into_iter().map(|name| book.begin(name, retain_until.unwrap_or(0))).collect();
        drop(book);
        self.shared.begun.notify_one();
        Intent::new(Box::new(Left { shared: Arc::clone(&self.shared), entries, durable: false }))
    }

    /// Whether a change of this object is under way in this process.
    pub(super) fn is_changing(&self, at: &Location) -> bool {
        self.shared.book().is_changing(&(at.bucket.clone(), Some(at.key.clone())))
    }

    /// Takes back what is over and ends the task. What is still under way stays in the file, for whoever comes next.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the task that writes intents broke");
        }
    }
}

async fn work(shared: Arc<Shared>, stop: CancellationToken) {
    let every = shared.state.lease_time().map_or(WATCH, |lease| lease / 4);
    let mut watch = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.begun.notified() => {}
            () = shared.linger() => {}
            _ = watch.tick() => shared.bury().await,
            () = stop.cancelled() => break,
        }
        if !shared.exchange().await && shared.book().leftover() > 0 {
            // Somebody who waits for a new intent comes first.
            tokio::select! {
                () = shared.begun.notified() => shared.begun.notify_one(),
                () = tokio::time::sleep(RETRY) => shared.over.notify_one(),
                () = stop.cancelled() => break,
            }
        }
    }
    shared.exchange().await;
}

// === impl Shared ===

impl Shared {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn linger(&self) {
        self.over.notified().await;
        if self.book().leftover() < MANY {
            tokio::time::sleep(LINGER).await;
        }
    }

    /// False when it failed.
    async fn exchange(&self) -> bool {
        let Some(page) = self.book().take() else { return true };
        let result = self.state.exchange_intents(&self.owner, page.exchange.clone(), &self.backups, now()).await;
        if matches!(result, Ok(recorded) if recorded > 0) {
            (self.recorded)();
        }
        let succeeded = result.is_ok();
        self.book().done(page, result.map(drop).map_err(|error| error.to_string()));
        if self.book().leftover() > 0 {
            self.over.notify_one();
        }
        succeeded
    }

    async fn bury(&self) {
        match self.state.bury_dead(&self.owner, &self.backups, now()).await {
            Ok(0) => {}
            Ok(_) => (self.recorded)(),
            Err(error) => tracing::warn!(%error, "what dead processes left could not be looked through"),
        }
    }
}

#[async_trait::async_trait]
impl Promise for Left {
    async fn durable(&mut self) -> Result<(), MissError> {
        for (_, verdict) in &mut self.entries {
            let decided = verdict.wait_for(|verdict| *verdict != Verdict::Open).await;
            match decided.as_deref() {
                Ok(Verdict::Written) => {}
                Ok(Verdict::Failed(why)) => return Err(MissError(why.clone())),
                Ok(Verdict::Open) | Err(_) => return Err(MissError("the proxy is stopping".to_owned())),
            }
        }
        let mut book = self.shared.book();
        self.entries.iter().for_each(|(seq, _)| book.commits(*seq, true));
        self.durable = true;
        Ok(())
    }

    fn over(&mut self, broken: bool) {
        let mut book = self.shared.book();
        let before = book.leftover();
        let mut now = before;
        for (seq, _) in self.entries.drain(..) {
            if self.durable {
                book.commits(seq, false);
            }
            now = book.end(seq, broken);
        }
        drop(book);
        if (before == 0 && now > 0) || (before < MANY && now >= MANY) {
            self.shared.over.notify_one();
        }
    }
}

fn now() -> i64 {
    clock::now().unix_timestamp()
}

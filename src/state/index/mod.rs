//! The ETag index: which plain ETag belongs to a sealed one. A cache that listings ask; never the truth.
//!
//! [`queue`] holds what was noted and not yet written (listings see it at once), [`store`] is the file, and the task
//! here carries the one to the other.
mod queue;
mod store;

use super::database::Database;
use super::{IndexEntry, StateError};
use crate::s3::{BucketName, ObjectKey, PlainETag, SealedETag};
use queue::Queue;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// (key, sealed ETag) to plain ETag.
pub(super) type Known = HashMap<(String, SealedETag), PlainETag>;

/// How long a note may wait for company.
const PATIENCE: Duration = Duration::from_millis(100);
/// Rows in one transaction; so many notes are not made to wait.
const BATCH: usize = 1000;

/// The index. Its task ends when this is dropped.
pub(super) struct Index {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    queue: Queue,
    store: Store,
    /// Something was noted.
    noted: Notify,
    /// A batch is full.
    full: Notify,
    /// One flush at a time.
    flushing: tokio::sync::Mutex<()>,
}

// === impl Index ===

impl Index {
    /// Opens or creates the file; a damaged one is replaced.
    pub(super) async fn open(folder: &Path) -> Result<Self, StateError> {
        Ok(Self::start(Store::open(folder).await?))
    }

    /// Over tables of a shared database.
    pub(super) fn shared(database: Database) -> Self {
        Self::start(Store::shared(database))
    }

    fn start(store: Store) -> Self {
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            store,
            noted: Notify::new(),
            full: Notify::new(),
            flushing: tokio::sync::Mutex::new(()),
        });
        let stop = CancellationToken::new();
        tokio::spawn(write_behind(shared.clone(), stop.clone()));
        Self { shared, _stop: stop.drop_guard() }
    }

    pub(super) fn note(&self, bucket: &BucketName, key: &ObjectKey, entry: IndexEntry) {
        let waiting = self.shared.queue.add(bucket, key, entry);
        match waiting {
            1 => self.shared.noted.notify_one(),
            BATCH => self.shared.full.notify_one(),
            _ => {}
        }
    }

    pub(super) async fn known(&self, bucket: &BucketName, first: &str, last: &str) -> Result<Known, StateError> {
        // The queue first: a note that is written between the two reads is then seen twice and not never.
        let mut queued = Known::new();
        self.shared.queue.range(bucket, first, last, &mut queued);
        let mut known = self.shared.store.range(bucket, first, last).await?;
        known.extend(queued);
        Ok(known)
    }

    pub(super) async fn known_of(&self, bucket: &BucketName, keys: &[&str]) -> Result<Known, StateError> {
        let mut queued = Known::new();
        for key in keys {
            self.shared.queue.range(bucket, key, key, &mut queued);
        }
        let mut known = self.shared.store.of(bucket, keys).await?;
        known.extend(queued);
        Ok(known)
    }

    /// Writes what is queued and closes the file.
    pub(super) async fn close(&self) {
        self.shared.flush().await;
        self.shared.store.close().await;
    }
}

// === impl Shared ===

impl Shared {
    /// What cannot be written is dropped: it is a cache, and memory must stay bounded while a disk is full.
    async fn flush(&self) {
        let _one = self.flushing.lock().await;
        let notes = self.queue.take();
        if let Err(error) = self.store.write(&notes).await {
            tracing::warn!(%error, notes = notes.len(), "the ETag index could not be written; listings will be slower");
        }
        self.queue.written();
    }
}

async fn write_behind(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = shared.noted.notified() => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(PATIENCE) => {}
            () = shared.full.notified() => {}
            () = stop.cancelled() => return,
        }
        shared.flush().await;
    }
}

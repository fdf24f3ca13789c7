//! Sealed ETag to plain ETag, so that a listing needs no trailers. A cache: losing it costs trailer reads and nothing else.
//!
//! Notes are written behind, up to [`BATCH`] at a time. What is still queued is answered from memory, so that a listing right after a
//! write finds it.
use super::{IndexEntry, State, StateError};
use crate::s3::{BucketName, ObjectKey, PlainETag, SealedETag};
use sqlx::Row;
use sqlx::sqlite::SqlitePool;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Rows a transaction.
const BATCH: usize = 1_000;
/// Notes that may wait; beyond that they are dropped, and listings read the trailer instead.
const QUEUE: usize = 50_000;
/// How long a note waits for company.
const LINGER: Duration = Duration::from_millis(100);
/// Sealed ETags kept a key: the newest, and the one that a lagging site may still show.
const KEPT: i64 = 2;

type Name = (String, String, SealedETag);

pub(super) struct Index {
    queued: Mutex<BTreeMap<Name, PlainETag>>,
    wake: Notify,
    stopping: std::sync::atomic::AtomicBool,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl State {
    /// Queued, written behind in batches; dropped when the queue is full.
    pub fn note(&self, bucket: &BucketName, key: &ObjectKey, entry: IndexEntry) {
        let mut queued = self.index.queue();
        if queued.len() < QUEUE {
            if queued.is_empty() {
                self.index.wake.notify_one();
            }
            queued.insert((bucket.as_str().to_owned(), key.as_str().to_owned(), entry.sealed_etag), entry.etag);
        }
    }

    /// What is known of the keys from `first` to `last` (inclusive), by (key, sealed ETag).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn known(
        &self,
        bucket: &BucketName,
        first: &str,
        last: &str,
    ) -> Result<HashMap<(String, SealedETag), PlainETag>, StateError> {
        let queued: Vec<_> = {
            let queue = self.index.queue();
            let of_bucket = queue.range((bucket.as_str().to_owned(), first.to_owned(), SealedETag::from_backend(""))..);
            let of_bucket = of_bucket.take_while(|((b, key, _), _)| b == bucket.as_str() && key.as_str() <= last);
            of_bucket.map(|((_, key, sealed), etag)| ((key.clone(), sealed.clone()), etag.clone())).collect()
        };
        let query = sqlx::query("SELECT key, sealed_etag, etag FROM etags WHERE bucket = ? AND key >= ? AND key <= ?");
        let rows = query.bind(bucket.as_str()).bind(first).bind(last).fetch_all(&self.readers).await;
        let rows = rows.map_err(|error| StateError::new("reading the ETag index", &error))?;
        let stored = rows.into_iter().filter_map(|row| {
            let etag = PlainETag::parse(row.get("etag"))?;
            Some(((row.get("key"), SealedETag::from_backend(row.get("sealed_etag"))), etag))
        });
        Ok(stored.chain(queued).collect())
    }
}

// === impl Index ===

impl Index {
    pub(super) fn start(writer: SqlitePool) -> Arc<Self> {
        let index = Arc::new(Self {
            queued: Mutex::default(),
            wake: Notify::new(),
            stopping: std::sync::atomic::AtomicBool::new(false),
            task: Mutex::default(),
        });
        let task = tokio::spawn(Arc::clone(&index).run(writer));
        *index.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        index
    }

    /// Writes what is queued and ends.
    pub(super) async fn stop(&self) {
        self.stopping.store(true, std::sync::atomic::Ordering::Release);
        self.wake.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, PlainETag>> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>, writer: SqlitePool) {
        loop {
            let stopping = self.stopping.load(std::sync::atomic::Ordering::Acquire);
            let batch: Vec<_> =
                self.queue().iter().take(BATCH).map(|(name, etag)| (name.clone(), etag.clone())).collect();
            if batch.is_empty() {
                if stopping {
                    return;
                }
                self.wake.notified().await;
                if !self.stopping.load(std::sync::atomic::Ordering::Acquire) {
                    tokio::time::sleep(LINGER).await;
                }
                continue;
            }
            if let Err(error) = write(&writer, &batch).await {
                tracing::warn!(%error, "the ETag index could not be written; listings read trailers instead");
                if stopping {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let mut queued = self.queue();
            for (name, etag) in &batch {
                // Noted anew meanwhile: that one is still to be written.
                if queued.get(name) == Some(etag) {
                    queued.remove(name);
                }
            }
        }
    }
}

async fn write(writer: &SqlitePool, batch: &[(Name, PlainETag)]) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin().await?;
    for ((bucket, key, sealed), etag) in batch {
        let next = "INSERT OR REPLACE INTO etags VALUES
            (?1, ?2, ?3, ?4, (SELECT coalesce(max(noted), 0) + 1 FROM etags WHERE bucket = ?1 AND key = ?2))";
        sqlx::query(next)
            .bind(bucket)
            .bind(key)
            .bind(sealed.as_str())
            .bind(etag.as_str())
            .execute(&mut *transaction)
            .await?;
        let old = "DELETE FROM etags WHERE bucket = ?1 AND key = ?2
            AND noted <= (SELECT max(noted) - ?3 FROM etags WHERE bucket = ?1 AND key = ?2)";
        sqlx::query(old).bind(bucket).bind(key).bind(KEPT).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

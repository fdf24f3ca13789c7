//! [`State`]: opening, closing, and the doors to the two files.
use super::IndexEntry;
use super::database::{Database, Engine};
use super::error::{StateError, is_damage};
use super::folder;
use super::index::Index;
use super::schema::{self, MigrateError};
use super::writer::Writer;
use crate::s3::{BucketName, ObjectKey, PlainETag, SealedETag};
use crate::secret::SecretText;
use sqlx::AnyPool;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The file that must not be lost.
const STATE_FILE: &str = "state.sqlite3";

/// The open state. Cheap to clone.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

/// Where the state lives.
pub(super) enum Home {
    /// Files of this machine.
    Folder(PathBuf),
    /// A database of several proxies, and how long each is believed to live without a sign.
    Shared(Duration),
}

struct Inner {
    home: Home,
    database: Database,
    writer: Writer,
    index: Index,
    /// How often something was (or may have been) added to the journal.
    recorded: AtomicU64,
    /// The value of `recorded` at which the journal was last seen to be empty.
    empty_as_of: AtomicU64,
    /// How often a change that a backup accepted was (or may have been) recorded here.
    homes: AtomicU64,
    /// The value of `homes` at which none was seen to be open.
    no_homes_as_of: AtomicU64,
    /// Others who share the state may record some, too.
    expects_homes: AtomicBool,
}

// === impl State ===

impl State {
    /// Opens or creates `folder/state.sqlite3` and `folder/index.sqlite3` (folder 0700, files 0600).
    ///
    /// # Errors
    /// When the folder cannot be used; when `state.sqlite3` is damaged (it is never thrown away) or was written by a
    /// newer build. A damaged index is replaced by an empty one.
    pub async fn open(folder: &Path) -> Result<Self, StateError> {
        folder::prepare(folder)?;
        folder::prepare_file(folder, STATE_FILE)?;
        let path = folder.join(STATE_FILE);
        let opened = Database::open(&path, true, &schema::STATE).await;
        let database = opened.map_err(|error| refusal(&path, error))?;
        check(&path, &database).await?;
        let index = Index::open(folder).await?;
        Ok(Self::over(Home::Folder(folder.to_owned()), database, index))
    }

    /// Connects to a PostgreSQL that several proxies share. `lease`: a process that has not been heard of for so long is dead,
    /// and what it was at is taken over.
    ///
    /// # Errors
    /// When it cannot be reached, or was written by a newer build. The address, which may hold a password, is in no error.
    pub async fn connect(url: &SecretText, lease: Duration) -> Result<Self, StateError> {
        let refused = |error: MigrateError| match error {
            MigrateError::Newer(error) => error,
            MigrateError::Sql(sqlx::Error::Configuration(_)) => {
                StateError("the address of the database is not of the form postgres://user@host:port/name".to_owned())
            }
            MigrateError::Sql(error) => StateError(format!("the shared database: {error}")),
        };
        let database = Database::connect(url.expose(), &schema::STATE).await.map_err(refused)?;
        let tables = Database::connect(url.expose(), &schema::SHARED_INDEX).await.map_err(refused)?;
        Ok(Self::over(Home::Shared(lease), database, Index::shared(tables)))
    }

    fn over(home: Home, database: Database, index: Index) -> Self {
        let writer = Writer::start(database.clone());
        let (recorded, empty_as_of) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let expects_homes = AtomicBool::new(false);
        let (homes, no_homes_as_of) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let inner =
            Inner { home, database, writer, index, recorded, empty_as_of, homes, no_homes_as_of, expects_homes };
        Self { inner: Arc::new(inner) }
    }

    /// True when other proxies may use it, too.
    pub fn is_shared(&self) -> bool {
        matches!(self.inner.home, Home::Shared(_))
    }

    pub(super) fn home(&self) -> &Home {
        &self.inner.home
    }

    pub(super) fn engine(&self) -> Engine {
        self.inner.database.engine
    }

    /// Writes behind what is queued and closes. Later calls fail.
    pub async fn close(&self) {
        self.inner.index.close().await;
        self.inner.database.close().await;
    }

    pub(super) fn recorded(&self) -> &AtomicU64 {
        &self.inner.recorded
    }

    pub(super) fn empty_as_of(&self) -> &AtomicU64 {
        &self.inner.empty_as_of
    }

    /// Every process that shares this state may record that a backup accepted a change: all of them are asked each time.
    pub fn expect_homes(&self) {
        self.inner.expects_homes.store(true, Ordering::Relaxed);
    }

    pub(super) fn expects_homes(&self) -> bool {
        self.is_shared() && self.inner.expects_homes.load(Ordering::Relaxed)
    }

    pub(super) fn homes(&self) -> &AtomicU64 {
        &self.inner.homes
    }

    pub(super) fn no_homes_as_of(&self) -> &AtomicU64 {
        &self.inner.no_homes_as_of
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    pub(super) fn readers(&self) -> &AnyPool {
        &self.inner.database.readers
    }

    /// Tells the index. Queued, written behind in batches; dropped when the queue is full. Never blocks.
    pub fn note(&self, bucket: &BucketName, key: &ObjectKey, entry: IndexEntry) {
        self.inner.index.note(bucket, key, entry);
    }

    /// What is known of the keys from `first` to `last` (inclusive, in order of bytes), by (key, sealed ETag). At most
    /// 20,000 rows are read: for a page of a listing with a delimiter, whose range may span any number of keys that
    /// are not on it, ask [`State::known_of`].
    ///
    /// # Errors
    /// When the index cannot be read; the caller may go on as if nothing were known.
    pub async fn known(
        &self,
        bucket: &BucketName,
        first: &str,
        last: &str,
    ) -> Result<HashMap<(String, SealedETag), PlainETag>, StateError> {
        self.inner.index.known(bucket, first, last).await
    }

    /// What is known of exactly these keys, by (key, sealed ETag).
    ///
    /// # Errors
    /// As [`State::known`].
    pub async fn known_of(
        &self,
        bucket: &BucketName,
        keys: &[&str],
    ) -> Result<HashMap<(String, SealedETag), PlainETag>, StateError> {
        self.inner.index.known_of(bucket, keys).await
    }
}

/// Reads the whole file once: damage is better met now than in the middle of a Complete.
async fn check(path: &Path, database: &Database) -> Result<(), StateError> {
    let found: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&database.readers).await;
    match found {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(damaged(path, &verdict)),
        Err(error) => Err(refusal(path, MigrateError::Sql(error))),
    }
}

fn refusal(path: &Path, error: MigrateError) -> StateError {
    match error {
        MigrateError::Newer(StateError(text)) => StateError(format!("{}: {text}", path.display())),
        MigrateError::Sql(error) if is_damage(&error) => damaged(path, &error.to_string()),
        MigrateError::Sql(error) => StateError(format!("{}: {error}", path.display())),
    }
}

fn damaged(path: &Path, detail: &str) -> StateError {
    let path = path.display();
    StateError(format!(
        "{path} is damaged ({detail}). It holds the journal of what the backups still lack and the multipart uploads \
         in progress, so it is not thrown away by itself. Put it back from a copy, or rescue it with \
         `sqlite3 {path} .recover | sqlite3 rescued.sqlite3`, or move it (with -wal and -shm) aside: the proxy then \
         starts with an empty journal, uploads in progress are lost, and the backups must be compared with the primary."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Upload;

    fn upload(id: u32) -> Upload {
        Upload {
            id: id.to_string(),
            bucket: BucketName::parse("bucket").expect("a name"),
            key: ObjectKey::parse("key").expect("a key"),
            wrapped: vec![1; 600],
            sites: Vec::new(),
            metadata_tag: None,
            checksum_algorithm: String::new(),
            checksum_type: String::new(),
            initiator: String::new(),
            created_at: 0,
            extra: "x".repeat(4000),
        }
    }

    /// `max_page_count` makes SQLite answer `SQLITE_FULL` as a full disk does
    /// (<https://www.sqlite.org/pragma.html#pragma_max_page_count>).
    async fn limit_pages(state: &State, pages: &'static str) {
        sqlx::query(pages).execute(&state.inner.database.writer).await.expect("a pragma");
    }

    #[tokio::test]
    async fn what_an_older_build_wrote_comes_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(STATE_FILE);
        folder::prepare_file(folder.path(), STATE_FILE).expect("a file");
        let older = schema::Schema { version: schema::STATE.version, steps: &schema::STATE.steps[..2] };
        let database = Database::open(&path, true, &older).await.ok().expect("a file of the second version");
        let row = "INSERT INTO misses (generation, site, bucket, object_key, reason, attempts, recorded_at, not_before,
            last_error, bytes, parked, retain_until) VALUES (3, 'backup', 'bucket', x'6b6579', 'down', 2, 10, 20, '', 7, 'denied', 0)";
        sqlx::query(row).execute(&database.writer).await.expect("a row");
        database.close().await;

        let state = State::open(folder.path()).await.expect("a state");
        let parked = state.resting(false, 10).await.expect("rows");
        let [one] = &parked[..] else { panic!("{parked:?}") };
        assert_eq!((one.reason.as_str(), one.row.site.as_str()), ("denied", "backup"));
        assert_eq!((one.row.generation, one.row.attempts, one.row.bytes), (3, 2, 7));
        assert_eq!(one.row.key.as_ref().map(ObjectKey::as_str), Some("key"));
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_that_passes_with_its_cause() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(folder.path()).await.expect("opens");
        limit_pages(&state, "PRAGMA max_page_count = 40").await;
        let mut written = 0;
        let error = loop {
            match state.create_upload(&upload(written)).await {
                Ok(()) => written += 1,
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("full"), "{error}");
        assert_eq!(state.upload(&written.to_string()).await.expect("readable"), None, "all or nothing");
        limit_pages(&state, "PRAGMA max_page_count = 4000").await;
        state.create_upload(&upload(written)).await.expect("recovers without a restart");
    }
}

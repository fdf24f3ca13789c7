//! One SQLite file: one writing connection, a pool of readers.
use super::schema::{MigrateError, Schema, migrate};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// How long a statement waits for another process's lock before it fails.
const BUSY: Duration = Duration::from_secs(5);
/// How long a task waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(15);
/// SQLite readers run on a thread each; more would only wait for the same disk.
const READERS: u32 = 4;
/// Rows that wait between SQLite's thread and the task that asked: a page of a listing at once. With few, the two keep
/// waking each other, which was a quarter of a listing's time.
const ROWS: usize = 1024;

/// The pools of one file.
#[derive(Clone)]
pub(super) struct Database {
    /// Exactly one connection.
    pub(super) writer: SqlitePool,
    /// Read-only by convention, so that they never wait for the writer (WAL).
    pub(super) readers: SqlitePool,
}

// === impl Database ===

impl Database {
    /// Opens the file, which must exist (it may be empty), and brings its tables forward.
    pub(super) async fn open(
        path: &Path,
        synchronous: SqliteSynchronous,
        schema: &Schema,
    ) -> Result<Self, MigrateError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(BUSY)
            .row_buffer_size(ROWS)
            .foreign_keys(true);
        let writer = pool(1).connect_lazy_with(options.clone());
        migrate(&mut *writer.acquire().await?, schema).await?;
        Ok(Self { writer, readers: pool(READERS).connect_lazy_with(options) })
    }

    /// Closes every connection; the last one folds the write-ahead log into the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(size).acquire_timeout(ACQUIRE).max_lifetime(None)
}

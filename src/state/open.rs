//! The database file: its permissions, its schema, its connections.
use super::StateError;
use super::index::Index;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The open state. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// One connection: SQLite has one writer, and waiting in our queue is fairer than in its busy loop.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    pub(super) index: Arc<Index>,
}

/// Each step brings the schema from its number to the next; a step is never changed once released.
const STEPS: [&[&str]; 1] = [&[
    "CREATE TABLE uploads (
        id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, wrapped BLOB NOT NULL, metadata_tag BLOB,
        checksum_algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, initiator TEXT NOT NULL,
        created_at INTEGER NOT NULL, extra TEXT NOT NULL)",
    "CREATE INDEX uploads_by_key ON uploads (bucket, key, id)",
    "CREATE TABLE upload_sites (
        upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, site TEXT NOT NULL, site_upload TEXT NOT NULL,
        position INTEGER NOT NULL, PRIMARY KEY (upload, site))",
    "CREATE TABLE parts (
        upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, part_number INTEGER NOT NULL, record BLOB NOT NULL,
        plain_len INTEGER NOT NULL, etags TEXT NOT NULL, staged_key TEXT, written_at INTEGER NOT NULL,
        PRIMARY KEY (upload, part_number))",
    "CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, bucket TEXT NOT NULL, key TEXT NOT NULL,
        generation INTEGER NOT NULL, attempts INTEGER NOT NULL, recorded_at INTEGER NOT NULL, not_before INTEGER NOT NULL,
        reason TEXT NOT NULL, UNIQUE (site, bucket, key))",
    "CREATE INDEX journal_by_time ON journal (not_before)",
    "CREATE TABLE etags (
        bucket TEXT NOT NULL, key TEXT NOT NULL, sealed_etag TEXT NOT NULL, etag TEXT NOT NULL, noted INTEGER NOT NULL,
        PRIMARY KEY (bucket, key, sealed_etag)) WITHOUT ROWID",
]];

impl State {
    /// Opens or creates `folder/state.sqlite3` (folder 0700, file 0600).
    ///
    /// # Errors
    /// When the folder or file cannot be made, is damaged, or was written by a newer version.
    pub async fn open(folder: &Path) -> Result<Self, StateError> {
        let file = folder.join("state.sqlite3");
        let named =
            |what: &str, error: &dyn std::fmt::Display| StateError(format!("{what} {}: {error}", file.display()));
        private(folder, &file).map_err(|error| named("cannot make", &error))?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = |connections| {
            SqlitePoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(30))
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| named("cannot open", &error))?;
        migrate(&writer).await?;
        let readers = pool(4).connect_with(options).await.map_err(|error| named("cannot open", &error))?;
        let index = Index::start(writer.clone());
        Ok(Self { writer, readers, index })
    }

    /// Writes behind what is queued and closes.
    pub async fn close(&self) {
        self.index.stop().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Folder and file exist and are nobody else's. SQLite gives its side files the permissions of the main one.
fn private(folder: &Path, file: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
}

async fn migrate(writer: &SqlitePool) -> Result<(), StateError> {
    let failed = |error: sqlx::Error| StateError::new("bringing the schema up to date", &error);
    let mut transaction = writer.begin().await.map_err(failed)?;
    let create = sqlx::query("CREATE TABLE IF NOT EXISTS schema (version INTEGER NOT NULL)");
    create.execute(&mut *transaction).await.map_err(failed)?;
    let version: Option<i64> =
        sqlx::query_scalar("SELECT version FROM schema").fetch_optional(&mut *transaction).await.map_err(failed)?;
    let done = usize::try_from(version.unwrap_or(0)).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(StateError(format!(
            "the schema is version {done}; this build knows {}: use a newer build",
            STEPS.len()
        )));
    }
    for statement in STEPS.iter().skip(done).copied().flatten().copied() {
        sqlx::query(statement).execute(&mut *transaction).await.map_err(failed)?;
    }
    let note =
        if version.is_some() { "UPDATE schema SET version = ?" } else { "INSERT INTO schema (version) VALUES (?)" };
    sqlx::query(note).bind(STEPS.len() as i64).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

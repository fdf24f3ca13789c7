//! The tables, as a list of steps that only ever grows: a file of any age is brought forward at open.
use super::StateError;
use sqlx::{Connection, SqliteConnection};

/// The steps of one file. Step `n` leads to version `n + 1`.
pub(super) struct Schema {
    pub(super) steps: &'static [&'static str],
}

/// Uploads, parts and the journal. `AUTOINCREMENT`: the id of a settled miss must never come again, since settling
/// names a row by id and generation. Keys are bytes: their order is S3's, and no collation interferes.
pub(super) const STATE: Schema = Schema {
    steps: &["
    CREATE TABLE uploads (
        id TEXT NOT NULL PRIMARY KEY,
        bucket TEXT NOT NULL,
        object_key BLOB NOT NULL,
        wrapped BLOB NOT NULL,
        sites TEXT NOT NULL,
        metadata_tag BLOB,
        checksum_algorithm TEXT NOT NULL,
        checksum_type TEXT NOT NULL,
        initiator TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        extra TEXT NOT NULL
    );
    CREATE INDEX uploads_in_order ON uploads (bucket, object_key, id);
    CREATE TABLE parts (
        upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
        part_number INTEGER NOT NULL,
        record BLOB NOT NULL,
        plain_len BIGINT NOT NULL,
        etags TEXT NOT NULL,
        staged_key TEXT,
        written_at BIGINT NOT NULL,
        PRIMARY KEY (upload_id, part_number)
    );
    CREATE TABLE misses (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        generation BIGINT NOT NULL,
        site TEXT NOT NULL,
        bucket TEXT NOT NULL,
        object_key BLOB NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        recorded_at BIGINT NOT NULL,
        not_before BIGINT NOT NULL,
        last_error TEXT NOT NULL,
        UNIQUE (bucket, object_key, site)
    );
    CREATE INDEX misses_due ON misses (not_before, id);
    CREATE INDEX misses_of_site ON misses (site, not_before, id);
    CREATE INDEX misses_age ON misses (recorded_at);
    "],
};

/// The ETag index: one row a key, its two newest sealed forms side by side. Rows are numbered as they come, so that the
/// lowest ids are the oldest keys and `max(id) - min(id)` bounds the number of rows without counting them.
pub(super) const INDEX: Schema = Schema {
    steps: &["
    CREATE TABLE etags (
        id INTEGER PRIMARY KEY,
        bucket TEXT NOT NULL,
        object_key BLOB NOT NULL,
        sealed TEXT NOT NULL,
        plain TEXT NOT NULL,
        older_sealed TEXT,
        older_plain TEXT,
        UNIQUE (bucket, object_key)
    );
    "],
};

/// Brings the file forward.
///
/// # Errors
/// [`StateError`] for a file that a newer build has written.
pub(super) async fn migrate(connection: &mut SqliteConnection, schema: &Schema) -> Result<(), MigrateError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM schema_version").fetch_optional(&mut *transaction).await?;
    let known = schema.steps.len();
    let done = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
    let Some(missing) = schema.steps.get(done..) else {
        let text = format!("the file has schema version {done}, this build knows {known}: start a newer build");
        return Err(MigrateError::Newer(StateError(text)));
    };
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
    }
    sqlx::query("DELETE FROM schema_version").execute(&mut *transaction).await?;
    let version = i64::try_from(known).unwrap_or(i64::MAX);
    sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(version).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Why a file could not be brought forward.
pub(super) enum MigrateError {
    Newer(StateError),
    Sql(sqlx::Error),
}

// === impl MigrateError ===

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

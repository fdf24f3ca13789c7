//! The tables, as a list of steps that only ever grows: a file of any age is brought forward at open.
use super::StateError;
use super::database::{Connection, Engine, Statement};
use sqlx::Row as _;

/// The steps of one set of tables. Step `n` leads to version `n + 1`.
pub(super) struct Schema {
    /// The table that holds the version.
    pub(super) version: &'static str,
    pub(super) steps: &'static [&'static str],
}

/// What PostgreSQL calls what SQLite calls otherwise. Texts are compared byte by byte, as SQLite does it.
const POSTGRES: [(&str, &str); 4] = [
    ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("INTEGER PRIMARY KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    (" BLOB", " BYTEA"),
    (" TEXT", " TEXT COLLATE \"C\""),
];
/// Only one process at a time brings a shared database forward.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(7235419072431)";

/// Uploads, parts, the journal, intents, what was sealed under each key, and what clients made public. `AUTOINCREMENT`: the id of a settled miss must never come again, since settling
/// names a row by id and generation. Keys are bytes: their order is S3's, and no collation interferes.
pub(super) const STATE: Schema = Schema {
    version: "schema_version",
    steps: &[
        "
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
    ",
        "
    CREATE TABLE owners (
        id TEXT NOT NULL PRIMARY KEY,
        expires_at BIGINT NOT NULL
    );
    CREATE TABLE intents (
        owner TEXT NOT NULL,
        seq BIGINT NOT NULL,
        bucket TEXT NOT NULL,
        object_key BLOB NOT NULL,
        retain_until BIGINT NOT NULL,
        contested BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (owner, seq)
    );
    CREATE INDEX intents_of_key ON intents (bucket, object_key);
    ALTER TABLE misses ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE misses ADD COLUMN parked TEXT NOT NULL DEFAULT '';
    ALTER TABLE misses ADD COLUMN retain_until BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE misses ADD COLUMN retained BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE misses ADD COLUMN leased_by TEXT NOT NULL DEFAULT '';
    ",
        // A key may be damaged at a site and missed by it at the same time: two rows, so the table is made anew.
        "
    DROP INDEX misses_due;
    DROP INDEX misses_of_site;
    DROP INDEX misses_age;
    ALTER TABLE misses RENAME TO misses_before;
    CREATE TABLE misses (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        generation BIGINT NOT NULL,
        site TEXT NOT NULL,
        bucket TEXT NOT NULL,
        object_key BLOB NOT NULL,
        damaged BIGINT NOT NULL DEFAULT 0,
        home_from TEXT NOT NULL DEFAULT '',
        home_gone BIGINT NOT NULL DEFAULT 0,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        recorded_at BIGINT NOT NULL,
        not_before BIGINT NOT NULL,
        last_error TEXT NOT NULL,
        bytes BIGINT NOT NULL DEFAULT 0,
        parked TEXT NOT NULL DEFAULT '',
        retain_until BIGINT NOT NULL DEFAULT 0,
        retained BIGINT NOT NULL DEFAULT 0,
        leased_by TEXT NOT NULL DEFAULT '',
        UNIQUE (bucket, object_key, site, damaged)
    );
    INSERT INTO misses (generation, site, bucket, object_key, reason, attempts, recorded_at, not_before, last_error,
        bytes, parked, retain_until, retained, leased_by)
        SELECT generation, site, bucket, object_key, reason, attempts, recorded_at, not_before, last_error,
        bytes, parked, retain_until, retained, leased_by FROM misses_before ORDER BY id;
    DROP TABLE misses_before;
    CREATE INDEX misses_due ON misses (not_before, id);
    CREATE INDEX misses_of_site ON misses (site, not_before, id);
    CREATE INDEX misses_age ON misses (recorded_at);
    CREATE INDEX misses_home ON misses (home_from);
    ",
        "
    CREATE TABLE key_usage (
        vault_key TEXT NOT NULL,
        version BIGINT NOT NULL,
        objects BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        PRIMARY KEY (vault_key, version)
    );
    ",
        // The empty key is the bucket itself.
        "
    CREATE TABLE published (
        bucket TEXT NOT NULL,
        object_key BLOB NOT NULL,
        PRIMARY KEY (bucket, object_key)
    );
    ",
    ],
};

/// The ETag index: one row a key, its two newest sealed forms side by side. Rows are numbered as they come, so that the
/// lowest ids are the oldest keys and `max(id) - min(id)` bounds the number of rows without counting them.
pub(super) const INDEX: Schema = Schema { version: "schema_version", steps: INDEX_STEPS };

/// The same beside the other tables in one database.
pub(super) const SHARED_INDEX: Schema = Schema { version: "index_schema_version", steps: INDEX_STEPS };

const INDEX_STEPS: &[&str] = &["
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
    "];

/// Brings the tables forward.
///
/// # Errors
/// [`StateError`] for a database that a newer build has written.
pub(super) async fn migrate(engine: Engine, connection: &mut Connection, schema: &Schema) -> Result<(), MigrateError> {
    let mut transaction = engine.begin(connection).await?;
    if engine == Engine::Postgres {
        sqlx::query(ONE_AT_A_TIME).execute(&mut *transaction).await?;
    }
    let table = schema.version;
    let create = format!("CREATE TABLE IF NOT EXISTS {table} (version BIGINT NOT NULL)");
    Statement::new(&create).query().execute(&mut *transaction).await?;
    let found = Statement::new(&format!("SELECT version FROM {table}")).query();
    let found: Option<i64> =
        found.fetch_optional(&mut *transaction).await?.map(|row| row.try_get("version")).transpose()?;
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
        for statement in step.split(';').filter(|statement| !statement.trim().is_empty()) {
            Statement::new(&engine.dialect(statement)).query().execute(&mut *transaction).await?;
        }
    }
    Statement::new(&format!("DELETE FROM {table}")).query().execute(&mut *transaction).await?;
    let mut version = Statement::new(&format!("INSERT INTO {table} (version) VALUES ("));
    version.push_bind(i64::try_from(known).unwrap_or(i64::MAX))?.push(")");
    version.query().execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

// === impl Engine ===

impl Engine {
    fn dialect(self, statement: &str) -> String {
        match self {
            Self::Sqlite => statement.to_owned(),
            Self::Postgres => {
                POSTGRES.iter().fold(statement.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
            }
        }
    }
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

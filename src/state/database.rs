//! The database of the state: a SQLite file, or a PostgreSQL that several proxies share. The SQL is the same for both.
use super::schema::{MigrateError, Schema, migrate};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyArguments, AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyConnection, AnyPool, Arguments, AssertSqlSafe, Connection as _, Encode, Transaction, Type};
use std::path::Path;
use std::time::Duration;

/// Whichever database it is.
pub(super) type Db = Any;
/// A connection to it.
pub(super) type Connection = AnyConnection;
/// A row of it.
pub(super) type Row = AnyRow;

/// How long a task waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(15);
/// SQLite readers run on a thread each; more would only wait for the same disk.
const FILE_READERS: u32 = 4;
/// Each is a process of the server.
const SHARED_READERS: u32 = 8;

/// A file waits 5 seconds for another process's lock. `FULL`: on disk when a commit returns.
const FULL: &[&str] = &[
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
];
/// As [`FULL`], but a power cut may lose the last commits.
const NORMAL: &[&str] = &[
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
];
/// Nothing may hang: a statement that takes so long is an outage.
const SHARED: &[&str] = &["SET statement_timeout = '15s'", "SET lock_timeout = '10s'", "SET synchronous_commit = on"];

/// What may stand in a path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// The pools of one database.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) engine: Engine,
    /// Exactly one connection.
    pub(super) writer: AnyPool,
    /// Read-only by convention, so that they never wait for the writer.
    pub(super) readers: AnyPool,
}

/// SQL and its values, numbered as they come.
#[derive(Default)]
pub(super) struct Statement {
    sql: String,
    arguments: AnyArguments,
}

// === impl Database ===

impl Database {
    /// Opens the file, which must exist (it may be empty), and brings its tables forward. `durable`: a commit that
    /// returned survives a power cut.
    pub(super) async fn open(path: &Path, durable: bool, schema: &Schema) -> Result<Self, MigrateError> {
        let path = path.to_string_lossy();
        let url = format!("sqlite://{}?mode=rw", utf8_percent_encode(&path, PATH));
        let first = if durable { FULL } else { NORMAL };
        Self::start(Engine::Sqlite, &url, FILE_READERS, first, schema).await
    }

    /// Connects to a PostgreSQL (15 or newer) and brings its tables forward.
    pub(super) async fn connect(url: &str, schema: &Schema) -> Result<Self, MigrateError> {
        Self::start(Engine::Postgres, url, SHARED_READERS, SHARED, schema).await
    }

    async fn start(
        engine: Engine,
        url: &str,
        readers: u32,
        first: &'static [&'static str],
        schema: &Schema,
    ) -> Result<Self, MigrateError> {
        sqlx::any::install_default_drivers();
        // By itself at first: what is wrong with a file is this connection's error, where a pool tries until its time is over.
        let mut connection = Connection::connect(url).await?;
        for statement in first {
            sqlx::query(*statement).execute(&mut connection).await?;
        }
        migrate(engine, &mut connection, schema).await?;
        connection.close().await?;
        let writer = pool(1, first).connect_lazy(url)?;
        Ok(Self { engine, writer, readers: pool(readers, first).connect_lazy(url)? })
    }

    /// Closes every connection; the last one of a file folds the write-ahead log into it.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

// === impl Engine ===

impl Engine {
    /// Begins a transaction that is going to write.
    pub(super) async fn begin(self, connection: &mut Connection) -> Result<Transaction<'_, Db>, sqlx::Error> {
        match self {
            Self::Sqlite => connection.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres => connection.begin().await,
        }
    }
}

// === impl Statement ===

impl Statement {
    pub(super) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), ..Self::default() }
    }

    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// A value, and its number in the text.
    ///
    /// # Errors
    /// Never for numbers, texts and bytes.
    pub(super) fn push_bind<'v, T>(&mut self, value: T) -> Result<&mut Self, sqlx::Error>
    where
        T: Encode<'v, Db> + Type<Db>,
    {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        self.sql.push_str(&format!("${}", self.arguments.len()));
        Ok(self)
    }

    /// Used once: not remembered by the connection.
    pub(super) fn query(self) -> sqlx::query::Query<'static, Db, AnyArguments> {
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments).persistent(false)
    }
}

fn pool(size: u32, first: &'static [&'static str]) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().max_connections(size).acquire_timeout(ACQUIRE).max_lifetime(None);
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            for statement in first {
                sqlx::query(*statement).execute(&mut *connection).await?;
            }
            Ok(())
        })
    })
}

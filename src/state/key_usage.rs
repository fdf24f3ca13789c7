//! How much was sealed under each version of each vault key: sums over all processes that share the state, and over their lives.
use super::database::{Connection, Row};
use super::{State, StateError};
use sqlx::Row as _;

/// A sum stays here instead of running over (2^62).
const MOST: i64 = 1 << 62;

const ADD: &str = "INSERT INTO key_usage (vault_key, version, objects, bytes) VALUES ($1, $2, $3, $4)
    ON CONFLICT (vault_key, version) DO UPDATE SET
    objects = CASE WHEN key_usage.objects > $5 - excluded.objects THEN $5 ELSE key_usage.objects + excluded.objects END,
    bytes = CASE WHEN key_usage.bytes > $5 - excluded.bytes THEN $5 ELSE key_usage.bytes + excluded.bytes END
    RETURNING vault_key, version, objects, bytes";

const ALL: &str = "SELECT vault_key, version, objects, bytes FROM key_usage";

/// What was sealed under one version, at most: what a process that was killed had counted ahead is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// The vault key's name.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// Data keys that were wrapped.
    pub objects: u64,
    /// Bytes of plaintext.
    pub bytes: u64,
}

impl State {
    /// Adds to what was sealed under a version of a key, or takes away again (numbers below zero); durable when it returns. The sum after it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn add_key_usage(
        &self,
        key: &str,
        version: u32,
        objects: i64,
        bytes: i64,
    ) -> Result<KeyUsage, StateError> {
        let key = key.to_owned();
        self.writer().run(move |connection| Box::pin(add(connection, key, version, objects, bytes))).await
    }

    /// What was sealed under every version of every key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn key_usage(&self) -> Result<Vec<KeyUsage>, StateError> {
        sqlx::query(ALL).fetch_all(self.readers()).await?.iter().map(read).collect()
    }
}

async fn add(
    connection: &mut Connection,
    key: String,
    version: u32,
    objects: i64,
    bytes: i64,
) -> Result<KeyUsage, StateError> {
    let query = sqlx::query(ADD).bind(key).bind(i64::from(version)).bind(objects.min(MOST)).bind(bytes.min(MOST));
    read(&query.bind(MOST).fetch_one(connection).await?)
}

fn read(row: &Row) -> Result<KeyUsage, StateError> {
    let count = |column: &str| row.try_get::<i64, _>(column).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(KeyUsage {
        key: row.try_get("vault_key")?,
        version: u32::try_from(row.try_get::<i64, _>("version")?).map_err(|_| StateError::unreadable("version"))?,
        objects: count("objects")?,
        bytes: count("bytes")?,
    })
}

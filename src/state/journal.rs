//! The journal: what a site missed, one row per (bucket, key, site), durable before anybody is told.
use super::uploads::{read_bucket, read_key};
use super::{Pending, State, StateError};
use crate::s3::{BucketName, ObjectKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// Texts for the operator are cut off here.
const TEXT: usize = 500;

/// Recorded again: the generation rises, so that whoever works on the row cannot settle it; its age and its
/// back-off stay, since the site has been behind (and perhaps down) all along.
const RECORD: &str = "INSERT INTO misses (generation, site, bucket, object_key, reason, attempts, recorded_at,
    not_before, last_error) VALUES (1, $1, $2, $3, $4, 0, $5, $5, '')
    ON CONFLICT (bucket, object_key, site) DO UPDATE SET generation = misses.generation + 1, reason = excluded.reason";

const DUE: &str = "SELECT id, generation, site, bucket, object_key, attempts, recorded_at FROM misses
    WHERE not_before <= $1 ORDER BY not_before, id LIMIT $2";

const DUE_FOR: &str = "SELECT id, generation, site, bucket, object_key, attempts, recorded_at FROM misses
    WHERE site = $1 AND not_before <= $2 ORDER BY not_before, id LIMIT $3";

const POSTPONE: &str = "UPDATE misses SET attempts = attempts + 1, not_before = $1, last_error = $2 WHERE id = $3";

impl State {
    /// Durable when it returns. The same (site, bucket, key) again raises the generation. `key: None`: the bucket
    /// itself. `now`: Unix seconds.
    ///
    /// # Errors
    /// When it cannot be written; nothing may be acknowledged then.
    pub async fn record_miss(
        &self,
        site: &str,
        bucket: &BucketName,
        key: Option<&ObjectKey>,
        reason: &str,
        now: i64,
    ) -> Result<(), StateError> {
        let (site, bucket, key) = (site.to_owned(), bucket.clone(), key.cloned());
        let reason = cut(reason);
        self.writer().run(move |connection| Box::pin(record(connection, site, bucket, key, reason, now))).await
    }

    /// Rows whose time has come, the longest due first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn due(&self, now: i64, limit: u32) -> Result<Vec<Pending>, StateError> {
        let rows = sqlx::query(DUE).bind(now).bind(i64::from(limit)).fetch_all(self.readers()).await?;
        rows.iter().map(read_pending).collect()
    }

    /// As [`State::due`], of one site.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn due_for(&self, site: &str, now: i64, limit: u32) -> Result<Vec<Pending>, StateError> {
        let query = sqlx::query(DUE_FOR).bind(site).bind(now).bind(i64::from(limit));
        query.fetch_all(self.readers()).await?.iter().map(read_pending).collect()
    }

    /// The sites that have rows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn sites_behind(&self) -> Result<Vec<String>, StateError> {
        Ok(sqlx::query_scalar("SELECT DISTINCT site FROM misses ORDER BY site").fetch_all(self.readers()).await?)
    }

    /// The earliest time (Unix seconds) at which a row is due, past or future; `None` when the journal is empty.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next_due(&self) -> Result<Option<i64>, StateError> {
        Ok(sqlx::query_scalar("SELECT min(not_before) FROM misses").fetch_one(self.readers()).await?)
    }

    /// Removes the row unless its generation moved on. True when removed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn settle(&self, pending: &Pending) -> Result<bool, StateError> {
        let (id, generation) = (pending.id, pending.generation);
        self.writer().run(move |connection| Box::pin(settle(connection, id, generation))).await
    }

    /// Not before `not_before` (Unix seconds) again; counts an attempt and keeps the error for the operator.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn postpone(&self, pending: &Pending, not_before: i64, error: &str) -> Result<(), StateError> {
        let (id, error) = (pending.id, cut(error));
        self.writer().run(move |connection| Box::pin(postpone(connection, id, not_before, error))).await
    }

    /// Makes every row of a site due at `now`: the site is back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn hasten(&self, site: &str, now: i64) -> Result<(), StateError> {
        let site = site.to_owned();
        self.writer().run(move |connection| Box::pin(hasten(connection, site, now))).await
    }

    /// (rows, oldest `recorded_at`).
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn backlog(&self) -> Result<(u64, Option<i64>), StateError> {
        let query = "SELECT count(*), min(recorded_at) FROM misses";
        let (rows, oldest): (i64, Option<i64>) = sqlx::query_as(query).fetch_one(self.readers()).await?;
        Ok((u64::try_from(rows).unwrap_or(0), oldest))
    }

    /// Whether this object is waiting for some site.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_pending(&self, bucket: &BucketName, key: &ObjectKey) -> Result<bool, StateError> {
        let query = "SELECT EXISTS (SELECT 1 FROM misses WHERE bucket = $1 AND object_key = $2)";
        let query = sqlx::query_scalar(query).bind(bucket.as_str()).bind(key.as_str().as_bytes());
        Ok(query.fetch_one(self.readers()).await?)
    }

    /// Whether the creation or deletion of this bucket itself is waiting for this site.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_bucket_pending(&self, site: &str, bucket: &BucketName) -> Result<bool, StateError> {
        let query = "SELECT EXISTS (SELECT 1 FROM misses WHERE bucket = $1 AND object_key = $2 AND site = $3)";
        let query = sqlx::query_scalar(query).bind(bucket.as_str()).bind(&[][..] as &[u8]).bind(site);
        Ok(query.fetch_one(self.readers()).await?)
    }
}

async fn record(
    connection: &mut SqliteConnection,
    site: String,
    bucket: BucketName,
    key: Option<ObjectKey>,
    reason: String,
    now: i64,
) -> Result<(), StateError> {
    let key = key.as_ref().map_or(&[][..], |key| key.as_str().as_bytes());
    let query = sqlx::query(RECORD).bind(site).bind(bucket.as_str()).bind(key).bind(reason).bind(now);
    query.execute(connection).await?;
    Ok(())
}

async fn settle(connection: &mut SqliteConnection, id: i64, generation: i64) -> Result<bool, StateError> {
    let query = sqlx::query("DELETE FROM misses WHERE id = $1 AND generation = $2").bind(id).bind(generation);
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

async fn postpone(
    connection: &mut SqliteConnection,
    id: i64,
    not_before: i64,
    error: String,
) -> Result<(), StateError> {
    sqlx::query(POSTPONE).bind(not_before).bind(error).bind(id).execute(connection).await?;
    Ok(())
}

async fn hasten(connection: &mut SqliteConnection, site: String, now: i64) -> Result<(), StateError> {
    let query = sqlx::query("UPDATE misses SET not_before = $1 WHERE site = $2 AND not_before > $1");
    query.bind(now).bind(site).execute(connection).await?;
    Ok(())
}

fn read_pending(row: &SqliteRow) -> Result<Pending, StateError> {
    let attempts: i64 = row.try_get("attempts")?;
    Ok(Pending {
        id: row.try_get("id")?,
        generation: row.try_get("generation")?,
        site: row.try_get("site")?,
        bucket: read_bucket(row)?,
        key: read_key(row)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        recorded_at: row.try_get("recorded_at")?,
    })
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

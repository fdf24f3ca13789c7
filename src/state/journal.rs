//! What a site missed, until it is there. An empty key stands for the bucket itself.
use super::uploads::bucket;
use super::{Pending, State, StateError};
use crate::s3::{BucketName, ObjectKey};
use sqlx::Row;

impl State {
    /// Durable when it returns. The same (site, bucket, key) again raises the generation, so that who is at work on the old one
    /// does not settle the new.
    ///
    /// # Errors
    /// When it is not durable: the write it belongs to must not be acknowledged.
    pub async fn record_miss(
        &self,
        site: &str,
        bucket: &BucketName,
        key: Option<&ObjectKey>,
        reason: &str,
        now: i64,
    ) -> Result<(), StateError> {
        let query = sqlx::query(
            "INSERT INTO journal (site, bucket, key, generation, attempts, recorded_at, not_before, reason)
             VALUES (?1, ?2, ?3, 1, 0, ?4, ?4, ?5)
             ON CONFLICT (site, bucket, key) DO UPDATE SET generation = generation + 1, not_before = ?4, reason = ?5",
        );
        let query =
            query.bind(site).bind(bucket.as_str()).bind(key.map_or("", ObjectKey::as_str)).bind(now).bind(reason);
        let done = query.execute(&self.writer).await;
        done.map(drop).map_err(|error| StateError::new("recording what a site missed", &error))
    }

    /// Rows whose time has come, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due(&self, now: i64, limit: u32) -> Result<Vec<Pending>, StateError> {
        let query = sqlx::query(
            "SELECT id, generation, site, bucket, key, attempts, recorded_at FROM journal WHERE not_before <= ?
             ORDER BY not_before, id LIMIT ?",
        );
        let rows = query.bind(now).bind(limit).fetch_all(&self.readers).await;
        let rows = rows.map_err(|error| StateError::new("reading the journal", &error))?;
        let pending = rows.into_iter().map(|row| {
            let key: &str = row.get("key");
            let key = (!key.is_empty()).then(|| ObjectKey::parse(key)).transpose();
            Ok(Pending {
                id: row.get("id"),
                generation: row.get("generation"),
                site: row.get("site"),
                bucket: bucket(row.get("bucket"))?,
                key: key.map_err(|_| StateError::row("key"))?,
                attempts: u32::try_from(row.get::<i64, _>("attempts")).unwrap_or(u32::MAX),
                recorded_at: row.get("recorded_at"),
            })
        });
        pending.collect()
    }

    /// Removes the row unless its generation moved on. True when removed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn settle(&self, pending: &Pending) -> Result<bool, StateError> {
        let query = sqlx::query("DELETE FROM journal WHERE id = ? AND generation = ?")
            .bind(pending.id)
            .bind(pending.generation);
        let done =
            query.execute(&self.writer).await.map_err(|error| StateError::new("settling the journal", &error))?;
        Ok(done.rows_affected() == 1)
    }

    /// Tries again not before `not_before`, unless it was recorded anew meanwhile.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn postpone(&self, pending: &Pending, not_before: i64, error: &str) -> Result<(), StateError> {
        let query = sqlx::query(
            "UPDATE journal SET attempts = attempts + 1, not_before = ?, reason = ? WHERE id = ? AND generation = ?",
        );
        let query = query.bind(not_before).bind(error).bind(pending.id).bind(pending.generation);
        let done = query.execute(&self.writer).await;
        done.map(drop).map_err(|error| StateError::new("postponing in the journal", &error))
    }

    /// How many rows there are, and when the oldest was recorded (Unix seconds).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn backlog(&self) -> Result<(u64, Option<i64>), StateError> {
        let row = sqlx::query("SELECT count(*) AS rows, min(recorded_at) AS oldest FROM journal")
            .fetch_one(&self.readers)
            .await;
        let row = row.map_err(|error| StateError::new("reading the journal", &error))?;
        Ok((row.get::<i64, _>("rows") as u64, row.get("oldest")))
    }

    /// Whether this object is waiting for some site.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_pending(&self, bucket: &BucketName, key: &ObjectKey) -> Result<bool, StateError> {
        let query = sqlx::query("SELECT 1 FROM journal WHERE bucket = ? AND key = ? LIMIT 1");
        let row = query.bind(bucket.as_str()).bind(key.as_str()).fetch_optional(&self.readers).await;
        row.map(|row| row.is_some()).map_err(|error| StateError::new("reading the journal", &error))
    }
}

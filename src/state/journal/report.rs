//! What is behind: for people, for metrics, and for whoever reads an object.
use super::super::database::Row;
use super::read_pending;
use crate::s3::{BucketName, ObjectKey};
use crate::state::{Backlog, Progress, Resting, State, StateError};
use sqlx::Row as _;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

const BACKLOG: &str =
    "SELECT site, retained AS is_retained, CAST(CASE WHEN parked = '' THEN 0 ELSE 1 END AS BIGINT) AS is_parked,
    count(*) AS operations, CAST(sum(bytes) AS BIGINT) AS volume, min(recorded_at) AS oldest
    FROM misses GROUP BY 1, 2, 3";

const PARKED: &str = "SELECT id, generation, site, bucket, object_key, attempts, recorded_at, retain_until, bytes,
    damaged, home_from, home_gone, parked
    FROM misses WHERE parked <> '' ORDER BY recorded_at, id LIMIT $1";

const RETAINED: &str = "SELECT id, generation, site, bucket, object_key, attempts, recorded_at, retain_until, bytes,
    damaged, home_from, home_gone, parked
    FROM misses WHERE retained = 1 ORDER BY retain_until, id LIMIT $1";

const PROGRESS: &str = "SELECT CAST(CASE WHEN parked = '' THEN 0 ELSE 1 END AS BIGINT) FROM misses
    WHERE bucket = $1 AND object_key = $2 AND retained = 0 AND damaged = 0";

/// No number of records.
const NEVER: u64 = u64::MAX;

impl State {
    /// The sites that have rows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn sites_behind(&self) -> Result<Vec<String>, StateError> {
        Ok(sqlx::query_scalar("SELECT DISTINCT site FROM misses ORDER BY site").fetch_all(self.readers()).await?)
    }

    /// What is behind, in sum.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn backlog(&self) -> Result<Backlog, StateError> {
        let recorded = self.recorded().load(Ordering::SeqCst);
        let mut all = Backlog::default();
        for one in self.backlogs().await?.into_values() {
            all.add(&one);
        }
        let empty = all == Backlog::default();
        self.empty_as_of().store(if empty { recorded } else { NEVER }, Ordering::SeqCst);
        Ok(all)
    }

    /// What is behind, by site.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn backlogs(&self) -> Result<BTreeMap<String, Backlog>, StateError> {
        let rows = sqlx::query(BACKLOG).fetch_all(self.readers()).await?;
        let mut sites: BTreeMap<String, Backlog> = BTreeMap::new();
        for row in &rows {
            let count = u64::try_from(row.try_get::<i64, _>("operations")?).unwrap_or(0);
            let bytes = u64::try_from(row.try_get::<i64, _>("volume")?).unwrap_or(0);
            let oldest: i64 = row.try_get("oldest")?;
            let one = match (row.try_get::<i64, _>("is_retained")?, row.try_get::<i64, _>("is_parked")?) {
                (0, 0) => Backlog { pending: count, bytes, oldest: Some(oldest), ..Backlog::default() },
                (0, _) => Backlog { parked: count, ..Backlog::default() },
                _ => Backlog { retained: count, ..Backlog::default() },
            };
            sites.entry(row.try_get("site")?).or_default().add(&one);
        }
        Ok(sites)
    }

    /// Rows that are parked, or (`retained`) that are kept for a term, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn resting(&self, retained: bool, limit: u32) -> Result<Vec<Resting>, StateError> {
        let query = if retained { RETAINED } else { PARKED };
        let rows = sqlx::query(query).bind(i64::from(limit)).fetch_all(self.readers()).await?;
        let read = |row: &Row| Ok(Resting { row: read_pending(row)?, reason: row.try_get("parked")? });
        rows.iter().map(read).collect()
    }

    /// How far the object has come: not everywhere yet, nowhere further without help, or everywhere.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn progress(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Progress, StateError> {
        // Nearly always nothing is behind, and readers need not ask the file.
        if !self.is_shared() && self.empty_as_of().load(Ordering::SeqCst) == self.recorded().load(Ordering::SeqCst) {
            return Ok(Progress::Completed);
        }
        let query = sqlx::query_scalar(PROGRESS).bind(bucket.as_str()).bind(key.as_str().as_bytes());
        let found: Vec<i64> = query.fetch_all(self.readers()).await?;
        Ok(match (found.contains(&1), found.is_empty()) {
            (_, true) => Progress::Completed,
            (true, _) => Progress::Parked,
            (false, _) => Progress::Pending,
        })
    }

    /// Whether some site does not (or may not) hold what the primary holds, for whatever reason.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_behind(&self, bucket: &BucketName, key: &ObjectKey) -> Result<bool, StateError> {
        let query = "SELECT count(*) FROM misses WHERE bucket = $1 AND object_key = $2 AND damaged = 0";
        let query = sqlx::query_scalar(query).bind(bucket.as_str()).bind(key.as_str().as_bytes());
        let rows: i64 = query.fetch_one(self.readers()).await?;
        Ok(rows > 0)
    }

    /// Whether the creation or deletion of this bucket itself is waiting for this site.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_bucket_pending(&self, site: &str, bucket: &BucketName) -> Result<bool, StateError> {
        let query = "SELECT count(*) FROM misses WHERE bucket = $1 AND object_key = $2 AND site = $3";
        let query = sqlx::query_scalar(query).bind(bucket.as_str()).bind(&[][..] as &[u8]).bind(site);
        let rows: i64 = query.fetch_one(self.readers()).await?;
        Ok(rows > 0)
    }
}

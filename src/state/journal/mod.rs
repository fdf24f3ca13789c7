//! The journal: what a site missed, one row per (bucket, key, site), durable before anybody is told.
//!
//! | file | what it holds |
//! |---|---|
//! | here | recording |
//! | [`work`] | leasing rows, and what becomes of them |
//! | [`home`] | what a backup accepted while the primary was out |
//! | [`report`] | what is behind, for people, metrics and readers |
mod home;
mod report;
mod work;

pub(super) use home::doubt;

use super::database::{Connection, Row, Statement};
use super::uploads::{read_bucket, read_key};
use super::{Pending, State, StateError, Task};
use crate::s3::{BucketName, ObjectKey};
use sqlx::Row as _;
use std::sync::atomic::Ordering;

/// Texts for the operator are cut off here.
const TEXT: usize = 500;

/// Recorded again: the generation rises, so that whoever works on the row cannot settle it; its age and its
/// back-off stay, since the site has been behind (and perhaps down) all along. What rested is due again.
const RECORD: &str = "INSERT INTO misses (generation, site, bucket, object_key, damaged, home_from, home_gone, reason,
    attempts, recorded_at, not_before, last_error, bytes, retain_until)
    VALUES (1, $1, $2, $3, 0, $9, $10, $4, 0, $5, $8, '', $6, $7)
    ON CONFLICT (bucket, object_key, site, damaged) DO UPDATE SET generation = misses.generation + 1,
    reason = excluded.reason, bytes = excluded.bytes, parked = '', retained = 0,
    home_from = excluded.home_from, home_gone = excluded.home_gone,
    not_before = CASE WHEN misses.parked <> '' OR misses.retained = 1
        THEN excluded.not_before ELSE misses.not_before END,
    retain_until = CASE WHEN excluded.retain_until > misses.retain_until
        THEN excluded.retain_until ELSE misses.retain_until END";

/// Found again while it waits, is worked on or is beyond repair: nothing new.
const DAMAGED: &str =
    "INSERT INTO misses (generation, site, bucket, object_key, damaged, reason, attempts, recorded_at,
    not_before, last_error) VALUES (1, $1, $2, $3, 1, $4, 0, $5, $5, '')
    ON CONFLICT (bucket, object_key, site, damaged) DO NOTHING";

/// What a site misses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The site.
    pub site: String,
    /// Bucket.
    pub bucket: BucketName,
    /// The object; `None`: the bucket itself.
    pub key: Option<ObjectKey>,
    /// Why, for the operator.
    pub reason: String,
    /// Sealed bytes to be copied, as far as known.
    pub bytes: u64,
    /// What the site holds is not to be deleted before this time (Unix seconds; 0: nothing is retained).
    pub retain_until: i64,
    /// What is to be done about it.
    pub task: Task,
}

// === impl Missed ===

impl Missed {
    /// A miss of unknown size, with nothing retained.
    pub fn new(site: &str, bucket: &BucketName, key: Option<&ObjectKey>, reason: &str) -> Self {
        let (site, reason) = (site.to_owned(), reason.to_owned());
        Self { site, bucket: bucket.clone(), key: key.cloned(), reason, bytes: 0, retain_until: 0, task: Task::Level }
    }
}

impl State {
    /// Durable when it returns. The same (site, bucket, key) again raises the generation. `now`: Unix seconds.
    ///
    /// # Errors
    /// When it cannot be written; nothing may be acknowledged then.
    pub async fn record_misses(&self, mut misses: Vec<Missed>, now: i64) -> Result<(), StateError> {
        // In one order, so that two proxies never wait for each other's rows.
        misses.sort_by(|a, b| (&a.bucket, &a.key, &a.site).cmp(&(&b.bucket, &b.key, &b.site)));
        if misses.iter().any(|missed| matches!(missed.task, Task::Home { .. })) {
            self.homes().fetch_add(1, Ordering::SeqCst);
        }
        let recorded = self
            .writer()
            .run(move |connection| {
                Box::pin(async move {
                    for missed in misses {
                        record(connection, missed, now, now).await?;
                    }
                    Ok(())
                })
            })
            .await;
        // Afterwards: an empty journal that is seen before is not believed any more.
        self.recorded().fetch_add(1, Ordering::SeqCst);
        recorded
    }

    /// One statement, together with whatever else is waiting to be written; how many rows it changed.
    pub(super) async fn change(&self, statement: Statement) -> Result<u64, StateError> {
        self.writer()
            .run(move |connection| {
                Box::pin(async move { Ok(statement.query().execute(connection).await?.rows_affected()) })
            })
            .await
    }
}

/// Seen at `now`, to be worked on from `due` on.
pub(super) async fn record(connection: &mut Connection, missed: Missed, now: i64, due: i64) -> Result<(), StateError> {
    let key = missed.key.as_ref().map_or(&[][..], |key| key.as_str().as_bytes());
    let (from, gone) = match missed.task {
        Task::Level => (String::new(), false),
        Task::Home { from, gone } => (from, gone),
        Task::Repair => {
            let query = sqlx::query(DAMAGED).bind(missed.site).bind(missed.bucket.as_str()).bind(key);
            query.bind(cut(&missed.reason)).bind(now).execute(connection).await?;
            return Ok(());
        }
    };
    sqlx::query(RECORD)
        .bind(missed.site)
        .bind(missed.bucket.as_str())
        .bind(key)
        .bind(cut(&missed.reason))
        .bind(now)
        .bind(i64::try_from(missed.bytes).unwrap_or(i64::MAX))
        .bind(missed.retain_until)
        .bind(due)
        .bind(from)
        .bind(i64::from(gone))
        .execute(connection)
        .await?;
    Ok(())
}

fn read_pending(row: &Row) -> Result<Pending, StateError> {
    let attempts: i64 = row.try_get("attempts")?;
    let (damaged, gone): (i64, i64) = (row.try_get("damaged")?, row.try_get("home_gone")?);
    let from: String = row.try_get("home_from")?;
    let task = match (damaged, from.is_empty()) {
        (0, true) => Task::Level,
        (0, false) => Task::Home { from, gone: gone != 0 },
        _ => Task::Repair,
    };
    Ok(Pending {
        id: row.try_get("id")?,
        generation: row.try_get("generation")?,
        site: row.try_get("site")?,
        bucket: read_bucket(row)?,
        key: read_key(row)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        recorded_at: row.try_get("recorded_at")?,
        retain_until: row.try_get("retain_until")?,
        bytes: u64::try_from(row.try_get::<i64, _>("bytes")?).unwrap_or(0),
        task,
    })
}

/// PostgreSQL's texts hold no NUL.
fn cut(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT).collect()
}

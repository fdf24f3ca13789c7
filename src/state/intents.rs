//! Intents: what this or another process is about to change. Rows of (owner, number), taken back in bulk.
//!
//! Whoever ends a change marks the intents of *other* processes on the same key as contested, and an intent that ends
//! contested becomes a miss of every backup: two processes that commit one key at the same time may have done so in another
//! order at each site. The later of the two always sees it, whichever that is. Within one process a lock keeps the order.
use super::database::{Connection, Engine, Row, Statement};
use super::journal::{Missed, doubt, record};
use super::owner::Owner;
use super::uploads::{read_bucket, read_key};
use super::{State, StateError, Task};
use crate::s3::{BucketName, ObjectKey};
use sqlx::Row as _;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Rows of one statement at most: SQLite takes 32,766 parameters, PostgreSQL 65,535.
const ROWS: usize = 1024;
/// What a process sent before it died may still be on its way: so many seconds later a site has it or never gets it.
const IN_FLIGHT: i64 = 2;

/// One key that is about to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentRow {
    /// Chosen by the owner, never used by it again.
    pub seq: i64,
    /// Bucket.
    pub bucket: BucketName,
    /// The object; `None`: the bucket itself.
    pub key: Option<ObjectKey>,
    /// What a backup holds is not to be deleted before this time (Unix seconds; 0: nothing is retained).
    pub retain_until: i64,
}

/// An intent whose change is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedIntent {
    /// Which.
    pub row: IntentRow,
    /// Nobody saw the change to its end.
    pub broken: bool,
}

/// One exchange with the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// To be written.
    pub begun: Vec<IntentRow>,
    /// To be taken back; broken and contested ones become misses.
    pub ended: Vec<EndedIntent>,
    /// To be taken back without a word: their writing was reported as failed, and perhaps had not.
    pub stray: Vec<i64>,
}

impl State {
    /// Writes and takes back, in one transaction; durable when it returns. `backups`: the sites that a broken or contested
    /// change is recorded for. `now`: Unix seconds. How many keys were recorded as missed.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was.
    pub async fn exchange_intents(
        &self,
        owner: &Owner,
        exchange: Exchange,
        backups: &[String],
        now: i64,
    ) -> Result<usize, StateError> {
        let (owner, backups, engine) = (owner.id().to_owned(), backups.to_vec(), self.engine());
        let recorded = self
            .writer()
            .run(move |connection| {
                Box::pin(async move { carry_out(connection, engine, &owner, exchange, &backups, now).await })
            })
            .await;
        // Not for every exchange: readers ask the file for as long as something may have become a miss.
        if !matches!(recorded, Ok(0)) {
            self.recorded().fetch_add(1, Ordering::SeqCst);
        }
        recorded
    }

    /// Gives a sign of life, and takes over from every process that is gone: its intents become misses of `backups`, the rows that it worked on are
    /// free again. How many keys were recorded.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn bury_dead(&self, owner: &Owner, backups: &[String], now: i64) -> Result<usize, StateError> {
        let mut recorded = 0;
        if self.is_shared() {
            self.renew(owner).await?;
        }
        for dead in self.dead_owners(owner).await? {
            let (id, backups) = (dead.clone(), backups.to_vec());
            let taken_over = self
                .writer()
                .run(move |connection| Box::pin(async move { take_over(connection, &id, &backups, now).await }))
                .await?;
            self.recorded().fetch_add(1, Ordering::SeqCst);
            self.forget_owner(&dead)?;
            if taken_over > 0 {
                tracing::warn!(
                    owner = dead,
                    keys = taken_over,
                    "a proxy died in the middle of changes; they are compared"
                );
            }
            recorded += taken_over;
        }
        Ok(recorded)
    }

    /// Every intent, for tests and the curious: (owner, row).
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn intents(&self) -> Result<Vec<(String, IntentRow)>, StateError> {
        let query = "SELECT owner, seq, bucket, object_key, retain_until FROM intents ORDER BY owner, seq";
        let rows = sqlx::query(query).fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok((row.try_get("owner")?, read_intent(row)?))).collect()
    }
}

async fn carry_out(
    connection: &mut Connection,
    engine: Engine,
    owner: &str,
    exchange: Exchange,
    backups: &[String],
    now: i64,
) -> Result<usize, StateError> {
    let Exchange { begun, ended, stray } = exchange;
    let mut recorded = 0;
    for ended in batches(&ended) {
        if engine == Engine::Postgres {
            lock(connection, ended).await?;
        }
        contest(connection, owner, ended).await?;
        let clean = remove(connection, owner, ended.iter().map(|ended| ended.row.seq)).await?;
        let differ = ended.iter().filter(|ended| ended.broken || !clean.contains(&ended.row.seq));
        for EndedIntent { row, broken } in differ {
            let reason = if *broken { "a change broke off" } else { "another proxy changed it at the same time" };
            recorded += 1;
            level(connection, row, backups, reason, (now, now)).await?;
        }
    }
    for stray in batches(&stray) {
        remove(connection, owner, stray.iter().copied()).await?;
    }
    for begun in batches(&begun) {
        insert(connection, owner, begun).await?;
    }
    Ok(recorded)
}

/// Cut to powers of two: statements of a few lengths stay prepared, where one of every length would be prepared each time.
fn batches<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rows.len().min(ROWS).checked_ilog2()?;
        let (batch, rest) = rows.split_at(length);
        rows = rest;
        Some(batch)
    })
}

/// Two proxies that end changes of the same keys would wait for each other's rows; in one order they do not. (A file has one writer
/// at a time.)
async fn lock(connection: &mut Connection, ended: &[EndedIntent]) -> Result<(), StateError> {
    let mut statement = Statement::new("SELECT 1 FROM intents WHERE (bucket, object_key) IN (");
    push_names(&mut statement, ended)?;
    statement.push(") ORDER BY owner, seq FOR UPDATE");
    statement.query().execute(connection).await?;
    Ok(())
}

/// Marks what other processes are changing on the same keys.
async fn contest(connection: &mut Connection, owner: &str, ended: &[EndedIntent]) -> Result<(), StateError> {
    let mut statement = Statement::new("UPDATE intents SET contested = 1 WHERE owner <> ");
    statement.push_bind(owner.to_owned())?.push(" AND (bucket, object_key) IN (");
    push_names(&mut statement, ended)?;
    statement.push(")");
    statement.query().execute(connection).await?;
    Ok(())
}

fn push_names(statement: &mut Statement, ended: &[EndedIntent]) -> Result<(), StateError> {
    for (n, EndedIntent { row, .. }) in ended.iter().enumerate() {
        statement.push(if n == 0 { "VALUES (" } else { "), (" });
        statement.push_bind(row.bucket.as_str().to_owned())?.push(", ").push_bind(bytes(row))?;
    }
    statement.push(")");
    Ok(())
}

/// The ones that were there and that nobody contested. One that is gone was taken over by a process which thought us dead.
async fn remove(
    connection: &mut Connection,
    owner: &str,
    seqs: impl Iterator<Item = i64>,
) -> Result<BTreeSet<i64>, StateError> {
    let mut statement = Statement::new("DELETE FROM intents WHERE owner = ");
    statement.push_bind(owner.to_owned())?.push(" AND seq IN (");
    for (n, seq) in seqs.enumerate() {
        statement.push(if n == 0 { "" } else { ", " }).push_bind(seq)?;
    }
    statement.push(") RETURNING seq, contested");
    let rows = statement.query().fetch_all(connection).await?;
    let mut clean = BTreeSet::new();
    for row in &rows {
        if row.try_get::<i64, _>("contested")? == 0 {
            clean.insert(row.try_get("seq")?);
        }
    }
    Ok(clean)
}

async fn insert(connection: &mut Connection, owner: &str, begun: &[IntentRow]) -> Result<(), StateError> {
    let mut statement = Statement::new("INSERT INTO intents (owner, seq, bucket, object_key, retain_until) VALUES (");
    for (n, row) in begun.iter().enumerate() {
        statement.push(if n == 0 { "" } else { "), (" });
        statement.push_bind(owner.to_owned())?.push(", ").push_bind(row.seq)?.push(", ");
        statement.push_bind(row.bucket.as_str().to_owned())?.push(", ").push_bind(bytes(row))?.push(", ");
        statement.push_bind(row.retain_until)?;
    }
    statement.push(")");
    statement.query().execute(connection).await?;
    Ok(())
}

async fn take_over(connection: &mut Connection, dead: &str, backups: &[String], now: i64) -> Result<usize, StateError> {
    let query = "DELETE FROM intents WHERE owner = $1 RETURNING seq, bucket, object_key, retain_until";
    let rows = sqlx::query(query).bind(dead).fetch_all(&mut *connection).await?;
    for row in &rows {
        level(connection, &read_intent(row)?, backups, "a proxy died while it changed this", (now, now + IN_FLIGHT))
            .await?;
    }
    let free = "UPDATE misses SET leased_by = '' WHERE leased_by = $1";
    sqlx::query(free).bind(dead).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM owners WHERE id = $1").bind(dead).execute(connection).await?;
    Ok(rows.len())
}

/// Records that every backup may differ from the primary here.
async fn level(
    connection: &mut Connection,
    row: &IntentRow,
    backups: &[String],
    reason: &str,
    (now, due): (i64, i64),
) -> Result<(), StateError> {
    doubt(connection, &row.bucket, &bytes(row)).await?;
    for site in backups {
        let missed = Missed {
            site: site.clone(),
            bucket: row.bucket.clone(),
            key: row.key.clone(),
            reason: reason.to_owned(),
            bytes: 0,
            retain_until: row.retain_until,
            task: Task::Level,
        };
        record(connection, missed, now, due).await?;
    }
    Ok(())
}

fn bytes(row: &IntentRow) -> Vec<u8> {
    row.key.as_ref().map(|key| key.as_str().as_bytes().to_vec()).unwrap_or_default()
}

fn read_intent(row: &Row) -> Result<IntentRow, StateError> {
    Ok(IntentRow {
        seq: row.try_get("seq")?,
        bucket: read_bucket(row)?,
        key: read_key(row)?,
        retain_until: row.try_get("retain_until")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_powers_of_two_and_lose_nothing() {
        for length in [0, 1, 2, 3, 37, 1023, 1024, 2500] {
            let rows: Vec<usize> = (0..length).collect();
            let cut: Vec<&[usize]> = batches(&rows).collect();
            assert!(cut.iter().all(|batch| batch.len().is_power_of_two() && batch.len() <= ROWS), "{length}");
            assert_eq!(cut.concat(), rows);
        }
    }
}

//! Rows under work: leased by one process, then settled, postponed, parked, or left alone for a term.
use super::super::database::{Connection, Statement};
use super::{cut, read_pending};
use crate::state::{Pending, State, StateError};

const DUE: &str = "SELECT id, generation, site, bucket, object_key, attempts, recorded_at, retain_until, bytes,
    damaged, home_from, home_gone
    FROM misses WHERE not_before <= $1 AND parked = '' AND leased_by = '' ORDER BY not_before, id LIMIT $2";

/// Free rows of a site, leased at once: nobody else gets them until they are settled, postponed, or their owner is dead.
const LEASE: &str = "UPDATE misses SET leased_by = $1 WHERE leased_by = '' AND id IN (SELECT id FROM misses
    WHERE site = $2 AND not_before <= $3 AND parked = '' AND leased_by = '' ORDER BY not_before, id LIMIT $4)
    RETURNING id, generation, site, bucket, object_key, attempts, recorded_at, retain_until, bytes,
    damaged, home_from, home_gone";

const FREE: &str = "UPDATE misses SET leased_by = '' WHERE id = $1";

impl State {
    /// Free rows whose time has come, the longest due first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn due(&self, now: i64, limit: u32) -> Result<Vec<Pending>, StateError> {
        let rows = sqlx::query(DUE).bind(now).bind(i64::from(limit)).fetch_all(self.readers()).await?;
        rows.iter().map(read_pending).collect()
    }

    /// Takes free rows of a site whose time has come: nobody else gets them meanwhile.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn lease(&self, owner: &str, site: &str, now: i64, limit: u32) -> Result<Vec<Pending>, StateError> {
        let (owner, site) = (owner.to_owned(), site.to_owned());
        // Most of the time there is nothing, and reading costs no sync.
        let any = "SELECT count(*) FROM misses WHERE site = $1 AND not_before <= $2 AND parked = '' AND leased_by = ''";
        let free: i64 = sqlx::query_scalar(any).bind(&site).bind(now).fetch_one(self.readers()).await?;
        if free == 0 {
            return Ok(Vec::new());
        }
        self.writer().run(move |connection| Box::pin(lease(connection, owner, site, now, limit))).await
    }

    /// The earliest time (Unix seconds) at which a row is due, past or future; `None` when nothing is waiting.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next_due(&self) -> Result<Option<i64>, StateError> {
        let query = "SELECT min(not_before) FROM misses WHERE parked = '' AND leased_by = ''";
        Ok(sqlx::query_scalar(query).fetch_one(self.readers()).await?)
    }

    /// Removes the row unless its generation moved on; then it is free again. True when removed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn settle(&self, pending: &Pending) -> Result<bool, StateError> {
        self.end(pending, "DELETE FROM misses WHERE id = $1 AND generation = $2").await
    }

    /// The site holds what the primary deleted, and keeps it until the row's `retain_until`. False when the row was
    /// recorded again meanwhile; then it is free.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn retain(&self, pending: &Pending) -> Result<bool, StateError> {
        let retain = "UPDATE misses SET retained = 1, not_before = retain_until, leased_by = ''
            WHERE id = $1 AND generation = $2";
        self.end(pending, retain).await
    }

    async fn end(&self, pending: &Pending, statement: &'static str) -> Result<bool, StateError> {
        let (id, generation) = (pending.id, pending.generation);
        self.writer()
            .run(move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(statement).bind(id).bind(generation);
                    let ended = query.execute(&mut *connection).await?.rows_affected() > 0;
                    if !ended {
                        sqlx::query(FREE).bind(id).execute(connection).await?;
                    }
                    Ok(ended)
                })
            })
            .await
    }

    /// Not before `not_before` (Unix seconds) again; counts an attempt and keeps the error for the operator.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn postpone(&self, pending: &Pending, not_before: i64, error: &str) -> Result<(), StateError> {
        let mut statement = Statement::new("UPDATE misses SET attempts = attempts + 1, leased_by = '', not_before = ");
        statement.push_bind(not_before)?.push(", last_error = ").push_bind(cut(error))?;
        statement.push(" WHERE id = ").push_bind(pending.id)?;
        self.change(statement).await.map(drop)
    }

    /// Not again until somebody says so ([`State::retry`]) or the object changes; keeps the reason.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn park(&self, pending: &Pending, reason: &str) -> Result<(), StateError> {
        let mut statement = Statement::new("UPDATE misses SET attempts = attempts + 1, leased_by = '', last_error = ");
        statement.push_bind(cut(reason))?;
        // Recorded again meanwhile: it may be another fault by now.
        statement.push(", parked = CASE WHEN generation = ").push_bind(pending.generation)?;
        statement.push(" THEN ").push_bind(cut(reason))?.push(" ELSE '' END WHERE id = ").push_bind(pending.id)?;
        self.change(statement).await.map(drop)
    }

    /// Gives leased rows back untouched.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn release(&self, rows: Vec<i64>) -> Result<(), StateError> {
        for id in rows {
            let mut statement = Statement::new("UPDATE misses SET leased_by = '' WHERE id = ");
            statement.push_bind(id)?;
            self.change(statement).await?;
        }
        Ok(())
    }

    /// Everything (of one site) is to be tried at once, what is parked too. How many rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn retry(&self, site: Option<&str>, now: i64) -> Result<u64, StateError> {
        let mut statement = Statement::new("UPDATE misses SET parked = '', attempts = 0, not_before = ");
        statement.push_bind(now)?.push(" WHERE retained = 0");
        if let Some(site) = site {
            statement.push(" AND site = ").push_bind(site.to_owned())?;
        }
        self.change(statement).await
    }

    /// A worker starts: what is parked is tried once more, what an earlier worker of this owner had leased is free.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn resume(&self, owner: &str, now: i64) -> Result<(), StateError> {
        let mut parked = Statement::new("UPDATE misses SET parked = '', not_before = ");
        parked.push_bind(now)?.push(" WHERE parked <> ''");
        let mut leased = Statement::new("UPDATE misses SET leased_by = '' WHERE leased_by = ");
        leased.push_bind(owner.to_owned())?;
        self.change(parked).await?;
        self.change(leased).await.map(drop)
    }

    /// Makes every row of a site due at `now`: the site is back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn hasten(&self, site: &str, now: i64) -> Result<(), StateError> {
        let mut statement = Statement::new("UPDATE misses SET not_before = ");
        statement.push_bind(now)?.push(" WHERE retained = 0 AND site = ").push_bind(site.to_owned())?;
        statement.push(" AND not_before > ").push_bind(now)?;
        self.change(statement).await.map(drop)
    }
}

async fn lease(
    connection: &mut Connection,
    owner: String,
    site: String,
    now: i64,
    limit: u32,
) -> Result<Vec<Pending>, StateError> {
    let query = sqlx::query(LEASE).bind(owner).bind(site).bind(now).bind(i64::from(limit));
    let rows: Result<Vec<Pending>, StateError> = query.fetch_all(connection).await?.iter().map(read_pending).collect();
    let mut rows = rows?;
    rows.sort_by_key(|row| (row.recorded_at, row.id));
    Ok(rows)
}

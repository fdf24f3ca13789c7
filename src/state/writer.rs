//! Group commit: one task writes; whatever is waiting when it gets to work shares one transaction and one `fsync`.
//!
//! A change stands in a savepoint of its own, so that one that fails takes nobody with it. Nobody is answered before
//! the commit; when the commit fails (disk full, read-only, locked) everybody in it is told so, and the next batch
//! starts afresh.
use super::StateError;
use super::database::{Connection, Database, Engine};
use futures_util::future::BoxFuture;
use sqlx::Connection as _;
use tokio::sync::{mpsc, oneshot};

/// Changes in one transaction.
const BATCH: usize = 256;
/// Changes waiting before callers wait too.
const QUEUE: usize = 1024;

/// The way in to the writing task. Cheap to clone; the task ends when the last one is gone.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Done> + Send>;

/// What became of a change, and how to tell its caller once the commit is known.
struct Done {
    error: Option<StateError>,
    tell: Box<dyn FnOnce(Result<(), StateError>) + Send>,
}

// === impl Writer ===

impl Writer {
    /// Starts the task over the database's one writing connection.
    pub(super) fn start(database: Database) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(work(database, waiting));
        Self { jobs }
    }

    /// Runs `change` and returns when it is durable. A caller that goes away does not undo it.
    pub(super) async fn run<T, F>(&self, change: F) -> Result<T, StateError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StateError>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let result = change(connection).await;
                let error = result.as_ref().err().cloned();
                let tell = move |commit: Result<(), StateError>| {
                    // The receiver is gone when the caller is; the change stands all the same.
                    let _ = sender.send(result.and_then(|value| commit.map(|()| value)));
                };
                Done { error, tell: Box::new(tell) }
            })
        });
        // A job that is dropped unrun was in a batch that could not be begun; the cause is in the log.
        let lost = || StateError("nothing was written: the database cannot be written, or is closed".to_owned());
        self.jobs.send(job).await.map_err(|_| lost())?;
        answer.await.map_err(|_| lost())?
    }
}

async fn work(database: Database, mut waiting: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut done = Vec::with_capacity(batch.len());
        let commit = write(&database, batch.drain(..), &mut done).await;
        if let Err(error) = &commit {
            tracing::error!(%error, "the state database could not be written");
        }
        // Jobs that were never run are dropped by now, which answers their callers.
        for Done { tell, .. } in done {
            tell(commit.clone());
        }
    }
}

/// On a full disk SQLite takes the whole transaction back by itself, and the connection's own count of savepoints is
/// then wrong (<https://www.sqlite.org/lang_transaction.html>, section 3.1): after any failure it is not used again.
async fn write(
    database: &Database,
    batch: impl ExactSizeIterator<Item = Job>,
    done: &mut Vec<Done>,
) -> Result<(), StateError> {
    let mut connection = database.writer.acquire().await?;
    let committed = commit(database.engine, &mut connection, batch, done).await;
    if committed.is_err() {
        connection.close_on_drop();
    }
    committed
}

async fn commit(
    engine: Engine,
    connection: &mut Connection,
    batch: impl ExactSizeIterator<Item = Job>,
    done: &mut Vec<Done>,
) -> Result<(), StateError> {
    let mut transaction = engine.begin(connection).await?;
    for job in batch {
        let mut savepoint = transaction.begin().await?;
        let result = job(&mut savepoint).await;
        let error = result.error.clone();
        done.push(result);
        match error {
            None => savepoint.commit().await?,
            Some(error) => savepoint.rollback().await.map_err(|_| error)?,
        }
    }
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::schema::Schema;

    const TABLE: Schema = Schema { version: "schema_version", steps: &["CREATE TABLE t (n INTEGER NOT NULL UNIQUE)"] };

    async fn database(folder: &std::path::Path) -> Database {
        let path = folder.join("t.sqlite3");
        std::fs::File::create(&path).expect("a file");
        let Ok(database) = Database::open(&path, true, &TABLE).await else { panic!("opens") };
        database
    }

    async fn insert(writer: &Writer, n: i64) -> Result<(), StateError> {
        async fn execute(connection: &mut Connection, n: i64) -> Result<(), StateError> {
            sqlx::query("INSERT INTO t (n) VALUES ($1)").bind(n).execute(connection).await?;
            Ok(())
        }
        writer.run(move |connection| Box::pin(execute(connection, n))).await
    }

    #[tokio::test]
    async fn a_change_that_fails_takes_no_other_change_of_its_batch_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = database(folder.path()).await;
        let writer = Writer::start(database.clone());
        let results = futures_util::future::join_all((0..400).map(|n| insert(&writer, n / 2))).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 200);
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&database.readers).await.expect("a count");
        assert_eq!(rows, 200);
    }

    #[tokio::test]
    async fn a_failed_commit_is_told_to_everyone_and_the_next_batch_works_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = database(folder.path()).await;
        let writer = Writer::start(database.clone());
        sqlx::query("PRAGMA query_only = ON").execute(&database.writer).await.expect("a pragma");
        let results = futures_util::future::join_all((0..10).map(|n| insert(&writer, n))).await;
        assert!(results.iter().all(Result::is_err));
        sqlx::query("PRAGMA query_only = OFF").execute(&database.writer).await.expect("a pragma");
        insert(&writer, 1).await.expect("recovers without a restart");
    }
}

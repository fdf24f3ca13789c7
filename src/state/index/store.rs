//! The index on disk.
use super::super::database::{Connection, Database, Engine, Row, Statement};
use super::super::error::{StateError, is_damage};
use super::super::folder;
use super::super::schema::{self, MigrateError};
use super::queue::{Forms, Notes};
use super::{BATCH, Known};
use crate::s3::{BucketName, PlainETag, SealedETag};
use crate::state::IndexEntry;
use arc_swap::ArcSwap;
use sqlx::Row as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const INDEX_FILE: &str = "index.sqlite3";
/// The most rows that one question reads.
const ROWS: i64 = 20_000;
/// Keys that are remembered at most (about 1 GB); the ones noted first go first.
const CAPACITY: i64 = 4_000_000;

/// In a shared database every write uses a number up, also of a key that is known: so many writes are remembered.
const SHARED_CAPACITY: i64 = 40_000_000;

/// A form that is known already moves to the front and pushes the other one back.
const UPSERT: &str = " ON CONFLICT (bucket, object_key) DO UPDATE SET
    older_sealed = CASE WHEN excluded.sealed = etags.sealed THEN etags.older_sealed ELSE etags.sealed END,
    older_plain = CASE WHEN excluded.sealed = etags.sealed THEN etags.older_plain ELSE etags.plain END,
    sealed = excluded.sealed, plain = excluded.plain";

const RANGE: &str = "SELECT object_key, sealed, plain, older_sealed, older_plain FROM etags
    WHERE bucket = $1 AND object_key BETWEEN $2 AND $3 ORDER BY object_key LIMIT $4";

/// The index file, replaceable while it is in use.
pub(super) struct Store {
    /// `None`: tables of a shared database, which are never replaced.
    folder: Option<PathBuf>,
    database: ArcSwap<Database>,
    /// Damage was met: the next write starts a new file.
    damaged: AtomicBool,
    capacity: i64,
}

// === impl Store ===

impl Store {
    /// Opens or creates; what cannot be opened because it is damaged or of another schema is replaced.
    pub(super) async fn open(folder: &Path) -> Result<Self, StateError> {
        let database = match open(folder).await {
            Err(MigrateError::Sql(error)) if !is_damage(&error) => return Err(error.into()),
            Err(MigrateError::Newer(error)) => replace(folder, &error.to_string()).await?,
            Err(MigrateError::Sql(error)) => replace(folder, &error.to_string()).await?,
            Ok(database) => database,
        };
        Ok(Self {
            folder: Some(folder.to_owned()),
            database: ArcSwap::from_pointee(database),
            damaged: AtomicBool::new(false),
            capacity: CAPACITY,
        })
    }

    /// Over tables of a shared database.
    pub(super) fn shared(database: Database) -> Self {
        let (database, damaged) = (ArcSwap::from_pointee(database), AtomicBool::new(false));
        Self { folder: None, database, damaged, capacity: SHARED_CAPACITY }
    }

    pub(super) async fn range(&self, bucket: &BucketName, first: &str, last: &str) -> Result<Known, StateError> {
        let database = self.database.load_full();
        let query = sqlx::query(RANGE).bind(bucket.as_str()).bind(first.as_bytes()).bind(last.as_bytes()).bind(ROWS);
        self.read(query.fetch_all(&database.readers).await)
    }

    pub(super) async fn of(&self, bucket: &BucketName, keys: &[&str]) -> Result<Known, StateError> {
        let database = self.database.load_full();
        let mut known = Known::new();
        for keys in keys.chunks(BATCH) {
            let mut statement = Statement::new(
                "SELECT object_key, sealed, plain, older_sealed, older_plain FROM etags WHERE bucket = ",
            );
            statement.push_bind(bucket.as_str().to_owned())?.push(" AND object_key IN (");
            for (n, key) in keys.iter().enumerate() {
                statement.push(if n == 0 { "" } else { ", " }).push_bind(key.as_bytes().to_vec())?;
            }
            statement.push(")");
            known.extend(self.read(statement.query().fetch_all(&database.readers).await)?);
        }
        Ok(known)
    }

    pub(super) async fn write(&self, notes: &Notes) -> Result<(), StateError> {
        if let Some(folder) = &self.folder
            && self.damaged.swap(false, Ordering::Relaxed)
        {
            self.database.load_full().close().await;
            let fresh = replace(folder, "damage was met while it was read or written").await?;
            self.database.store(Arc::new(fresh));
        }
        let database = self.database.load_full();
        let mut notes = notes.iter().peekable();
        while notes.peek().is_some() {
            let result = insert(&database, notes.by_ref().take(BATCH / 2), self.capacity).await;
            result.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.database.load_full().close().await;
    }

    fn read(&self, rows: Result<Vec<Row>, sqlx::Error>) -> Result<Known, StateError> {
        let mut known = Known::new();
        for row in rows.map_err(|error| self.failed(error))? {
            // A row that does not parse is as good as none.
            let _ = collect(&row, &mut known);
        }
        Ok(known)
    }

    fn failed(&self, error: sqlx::Error) -> StateError {
        if self.folder.is_some() && is_damage(&error) {
            self.damaged.store(true, Ordering::Relaxed);
        }
        error.into()
    }
}

/// Not durable by itself (`NORMAL`): a power cut may lose the last notes but does not damage the file.
async fn open(folder: &Path) -> Result<Database, MigrateError> {
    folder::prepare_file(folder, INDEX_FILE).map_err(MigrateError::Newer)?;
    Database::open(&folder.join(INDEX_FILE), false, &schema::INDEX).await
}

async fn replace(folder: &Path, why: &str) -> Result<Database, StateError> {
    tracing::warn!(%why, "the ETag index is thrown away and built anew; listings will be slower for a while");
    folder::remove_file(folder, INDEX_FILE)?;
    open(folder).await.map_err(|error| match error {
        MigrateError::Newer(error) => error,
        MigrateError::Sql(error) => error.into(),
    })
}

/// One transaction: first the older form of each of `notes`, then the newest, then whatever is too much goes. (PostgreSQL takes
/// a key once in a statement.)
async fn insert<'n>(
    database: &Database,
    notes: impl Iterator<Item = (&'n (BucketName, String), &'n Forms)>,
    capacity: i64,
) -> Result<(), sqlx::Error> {
    let notes: Vec<_> = notes.collect();
    let older = notes.iter().filter_map(|(name, forms)| Some((*name, forms.older.as_ref()?)));
    let newest = notes.iter().map(|(name, forms)| (*name, &forms.newest));
    let statements = [upsert(older)?, upsert(newest)?];
    let mut connection = database.writer.acquire().await?;
    let inserted = write(database.engine, &mut connection, statements, capacity).await;
    if inserted.is_err() {
        // SQLite may have taken the transaction back by itself, unknown to the connection (see `writer`).
        connection.close_on_drop();
    }
    inserted
}

/// `None`: nothing to be written.
fn upsert<'n>(
    rows: impl Iterator<Item = (&'n (BucketName, String), &'n IndexEntry)>,
) -> Result<Option<Statement>, sqlx::Error> {
    let mut statement = Statement::new("INSERT INTO etags (bucket, object_key, sealed, plain) VALUES (");
    let mut any = false;
    for ((bucket, key), entry) in rows {
        statement.push(if any { "), (" } else { "" });
        statement.push_bind(bucket.as_str().to_owned())?.push(", ").push_bind(key.as_bytes().to_vec())?.push(", ");
        statement.push_bind(entry.sealed_etag.as_str().to_owned())?.push(", ");
        statement.push_bind(entry.etag.as_str().to_owned())?;
        any = true;
    }
    statement.push(")").push(UPSERT);
    Ok(any.then_some(statement))
}

async fn write(
    engine: Engine,
    connection: &mut Connection,
    statements: [Option<Statement>; 2],
    capacity: i64,
) -> Result<(), sqlx::Error> {
    let mut transaction = engine.begin(connection).await?;
    for statement in statements.into_iter().flatten() {
        statement.query().execute(&mut *transaction).await?;
    }
    let evict = "DELETE FROM etags WHERE id <= (SELECT max(id) FROM etags) - $1";
    sqlx::query(evict).bind(capacity).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Columns by their place: both questions name them in the same order.
fn collect(row: &Row, known: &mut Known) -> Option<()> {
    let key = std::str::from_utf8(row.try_get(0).ok()?).ok()?;
    let older: (Option<&str>, Option<&str>) = (row.try_get(3).ok()?, row.try_get(4).ok()?);
    if let (Some(sealed), Some(plain)) = older {
        known.insert((key.to_owned(), SealedETag::from_backend(sealed)), parse_plain(plain)?);
    }
    let (sealed, plain) = (row.try_get(1).ok()?, row.try_get(2).ok()?);
    known.insert((key.to_owned(), SealedETag::from_backend(sealed)), parse_plain(plain)?);
    Some(())
}

/// `md5` or `md5-parts`.
fn parse_plain(text: &str) -> Option<PlainETag> {
    let (md5, parts) = text.split_once('-').map_or((text, None), |(md5, parts)| (md5, Some(parts)));
    let md5: [u8; 16] = hex::decode(md5).ok()?.try_into().ok()?;
    Some(match parts {
        None => PlainETag::from_md5(md5),
        Some(parts) => PlainETag::from_part_md5s(md5, parts.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(keys: std::ops::Range<u32>) -> Notes {
        let bucket = BucketName::parse("bucket").expect("a name");
        let entry = IndexEntry { sealed_etag: SealedETag::from_backend("s"), etag: PlainETag::from_md5([1; 16]) };
        keys.map(|key| ((bucket.clone(), format!("{key:05}")), Forms { newest: entry.clone(), older: None })).collect()
    }

    async fn keys(store: &Store) -> Vec<String> {
        let bucket = BucketName::parse("bucket").expect("a name");
        let mut keys: Vec<_> =
            store.range(&bucket, "", "9").await.expect("known").into_keys().map(|(key, _)| key).collect();
        keys.sort();
        keys
    }

    #[tokio::test]
    async fn beyond_its_capacity_the_keys_noted_first_go_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = Store::open(folder.path()).await.expect("opens");
        store.capacity = 100;
        for start in [500, 0, 300] {
            store.write(&notes(start..start + 60)).await.expect("written");
        }
        // Writing a known key again keeps its place: the index forgets keys, not changes.
        store.write(&notes(20..60)).await.expect("written");
        let kept = keys(&store).await;
        assert_eq!(kept.len(), 100);
        assert_eq!((kept[0].as_str(), kept[99].as_str()), ("00020", "00359"));
    }

    #[tokio::test]
    async fn a_question_about_one_key_does_not_scan_the_index() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).await.expect("opens");
        let plan = format!("EXPLAIN QUERY PLAN {RANGE}");
        let readers = store.database.load_full().readers.clone();
        let rows = sqlx::query(sqlx::AssertSqlSafe(plan)).bind("b").bind("a").bind("z").bind(1).fetch_all(&readers);
        let steps: Vec<String> = rows.await.expect("a plan").iter().map(|row| row.get("detail")).collect();
        assert!(steps.len() == 1 && steps[0].starts_with("SEARCH etags USING INDEX"), "{steps:?}");
    }

    #[test]
    fn plain_etags_are_read_back_as_they_were_written() {
        for etag in [PlainETag::from_md5([7; 16]), PlainETag::from_part_md5s([9; 16], 9999)] {
            assert_eq!(parse_plain(etag.as_str()), Some(etag));
        }
        for bad in ["", "-", "00", "zz", &format!("{}-x", "0".repeat(32)), &"0".repeat(34)] {
            assert_eq!(parse_plain(bad), None, "{bad}");
        }
    }
}

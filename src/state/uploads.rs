//! Multipart uploads and their parts.
use super::{Part, State, StateError, Upload};
use crate::s3::{BucketName, ObjectKey, PlainLen, SealedETag};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

const UPLOAD: &str =
    "SELECT id, bucket, key, wrapped, metadata_tag, checksum_algorithm, checksum_type, initiator, created_at, extra
    FROM uploads WHERE id = ?";
const UPLOADS: &str =
    "SELECT id, bucket, key, wrapped, metadata_tag, checksum_algorithm, checksum_type, initiator, created_at, extra
    FROM uploads WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2 AND (key > ?3 OR (key = ?3 AND id > ?4))
    ORDER BY key, id LIMIT ?5";
const PARTS: &str = "SELECT part_number, record, plain_len, etags, staged_key, written_at FROM parts
    WHERE upload = ? AND part_number > ? ORDER BY part_number LIMIT ?";
const PART: &str = "SELECT part_number, record, plain_len, etags, staged_key, written_at FROM parts
    WHERE upload = ? AND part_number = ?";

impl State {
    /// Durable when it returns.
    ///
    /// # Errors
    /// When it is not.
    pub async fn create_upload(&self, upload: &Upload) -> Result<(), StateError> {
        let failed = |error: sqlx::Error| StateError::new("recording a multipart upload", &error);
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        sqlx::query("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&upload.id)
            .bind(upload.bucket.as_str())
            .bind(upload.key.as_str())
            .bind(&upload.wrapped)
            .bind(upload.metadata_tag.map(|tag| tag.to_vec()))
            .bind(&upload.checksum_algorithm)
            .bind(&upload.checksum_type)
            .bind(&upload.initiator)
            .bind(upload.created_at)
            .bind(&upload.extra)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        for (position, (site, site_upload)) in upload.sites.iter().enumerate() {
            sqlx::query("INSERT INTO upload_sites VALUES (?, ?, ?, ?)")
                .bind(&upload.id)
                .bind(site)
                .bind(site_upload)
                .bind(position as i64)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// By our own upload id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn upload(&self, id: &str) -> Result<Option<Upload>, StateError> {
        let failed = |error: sqlx::Error| StateError::new("looking up a multipart upload", &error);
        match sqlx::query(UPLOAD).bind(id).fetch_optional(&self.readers).await.map_err(failed)? {
            Some(row) => self.complete(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// In order of (key, id), after the marker.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn uploads(
        &self,
        bucket: &BucketName,
        prefix: &str,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Upload>, StateError> {
        let failed = |error: sqlx::Error| StateError::new("listing multipart uploads", &error);
        let (key, id) = after.unwrap_or_default();
        let query = sqlx::query(UPLOADS).bind(bucket.as_str()).bind(prefix).bind(key).bind(id).bind(limit);
        let mut uploads = Vec::new();
        for row in query.fetch_all(&self.readers).await.map_err(failed)? {
            uploads.push(self.complete(row).await?);
        }
        Ok(uploads)
    }

    /// Takes a site out of an upload: it missed a part.
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn drop_upload_site(&self, id: &str, site: &str) -> Result<(), StateError> {
        let query = sqlx::query("DELETE FROM upload_sites WHERE upload = ? AND site = ?").bind(id).bind(site);
        let done = query.execute(&self.writer).await;
        done.map(drop).map_err(|error| StateError::new("taking a site out of an upload", &error))
    }

    /// Removes the upload and its parts.
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn delete_upload(&self, id: &str) -> Result<(), StateError> {
        let done = sqlx::query("DELETE FROM uploads WHERE id = ?").bind(id).execute(&self.writer).await;
        done.map(drop).map_err(|error| StateError::new("removing a multipart upload", &error))
    }

    /// Adds or replaces a part; returns the one it replaced.
    ///
    /// # Errors
    /// When it is not durable, or the upload is gone.
    pub async fn put_part(&self, upload: &str, part: &Part) -> Result<Option<Part>, StateError> {
        let failed = |error: sqlx::Error| StateError::new("recording a part", &error);
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        let number = i64::from(part.part_number);
        let old =
            sqlx::query(PART).bind(upload).bind(number).fetch_optional(&mut *transaction).await.map_err(failed)?;
        let etags: Vec<(&str, &str)> = part.etags.iter().map(|(site, etag)| (site.as_str(), etag.as_str())).collect();
        let etags = serde_json::to_string(&etags).map_err(|error| StateError(format!("recording a part: {error}")))?;
        sqlx::query("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(upload)
            .bind(number)
            .bind(&part.record)
            .bind(part.plain_len.0 as i64)
            .bind(etags)
            .bind(&part.staged_key)
            .bind(part.written_at)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        old.map(part_of).transpose()
    }

    /// In order of part number, after `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parts(&self, upload: &str, after: u16, limit: u32) -> Result<Vec<Part>, StateError> {
        let query = sqlx::query(PARTS).bind(upload).bind(i64::from(after)).bind(limit);
        let rows = query.fetch_all(&self.readers).await.map_err(|error| StateError::new("listing parts", &error))?;
        rows.into_iter().map(part_of).collect()
    }

    async fn complete(&self, row: SqliteRow) -> Result<Upload, StateError> {
        let id: String = row.get("id");
        let failed = |error: sqlx::Error| StateError::new("looking up an upload's sites", &error);
        let sites = sqlx::query_as("SELECT site, site_upload FROM upload_sites WHERE upload = ? ORDER BY position");
        let sites: Vec<(String, String)> = sites.bind(&id).fetch_all(&self.readers).await.map_err(failed)?;
        Ok(Upload {
            bucket: bucket(row.get("bucket"))?,
            key: ObjectKey::parse(row.get("key")).map_err(|_| StateError::row("key"))?,
            wrapped: row.get("wrapped"),
            sites,
            metadata_tag: row.get::<Option<Vec<u8>>, _>("metadata_tag").and_then(|tag| tag.try_into().ok()),
            checksum_algorithm: row.get("checksum_algorithm"),
            checksum_type: row.get("checksum_type"),
            initiator: row.get("initiator"),
            created_at: row.get("created_at"),
            extra: row.get("extra"),
            id,
        })
    }
}

pub(super) fn bucket(name: &str) -> Result<BucketName, StateError> {
    BucketName::parse(name).map_err(|_| StateError::row("bucket"))
}

fn part_of(row: SqliteRow) -> Result<Part, StateError> {
    let etags: Vec<(String, String)> =
        serde_json::from_str(row.get("etags")).map_err(|_| StateError::row("list of ETags"))?;
    Ok(Part {
        part_number: u16::try_from(row.get::<i64, _>("part_number")).map_err(|_| StateError::row("part number"))?,
        record: row.get("record"),
        plain_len: PlainLen(row.get::<i64, _>("plain_len") as u64),
        etags: etags.into_iter().map(|(site, etag)| (site, SealedETag::from_backend(&etag))).collect(),
        staged_key: row.get("staged_key"),
        written_at: row.get("written_at"),
    })
}

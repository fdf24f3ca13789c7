//! Multipart uploads and their parts.
use super::database::{Connection, Row};
use super::{Part, State, StateError, Upload};
use crate::s3::{BucketName, ObjectKey, PlainLen, SealedETag};
use sqlx::Row as _;

const UPLOAD: &str = "SELECT id, bucket, object_key, wrapped, sites, metadata_tag, checksum_algorithm, checksum_type,
    initiator, created_at, extra FROM uploads WHERE id = $1";

/// Bytes of UTF-8 are all below 0xFF, so `prefix` followed by it is above every key with that prefix.
const UPLOADS: &str = "SELECT id, bucket, object_key, wrapped, sites, metadata_tag, checksum_algorithm, checksum_type,
    initiator, created_at, extra FROM uploads
    WHERE bucket = $1 AND object_key >= $2 AND object_key < $3 AND (object_key, id) > ($4, $5)
    ORDER BY object_key, id LIMIT $6";

/// What nobody has used since: neither created nor given a part.
const IDLE: &str = "SELECT id, bucket, object_key, wrapped, sites, metadata_tag, checksum_algorithm, checksum_type,
    initiator, created_at, extra FROM uploads
    WHERE created_at <= $1 AND id > $2
    AND NOT EXISTS (SELECT 1 FROM parts WHERE upload_id = uploads.id AND written_at > $1)
    ORDER BY id LIMIT $3";

const PART: &str = "SELECT part_number, record, plain_len, etags, staged_key, written_at FROM parts
    WHERE upload_id = $1 AND part_number = $2";

const LENGTH_WITHOUT: &str =
    "SELECT CAST(COALESCE(SUM(plain_len), 0) AS BIGINT) FROM parts WHERE upload_id = $1 AND part_number <> $2";

const PARTS: &str = "SELECT part_number, record, plain_len, etags, staged_key, written_at FROM parts
    WHERE upload_id = $1 AND part_number > $2 ORDER BY part_number LIMIT $3";

impl State {
    /// Remembers a new upload; durable when it returns.
    ///
    /// # Errors
    /// When it cannot be written, or the id exists.
    pub async fn create_upload(&self, upload: &Upload) -> Result<(), StateError> {
        let upload = upload.clone();
        self.writer().run(move |connection| Box::pin(insert_upload(connection, upload))).await
    }

    /// An upload by its id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn upload(&self, id: &str) -> Result<Option<Upload>, StateError> {
        let row = sqlx::query(UPLOAD).bind(id).fetch_optional(self.readers()).await?;
        row.as_ref().map(read_upload).transpose()
    }

    /// The uploads of a bucket whose keys begin with `prefix`, in order of (key, id), after the marker `(key, id)`.
    /// With the id `"\u{10FFFF}"` the marker is past every upload of its key.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn uploads(
        &self,
        bucket: &BucketName,
        prefix: &str,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Upload>, StateError> {
        let (key, id) = after.unwrap_or_default();
        let rows = sqlx::query(UPLOADS)
            .bind(bucket.as_str())
            .bind(prefix.as_bytes())
            .bind([prefix.as_bytes(), &[0xFF]].concat())
            .bind(key.as_bytes())
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(read_upload).collect()
    }

    /// Uploads that were created, and got their last part, at `since` (Unix seconds) or before; in order of id, after `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn idle_uploads(&self, since: i64, after: &str, limit: u32) -> Result<Vec<Upload>, StateError> {
        let query = sqlx::query(IDLE).bind(since).bind(after).bind(i64::from(limit));
        query.fetch_all(self.readers()).await?.iter().map(read_upload).collect()
    }

    /// Takes a site that failed out of an upload.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn drop_upload_site(&self, id: &str, site: &str) -> Result<(), StateError> {
        let (id, site) = (id.to_owned(), site.to_owned());
        self.writer().run(move |connection| Box::pin(drop_site(connection, id, site))).await
    }

    /// Removes the upload and its parts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn delete_upload(&self, id: &str) -> Result<(), StateError> {
        let id = id.to_owned();
        self.writer().run(move |connection| Box::pin(delete(connection, id))).await
    }

    /// Adds or replaces a part; returns the one it replaced. Durable when it returns.
    ///
    /// # Errors
    /// When it cannot be written, or the upload is not there (any more): [`State::upload`] tells which.
    pub async fn put_part(&self, upload: &str, part: &Part) -> Result<Option<Part>, StateError> {
        let (upload, part) = (upload.to_owned(), part.clone());
        self.writer().run(move |connection| Box::pin(replace_part(connection, upload, part))).await
    }

    /// In order of part number, after `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn parts(&self, upload: &str, after: u16, limit: u32) -> Result<Vec<Part>, StateError> {
        let query = sqlx::query(PARTS).bind(upload).bind(i64::from(after)).bind(i64::from(limit));
        query.fetch_all(self.readers()).await?.iter().map(read_part).collect()
    }

    /// The bytes of all parts but this one.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn length_without(&self, upload: &str, number: u16) -> Result<PlainLen, StateError> {
        let query = sqlx::query_scalar(LENGTH_WITHOUT).bind(upload).bind(i64::from(number));
        let length: i64 = query.fetch_one(self.readers()).await?;
        u64::try_from(length).map(PlainLen).map_err(|_| StateError::unreadable("plain_len"))
    }
}

/// The parts go with it (`ON DELETE CASCADE`).
async fn delete(connection: &mut Connection, id: String) -> Result<(), StateError> {
    sqlx::query("DELETE FROM uploads WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

async fn insert_upload(connection: &mut Connection, upload: Upload) -> Result<(), StateError> {
    let insert = "INSERT INTO uploads (id, bucket, object_key, wrapped, sites, metadata_tag, checksum_algorithm,
        checksum_type, initiator, created_at, extra) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    sqlx::query(insert)
        .bind(upload.id)
        .bind(upload.bucket.as_str())
        .bind(upload.key.as_str().as_bytes())
        .bind(upload.wrapped)
        .bind(pairs_to_json(&upload.sites)?)
        .bind(upload.metadata_tag.map(|tag| tag.to_vec()))
        .bind(upload.checksum_algorithm)
        .bind(upload.checksum_type)
        .bind(upload.initiator)
        .bind(upload.created_at)
        .bind(upload.extra)
        .execute(connection)
        .await?;
    Ok(())
}

async fn drop_site(connection: &mut Connection, id: String, site: String) -> Result<(), StateError> {
    let found = sqlx::query(UPLOAD).bind(&id).fetch_optional(&mut *connection).await?;
    let Some(upload) = found.as_ref().map(read_upload).transpose()? else { return Ok(()) };
    let left: Vec<_> = upload.sites.into_iter().filter(|(name, _)| *name != site).collect();
    let update = sqlx::query("UPDATE uploads SET sites = $1 WHERE id = $2").bind(pairs_to_json(&left)?).bind(id);
    update.execute(connection).await?;
    Ok(())
}

async fn replace_part(connection: &mut Connection, upload: String, part: Part) -> Result<Option<Part>, StateError> {
    let number = i64::from(part.part_number);
    let found = sqlx::query(PART).bind(&upload).bind(number).fetch_optional(&mut *connection).await?;
    let replaced = found.as_ref().map(read_part).transpose()?;
    let etags: Vec<_> = part.etags.iter().map(|(site, etag)| (site.clone(), etag.as_str().to_owned())).collect();
    let upsert = "INSERT INTO parts (upload_id, part_number, record, plain_len, etags, staged_key, written_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (upload_id, part_number) DO UPDATE SET record = excluded.record, plain_len = excluded.plain_len,
        etags = excluded.etags, staged_key = excluded.staged_key, written_at = excluded.written_at";
    let plain_len = i64::try_from(part.plain_len.0).map_err(|_| StateError("a part of 8 EiB".to_owned()))?;
    sqlx::query(upsert)
        .bind(upload)
        .bind(number)
        .bind(part.record)
        .bind(plain_len)
        .bind(pairs_to_json(&etags)?)
        .bind(part.staged_key)
        .bind(part.written_at)
        .execute(connection)
        .await?;
    Ok(replaced)
}

fn read_upload(row: &Row) -> Result<Upload, StateError> {
    let tag: Option<Vec<u8>> = row.try_get("metadata_tag")?;
    let tag = tag.map(|tag| <[u8; 16]>::try_from(tag).map_err(|_| StateError::unreadable("metadata_tag")));
    Ok(Upload {
        id: row.try_get("id")?,
        bucket: read_bucket(row)?,
        key: read_key(row)?.ok_or_else(|| StateError::unreadable("object_key"))?,
        wrapped: row.try_get("wrapped")?,
        sites: pairs_from_json(row.try_get("sites")?)?,
        metadata_tag: tag.transpose()?,
        checksum_algorithm: row.try_get("checksum_algorithm")?,
        checksum_type: row.try_get("checksum_type")?,
        initiator: row.try_get("initiator")?,
        created_at: row.try_get("created_at")?,
        extra: row.try_get("extra")?,
    })
}

fn read_part(row: &Row) -> Result<Part, StateError> {
    let number: i64 = row.try_get("part_number")?;
    let length: i64 = row.try_get("plain_len")?;
    let etags = pairs_from_json(row.try_get("etags")?)?;
    Ok(Part {
        part_number: u16::try_from(number).map_err(|_| StateError::unreadable("part_number"))?,
        record: row.try_get("record")?,
        plain_len: PlainLen(u64::try_from(length).map_err(|_| StateError::unreadable("plain_len"))?),
        etags: etags.into_iter().map(|(site, etag)| (site, SealedETag::from_backend(&etag))).collect(),
        staged_key: row.try_get("staged_key")?,
        written_at: row.try_get("written_at")?,
    })
}

/// The column `bucket`.
pub(super) fn read_bucket(row: &Row) -> Result<BucketName, StateError> {
    BucketName::parse(row.try_get("bucket")?).map_err(|_| StateError::unreadable("bucket"))
}

/// The column `object_key`; empty: `None`.
pub(super) fn read_key(row: &Row) -> Result<Option<ObjectKey>, StateError> {
    let bytes: &[u8] = row.try_get("object_key")?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let key = std::str::from_utf8(bytes).ok().and_then(|key| ObjectKey::parse(key).ok());
    key.map(Some).ok_or_else(|| StateError::unreadable("object_key"))
}

fn pairs_to_json(pairs: &[(String, String)]) -> Result<String, StateError> {
    serde_json::to_string(pairs).map_err(|e| StateError(e.to_string()))
}

fn pairs_from_json(text: &str) -> Result<Vec<(String, String)>, StateError> {
    serde_json::from_str(text).map_err(|_| StateError::unreadable("a list of sites"))
}

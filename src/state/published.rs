//! What clients made public through the proxy: buckets, and single objects. Not what the storage says of them.
use super::database::Connection;
use super::{State, StateError};
use crate::s3::{BucketName, ObjectKey};

const ADD: &str =
    "INSERT INTO published (bucket, object_key) VALUES ($1, $2) ON CONFLICT (bucket, object_key) DO NOTHING";
const FIND: &str = "SELECT 1 FROM published WHERE bucket = $1 AND (object_key = $2 OR object_key = $3) LIMIT 1";
const FORGET: &str = "DELETE FROM published WHERE bucket = $1";

/// Stands for the bucket itself: no object has it.
const BUCKET: &[u8] = b"";

impl State {
    /// Remembers that a client made this object public, or (`None`) the bucket. Durable when it returns; true when that is new.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn publish(&self, bucket: &BucketName, key: Option<&ObjectKey>) -> Result<bool, StateError> {
        let (bucket, key) = (bucket.to_string(), bytes(key).to_vec());
        self.writer().run(move |connection| Box::pin(add(connection, bucket, key))).await
    }

    /// Whether a client made this object public, or the bucket; for `None`, the bucket.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_published(&self, bucket: &BucketName, key: Option<&ObjectKey>) -> Result<bool, StateError> {
        let query = sqlx::query(FIND).bind(bucket.to_string()).bind(BUCKET.to_vec()).bind(bytes(key).to_vec());
        Ok(query.fetch_optional(self.readers()).await?.is_some())
    }

    /// The bucket is gone, and what was public in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn forget_published(&self, bucket: &BucketName) -> Result<(), StateError> {
        let bucket = bucket.to_string();
        self.writer().run(move |connection| Box::pin(forget(connection, bucket))).await
    }
}

fn bytes(key: Option<&ObjectKey>) -> &[u8] {
    key.map_or(BUCKET, |key| key.as_str().as_bytes())
}

async fn add(connection: &mut Connection, bucket: String, key: Vec<u8>) -> Result<bool, StateError> {
    Ok(sqlx::query(ADD).bind(bucket).bind(key).execute(connection).await?.rows_affected() > 0)
}

async fn forget(connection: &mut Connection, bucket: String) -> Result<(), StateError> {
    sqlx::query(FORGET).bind(bucket).execute(connection).await?;
    Ok(())
}

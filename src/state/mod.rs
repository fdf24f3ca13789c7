//! What must survive a restart: multipart uploads, the journal of misses, the ETag index. SQLite (WAL).
//!
//! The only room that knows SQL. Journal and uploads are durable when a call returns (`synchronous=FULL`); the index is a cache,
//! written behind in batches, and never the truth.
//!
//! | file | holds |
//! |---|---|
//! | [`open`] | the database file, its permissions, its schema |
//! | [`uploads`] | multipart uploads and their parts |
//! | [`journal`] | what a site missed |
//! | [`index`] | sealed ETag to plain ETag, for listings |
mod index;
mod journal;
mod open;
mod uploads;

#[cfg(test)]
mod tests;

use crate::s3::{BucketName, ObjectKey, PlainETag, PlainLen, SealedETag};
pub use open::State;

/// A state failure: the operation must answer 503, nothing acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("state database: {0}")]
pub struct StateError(pub String);

/// A multipart upload in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Our own upload id, as the client sees it.
    pub id: String,
    /// Bucket.
    pub bucket: BucketName,
    /// Key.
    pub key: ObjectKey,
    /// `seal::ObjectSealer::to_wrapped`.
    pub wrapped: Vec<u8>,
    /// (site name, that site's upload id); a site that failed is taken out.
    pub sites: Vec<(String, String)>,
    /// Tag of its sealed metadata.
    pub metadata_tag: Option<[u8; 16]>,
    /// Checksum algorithm and type the client announced (S3's names), empty when none.
    pub checksum_algorithm: String,
    /// `COMPOSITE` or `FULL_OBJECT`, empty when none.
    pub checksum_type: String,
    /// Who started it (access key id).
    pub initiator: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Opaque to state: more that the gateway wants back at Complete (JSON).
    pub extra: String,
}

/// A part that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// 1 to 9,999.
    pub part_number: u16,
    /// `seal::ObjectSealer::seal_part_record`.
    pub record: Vec<u8>,
    /// Plain bytes.
    pub plain_len: PlainLen,
    /// (site name, that site's ETag for the part); empty when the part is staged.
    pub etags: Vec<(String, SealedETag)>,
    /// Smaller than a backend part may be: kept as a small object in the system bucket under this key.
    pub staged_key: Option<String>,
    /// Unix seconds.
    pub written_at: i64,
}

/// A row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The row.
    pub id: i64,
    /// Raised every time the same miss is recorded again; settling names the one it saw.
    pub generation: i64,
    /// The site to bring up to date.
    pub site: String,
    /// Bucket.
    pub bucket: BucketName,
    /// The object; `None`: the bucket itself.
    pub key: Option<ObjectKey>,
    /// How often it was tried.
    pub attempts: u32,
    /// Unix seconds.
    pub recorded_at: i64,
}

/// What the index remembers of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The ETag a site shows.
    pub sealed_etag: SealedETag,
    /// The ETag a client sees.
    pub etag: PlainETag,
}

// === impl StateError ===

impl StateError {
    fn new(doing: &str, error: &sqlx::Error) -> Self {
        Self(format!("{doing}: {error}"))
    }

    fn row(what: &str) -> Self {
        Self(format!("a row of the state database holds an impossible {what}; restore the file or move it away"))
    }
}

//! What must survive a restart: multipart uploads, the journal of misses, the ETag index. SQLite (WAL).
//!
//! CONTRACT SKELETON. The only room that knows SQL. Journal and uploads are durable when a call returns
//! (`synchronous=FULL`); the index is a cache and is written behind, in batches.
use crate::s3::{BucketName, ObjectKey, PlainETag, PlainLen, SealedETag};
use std::collections::HashMap;

/// A state failure: the operation must answer 503, nothing acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("state database: {0}")]
pub struct StateError(pub String);

/// The open state. Cheap to clone.
#[derive(Clone)]
pub struct State {}

/// A multipart upload in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Our own upload id, as the client sees it.
    pub id: String,
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// `seal::ObjectSealer::to_wrapped`.
    pub wrapped: Vec<u8>,
    /// (site name, that site's upload id); a site that failed is taken out.
    pub sites: Vec<(String, String)>,
    /// Tag of its sealed metadata.
    pub metadata_tag: Option<[u8; 16]>,
    /// Checksum algorithm and type the client announced (S3's names), empty when none.
    pub checksum_algorithm: String,
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
    pub part_number: u16,
    /// `seal::ObjectSealer::seal_part_record`.
    pub record: Vec<u8>,
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
    pub id: i64,
    /// Raised every time the same miss is recorded again; settling names the one it saw.
    pub generation: i64,
    pub site: String,
    pub bucket: BucketName,
    pub key: Option<ObjectKey>,
    pub attempts: u32,
    /// Unix seconds.
    pub recorded_at: i64,
}

/// What the index remembers of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub sealed_etag: SealedETag,
    pub etag: PlainETag,
}

#[allow(unused_variables)]
impl State {
    /// Opens or creates `folder/state.sqlite3` (folder 0700, file 0600).
    pub async fn open(folder: &std::path::Path) -> Result<Self, StateError> {
        unimplemented!()
    }
    /// Writes behind what is queued and closes.
    pub async fn close(&self) {
        unimplemented!()
    }

    // uploads
    pub async fn create_upload(&self, upload: &Upload) -> Result<(), StateError> {
        unimplemented!()
    }
    pub async fn upload(&self, id: &str) -> Result<Option<Upload>, StateError> {
        unimplemented!()
    }
    /// In order of (key, id), after the marker.
    pub async fn uploads(
        &self,
        bucket: &BucketName,
        prefix: &str,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Upload>, StateError> {
        unimplemented!()
    }
    pub async fn drop_upload_site(&self, id: &str, site: &str) -> Result<(), StateError> {
        unimplemented!()
    }
    /// Removes the upload and its parts.
    pub async fn delete_upload(&self, id: &str) -> Result<(), StateError> {
        unimplemented!()
    }
    /// Adds or replaces a part; returns the one it replaced.
    pub async fn put_part(&self, upload: &str, part: &Part) -> Result<Option<Part>, StateError> {
        unimplemented!()
    }
    /// In order of part number, after `after`.
    pub async fn parts(&self, upload: &str, after: u16, limit: u32) -> Result<Vec<Part>, StateError> {
        unimplemented!()
    }

    // journal
    /// Durable when it returns. The same (site, bucket, key) again raises the generation.
    pub async fn record_miss(
        &self,
        site: &str,
        bucket: &BucketName,
        key: Option<&ObjectKey>,
        reason: &str,
        now: i64,
    ) -> Result<(), StateError> {
        unimplemented!()
    }
    pub async fn due(&self, now: i64, limit: u32) -> Result<Vec<Pending>, StateError> {
        unimplemented!()
    }
    /// Removes the row unless its generation moved on. True when removed.
    pub async fn settle(&self, pending: &Pending) -> Result<bool, StateError> {
        unimplemented!()
    }
    pub async fn postpone(&self, pending: &Pending, not_before: i64, error: &str) -> Result<(), StateError> {
        unimplemented!()
    }
    /// (rows, oldest recorded_at).
    pub async fn backlog(&self) -> Result<(u64, Option<i64>), StateError> {
        unimplemented!()
    }
    /// Whether this object is waiting for some site.
    pub async fn is_pending(&self, bucket: &BucketName, key: &ObjectKey) -> Result<bool, StateError> {
        unimplemented!()
    }

    // ETag index (a cache; never the truth)
    /// Queued, written behind in batches; dropped when the queue is full.
    pub fn note(&self, bucket: &BucketName, key: &ObjectKey, entry: IndexEntry) {
        unimplemented!()
    }
    /// What is known of the keys from `first` to `last` (inclusive), by (key, sealed ETag).
    pub async fn known(
        &self,
        bucket: &BucketName,
        first: &str,
        last: &str,
    ) -> Result<HashMap<(String, SealedETag), PlainETag>, StateError> {
        unimplemented!()
    }
}

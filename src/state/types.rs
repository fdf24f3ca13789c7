//! What the rows mean.
use crate::s3::{BucketName, ObjectKey, PlainETag, PlainLen, SealedETag};

/// A multipart upload in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Our own upload id, as the client sees it.
    pub id: String,
    /// Where the object will be.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// `seal::ObjectSealer::to_wrapped`.
    pub wrapped: Vec<u8>,
    /// (site name, that site's upload id); a site that failed is taken out.
    pub sites: Vec<(String, String)>,
    /// Tag of its sealed metadata.
    pub metadata_tag: Option<[u8; 16]>,
    /// Checksum algorithm the client announced (S3's name), empty when none.
    pub checksum_algorithm: String,
    /// Checksum type the client announced (S3's name), empty when none.
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
    /// The client's part number.
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
    /// The row; never used again for another miss.
    pub id: i64,
    /// Raised every time the same miss is recorded again; settling names the one it saw.
    pub generation: i64,
    /// The site that lacks something.
    pub site: String,
    /// Bucket.
    pub bucket: BucketName,
    /// The object; `None`: the bucket itself.
    pub key: Option<ObjectKey>,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Unix seconds at which the site fell behind (the first record of a row that was recorded again).
    pub recorded_at: i64,
}

/// What the index remembers of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// What a site answers for the sealed bytes.
    pub sealed_etag: SealedETag,
    /// What the client sees.
    pub etag: PlainETag,
}

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
    /// What the site holds is not to be deleted before this time (Unix seconds; 0: nothing is retained).
    pub retain_until: i64,
    /// Sealed bytes to be copied, as far as known.
    pub bytes: u64,
    /// What is to be done.
    pub task: Task,
}

/// What a row of the journal asks for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Task {
    /// The site is a backup, to be made equal to the primary.
    #[default]
    Level,
    /// A read found the site's copy damaged: it is to be made good from another one.
    Repair,
    /// The site is the primary, which was out when a backup accepted a change: to be made equal to that backup.
    Home {
        /// The backup that has what was acknowledged last.
        from: String,
        /// The last change may have been a delete.
        gone: bool,
    },
}

/// A row that nobody works on: parked, or kept for a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The row.
    pub row: Pending,
    /// Why it is parked; empty when it is kept.
    pub reason: String,
}

/// How far an object has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Some site lacks it and will get it.
    Pending,
    /// Some site lacks it and refuses it: somebody has to help.
    Parked,
    /// Every site has it.
    Completed,
}

/// What sites miss, in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Operations waiting or being worked on.
    pub pending: u64,
    /// Sealed bytes of them, as far as known.
    pub bytes: u64,
    /// Unix seconds of the oldest of them.
    pub oldest: Option<i64>,
    /// Operations that a site refuses.
    pub parked: u64,
    /// Objects that a backup keeps although the primary deleted them.
    pub retained: u64,
}

// === impl Backlog ===

impl Backlog {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.pending += other.pending;
        self.bytes += other.bytes;
        self.parked += other.parked;
        self.retained += other.retained;
        self.oldest = match (self.oldest, other.oldest) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }
}

/// What the index remembers of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// What a site answers for the sealed bytes.
    pub sealed_etag: SealedETag,
    /// What the client sees.
    pub etag: PlainETag,
}

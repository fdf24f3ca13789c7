//! The tee: one sealed stream in, every site out, one commit.
//!
//! CONTRACT SKELETON. Rules it keeps:
//! - Sites are fed at once with the same `Bytes` (reference-counted), with back-pressure from the primary
//!   (and, in `Mode::Strict`, from all). A backup that stalls longer than `backup_grace` is dropped from the
//!   write and recorded as a miss; it never stalls the client in `Mode::Tee`.
//! - The last bytes (the footer) are held back until `commit`. Dropping a `TeeWrite` breaks the request
//!   off at every site: nothing becomes visible.
//! - `commit` holds a per-key lock (in-process) from the last bytes to the answers of the sites, so that two
//!   writers of one key commit in the same order everywhere. `delete` and the replication worker take it too.
//! - Unconditional writes commit everywhere at once; conditional ones first at the primary, then at the
//!   backups (whose own write is unconditional).
//! - Whatever makes the sites differ after the primary decided is recorded through [`MissRecorder`]
//!   *before* the caller gets its answer. If recording fails the write is answered with an error.
use super::{Location, SealedETag, SiteError, SiteName, Sites, WriteCondition, Written};
use crate::s3::{BucketName, ObjectKey};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// When the primary has it; what a backup missed is recorded durably first.
    #[default]
    Tee,
    /// When every site has it.
    Strict,
}

/// A site that does not (or may not) have what the primary has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The site to bring up to date.
    pub site: SiteName,
    /// Bucket.
    pub bucket: BucketName,
    /// The object; `None`: the bucket itself was created or deleted.
    pub key: Option<ObjectKey>,
    /// Why, for the operator. No secrets, no keys of objects.
    pub reason: String,
}

/// The port through which misses become durable (implemented by `replication`).
#[async_trait::async_trait]
pub trait MissRecorder: Send + Sync {
    /// Returns only when the miss would survive a power cut.
    async fn record(&self, miss: Miss) -> Result<(), MissError>;
}

/// A miss could not be recorded.
#[derive(Debug, thiserror::Error)]
#[error("what a site missed could not be recorded: {0}")]
pub struct MissError(pub String);

/// What a tee'd operation can fail with.
#[derive(Debug, thiserror::Error)]
pub enum TeeError {
    /// A site refused or failed (the primary; in strict mode any).
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The journal is not writable: acknowledge nothing.
    #[error(transparent)]
    Journal(#[from] MissError),
}

/// The outcome of a write.
#[derive(Clone, Debug)]
pub struct Committed {
    /// What the primary answered.
    pub primary: Written,
    /// Every site that has it, with the ETag it gave (primary first).
    pub written: Vec<(SiteName, SealedETag)>,
    /// Sites recorded as missing it.
    pub pending: Vec<SiteName>,
}

/// Writes to every site. Cheap to clone.
#[derive(Clone)]
pub struct Tee {}

/// The upload ids of one multipart upload: one per site that takes part (a site that failed is left out).
pub type SiteUploads = Vec<(SiteName, String)>;

#[allow(unused_variables)]
impl Tee {
    /// Over these sites.
    pub fn new(sites: Sites, misses: Arc<dyn MissRecorder>, backup_grace: Duration) -> Self {
        unimplemented!()
    }
    /// The sites.
    pub fn sites(&self) -> &Sites {
        unimplemented!()
    }
    /// The per-key commit lock (also for the replication worker).
    pub async fn lock(&self, at: &Location) -> KeyGuard {
        unimplemented!()
    }
    /// Starts a PUT of exactly `length` sealed bytes.
    pub fn put(
        &self,
        at: &Location,
        length: u64,
        metadata: Option<String>,
        condition: WriteCondition,
        mode: Mode,
    ) -> TeeWrite {
        unimplemented!()
    }
    /// Starts an UploadPart at the sites of `uploads`. A backup that fails is reported in `Committed::pending`
    /// (not recorded as a miss: the caller takes it out of the upload and Complete records it).
    pub fn part(&self, at: &Location, uploads: &SiteUploads, part: u16, length: u64, mode: Mode) -> TeeWrite {
        unimplemented!()
    }
    /// Creates a multipart upload at every site; in tee mode backups may be left out.
    pub async fn create_multipart(
        &self,
        at: &Location,
        metadata: Option<&str>,
        mode: Mode,
    ) -> Result<SiteUploads, TeeError> {
        unimplemented!()
    }
    /// Completes at every site of `uploads` (primary first); sites not in it are recorded as misses.
    /// `parts` gives, per site, the part numbers and that site's ETags.
    pub async fn complete_multipart(
        &self,
        at: &Location,
        uploads: &SiteUploads,
        parts: &[(SiteName, Vec<(u16, SealedETag)>)],
        condition: &WriteCondition,
        mode: Mode,
    ) -> Result<Committed, TeeError> {
        unimplemented!()
    }
    /// Aborts everywhere; unreachable sites are skipped.
    pub async fn abort_multipart(&self, at: &Location, uploads: &SiteUploads) -> Result<(), TeeError> {
        unimplemented!()
    }
    /// Deletes everywhere, primary first.
    pub async fn delete(&self, at: &Location, mode: Mode) -> Result<(), TeeError> {
        unimplemented!()
    }
    /// Deletes many everywhere; one entry per key that failed at the primary (strict: anywhere).
    pub async fn delete_many(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
        mode: Mode,
    ) -> Result<Vec<(ObjectKey, SiteError)>, TeeError> {
        unimplemented!()
    }
    /// Creates a bucket everywhere.
    pub async fn create_bucket(&self, bucket: &BucketName, location: Option<&str>) -> Result<(), TeeError> {
        unimplemented!()
    }
    /// Deletes a bucket everywhere.
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), TeeError> {
        unimplemented!()
    }
}

/// Holds a key's commit lock.
pub struct KeyGuard {}

/// A write under way. Drop = break off everywhere.
pub struct TeeWrite {}

#[allow(unused_variables)]
impl TeeWrite {
    /// Hands the next bytes to every site. Errs as soon as the write cannot succeed any more.
    pub async fn send(&mut self, chunk: Bytes) -> Result<(), TeeError> {
        unimplemented!()
    }
    /// Sends the last bytes under the key's lock and waits for the sites.
    pub async fn commit(self, last: Bytes) -> Result<Committed, TeeError> {
        unimplemented!()
    }
}

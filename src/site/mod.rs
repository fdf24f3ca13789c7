//! One S3 endpoint behind the proxy, and the tee that writes to all of them.
//!
//! CONTRACT SKELETON: signatures the other rooms compile against. The site owner splits it into files.
//! Two doors inside (a lean signed hyper client for the hot operations, `aws-sdk-s3` for the rest);
//! nobody outside knows which one served. Quirks of backends are hidden here.
use crate::s3::{BucketName, ObjectKey, SealedETag, SealedLen};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

pub mod embedded;
pub mod tee;

/// A site's name from the configuration, for example `primary`. Label of metrics and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteName(pub Arc<str>);

impl std::fmt::Display for SiteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How to reach a site. The secret has no `Debug`.
pub struct SiteConfig {
    /// Name.
    pub name: SiteName,
    /// For example `https://s3.example.com:9000`. Path-style addressing is used.
    pub endpoint: String,
    /// SigV4 region.
    pub region: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: crate::secret::SecretText,
    /// PEM bundle of extra certificate authorities.
    pub ca_pem: Option<Vec<u8>>,
    /// Prefix put before every bucket name at this site (empty: none).
    pub bucket_prefix: String,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Longest silence of a body or before a response head.
    pub stall_timeout: Duration,
    /// Idle connections kept per site.
    pub max_idle_connections: usize,
}

/// What went wrong at a site, in the terms the gateway decides by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The site answered with an S3 error.
    #[error("site {site}: {code} ({status}): {message}")]
    S3 { site: SiteName, status: u16, code: String, message: String },
    /// No connection, or it broke, or it was silent for too long. The request may or may not have had effect.
    #[error("site {site} is unreachable: {detail}")]
    Unreachable { site: SiteName, detail: String },
    /// The site answered something that is not S3.
    #[error("site {site} answered nonsense: {detail}")]
    Protocol { site: SiteName, detail: String },
    /// The site cannot do this (found by the probe).
    #[error("site {site} does not support {what}")]
    Unsupported { site: SiteName, what: &'static str },
    /// Our own side broke the request off (client gone, checksum mismatch).
    #[error("the write was broken off")]
    Aborted,
}

impl SiteError {
    /// 404 NoSuchKey / NoSuchBucket / NoSuchUpload.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::S3 { status: 404, .. })
    }
    /// 412.
    pub fn is_precondition_failed(&self) -> bool {
        matches!(self, Self::S3 { status: 412, .. })
    }
    /// Unreachable, or a 5xx: another site may serve, a later try may succeed.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Protocol { .. } => true,
            Self::S3 { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

/// What the probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `If-None-Match: *` on PUT is honoured (probed, not believed).
    pub put_if_none_match: bool,
    /// `If-Match` on PUT is honoured.
    pub put_if_match: bool,
    /// `If-None-Match: *` on CompleteMultipartUpload is honoured.
    pub complete_if_none_match: bool,
    /// `If-Match` on GET is honoured.
    pub get_if_match: bool,
    /// UploadPartCopy works.
    pub upload_part_copy: bool,
    /// Buckets can be versioned.
    pub versioning: bool,
    /// Object lock is known.
    pub object_lock: bool,
    /// `x-amz-checksum-*` is verified by the backend.
    pub checksums: bool,
    /// Largest single user-metadata value that survives, bytes.
    pub max_metadata: usize,
    /// One line per oddity hidden by this module.
    pub quirks: Vec<String>,
}

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The logical bucket (the site adds its prefix).
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
}

/// Which sealed bytes to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedRange {
    /// The whole object.
    Whole,
    /// `length` bytes from `start`.
    Span { start: u64, length: u64 },
    /// The last bytes.
    Last(u64),
}

/// A streamed object.
pub struct GotObject {
    /// ETag of the sealed bytes.
    pub etag: SealedETag,
    /// Length of the whole object (from Content-Range when ranged).
    pub total: SealedLen,
    /// Bytes that `body` will deliver.
    pub length: u64,
    /// Sealed metadata, when the object carries ours.
    pub metadata: Option<String>,
    /// `Last-Modified`.
    pub last_modified: time::OffsetDateTime,
    /// Version id, where the bucket is versioned.
    pub version_id: Option<String>,
    /// The bytes. Ends early with an error, never silently.
    pub body: SealedBody,
}

/// A stream of sealed bytes from a site.
pub type SealedBody = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, SiteError>> + Send + Sync>>;

/// Condition of a write, on the sealed ETag at this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    /// None.
    Always,
    /// `If-None-Match: *`.
    IfAbsent,
    /// `If-Match`.
    IfMatch(SealedETag),
}

/// What a write left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// ETag the site gave.
    pub etag: SealedETag,
    /// Version id, where versioned.
    pub version_id: Option<String>,
}

/// The body of a write of known length: chunks arrive through a channel; dropping the sender before
/// `length` bytes were sent breaks the request off, so that nothing becomes visible.
pub struct PutBody {
    /// Exact number of bytes that will come.
    pub length: u64,
    /// The chunks, in order.
    pub chunks: tokio::sync::mpsc::Receiver<Bytes>,
}

/// One object in a listing.
#[derive(Clone, Debug)]
pub struct ListedObject {
    /// Key.
    pub key: String,
    /// Sealed size.
    pub size: SealedLen,
    /// Sealed ETag.
    pub etag: Option<SealedETag>,
    /// Last modified.
    pub last_modified: time::OffsetDateTime,
    /// Storage class.
    pub storage_class: Option<String>,
}

/// A page of a listing. Keys are decoded (the site always asks for `encoding-type=url`).
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// Objects.
    pub objects: Vec<ListedObject>,
    /// Common prefixes.
    pub common_prefixes: Vec<String>,
    /// More to come.
    pub truncated: bool,
    /// V2's opaque token for the next page (V1 callers use `next_marker`).
    pub next_token: Option<String>,
    /// V1's next marker.
    pub next_marker: Option<String>,
}

/// What to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Bucket.
    pub bucket: BucketName,
    /// Prefix.
    pub prefix: String,
    /// Delimiter.
    pub delimiter: Option<String>,
    /// V2 continuation token.
    pub token: Option<String>,
    /// V2 start-after / V1 marker.
    pub start_after: Option<String>,
    /// At most so many keys (0..=1000).
    pub max_keys: u32,
}

/// One bucket.
#[derive(Clone, Debug)]
pub struct ListedBucket {
    /// Name without the site's prefix.
    pub name: String,
    /// Created.
    pub created: Option<time::OffsetDateTime>,
}

/// One S3 endpoint. Cheap to clone (`Arc` inside).
#[derive(Clone)]
pub struct Site {}

macro_rules! todo_async {
    () => {
        unimplemented!()
    };
}

#[allow(unused_variables)]
impl Site {
    /// Builds the clients; opens no connection.
    pub fn new(config: SiteConfig, observer: Arc<dyn SiteObserver>) -> Result<Self, SiteError> {
        unimplemented!()
    }
    /// Name.
    pub fn name(&self) -> &SiteName {
        unimplemented!()
    }
    /// What the last probe found (default before the first).
    pub fn capabilities(&self) -> Arc<Capabilities> {
        unimplemented!()
    }
    /// Probes in the system bucket `bucket` (created when missing); stores and returns the result.
    pub async fn probe(&self, bucket: &BucketName) -> Result<Arc<Capabilities>, SiteError> {
        todo_async!()
    }
    /// True while recent requests got answers (see health.rs); readers try healthy sites first.
    pub fn is_healthy(&self) -> bool {
        unimplemented!()
    }

    // hot: the lean door
    /// GET, whole or ranged; `if_match` pins the version (412 when it changed).
    pub async fn get(
        &self,
        at: &Location,
        range: SealedRange,
        if_match: Option<&SealedETag>,
    ) -> Result<GotObject, SiteError> {
        todo_async!()
    }
    /// PUT of known length with sealed metadata (one header) and content type application/octet-stream.
    pub async fn put(
        &self,
        at: &Location,
        metadata: Option<&str>,
        condition: &WriteCondition,
        body: PutBody,
    ) -> Result<Written, SiteError> {
        todo_async!()
    }
    /// UploadPart of known length.
    pub async fn upload_part(
        &self,
        at: &Location,
        upload_id: &str,
        part: u16,
        body: PutBody,
    ) -> Result<SealedETag, SiteError> {
        todo_async!()
    }

    // rare: the SDK door
    pub async fn head(&self, at: &Location) -> Result<(SealedETag, SealedLen), SiteError> {
        todo_async!()
    }
    pub async fn delete(&self, at: &Location) -> Result<(), SiteError> {
        todo_async!()
    }
    /// Deletes many; the result has one entry per key that failed.
    pub async fn delete_many(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
    ) -> Result<Vec<(ObjectKey, SiteError)>, SiteError> {
        todo_async!()
    }
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, SiteError> {
        todo_async!()
    }
    pub async fn create_multipart(&self, at: &Location, metadata: Option<&str>) -> Result<String, SiteError> {
        todo_async!()
    }
    /// Completes; where the backend answers an empty ETag, finds it out with a HEAD.
    pub async fn complete_multipart(
        &self,
        at: &Location,
        upload_id: &str,
        parts: &[(u16, SealedETag)],
        condition: &WriteCondition,
    ) -> Result<Written, SiteError> {
        todo_async!()
    }
    pub async fn abort_multipart(&self, at: &Location, upload_id: &str) -> Result<(), SiteError> {
        todo_async!()
    }
    /// UploadPartCopy of a span of sealed bytes of an object at this site, pinned by its ETag.
    pub async fn upload_part_copy(
        &self,
        at: &Location,
        upload_id: &str,
        part: u16,
        source: &Location,
        source_etag: &SealedETag,
        span: (u64, u64),
    ) -> Result<SealedETag, SiteError> {
        todo_async!()
    }
    pub async fn create_bucket(&self, bucket: &BucketName, location: Option<&str>) -> Result<(), SiteError> {
        todo_async!()
    }
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), SiteError> {
        todo_async!()
    }
    pub async fn head_bucket(&self, bucket: &BucketName) -> Result<(), SiteError> {
        todo_async!()
    }
    pub async fn list_buckets(&self) -> Result<Vec<ListedBucket>, SiteError> {
        todo_async!()
    }
    pub async fn bucket_location(&self, bucket: &BucketName) -> Result<Option<String>, SiteError> {
        todo_async!()
    }

    // small objects of the system bucket (keyring, staging): bytes in memory, at most 8 MiB
    pub async fn get_small(&self, at: &Location) -> Result<(Bytes, SealedETag), SiteError> {
        todo_async!()
    }
    pub async fn put_small(
        &self,
        at: &Location,
        bytes: Bytes,
        condition: &WriteCondition,
    ) -> Result<Written, SiteError> {
        todo_async!()
    }
}

/// Told of every request to a site, for metrics; implemented by telemetry's wiring in `app`.
pub trait SiteObserver: Send + Sync {
    /// One request ended: its short name (`get`, `put`, ...), outcome class (`ok`, `4xx`, `5xx`, `unreachable`), seconds to response head.
    fn request(&self, site: &SiteName, operation: &'static str, outcome: &'static str, seconds: f64);
    /// Sealed bytes moved.
    fn bytes(&self, site: &SiteName, sent: u64, received: u64);
    /// Health changed.
    fn health(&self, site: &SiteName, healthy: bool);
}

/// Every site of the deployment: one primary, any number of backups (at least one).
#[derive(Clone)]
pub struct Sites {
    /// The primary.
    pub primary: Site,
    /// The backups.
    pub backups: Arc<[Site]>,
}

impl Sites {
    /// Primary first.
    pub fn all(&self) -> impl Iterator<Item = &Site> {
        std::iter::once(&self.primary).chain(self.backups.iter())
    }
    /// By name.
    pub fn by_name(&self, name: &SiteName) -> Option<&Site> {
        self.all().find(|s| s.name() == name)
    }
}

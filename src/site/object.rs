//! What travels to and from a site: places, ranges, conditions, bodies.
use super::SiteError;
use crate::s3::{BucketName, Lock, ObjectKey, SealedETag, SealedLen};
use bytes::Bytes;

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
    Span {
        /// First byte.
        start: u64,
        /// How many; a span past the end is cut off there.
        length: u64,
    },
    /// The last bytes; the whole object when it is shorter.
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
    /// What else the site tells of the object.
    pub told: ToldHeaders,
    /// All the headers of the answer.
    pub headers: http::HeaderMap,
    /// `Last-Modified`.
    pub last_modified: time::OffsetDateTime,
    /// Version id, where the bucket is versioned.
    pub version_id: Option<String>,
    /// The bytes. Ends early with an error, never silently.
    pub body: SealedBody,
}

/// A stream of sealed bytes from a site.
pub type SealedBody = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, SiteError>> + Send + Sync>>;

/// What of an object is written beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// Sealed metadata.
    pub metadata: Option<String>,
    /// Headers that the site keeps and answers by (see [`KEPT`]), lower-case, as the client sent them.
    pub kept: Vec<(&'static str, String)>,
    /// Headers for whoever looks at the site itself ([`IN_CLEAR`], `x-amz-meta-*`), lower-case; values of printable ASCII without
    /// runs of spaces. Empty where a rule does not ask for them.
    pub clear: Vec<(String, String)>,
    /// For sites that have object lock in the bucket; others get the object without it.
    pub lock: Option<Lock>,
}

/// Content headers that may lie in clear at a site (beside `x-amz-meta-*`). Not `content-encoding`: it would be said of sealed bytes, and
/// whoever reads those would try to undo it.
pub const IN_CLEAR: &[&str] = &["cache-control", "content-disposition", "content-language", "content-type", "expires"];

/// Headers of a write which configure the object at the site: nothing in them is sealed, because the site has to act by them.
pub const KEPT: &[&str] = &[
    "x-amz-acl",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-storage-class",
    "x-amz-tagging",
];

/// What a rule that asked for headers said of an object's retention: `none`, or mode and date. Who copies the object to another site later
/// knows its path only, and would find another rule. It tells a site no more than a lock does.
pub const RETENTION_NOTE: &str = "x-amz-meta-strongroom-retention";

/// Headers of the site's answer that tell what it keeps of an object.
pub(super) const TOLD: &[&str] = &[
    "x-amz-expiration",
    RETENTION_NOTE,
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-restore",
    "x-amz-storage-class",
    "x-amz-tagging-count",
];

/// What a site tells of an object beside its bytes and metadata (the headers named in `TOLD`).
pub type ToldHeaders = Vec<(&'static str, http::HeaderValue)>;

/// No metadata, and nothing to keep.
pub static NO_HEADERS: ObjectHeaders =
    ObjectHeaders { metadata: None, kept: Vec::new(), clear: Vec::new(), lock: None };

// === impl ObjectHeaders ===

impl ObjectHeaders {
    /// Sealed metadata and nothing else.
    pub fn of(metadata: Option<&str>) -> Self {
        Self { metadata: metadata.map(str::to_owned), ..Self::default() }
    }

    /// With the lock that `usual` says, unless a lock came with the object, or the word that it is to have none.
    #[must_use]
    pub fn or_locked(self, usual: impl FnOnce() -> Option<Lock>) -> Self {
        if self.lock.is_some() || self.kept.iter().any(|(name, _)| *name == RETENTION_NOTE) {
            return self;
        }
        Self { lock: usual(), ..self }
    }

    /// All but the sealed metadata.
    pub(super) fn beside_metadata(&self) -> Vec<(String, String)> {
        let kept = self.kept.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        kept.chain(self.clear.iter().cloned()).collect()
    }
}

/// What a part is copied from.
#[derive(Clone, Copy, Debug)]
pub struct PartSource<'a> {
    /// The object.
    pub at: &'a Location,
    /// One version of it, as this site calls it; `None`: the current one.
    pub version: Option<&'a str>,
    /// The sealed ETag that it must have.
    pub etag: &'a SealedETag,
}

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
    /// `x-amz-expiration`: when a lifecycle rule of the site will remove it.
    pub expiration: Option<String>,
}

/// The body of a write of known length: chunks arrive through a channel; dropping the sender before
/// `length` bytes were sent breaks the request off, so that nothing becomes visible.
///
/// When the write fails the receiver is dropped, so a feeder notices by its next `send`.
pub struct PutBody {
    /// Exact number of bytes that will come.
    pub length: u64,
    /// The chunks, in order.
    pub chunks: tokio::sync::mpsc::Receiver<Bytes>,
}

//! The sealed-object format, version 1. PURE: bytes in, bytes out; no I/O, no async, no config, no clock.
//! (Randomness comes in through [`Entropy`].)
//!
//! CONTRACT SKELETON: signatures the other rooms compile against; the seal owner implements them and
//! splits this into files (suite, derive, message, trailer, index, footer, length, metadata, reader, keyblob).
use crate::s3::{BucketName, ObjectKey, PlainETag, PlainLen, PlainSpan, SealedLen};
use crate::secret::SecretBytes;
use bytes::{Bytes, BytesMut};

/// Bytes of plaintext in one full chunk.
pub const CHUNK: u64 = 16 * 1024;
/// Bytes of the trailer, the last bytes of every sealed object.
pub const TRAILER_LEN: u64 = 528;
/// The smallest part a multipart upload may have, except the last (bytes of plaintext).
pub const MIN_PART: u64 = 5 * 1024 * 1024;
/// The largest object (bytes of plaintext): 5 TiB.
pub const MAX_OBJECT: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// Everything that can be wrong with sealed bytes or a key. Never carries bytes of either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The bytes are not a sealed object (wrong magic, too short, impossible length).
    #[error("not a sealed object: {0}")]
    NotSealed(&'static str),
    /// The object says it was sealed in a way this build does not know.
    #[error("unsupported sealed object: {0}")]
    Unsupported(&'static str),
    /// Authentication failed: damaged, swapped, truncated, or the wrong key or name.
    #[error("authentication failed: {0}")]
    Authentication(&'static str),
    /// The structure contradicts itself.
    #[error("malformed sealed object: {0}")]
    Malformed(&'static str),
    /// A zero or otherwise unusable key.
    #[error("unusable key: {0}")]
    BadKey(&'static str),
    /// More plaintext, parts or metadata than the format holds.
    #[error("too large for the format: {0}")]
    TooLarge(&'static str),
    /// No randomness to be had.
    #[error("no randomness available")]
    NoEntropy,
}

/// Where random bytes come from; tests bring fixed ones.
pub trait Entropy: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError>;
}

/// The name of a vault key, for example `default` or `client-4711`: 1-64 of `a-z0-9._-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultKeyId(std::sync::Arc<str>);

impl VaultKeyId {
    /// Parses a name.
    pub fn parse(_name: &str) -> Result<Self, SealError> {
        unimplemented!()
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One version of one vault key, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultKeyRef {
    /// Which key.
    pub id: VaultKeyId,
    /// Which version, from 1.
    pub version: u32,
}

/// One version of a vault key: 32 secret bytes and their name. No `Debug`.
pub struct VaultKey {
    /// Its name.
    pub reference: VaultKeyRef,
    secret: SecretBytes<32>,
}

impl VaultKey {
    /// Refuses the all-zero key.
    pub fn new(_reference: VaultKeyRef, _secret: SecretBytes<32>) -> Result<Self, SealError> {
        unimplemented!()
    }
}

/// `C(P)`: the sealed length of an object of `plain` bytes, whatever its parts.
pub fn sealed_len(_plain: PlainLen) -> Result<SealedLen, SealError> {
    unimplemented!()
}

/// The inverse of [`sealed_len`]; `None` when no plain length seals to `sealed`.
pub fn plain_len(_sealed: SealedLen) -> Option<PlainLen> {
    unimplemented!()
}

/// The sealed length of one message (one client part) of `plain` bytes, header and tags included.
pub fn message_len(_plain: PlainLen) -> SealedLen {
    unimplemented!()
}

// ------------------------------------------------------------------------------------------- writing

/// The secrets and identity of one object version being written: made once per PUT or per
/// CreateMultipartUpload. Holds the DEK; no `Debug`. Cheap to share (`Arc`) between parts.
pub struct ObjectSealer {}

impl ObjectSealer {
    /// A fresh DEK and object id, wrapped under `vault` (and unwrapped again as a check).
    pub fn generate(_vault: &VaultKey, _entropy: &dyn Entropy) -> Result<Self, SealError> {
        unimplemented!()
    }
    /// The wrapped form (object id, key reference, wrapped DEK), safe to keep in the state database.
    pub fn to_wrapped(&self) -> Vec<u8> {
        unimplemented!()
    }
    /// Which vault key a wrapped form needs.
    pub fn wrapped_key_ref(_wrapped: &[u8]) -> Result<VaultKeyRef, SealError> {
        unimplemented!()
    }
    /// Back from the wrapped form.
    pub fn from_wrapped(_wrapped: &[u8], _vault: &VaultKey) -> Result<Self, SealError> {
        unimplemented!()
    }
    /// The vault key version it is wrapped under.
    pub fn key_ref(&self) -> &VaultKeyRef {
        unimplemented!()
    }
    /// The 16-byte object id.
    pub fn object_id(&self) -> [u8; 16] {
        unimplemented!()
    }
    /// Starts one message (a whole plain PUT, or one part) under a fresh random salt.
    pub fn message(&self, _entropy: &dyn Entropy) -> Result<MessageSealer, SealError> {
        unimplemented!()
    }
    /// Seals user metadata (an opaque byte string that the gateway encodes).
    pub fn seal_metadata(&self, _plain: &[u8], _entropy: &dyn Entropy) -> Result<SealedMetadata, SealError> {
        unimplemented!()
    }
    /// Seals one part's record for the state database (bound to `part_number`).
    pub fn seal_part_record(
        &self,
        _part_number: u16,
        _part: &PartEntry,
        _entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        unimplemented!()
    }
    /// Opens what [`Self::seal_part_record`] made.
    pub fn open_part_record(&self, _part_number: u16, _sealed: &[u8]) -> Result<PartEntry, SealError> {
        unimplemented!()
    }
    /// The footer (index, padding, trailer) that completes an object made of `parts` in this order.
    /// Together with the messages it makes exactly `sealed_len(sum of plain lengths)` bytes.
    pub fn footer(
        &self,
        _name: &ObjectName<'_>,
        _parts: &[PartEntry],
        _content: &ContentInfo,
        _entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        unimplemented!()
    }
    /// A new sealer for a copy of an existing object whose body is reused: same DEK and object id, new
    /// wrap under `vault`.
    pub fn rewrap(_open: &OpenObject, _vault: &VaultKey, _entropy: &dyn Entropy) -> Result<Self, SealError> {
        unimplemented!()
    }
}

/// The logical name that the trailer is bound to (as the client says it, not the backend's bucket).
#[derive(Clone, Copy, Debug)]
pub struct ObjectName<'a> {
    /// Bucket.
    pub bucket: &'a BucketName,
    /// Key.
    pub key: &'a ObjectKey,
}

/// Seals one message incrementally. Ciphertext is appended to a caller's buffer.
pub struct MessageSealer {}

impl MessageSealer {
    /// Appends the ciphertext of as many whole chunks as `plain` completes (the 56-byte message header
    /// goes out first). Never panics; `out` grows by at most `plain.len()` + tags + one chunk + 56.
    pub fn update(&mut self, _plain: &[u8], _out: &mut BytesMut) -> Result<(), SealError> {
        unimplemented!()
    }
    /// Appends the last, always shorter, chunk.
    pub fn finish(self, _out: &mut BytesMut) -> Result<MessageSummary, SealError> {
        unimplemented!()
    }
}

/// What a finished message leaves behind for the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSummary {
    /// Plain bytes sealed.
    pub plain_len: PlainLen,
    /// The message's random salt.
    pub salt: [u8; 24],
}

/// A client checksum's algorithm. `Debug`-safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// A checksum's raw value (4, 4, 8, 20 or 32 bytes by algorithm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumValue {
    /// Which algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The value, left-aligned; the algorithm says how many bytes count.
    pub bytes: [u8; 32],
}

/// How an object's checksum came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// Over the whole object.
    FullObject,
    /// Over the parts' checksums.
    Composite,
}

/// One part, as the index keeps it (84 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartEntry {
    /// The client's part number (1 for a plain PUT).
    pub part_number: u16,
    /// Plain bytes.
    pub plain_len: PlainLen,
    /// The message's salt.
    pub salt: [u8; 24],
    /// MD5 of the part's plaintext.
    pub md5: [u8; 16],
    /// The part's own checksum, where one was asked for.
    pub checksum: Option<ChecksumValue>,
}

/// What the trailer keeps encrypted about the whole object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentInfo {
    /// MD5 of the plaintext, or of the parts' MD5s when `multipart`.
    pub md5: [u8; 16],
    /// True when the ETag is `md5-N` (any multipart upload, one part included).
    pub multipart: bool,
    /// The object's checksum.
    pub checksum: Option<(ChecksumValue, ChecksumType)>,
    /// When it was written, seconds since the Unix epoch.
    pub written_at: u64,
    /// [`SealedMetadata::tag`] of its metadata, where it has any: an older or foreign metadata value is noticed.
    pub metadata_tag: Option<[u8; 16]>,
}

/// Sealed user metadata: `value` goes into one backend metadata header (base64url text).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMetadata {
    /// Text for the backend's metadata header.
    pub value: String,
    /// What the trailer remembers of it.
    pub tag: [u8; 16],
}

// ------------------------------------------------------------------------------------------- reading

/// A parsed, not yet authenticated trailer: enough to know which key to bring.
#[derive(Clone, Debug)]
pub struct Trailer {}

impl Trailer {
    /// Parses the last [`TRAILER_LEN`] bytes of an object of `sealed` bytes in all; checks that `sealed`
    /// is the canonical length of the plain length it claims.
    pub fn parse(_last_bytes: &[u8], _sealed: SealedLen) -> Result<Self, SealError> {
        unimplemented!()
    }
    /// Which vault key version unwraps it (the first wrap).
    pub fn key_ref(&self) -> &VaultKeyRef {
        unimplemented!()
    }
    /// Unwraps, derives, authenticates. After this everything the trailer says is proven.
    pub fn open(&self, _vault: &VaultKey, _name: &ObjectName<'_>) -> Result<OpenObject, SealError> {
        unimplemented!()
    }
}

/// An authenticated object: its DEK (no `Debug`, zeroised on drop) and its facts.
pub struct OpenObject {}

impl OpenObject {
    /// Plain length.
    pub fn plain_len(&self) -> PlainLen {
        unimplemented!()
    }
    /// Sealed length of the whole object.
    pub fn sealed_len(&self) -> SealedLen {
        unimplemented!()
    }
    /// The ETag the client sees.
    pub fn etag(&self) -> PlainETag {
        unimplemented!()
    }
    /// Everything the trailer keeps encrypted.
    pub fn content(&self) -> &ContentInfo {
        unimplemented!()
    }
    /// How many parts (1 for a plain PUT).
    pub fn part_count(&self) -> u32 {
        unimplemented!()
    }
    /// The vault key version.
    pub fn key_ref(&self) -> &VaultKeyRef {
        unimplemented!()
    }
    /// The object id.
    pub fn object_id(&self) -> [u8; 16] {
        unimplemented!()
    }
    /// The sealed byte span (start, length) of the index; `None` when there is one part.
    pub fn index_span(&self) -> Option<(u64, u64)> {
        unimplemented!()
    }
    /// Opens user metadata that came with the object. `None` value while the trailer remembers some (or
    /// the other way round) is the caller's decision: see [`ContentInfo::metadata_tag`].
    pub fn open_metadata(&self, _value: &str) -> Result<Vec<u8>, SealError> {
        unimplemented!()
    }
    /// The layout of a one-part object (no index needed).
    pub fn layout_single(&self) -> Result<Layout, SealError> {
        unimplemented!()
    }
    /// The layout from the sealed index bytes (exactly [`Self::index_span`]).
    pub fn layout_from_index(&self, _sealed_index: &[u8]) -> Result<Layout, SealError> {
        unimplemented!()
    }
    /// Reads `span` of the plaintext. The caller fetches the returned sealed span and pushes its bytes.
    pub fn reader(&self, _layout: &Layout, _span: PlainSpan) -> Result<SpanReader, SealError> {
        unimplemented!()
    }
}

/// Where every part lies in the sealed object. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layout {}

impl Layout {
    /// The parts in order.
    pub fn parts(&self) -> &[PartEntry] {
        unimplemented!()
    }
    /// The plain span of the `ordinal`-th part (from 1), for `partNumber` reads.
    pub fn part_span(&self, _ordinal: u32) -> Option<PlainSpan> {
        unimplemented!()
    }
    /// Sealed byte span (start, length) of the body: every message, without the footer.
    pub fn body_span(&self) -> (u64, u64) {
        unimplemented!()
    }
}

/// Turns the sealed bytes of a span into verified plaintext, chunk by chunk.
pub struct SpanReader {}

impl SpanReader {
    /// The sealed bytes to fetch: (start, length). Length 0 for an empty span of an empty object is
    /// possible only where the format needs no chunk; a whole-object read always covers every chunk.
    pub fn sealed_span(&self) -> (u64, u64) {
        unimplemented!()
    }
    /// Pushes the next sealed bytes (any split); appends verified plaintext to `out`. Message headers
    /// inside the span are checked against the index and skipped.
    pub fn push(&mut self, _sealed: Bytes, _out: &mut BytesMut) -> Result<(), SealError> {
        unimplemented!()
    }
    /// All sealed bytes were pushed; errs when something is missing. Nothing more is returned.
    pub fn finish(self) -> Result<(), SealError> {
        unimplemented!()
    }
}

// --------------------------------------------------------------------------------------- small blobs

/// Seals a small blob (a keyring file) under a root key, bound to `label`. Self-describing, versioned.
pub fn seal_blob(
    _root: &SecretBytes<32>,
    _label: &str,
    _plain: &[u8],
    _entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    unimplemented!()
}

/// Opens what [`seal_blob`] made. The result is zeroised on drop.
pub fn open_blob(
    _root: &SecretBytes<32>,
    _label: &str,
    _sealed: &[u8],
) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
    unimplemented!()
}

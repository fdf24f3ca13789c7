//! The one place that opens sealed objects: trailer, key, index, metadata; cached by the sealed ETag.
//! CONTRACT SKELETON (owner: read path; used by copy and delete too).
use super::Gateway;
use super::respond::GatewayError;
use crate::s3::{PlainSpan, SealedETag};
use crate::seal::{Layout, OpenObject};
use crate::site::{Location, Site};
use bytes::Bytes;
use std::pin::Pin;
use std::sync::Arc;

/// An opened object: authenticated trailer, which site and sealed version it was read from.
pub struct Opened {
    /// The authenticated object (DEK inside; no `Debug`).
    pub object: OpenObject,
    /// The site that served it.
    pub site: Site,
    /// Its sealed ETag there: pins every further request.
    pub sealed_etag: SealedETag,
    /// When the site says it was written.
    pub last_modified: time::OffsetDateTime,
    /// Version id, where versioned.
    pub version_id: Option<String>,
    /// Opened, decoded metadata.
    pub metadata: crate::gateway::metadata::UserMetadata,
    /// The sealed metadata value as stored (for copies).
    pub sealed_metadata: Option<String>,
}

/// Cache of opened trailers by (bucket, key), bounded, short-lived. Holds DEKs: no `Debug`.
pub struct ObjectCache {}

#[allow(unused_variables)]
impl ObjectCache {
    /// At most `entries` objects.
    pub fn new(entries: u64) -> Self {
        unimplemented!()
    }
}

/// A stream of verified plaintext.
pub type PlainBody = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, GatewayError>> + Send + Sync>>;

/// Opens the current version of an object: one request (the trailer comes by suffix range; the cache is
/// revalidated against the sealed ETag). Primary first, then backups when it is down.
#[allow(unused_variables)]
pub(super) async fn open(gateway: &Arc<Gateway>, at: &Location) -> Result<Arc<Opened>, GatewayError> {
    unimplemented!()
}

/// The layout of an opened object (fetches and caches the index when there are several parts).
#[allow(unused_variables)]
pub(super) async fn layout(
    gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
) -> Result<Layout, GatewayError> {
    unimplemented!()
}

/// Streams a span of plaintext of exactly this version (also the source of copies).
#[allow(unused_variables)]
pub(super) async fn read(
    gateway: &Arc<Gateway>,
    at: &Location,
    opened: &Arc<Opened>,
    span: PlainSpan,
) -> Result<PlainBody, GatewayError> {
    unimplemented!()
}

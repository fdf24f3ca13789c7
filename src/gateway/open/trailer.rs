//! From the bytes a site stored to an authenticated object: trailer, vault key, name, metadata.
use super::{Opened, Readable};
use crate::gateway::Gateway;
use crate::gateway::metadata::UserMetadata;
use crate::gateway::respond::GatewayError;
use crate::s3::{SealedETag, SealedLen};
use crate::seal::{ObjectName, OpenObject, SealError, TRAILER_LEN, Trailer};
use crate::site::{GotObject, Location, Site, SiteError, ToldHeaders};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::sync::OnceLock;

/// What a site says about an object beside its bytes. Nothing here is authenticated yet.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub etag: SealedETag,
    pub total: SealedLen,
    pub metadata: Option<String>,
    pub last_modified: time::OffsetDateTime,
    pub version_id: Option<String>,
    pub told: ToldHeaders,
    pub has_tags: bool,
}

// === impl Stored ===

impl Stored {
    pub(super) fn of(got: &GotObject) -> Self {
        Self {
            etag: got.etag.clone(),
            total: got.total,
            metadata: got.metadata.clone(),
            last_modified: got.last_modified,
            version_id: got.version_id.clone(),
            told: got.told.clone(),
            has_tags: got.has_tags(),
        }
    }

    /// True when `opened` was made from exactly this. The metadata counts too: a backend's ETag does not cover it.
    pub(super) fn is_of(&self, opened: &Opened) -> bool {
        self.etag == opened.sealed_etag
            && opened.object.sealed().is_some_and(|object| object.sealed_len() == self.total)
            && self.metadata == opened.sealed_metadata
            && self.last_modified == opened.last_modified
            && self.version_id == opened.version_id
            && self.told == opened.told
    }
}

/// Authenticates the last bytes of an object, then its metadata.
pub(super) async fn unseal(
    gateway: &Gateway,
    site: &Site,
    at: &Location,
    stored: Stored,
    last_bytes: &[u8],
) -> Result<Opened, GatewayError> {
    let object = authenticate(gateway, site, at, stored.total, last_bytes).await?;
    let (metadata, metadata_missing) = open_metadata(&object, stored.metadata.as_deref()).map_err(damaged(site))?;
    if metadata_missing {
        tracing::warn!(bucket = %at.bucket, site = %site.name(), "an object has lost its sealed metadata");
    }
    Ok(Opened {
        object: Readable::Sealed(object),
        site: site.clone(),
        sealed_etag: stored.etag,
        last_modified: stored.last_modified,
        version_id: stored.version_id,
        metadata,
        metadata_missing,
        sealed_metadata: stored.metadata,
        told: stored.told,
        has_tags: stored.has_tags,
        named_version: None,
        layout: OnceLock::new(),
    })
}

/// Authenticates the trailer alone: enough for a listing.
pub(super) async fn authenticate(
    gateway: &Gateway,
    site: &Site,
    at: &Location,
    total: SealedLen,
    last_bytes: &[u8],
) -> Result<OpenObject, GatewayError> {
    let cut = last_bytes.len().saturating_sub(TRAILER_LEN as usize);
    let trailer = Trailer::parse(last_bytes.get(cut..).unwrap_or_default(), total).map_err(damaged(site))?;
    let vault = gateway.keyring.opening_key(trailer.key_ref()).await?;
    let name = ObjectName { bucket: &at.bucket, key: &at.key };
    trailer.open_aliased(&vault, &name, &gateway.aliases).map_err(damaged(site))
}

/// Names the site at which sealed bytes do not authenticate. A customer's key that is not the object's says nothing against the bytes, and
/// would fit no other site's better.
pub(super) fn damaged(site: &Site) -> impl Fn(SealError) -> GatewayError {
    let site = site.name().clone();
    move |source| match source {
        SealError::CustomerKey(_) => GatewayError::Seal(source),
        source => GatewayError::Integrity { site: site.clone(), source },
    }
}

/// Reads a body of known, small length.
pub(super) async fn collect(site: &Site, got: &mut GotObject) -> Result<Bytes, GatewayError> {
    let expected = got.length;
    let wrong = |detail: &str| SiteError::Protocol { site: site.name().clone(), detail: detail.to_owned() };
    let mut bytes = BytesMut::with_capacity(usize::try_from(expected).map_err(|_| wrong("body too long"))?);
    while let Some(chunk) = got.body.next().await {
        let chunk = chunk?;
        if (bytes.len() + chunk.len()) as u64 > expected {
            return Err(wrong("more bytes than announced").into());
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() as u64 == expected { Ok(bytes.freeze()) } else { Err(wrong("fewer bytes than announced").into()) }
}

/// The client's metadata, and whether it is missing although the trailer remembers some.
fn open_metadata(object: &OpenObject, value: Option<&str>) -> Result<(UserMetadata, bool), SealError> {
    match (value, object.content().metadata_tag) {
        (Some(value), Some(_)) => {
            let plain = object.open_metadata(value)?;
            let metadata =
                serde_json::from_slice(&plain).map_err(|_| SealError::Malformed("metadata is not what we wrote"))?;
            Ok((metadata, false))
        }
        (Some(_), None) => Err(SealError::Authentication("metadata that this object never had")),
        (None, remembered) => Ok((UserMetadata::default(), remembered.is_some())),
    }
}

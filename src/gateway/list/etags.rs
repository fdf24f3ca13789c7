//! The ETags that clients know, for a page of sealed objects: from the index, the missing ones from the trailers.
//!
//! One bad object must not hide a thousand good ones, so nothing about a single object fails a listing. What is not
//! ours (its length is not a canonical one) is shown as it is; a GET of it is refused.
use crate::gateway::Gateway;
use crate::gateway::open::{Glimpse, glimpse_at, open};
use crate::gateway::respond::GatewayError;
use crate::s3::{BucketName, ObjectKey, PlainETag, PlainLen, SealedETag};
use crate::seal::{SealError, plain_len};
use crate::site::{ListedObject, ListedOwner, Location, Site};
use crate::state::IndexEntry;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::sync::Arc;

/// Trailers of one listing that are read at the same time.
const PARALLEL: usize = 32;
/// Behind an ETag that says nothing about the plaintext: clients take `-` for a multipart upload and do not
/// compare it with an MD5; no real upload has 0 parts.
const OPAQUE: &str = "-0";

/// One object as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub last_modified: time::OffsetDateTime,
    /// In a listing of versions.
    pub version_id: Option<String>,
    pub owner: Option<ListedOwner>,
    pub storage_class: Option<String>,
}

/// An object of which only the trailer tells the ETag.
struct Unread {
    object: ListedObject,
    size: PlainLen,
    at: Location,
}

type Known = HashMap<(String, SealedETag), PlainETag>;

/// Turns what a site lists into what clients see, in the same order. Fails only when the site does.
pub(super) async fn fill(
    gateway: &Arc<Gateway>,
    site: &Site,
    bucket: &BucketName,
    objects: Vec<ListedObject>,
) -> Result<Vec<Entry>, GatewayError> {
    let known = known(gateway, bucket, &objects).await;
    let mut entries = Vec::with_capacity(objects.len());
    let mut unread = Vec::new();
    for object in objects {
        match without_asking(gateway, site, bucket, object, &known) {
            Ok(entry) => entries.push(Some(entry)),
            Err(object) => {
                unread.push((entries.len(), object));
                entries.push(None);
            }
        }
    }
    let mut trailers = futures_util::stream::iter(unread)
        .map(|(place, object)| async move { Ok::<_, GatewayError>((place, read(gateway, site, object).await?)) })
        .buffer_unordered(PARALLEL);
    while let Some((place, entry)) = trailers.try_next().await? {
        entries[place] = entry;
    }
    Ok(entries.into_iter().flatten().collect())
}

/// What the index knows of this page; it is a cache, so its failure costs time, not the listing.
async fn known(gateway: &Gateway, bucket: &BucketName, objects: &[ListedObject]) -> Known {
    let keys = || objects.iter().map(|object| object.key.as_str());
    let (Some(first), Some(last)) = (keys().min(), keys().max()) else { return Known::new() };
    gateway.state.known(bucket, first, last).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a listing goes on without the ETag index");
        Known::new()
    })
}

/// What is known of an object already: most of a listing.
fn without_asking(
    gateway: &Gateway,
    site: &Site,
    bucket: &BucketName,
    object: ListedObject,
    known: &Known,
) -> Result<Entry, Box<Unread>> {
    let (Some(size), Ok(key)) = (plain_len(object.size), ObjectKey::parse(&object.key)) else {
        tracing::debug!(%bucket, site = %site.name(), "a listing shows an object that is not sealed");
        return Ok(as_stored(object));
    };
    let found = object.etag.clone().and_then(|etag| known.get(&(object.key.clone(), etag)));
    gateway.metrics.list_etag(found.is_some());
    match found {
        Some(etag) => Ok(Entry { size: size.0, etag: etag.as_str().to_owned(), ..as_stored(object) }),
        None => Err(Box::new(Unread { object, size, at: Location { bucket: bucket.clone(), key } })),
    }
}

/// From the object's trailer. `None`: the object is gone meanwhile.
async fn read(gateway: &Arc<Gateway>, site: &Site, unread: Box<Unread>) -> Result<Option<Entry>, GatewayError> {
    let Unread { object, size, at } = *unread;
    // As the proxy: whoever may list the objects need not be allowed to read them.
    match glimpse_at(gateway, &site.as_proxy(), &at, object.version_id.as_deref()).await {
        Ok(glimpse) => {
            remember(gateway, &at, &glimpse);
            Ok(Some(as_glimpsed(object, glimpse)))
        }
        Err(GatewayError::Site(error)) if error.is_not_found() => Ok(None),
        Err(error @ GatewayError::Site(_)) => Err(error),
        Err(GatewayError::Integrity { source: SealError::NotSealed(_), .. }) if object.version_id.is_some() => {
            Ok(Some(as_stored(object)))
        }
        Err(error) => Ok(Some(from_elsewhere(gateway, &at, object, size.0, &error).await)),
    }
}

/// The site's copy does not open: another site's may.
async fn from_elsewhere(
    gateway: &Arc<Gateway>,
    at: &Location,
    object: ListedObject,
    size: u64,
    error: &GatewayError,
) -> Entry {
    tracing::warn!(bucket = %at.bucket, %error, "a listing meets an object that does not open");
    let opened = if object.version_id.is_none() { open(gateway, at).await.ok() } else { None };
    match opened {
        Some(opened) => Entry {
            size: opened.object.plain_len().0,
            etag: opened.object.etag().as_str().to_owned(),
            last_modified: opened.last_modified,
            ..as_stored(object)
        },
        None => Entry { size, etag: opaque(object.etag.as_ref()), ..as_stored(object) },
    }
}

fn remember(gateway: &Gateway, at: &Location, glimpse: &Glimpse) {
    let entry = IndexEntry { sealed_etag: glimpse.sealed_etag.clone(), etag: glimpse.etag.clone() };
    gateway.state.note(&at.bucket, &at.key, entry);
}

fn as_glimpsed(object: ListedObject, glimpse: Glimpse) -> Entry {
    Entry {
        size: glimpse.plain_len.0,
        etag: glimpse.etag.as_str().to_owned(),
        last_modified: glimpse.last_modified,
        ..as_stored(object)
    }
}

fn as_stored(object: ListedObject) -> Entry {
    let etag = object.etag.as_ref().map_or_else(|| opaque(None), |etag| etag.as_str().to_owned());
    Entry {
        key: object.key,
        size: object.size.0,
        etag,
        last_modified: object.last_modified,
        version_id: object.version_id,
        owner: object.owner,
        storage_class: object.storage_class,
    }
}

fn opaque(sealed: Option<&SealedETag>) -> String {
    let stem = sealed.and_then(|etag| etag.as_str().split('-').next()).unwrap_or("00000000000000000000000000000000");
    format!("{stem}{OPAQUE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opaque_etag_can_be_taken_for_no_md5() {
        assert_eq!(opaque(Some(&SealedETag::from_backend("abc-7"))), "abc-0");
        assert_eq!(opaque(Some(&SealedETag::from_backend("abc"))), "abc-0");
        assert_eq!(opaque(None).len(), 34);
    }
}

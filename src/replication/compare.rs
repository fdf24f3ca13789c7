//! Are two sites' objects the same version? Nobody here has the keys, so the sealed form must tell.
use crate::s3::{SealedETag, SealedLen};
use crate::seal::TRAILER_LEN;
use crate::site::{Location, SealedRange, Site, SiteError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

/// One version of an object at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Sealed ETag there.
    pub etag: SealedETag,
    /// Sealed length.
    pub length: SealedLen,
}

/// The object's current version; `None` when the site says that it has none.
///
/// # Errors
/// As the site answered.
pub async fn version(site: &Site, at: &Location) -> Result<Option<Version>, SiteError> {
    match site.head(at).await {
        Ok((etag, length)) => Ok(Some(Version { etag, length })),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// True when both are the same version. Equal ETags of sealed bytes prove it. Different ones do not prove the contrary
/// (a multipart ETag depends on where the parts were cut); then the trailers decide, which no two versions share, and
/// the sealed metadata that lies beside them.
///
/// # Errors
/// As either site answered.
pub async fn same(
    at: &Location,
    (primary, source): (&Site, &Version),
    (site, target): (&Site, &Version),
) -> Result<bool, SiteError> {
    if source.length != target.length {
        return Ok(false);
    }
    if source.etag == target.etag || source.length.0 == 0 {
        return Ok(true);
    }
    let (ours, theirs) = tokio::try_join!(tail(primary, at, source), tail(site, at, target))?;
    Ok(ours.is_some() && ours == theirs)
}

/// The last bytes and the metadata of exactly this version; `None` when it is gone.
async fn tail(site: &Site, at: &Location, version: &Version) -> Result<Option<(Bytes, Option<String>)>, SiteError> {
    let mut got = match site.get(at, SealedRange::Last(TRAILER_LEN), Some(&version.etag)).await {
        Err(error) if error.is_not_found() || error.is_precondition_failed() => return Ok(None),
        other => other?,
    };
    let mut bytes = BytesMut::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(Some((bytes.freeze(), got.metadata)))
}

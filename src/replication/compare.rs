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

// === impl Version ===

impl Version {
    /// S3's form of the ETag of an object that came in parts.
    fn is_in_parts(&self) -> bool {
        self.etag.as_str().contains('-')
    }
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

/// How alike two sites' objects are, as far as that can be told without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Equal ETags of sealed bytes: when they were stored, they were the same.
    Same,
    /// The same version: equal trailers, which no two versions share, and equal sealed metadata. The ETags differ and say nothing of each
    /// other (a multipart ETag depends on where the parts were cut). Nothing is said of the bodies.
    Alike,
    /// As `Alike`, but the ETags are those of objects stored in one request, at most servers the MD5 of the bytes: one body may have been
    /// damaged before it was stored. (At some servers they are not, with the server's own encryption for example.)
    Suspect,
    /// Two versions.
    Different,
}

/// Compares two sites' versions. What was damaged after it was stored has the ETag that it always had: only reading tells that.
///
/// # Errors
/// As either site answered.
pub async fn likeness(
    at: &Location,
    (primary, source): (&Site, &Version),
    (site, target): (&Site, &Version),
) -> Result<Likeness, SiteError> {
    likeness_of(at, (primary, source, None), (site, target, None)).await
}

/// The same of named versions, each by its own site's name.
pub(super) async fn likeness_of(
    at: &Location,
    (primary, source, named): (&Site, &Version, Option<&str>),
    (site, target, theirs_named): (&Site, &Version, Option<&str>),
) -> Result<Likeness, SiteError> {
    if source.length != target.length {
        return Ok(Likeness::Different);
    }
    if source.etag == target.etag || source.length.0 == 0 {
        return Ok(Likeness::Same);
    }
    let (ours, theirs) = tokio::try_join!(tail(primary, at, source, named), tail(site, at, target, theirs_named))?;
    Ok(match (ours.is_some() && ours == theirs, source.is_in_parts() || target.is_in_parts()) {
        (false, _) => Likeness::Different,
        (true, true) => Likeness::Alike,
        (true, false) => Likeness::Suspect,
    })
}

/// The last bytes and the metadata of exactly this version; `None` when it is gone.
async fn tail(
    site: &Site,
    at: &Location,
    version: &Version,
    named: Option<&str>,
) -> Result<Option<(Bytes, Option<String>)>, SiteError> {
    let mut got = match site.get_version(at, named, SealedRange::Last(TRAILER_LEN), Some(&version.etag)).await {
        Err(error) if error.is_not_found() || error.is_precondition_failed() => return Ok(None),
        other => other?,
    };
    let mut bytes = BytesMut::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(Some((bytes.freeze(), got.metadata)))
}

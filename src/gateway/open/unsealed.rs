//! Objects that are not sealed, where a rule lets them be served: a bucket on its way in.
//!
//! A plain object proves nothing, so whoever can write to the primary could put one in place of a sealed object. It is served only when
//! nothing speaks for a sealed object of that name: none at the backups that answer ([`super::Candidates`] has asked them), none that this
//! proxy remembers to have sealed or seen, nothing of ours about the object itself. And it is never served in silence.
use super::readable::{Readable, Unsealed};
use super::{Opened, sites};
use crate::gateway::Gateway;
use crate::gateway::metadata::UserMetadata;
use crate::gateway::respond::GatewayError;
use crate::seal::{SealError, TRAILER_LEN, Trailer};
use crate::site::{GotObject, Location, SealedRange, Site, SiteError};
use futures_util::StreamExt;
use std::sync::{Arc, OnceLock};

/// Opens what the primary holds when the sites have said that it is not sealed. 412 when it is sealed by now.
pub(in crate::gateway) async fn open_unsealed(
    gateway: &Arc<Gateway>,
    at: &Location,
    version: Option<&str>,
) -> Result<Arc<Opened>, GatewayError> {
    let site = &gateway.sites.primary;
    // Asked first: what is plain still, after a sealed object was known, has been put there since.
    let remembered = version.is_none() && is_remembered(gateway, at).await?;
    let mut got = match site.get_version(at, version, SealedRange::Last(TRAILER_LEN), None).await {
        // An empty object has no last bytes.
        Err(SiteError::S3 { status: 416, .. }) => site.get_version(at, version, SealedRange::Whole, None).await?,
        got => got?,
    };
    refuse_sealed(site, &mut got).await?;
    if remembered || got.metadata.is_some() {
        return Err(replaced(gateway, site, at));
    }
    gateway.metrics.unsealed_read();
    tracing::debug!(bucket = %at.bucket, "an object that is not sealed is served, as its rule says");
    let has_tags = got.has_tags();
    Ok(Arc::new(Opened {
        object: Readable::Unsealed(Unsealed::of(&got)),
        site: site.clone(),
        metadata: UserMetadata::of_unsealed(&got.headers),
        metadata_missing: false,
        sealed_metadata: None,
        sealed_etag: got.etag,
        last_modified: got.last_modified,
        version_id: got.version_id,
        told: got.told,
        has_tags,
        named_version: version.map(str::to_owned),
        layout: OnceLock::new(),
    }))
}

/// A name under which this proxy has sealed an object, or seen a sealed one, takes no plain one any more.
async fn is_remembered(gateway: &Gateway, at: &Location) -> Result<bool, GatewayError> {
    Ok(!gateway.state.known_of(&at.bucket, &[at.key.as_str()]).await?.is_empty())
}

/// What has a trailer was sealed since the sites were asked.
async fn refuse_sealed(site: &Site, got: &mut GotObject) -> Result<(), GatewayError> {
    let mut last = Vec::new();
    while let Some(chunk) = got.body.next().await {
        last.extend_from_slice(&chunk?);
    }
    match Trailer::parse(&last, got.total) {
        Err(SealError::NotSealed(_)) => Ok(()),
        _ => Err(sites::changed(site)),
    }
}

/// Whoever put it there did not do so through the proxy.
fn replaced(gateway: &Gateway, site: &Site, at: &Location) -> GatewayError {
    gateway.metrics.integrity_failure(&site.name().0);
    tracing::error!(site = %site.name(), bucket = %at.bucket, "a plain object lies where a sealed one was; it is not served");
    let source = SealError::Authentication("a plain object in place of a sealed one");
    GatewayError::Integrity { site: site.name().clone(), source }
}

//! Configuration of buckets and objects at every site: policies, tags, locks, versioning.
//!
//! The primary decides first. There is no journal for configuration, so an answer of success means that every site has it, in
//! either mode; a client that was told otherwise tries again, and every such request can be repeated.
use super::{Mode, Tee, TeeError};
use crate::site::versions::counterpart;
use crate::site::{Forward, Forwarded, ListedVersion, Location, NULL_VERSION, Site, SiteError};
use std::sync::Arc;

/// The parameter that names a version.
const VERSION_ID: &str = "versionId";
/// What RestoreObject is answered where there is nothing to do
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
const OF_RESTORES: [&str; 3] = ["InvalidObjectState", "ObjectAlreadyInActiveTierError", "RestoreAlreadyInProgress"];

impl Tee {
    /// Passes a request on to every site. What a backup does not implement at all is left out there, with a warning.
    ///
    /// # Errors
    /// The primary's answer, or the failure of a backup.
    pub async fn configure(&self, request: Forward) -> Result<Forwarded, TeeError> {
        let versions = Arc::new(self.history(&request).await?);
        let answer = self.inner.sites.primary.forward(&request).await?;
        let request = Arc::new(request);
        let pass_on = |site: Site| {
            let (request, versions) = (Arc::clone(&request), Arc::clone(&versions));
            async move {
                match translated(&site, &request, versions.as_deref()).await? {
                    Some(request) => site.forward(&request).await.map(drop),
                    None => Ok(()),
                }
            }
        };
        for asked in self.at_backups(Mode::Strict, pass_on).await {
            match asked.answer {
                Ok(()) => {}
                Err(SiteError::S3 { site, status: 501, code, .. }) => {
                    tracing::warn!(%site, code, "a backup does not implement what the primary has been told");
                }
                // Whether it is archived there, or restored already, is that site's own affair.
                Err(SiteError::S3 { site, code, .. }) if OF_RESTORES.contains(&code.as_str()) => {
                    tracing::info!(%site, code, "a backup has nothing to restore");
                }
                // What is not there yet is on its way in the journal; what is gone is gone.
                Err(error) if error.is_not_found() && request.key.is_some() => {
                    tracing::warn!(%error, "a backup lacks the object that was configured");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(answer)
    }

    /// The primary's versions of the object, where the request names one of them and there is a backup to translate it for.
    async fn history(&self, request: &Forward) -> Result<Option<Vec<ListedVersion>>, TeeError> {
        let Some(at) = named_version(request).and_then(|_| location(request)) else { return Ok(None) };
        if self.inner.sites.backups.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.inner.sites.primary.versions_of(&at).await?))
    }
}

/// The request in a backup's own version ids; `None` when it has no such version.
async fn translated(
    site: &Site,
    request: &Forward,
    versions: Option<&[ListedVersion]>,
) -> Result<Option<Forward>, SiteError> {
    let (Some(version), Some(ours), Some(at)) = (named_version(request), versions, location(request)) else {
        return Ok(Some(request.clone()));
    };
    let theirs = site.versions_of(&at).await?;
    let Some(theirs) = counterpart(ours, version, &theirs) else { return Ok(None) };
    let mut request = request.clone();
    for (name, value) in &mut request.query {
        if name == VERSION_ID {
            value.clone_from(&theirs);
        }
    }
    Ok(Some(request))
}

fn named_version(request: &Forward) -> Option<&str> {
    let named = request.query.iter().find(|(name, _)| name == VERSION_ID);
    named.map(|(_, value)| value.as_str()).filter(|version| *version != NULL_VERSION)
}

fn location(request: &Forward) -> Option<Location> {
    request.key.clone().map(|key| Location { bucket: request.bucket.clone(), key })
}

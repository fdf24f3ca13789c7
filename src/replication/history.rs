//! Versions that a site missed, in the order in which the chief has them, delete markers included. S3 only ever adds a version on top, so what is
//! missing below something that the site has already stays missing.
use super::compare::{self, Likeness, Version};
use crate::site::{ListedVersion, Location, NULL_VERSION, Site, SiteError, missing_on_top};

/// What a site lacks of one key.
pub(super) struct Gap {
    /// Oldest first.
    pub(super) missing: Vec<ListedVersion>,
}

/// Looks at both sites' versions; `None` where there is nothing to put in order: one of them keeps none.
///
/// # Errors
/// As either site answered.
pub(super) async fn gap(chief: &Site, site: &Site, at: &Location) -> Result<Option<Gap>, SiteError> {
    if !chief.may_keep_versions() || !site.may_keep_versions() {
        return Ok(None);
    }
    let ours = match chief.versions_of(at).await {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    if ours.iter().all(|version| version.version_id == NULL_VERSION) {
        return Ok(None);
    }
    let theirs = match site.versions_of(at).await {
        // Whoever makes objects there makes their bucket.
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    let theirs = renamed(chief, &ours, site, theirs, at).await?;
    Ok(Some(Gap { missing: missing_on_top(&ours, &theirs).into_iter().cloned().collect() }))
}

/// The site's versions under the chief's ETags: the same version has another one where it was stored in other parts.
async fn renamed(
    chief: &Site,
    ours: &[ListedVersion],
    site: &Site,
    mut theirs: Vec<ListedVersion>,
    at: &Location,
) -> Result<Vec<ListedVersion>, SiteError> {
    for version in &mut theirs {
        let id = version.version_id.clone();
        let Some(object) = &mut version.object else { continue };
        if ours.iter().any(|one| one.object.as_ref().is_some_and(|one| one.etag == object.etag)) {
            continue;
        }
        for (their_id, their) in ours.iter().filter_map(|one| Some((&one.version_id, one.object.as_ref()?))) {
            let (Some(etag), Some(other)) = (&their.etag, &object.etag) else { continue };
            if their.size != object.size {
                continue;
            }
            let one = Version { etag: etag.clone(), length: their.size };
            let other = Version { etag: other.clone(), length: object.size };
            let sides = ((chief, &one, Some(their_id.as_str())), (site, &other, Some(id.as_str())));
            if compare::likeness_of(at, sides.0, sides.1).await? != Likeness::Different {
                object.etag.clone_from(&their.etag);
                break;
            }
        }
    }
    Ok(theirs)
}

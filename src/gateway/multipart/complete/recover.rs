//! A Complete that is asked for again after its first answer was lost: the primary no longer knows the upload, because the object is there.
use super::plan::Plan;
use crate::gateway::Gateway;
use crate::gateway::multipart::session::{Session, no_such_upload};
use crate::gateway::open;
use crate::gateway::respond::{GatewayError, unavailable};
use crate::s3::SealedETag;
use crate::seal::OpenObject;
use crate::site::tee::{Committed, Mode};
use crate::site::{Site, Written};
use std::sync::Arc;

/// What the first Complete stored, if the primary holds exactly that. Every upload has a random object id of its own, authenticated by the
/// trailer, so there is no mistaking it. Backups that do not hold it are recorded.
///
/// # Errors
/// `NoSuchUpload` when the primary holds something else; in strict mode 503 until every site has it.
pub(super) async fn finished(
    gateway: &Arc<Gateway>,
    session: &Session,
    plan: &Plan,
) -> Result<Committed, GatewayError> {
    let primary = &gateway.sites.primary;
    let found = held(gateway, session, plan, primary).await?;
    let (etag, version_id) = found.ok_or_else(no_such_upload)?;
    let mut written = vec![(primary.name().clone(), etag.clone())];
    let mut pending = Vec::new();
    for backup in gateway.sites.backups.iter() {
        if let Ok(Some((etag, _))) = held(gateway, session, plan, backup).await {
            written.push((backup.name().clone(), etag));
            continue;
        }
        gateway.tee.level(&session.at, backup.name(), "it missed the end of an upload").await?;
        pending.push(backup.name().clone());
    }
    if session.mode == Mode::Strict && !pending.is_empty() {
        return Err(unavailable().into());
    }
    Ok(Committed { primary: Written { etag, version_id, expiration: None }, written, pending })
}

/// The sealed ETag and version at `site`, if it holds this very upload with these very parts.
async fn held(
    gateway: &Arc<Gateway>,
    session: &Session,
    plan: &Plan,
    site: &Site,
) -> Result<Option<(SealedETag, Option<String>)>, GatewayError> {
    let opened = match open::open_at(gateway, site, &session.at, None).await {
        Ok(opened) => opened,
        Err(GatewayError::Site(error)) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let object_id = opened.object.sealed().map(OpenObject::object_id);
    let same = object_id == Some(session.sealer.object_id()) && opened.object.etag() == plan.etag();
    Ok(same.then(|| (opened.sealed_etag.clone(), opened.version_id.clone())))
}

//! A part that no backend takes in the middle of an upload (under 5 MiB) is kept as a small object in the system bucket of every site. It can only
//! become the upload's last part; Complete sends it again with the footer behind it.
use super::session::Session;
use crate::gateway::Gateway;
use crate::gateway::respond::GatewayError;
use crate::s3::ObjectKey;
use crate::site::{GotObject, Location, SealedRange};
use crate::state::Part;
use s3s::{S3Error, S3ErrorCode};

/// A fresh name: a part that is uploaded again never shares one with what it replaces.
pub(super) fn name(gateway: &Gateway, session: &Session, part: u16) -> Result<Location, GatewayError> {
    let mut fresh = [0u8; 8];
    gateway.entropy.fill(&mut fresh)?;
    place(gateway, &format!("staging/{}/{part}-{}", session.upload.id, hex::encode(fresh)))
}

/// Where a staged part lies.
pub(super) fn place(gateway: &Gateway, key: &str) -> Result<Location, GatewayError> {
    let key = ObjectKey::parse(key).map_err(S3Error::internal_error)?;
    Ok(Location { bucket: gateway.authorizer.system_bucket().clone(), key })
}

/// Its sealed bytes, from the first site that has them.
pub(super) async fn fetch(gateway: &Gateway, key: &str) -> Result<GotObject, GatewayError> {
    let at = place(gateway, key)?;
    let mut last = None;
    for site in gateway.sites.all() {
        match site.get(&at, SealedRange::Whole, None).await {
            Ok(got) => return Ok(got),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| S3Error::new(S3ErrorCode::InternalError).into(), GatewayError::from))
}

/// Removes staged parts, as well as it goes: what stays behind is a sealed scrap that nothing refers to.
pub(super) async fn remove(gateway: &Gateway, session: &Session, parts: impl IntoIterator<Item = Part>) {
    let staged = parts.into_iter().filter_map(|part| part.staged_key);
    for key in staged {
        let Ok(at) = place(gateway, &key) else { continue };
        if let Err(error) = gateway.tee.delete(&at, session.mode()).await {
            tracing::warn!(%error, "a staged part could not be removed from the system bucket");
        }
    }
}

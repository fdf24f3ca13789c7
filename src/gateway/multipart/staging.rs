//! Parts under 5 MiB. A backend refuses them anywhere but at the end, and the footer comes behind them: they are kept as small sealed
//! objects of the system bucket, which is the proxy's own, until Complete sends them together with the footer (`docs/decisions/0001-footer-and-small-last-part.md`).
use crate::gateway::Gateway;
use crate::gateway::respond::GatewayError;
use crate::s3::{ObjectKey, PlainLen};
use crate::seal::{MIN_PART, SealError, message_len};
use crate::site::tee::{Fate, Mode};
use crate::site::{Doomed, Location, Site, SiteError};
use crate::state::Part;
use bytes::Bytes;

/// S3's limit on one DeleteObjects.
const DELETED_AT_ONCE: usize = 1000;

/// True when a part of this length is staged.
pub(super) fn is_staged(length: PlainLen) -> bool {
    length.0 < MIN_PART
}

/// A new place for one part: two uploads of the same part never share one.
pub(super) fn new_place(gateway: &Gateway, upload: &str, part: u16) -> Result<Location, GatewayError> {
    let mut random = [0; 16];
    gateway.entropy.fill(&mut random)?;
    place(gateway, &format!("staging/{upload}/{part}-{}", hex::encode(random)))
}

/// The place under a key of the system bucket.
pub(super) fn place(gateway: &Gateway, key: &str) -> Result<Location, GatewayError> {
    let key = ObjectKey::parse(key).map_err(|_| SealError::Malformed("staging key"))?;
    Ok(Location { bucket: gateway.authorizer.system_bucket().clone(), key })
}

/// The sealed bytes of a staged part, from the first site that has them as they were sealed, which `check` tells.
pub(super) async fn read(
    gateway: &Gateway,
    key: &str,
    length: PlainLen,
    check: impl Fn(&Bytes) -> Result<(), SealError>,
) -> Result<Bytes, GatewayError> {
    let place = place(gateway, key)?;
    let mut failure = None;
    for site in gateway.sites.as_proxy().all() {
        let read = read_at(site, &place, length).await.and_then(|bytes| match check(&bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => {
                gateway.metrics.integrity_failure(&site.name().0);
                Err(SiteError::Protocol { site: site.name().clone(), detail: format!("a staged part: {error}") })
            }
        });
        match read {
            Ok(bytes) => return Ok(bytes),
            Err(error) => {
                tracing::warn!(site = %site.name(), %error, "a staged part is read from the next site");
                failure = failure.or(Some(error));
            }
        }
    }
    // Not the client's to know as a missing key: it uploaded the part.
    match failure {
        Some(error) if !error.is_not_found() => Err(error.into()),
        _ => Err(s3s::S3Error::new(s3s::S3ErrorCode::ServiceUnavailable).into()),
    }
}

async fn read_at(site: &Site, place: &Location, length: PlainLen) -> Result<Bytes, SiteError> {
    let (bytes, _) = site.get_small(place).await?;
    if bytes.len() as u64 == message_len(length).0 {
        return Ok(bytes);
    }
    let detail = format!("a staged part of {} bytes where {} were written", bytes.len(), message_len(length));
    Err(SiteError::Protocol { site: site.name().clone(), detail })
}

/// Removes staged parts, best effort: what stays is sealed under a key that is gone with its upload.
pub(super) async fn remove(gateway: &Gateway, keys: &[&str]) {
    let doomed = keys.iter().filter_map(|key| Some(Doomed { key: ObjectKey::parse(key).ok()?, version: None }));
    let doomed: Vec<Doomed> = doomed.collect();
    let bucket = gateway.authorizer.system_bucket();
    for doomed in doomed.chunks(DELETED_AT_ONCE) {
        let keys: Vec<ObjectKey> = doomed.iter().map(|one| one.key.clone()).collect();
        let tee = gateway.tee.as_proxy().acting_for_all(bucket, &keys, true, Mode::Tee).await;
        let done = match tee {
            Ok(tee) => tee.delete_many(bucket, doomed.to_vec(), false, Fate::default()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::warn!(parts = doomed.len(), %error, "staged parts could not be removed");
        }
    }
}

/// The staged ones of these parts.
pub(super) fn keys_of(parts: &[Part]) -> Vec<&str> {
    parts.iter().filter_map(|part| part.staged_key.as_deref()).collect()
}

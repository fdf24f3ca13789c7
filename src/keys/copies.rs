//! Writing copies of keyring objects.
use super::KeyError;
use super::roots::Roots;
use super::settle::Settled;
use super::survey::{self, Copy};
use crate::s3::BucketName;
use crate::seal::VaultKeyId;
use crate::site::{Site, SiteError, WriteCondition};
use bytes::Bytes;

/// Writes a new key's object where there is none. False when another proxy was faster.
pub(super) async fn create(site: &Site, bucket: &BucketName, id: &VaultKeyId, sealed: Bytes) -> Result<bool, KeyError> {
    match site.put_small(&survey::location(bucket, id)?, sealed, &WriteCondition::IfAbsent).await {
        Ok(_) => Ok(true),
        // 409: two conditional writes crossed; like a 412, the other one won.
        Err(error) if error.is_precondition_failed() || is_conflict(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes a site's copy say what `settled` says, unless it says so already. True when it was written.
///
/// # Errors
/// [`KeyError::WrongRoot`] for a copy that does not open (it is left alone); [`KeyError::Conflict`] for one that
/// contradicts; [`KeyError::Site`].
pub(super) async fn bring_up(
    roots: &Roots,
    site: &Site,
    bucket: &BucketName,
    id: &VaultKeyId,
    settled: &Settled,
) -> Result<bool, KeyError> {
    let condition = match survey::copy(roots, site, bucket, id).await? {
        Copy::Missing => WriteCondition::IfAbsent,
        Copy::Closed(source) => return Err(KeyError::WrongRoot { site: site.name().to_string(), source }),
        Copy::Good { document, etag, .. } if document.serial < settled.document.serial => WriteCondition::IfMatch(etag),
        Copy::Good { document, .. } if document.says_the_same(&settled.document) => return Ok(false),
        Copy::Good { document, .. } => {
            return Err(KeyError::Conflict(format!(
                "site {} has serial {} of key {}, which is not what this proxy works with (serial {}): restart it",
                site.name(),
                document.serial,
                id.as_str(),
                settled.document.serial
            )));
        }
    };
    let at = survey::location(bucket, id)?;
    match site.put_small(&at, settled.sealed.clone(), &condition).await {
        // A copy is no decision: where the site ignores conditions, a plain write of what was decided will do.
        Err(SiteError::Unsupported { .. }) => {
            site.put_small(&at, settled.sealed.clone(), &WriteCondition::Always).await?;
        }
        // Another proxy writes the same copy at this moment; the next look tells.
        Err(error) if error.is_precondition_failed() || is_conflict(&error) => {}
        other => drop(other?),
    }
    Ok(true)
}

fn is_conflict(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { status: 409, .. })
}

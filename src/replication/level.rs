//! Making one object, or one bucket, at one site equal to the primary's.
use super::copy::{Copied, copy};
use crate::s3::{BucketName, SealedLen};
use crate::seal::TRAILER_LEN;
use crate::site::tee::Tee;
use crate::site::{Location, SealedRange, Site, SiteError};
use futures_util::TryStreamExt;

/// How often the primary may move on before the miss waits for its next turn.
const TRIES: usize = 4;

/// Makes the object at `site` equal to the primary's, whatever that is now.
///
/// # Errors
/// When a site fails, or the name is overwritten faster than it can be copied.
pub(super) async fn object(tee: &Tee, site: &Site, at: &Location) -> Result<(), SiteError> {
    for _ in 0..TRIES {
        let primary = found(tee.sites().primary.head(at).await)?;
        let here = found(site.head(at).await)?;
        match (primary, here) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                // A primary that lost the whole bucket has not deleted this object: the copy here may be the last one.
                tee.sites().primary.head_bucket(&at.bucket).await?;
                if delete(tee, site, at).await? {
                    return Ok(());
                }
            }
            (Some((etag, length)), Some((other, other_length))) if length == other_length => {
                if etag == other || same_trailer(tee, site, at, length).await? {
                    return Ok(());
                }
                copy(tee, site, at).await?;
            }
            // What was copied is compared once more: the next round finds it equal, or finds that the primary moved on.
            (Some(_), _) => match copy(tee, site, at).await? {
                Copied::Done | Copied::Overtaken => {}
            },
        }
    }
    Err(SiteError::Protocol {
        site: site.name().clone(),
        detail: "the object changes faster than it can be copied".to_owned(),
    })
}

/// Makes the bucket's existence at `site` equal to the primary's. A bucket with objects is never deleted.
///
/// # Errors
/// When a site fails.
pub(super) async fn bucket(tee: &Tee, site: &Site, bucket: &BucketName) -> Result<(), SiteError> {
    let primary = found(tee.sites().primary.head_bucket(bucket).await)?;
    let here = found(site.head_bucket(bucket).await)?;
    match (primary, here) {
        (Some(()), None) => site.create_bucket(bucket, None).await,
        (None, Some(())) => match site.delete_bucket(bucket).await {
            Err(error) if error.is_not_found() => Ok(()),
            done => done,
        },
        _ => Ok(()),
    }
}

/// Deletes under the key's lock if the primary still lacks it; false when it does not.
async fn delete(tee: &Tee, site: &Site, at: &Location) -> Result<bool, SiteError> {
    let _guard = tee.lock(at).await;
    if found(tee.sites().primary.head(at).await)?.is_some() {
        return Ok(false);
    }
    match site.delete(at).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(true),
    }
}

/// Sites that split a write differently give different ETags to equal bytes. Every version has a trailer of its own, so equal trailers are
/// equal versions.
async fn same_trailer(tee: &Tee, site: &Site, at: &Location, length: SealedLen) -> Result<bool, SiteError> {
    if length.0 < TRAILER_LEN {
        return Ok(false);
    }
    let (a, b) = tokio::try_join!(trailer(&tee.sites().primary, at), trailer(site, at))?;
    Ok(a == b)
}

async fn trailer(site: &Site, at: &Location) -> Result<Vec<u8>, SiteError> {
    let got = site.get(at, SealedRange::Last(TRAILER_LEN), None).await?;
    got.body
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

/// "Not there" is an answer, not a failure.
fn found<T>(answer: Result<T, SiteError>) -> Result<Option<T>, SiteError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

//! Which buckets of a site have object lock, as it last said: there, what has to be kept is locked, and AWS takes no upload without a checksum.
use super::body::OutBody;
use super::error::SiteError;
use super::site::{Inner, Site};
use super::trailed::Trailed;
use crate::clock;
use crate::s3::{BucketName, Lock};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer is good. Object lock can be put on a bucket behind our back, and is never taken off.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// More buckets than this and all are asked about again.
const MOST: usize = 10_000;

/// What was heard.
#[derive(Default)]
pub(super) struct Locks(Mutex<HashMap<BucketName, Heard>>);

struct Heard {
    /// Or why the site does not say.
    locked: Result<bool, SiteError>,
    at: Instant,
}

// === impl Locks ===

impl Locks {
    /// What was heard of a bucket. When that was long ago, one caller hears `None` and asks, all others the old answer.
    fn heard(&self, bucket: &BucketName, now: Instant) -> Option<Result<bool, SiteError>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = all.get_mut(bucket)?;
        if now.duration_since(heard.at) > GOOD_FOR {
            heard.at = now;
            return None;
        }
        Some(heard.locked.clone())
    }

    fn note(&self, bucket: &BucketName, locked: Result<bool, SiteError>, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(bucket.clone(), Heard { locked, at: now });
    }

    /// A refusal for want of a checksum tells that there is a lock by now.
    pub(super) fn learn<T>(&self, bucket: &BucketName, result: &Result<T, SiteError>) {
        if let Err(SiteError::S3 { status: 400, message, .. }) = result
            && message.contains("x-amz-checksum-")
        {
            self.note(bucket, Ok(true), Instant::now());
        }
    }

    fn forget(&self, bucket: &BucketName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(bucket);
    }
}

impl Site {
    /// The next write asks again: the bucket's configuration was changed, or it is another bucket.
    pub(super) fn forget_lock(&self, bucket: &BucketName) {
        self.inner.locks.forget(bucket);
    }
}

impl Inner {
    /// The body as this bucket wants it.
    pub(super) async fn with_checksum(&self, bucket: &BucketName, body: OutBody, length: u64) -> OutBody {
        if self.wants_checksums(bucket).await { OutBody::Trailed(Trailed::new(body, length)) } else { body }
    }

    /// Whether uploads into this bucket carry a checksum: it has object lock, and the site was found to take checksums as trailers.
    pub(super) async fn wants_checksums(&self, bucket: &BucketName) -> bool {
        // Whoever does not say gets none: if one was wanted, the write will tell.
        self.capabilities.load().as_ref().is_some_and(|found| found.checksum_trailers)
            && self.is_locked(bucket).await.unwrap_or(false)
    }

    /// The headers of a lock, where this bucket takes them.
    ///
    /// # Errors
    /// When the site does not say whether it does: nothing is written unlocked that has to be kept.
    pub(super) async fn lock_headers(
        &self,
        bucket: &BucketName,
        lock: Option<Lock>,
    ) -> Result<Option<[(&'static str, String); 2]>, SiteError> {
        let Some(lock) = lock.filter(|lock| lock.until > clock::now()) else { return Ok(None) };
        Ok(self.is_locked(bucket).await?.then(|| lock.headers()))
    }

    async fn is_locked(&self, bucket: &BucketName) -> Result<bool, SiteError> {
        if self.capabilities.load().as_ref().is_some_and(|found| !found.object_lock) {
            return Ok(false);
        }
        if let Some(locked) = self.locks.heard(bucket, Instant::now()) {
            return locked;
        }
        // On the heap: it is rare, and every write would carry room for it. As the proxy: a client may not be allowed to know.
        let locked = Box::pin(self.as_proxy().object_lock(bucket)).await;
        match &locked {
            Err(error) if error.is_outage() => self.locks.forget(bucket),
            _ => self.locks.note(bucket, locked.clone(), Instant::now()),
        }
        if let Err(error) = &locked {
            tracing::warn!(site = %self.name, %bucket, %error, "the site does not say whether a bucket has object lock");
        }
        locked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_answer_is_asked_for_again_by_one_and_good_for_the_others() {
        let (locks, now) = (Locks::default(), Instant::now());
        let bucket = BucketName::parse("ledgers").expect("a name");
        let heard = |at| locks.heard(&bucket, at).map(Result::unwrap_or_default);
        assert_eq!(heard(now), None);
        locks.note(&bucket, Ok(true), now);
        assert_eq!(heard(now + GOOD_FOR), Some(true));
        let later = now + GOOD_FOR * 2;
        assert_eq!((heard(later), heard(later)), (None, Some(true)));
        locks.forget(&bucket);
        assert_eq!(heard(later), None);
    }
}

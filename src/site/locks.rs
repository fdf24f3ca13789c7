//! Which buckets of a site have object lock, as it last said: AWS takes no upload into such a bucket without a checksum.
use super::body::OutBody;
use super::error::SiteError;
use super::site::{Inner, Site};
use super::trailed::Trailed;
use crate::s3::BucketName;
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

#[derive(Clone, Copy)]
struct Heard {
    locked: bool,
    at: Instant,
}

// === impl Locks ===

impl Locks {
    /// What was heard of a bucket. When that was long ago, one caller hears `None` and asks, all others the old answer.
    fn heard(&self, bucket: &BucketName, now: Instant) -> Option<bool> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = all.get_mut(bucket)?;
        if now.duration_since(heard.at) > GOOD_FOR {
            heard.at = now;
            return None;
        }
        Some(heard.locked)
    }

    fn note(&self, bucket: &BucketName, locked: bool, now: Instant) {
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
            self.note(bucket, true, Instant::now());
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
        if !self.capabilities.load().as_ref().is_some_and(|found| found.object_lock && found.checksum_trailers) {
            return false;
        }
        if let Some(locked) = self.locks.heard(bucket, Instant::now()) {
            return locked;
        }
        match self.object_lock(bucket).await {
            Ok(locked) => {
                self.locks.note(bucket, locked, Instant::now());
                locked
            }
            // The write itself will meet the outage; it is asked again with the next one.
            Err(error) if error.is_outage() => false,
            Err(error) => {
                tracing::warn!(site = %self.name, %bucket, %error, "the site does not say whether a bucket has object lock: written without checksums");
                self.locks.note(bucket, false, Instant::now());
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_answer_is_asked_for_again_by_one_and_good_for_the_others() {
        let (locks, now) = (Locks::default(), Instant::now());
        let bucket = BucketName::parse("ledgers").expect("a name");
        assert_eq!(locks.heard(&bucket, now), None);
        locks.note(&bucket, true, now);
        assert_eq!(locks.heard(&bucket, now + GOOD_FOR), Some(true));
        let later = now + GOOD_FOR * 2;
        assert_eq!((locks.heard(&bucket, later), locks.heard(&bucket, later)), (None, Some(true)));
        locks.forget(&bucket);
        assert_eq!(locks.heard(&bucket, later), None);
    }
}

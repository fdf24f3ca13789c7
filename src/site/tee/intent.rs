//! [`Intent`]: what is about to change, on disk before any site is told.
//!
//! A proxy that dies in the middle of a change leaves its intent behind; whoever finds it makes every backup equal to the
//! primary there. An intent says nothing of the outcome, so one too many costs a comparison and nothing else.
use super::{MissError, TeeError};
use crate::s3::{BucketName, ObjectKey};

/// What is about to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Bucket.
    pub bucket: BucketName,
    /// The objects; none: the bucket itself.
    pub keys: Vec<ObjectKey>,
    /// What backups hold is not to be deleted before this time (Unix seconds).
    pub retain_until: Option<i64>,
}

/// An intent in the hands of whoever records it. Written while the body streams, awaited before the last bytes.
#[async_trait::async_trait]
pub trait Promise: Send + Sync {
    /// Returns when the intent would survive a power cut.
    async fn durable(&mut self) -> Result<(), MissError>;

    /// The change is over. `broken`: nobody saw it to its end, so the backups are to be made equal to the primary.
    fn over(&mut self, broken: bool);
}

/// A promise, and whether a site may have been told.
#[derive(Default)]
pub struct Intent {
    promise: Option<Box<dyn Promise>>,
    armed: bool,
}

// === impl Intent ===

impl Intent {
    /// Over this promise.
    pub fn new(promise: Box<dyn Promise>) -> Self {
        Self { promise: Some(promise), armed: false }
    }

    /// Returns when the intent is durable: from now on sites may be told.
    pub(super) async fn arm(&mut self) -> Result<(), MissError> {
        match &mut self.promise {
            None => Ok(()),
            Some(promise) => {
                promise.durable().await?;
                self.armed = true;
                Ok(())
            }
        }
    }

    /// For what goes on under another intent that is durable already.
    pub(super) fn arm_at_once(&mut self) {
        self.armed = true;
    }

    /// The end of a change. Everything that differs between sites is on record, unless recording itself failed.
    pub(super) fn conclude<T>(self, outcome: &Result<T, TeeError>) {
        if !matches!(outcome, Err(TeeError::Journal(_))) {
            self.settle();
        }
    }

    /// Nothing is left to be done.
    pub fn settle(mut self) {
        self.armed = false;
    }
}

impl Drop for Intent {
    /// Armed and not settled: the change broke off (a panic, the end of the process) and may have reached some sites.
    fn drop(&mut self) {
        if let Some(promise) = &mut self.promise {
            promise.over(self.armed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::SiteError;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Ends(Arc<Mutex<Vec<bool>>>);

    #[async_trait::async_trait]
    impl Promise for Ends {
        async fn durable(&mut self) -> Result<(), MissError> {
            Ok(())
        }
        fn over(&mut self, broken: bool) {
            self.0.lock().expect("no panic").push(broken);
        }
    }

    #[tokio::test]
    async fn only_what_a_site_may_have_been_told_and_nobody_recorded_is_broken() {
        let ends = Ends::default();
        let intent = || Intent::new(Box::new(ends.clone()));
        let armed = async || {
            let mut intent = intent();
            intent.arm().await.map(|()| intent).expect("durable")
        };
        drop(intent());
        armed().await.conclude(&Ok(()));
        armed().await.conclude::<()>(&Err(SiteError::Aborted.into()));
        drop(armed().await);
        armed().await.conclude::<()>(&Err(MissError("full".into()).into()));
        assert_eq!(*ends.0.lock().expect("no panic"), [false, false, false, true, true]);
    }
}

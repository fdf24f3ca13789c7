//! What is kept in memory about uploads: who may not run at once, and the answers of those just completed.
//!
//! Complete and Abort have an upload to themselves; a part shares it, and only while it is stored and recorded: the client's bytes are read
//! before. Two uploads of one part number are stored one after the other, so that every site ends with the one that the state knows.
use crate::gateway::checksum::type_name;
use crate::gateway::encryption::Told;
use crate::seal::{ChecksumAlgorithm, ChecksumType};
use crate::site::Location;
use s3s::dto::CompleteMultipartUploadOutput;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// How long the answer of a Complete is remembered: a client that never saw it asks again.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many answers at most.
const MAX_REMEMBERED: u64 = 10_000;

/// Locks and answers of multipart uploads.
pub struct Uploads {
    locks: Mutex<HashMap<String, Weak<RwLock<()>>>>,
    answers: moka::sync::Cache<String, Answered>,
}

/// The answer of a Complete, and what exactly was asked.
#[derive(Clone)]
pub(super) struct Answered {
    pub(super) bucket: String,
    pub(super) key: String,
    /// MD5 over the listed parts.
    pub(super) asked: [u8; 16],
    pub(super) answer: Answer,
}

/// What a Complete answers.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) etag: String,
    /// The object's checksum in S3's text form, where there is one.
    pub(super) checksum: Option<(ChecksumAlgorithm, String, ChecksumType)>,
    pub(super) version_id: Option<String>,
    pub(super) told: Told,
    pub(super) expiration: Option<String>,
}

/// Held by a part while it is stored and recorded.
pub(super) struct PartTurn {
    _upload: OwnedRwLockReadGuard<()>,
    _part: OwnedRwLockWriteGuard<()>,
}

// === impl Uploads ===

impl Default for Uploads {
    fn default() -> Self {
        let answers = moka::sync::Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBERED).build();
        Self { locks: Mutex::new(HashMap::new()), answers }
    }
}

impl Uploads {
    /// Has the upload to itself.
    pub(super) async fn alone(&self, upload: &str) -> OwnedRwLockWriteGuard<()> {
        self.lock(upload.to_owned()).write_owned().await
    }

    /// Shares the upload with other parts, not with another upload of the same part.
    pub(super) async fn part(&self, upload: &str, part: u16) -> PartTurn {
        let shared = self.lock(upload.to_owned()).read_owned().await;
        PartTurn { _upload: shared, _part: self.lock(format!("{upload}/{part}")).write_owned().await }
    }

    pub(super) fn remember(&self, upload: &str, answered: Answered) {
        self.answers.insert(upload.to_owned(), answered);
    }

    pub(super) fn recall(&self, upload: &str) -> Option<Answered> {
        self.answers.get(upload)
    }

    /// As a restart does.
    #[cfg(test)]
    pub(in crate::gateway) fn forget_answers(&self) {
        self.answers.invalidate_all();
    }

    fn lock(&self, name: String) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&name).and_then(Weak::upgrade) {
            return lock;
        }
        // As many as there are operations under way: looking through them is cheap.
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(RwLock::new(()));
        locks.insert(name, Arc::downgrade(&lock));
        lock
    }
}

// === impl Answer ===

impl Answer {
    /// As `s3s` wants it; `address` is where this client finds the object.
    pub(super) fn output(&self, at: &Location, address: String) -> CompleteMultipartUploadOutput {
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(at.bucket.as_str().to_owned()),
            key: Some(at.key.as_str().to_owned()),
            location: Some(address),
            e_tag: Some(s3s::dto::ETag::Strong(self.etag.clone())),
            server_side_encryption: self.told.encryption.clone(),
            ssekms_key_id: self.told.key_id.clone(),
            version_id: self.version_id.clone(),
            expiration: self.expiration.clone(),
            ..CompleteMultipartUploadOutput::default()
        };
        if let Some((algorithm, text, kind)) = &self.checksum {
            let slot = match algorithm {
                ChecksumAlgorithm::Crc32 => &mut output.checksum_crc32,
                ChecksumAlgorithm::Crc32c => &mut output.checksum_crc32c,
                ChecksumAlgorithm::Crc64Nvme => &mut output.checksum_crc64nvme,
                ChecksumAlgorithm::Sha1 => &mut output.checksum_sha1,
                ChecksumAlgorithm::Sha256 => &mut output.checksum_sha256,
            };
            *slot = Some(text.clone());
            output.checksum_type = Some(type_name(*kind).to_owned().into());
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn complete_has_the_upload_to_itself_and_parts_share_it() {
        let desk = Uploads::default();
        let first = desk.part("upload", 1).await;
        assert!(desk.part("upload", 2).now_or_never().is_some(), "another part");
        assert!(desk.part("upload", 1).now_or_never().is_none(), "the same part");
        assert!(desk.alone("upload").now_or_never().is_none(), "Complete");
        assert!(desk.alone("another").now_or_never().is_some(), "another upload");
        drop(first);
        let _alone = desk.alone("upload").now_or_never().expect("nobody else");
        assert!(desk.part("upload", 3).now_or_never().is_none(), "a part while it completes");
    }

    #[tokio::test]
    async fn locks_that_nobody_holds_are_forgotten() {
        let desk = Uploads::default();
        for number in 1..=100 {
            drop(desk.part("upload", number).await);
        }
        assert!(desk.locks.lock().expect("not poisoned").len() <= 3);
    }
}

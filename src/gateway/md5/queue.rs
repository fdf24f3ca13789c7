//! What waits to be hashed, and when a thread begins with it.
//!
//! Lanes that stand empty cost as much as full ones, so a batch waits for company for as long as nobody waits for it:
//! until every lane, or every upload there is, has one; or until an upload has gathered half of its next batch.
use super::stream::Stream;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Bytes an upload gathers, at most, before it hands them over. Much more than it is sent at once, so that the others have
/// come as far by then.
pub(super) const BATCH: usize = 1024 * 1024;
/// Hundreds of uploads hand over smaller batches: there is always company then, and all of them have to fit in memory.
pub(super) const SMALLEST_BATCH: usize = 32 * 1024;
/// What all uploads together gather, but for that.
const GATHERED: usize = 16 * 1024 * 1024;

/// A batch of one upload.
pub(super) struct Job {
    pub(super) stream: Box<Stream>,
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) reply: oneshot::Sender<Box<Stream>>,
}

/// What uploads and threads share.
pub(super) struct Shared {
    queue: Mutex<Queue>,
    pub(super) filled: Condvar,
}

/// What is to be hashed.
pub(super) struct Queue {
    pub(super) jobs: VecDeque<Job>,
    /// Uploads there are.
    uploads: usize,
    /// Uploads that work at the same time in lanes.
    lanes: usize,
    /// Somebody waits for a job, or will soon.
    pub(super) hurry: bool,
    pub(super) stopped: bool,
}

/// Counts an upload for as long as it is there.
pub(super) struct Present(pub(super) Arc<Shared>);

// === impl Shared ===

impl Shared {
    /// For threads that work on so many uploads at once.
    pub(super) fn new(lanes: usize) -> Self {
        let queue = Queue { jobs: VecDeque::new(), uploads: 0, lanes, hurry: false, stopped: false };
        Self { queue: Mutex::new(queue), filled: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is queued waits for no more company.
    pub(super) fn hurry(&self) {
        let mut queue = self.lock();
        if !queue.jobs.is_empty() && !queue.hurry {
            queue.hurry = true;
            drop(queue);
            self.filled.notify_one();
        }
    }
}

// === impl Queue ===

impl Queue {
    /// Bytes that an upload gathers.
    pub(super) fn batch(&self) -> usize {
        (GATHERED / self.uploads.max(1)).clamp(SMALLEST_BATCH, BATCH)
    }

    /// Whether a thread should begin with what is here.
    pub(super) fn is_due(&self) -> bool {
        !self.jobs.is_empty() && (self.hurry || self.stopped || self.jobs.len() >= self.lanes.min(self.uploads))
    }
}

// === impl Present ===

impl Present {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.lock().uploads += 1;
        Self(shared)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.uploads -= 1;
        let due = queue.is_due();
        drop(queue);
        if due {
            self.0.filled.notify_one();
        }
    }
}

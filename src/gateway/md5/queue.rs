//! What waits to be hashed, and when a thread begins with it.
//!
//! Lanes that stand empty cost as much as full ones, so a batch waits for company: until every lane, or every upload
//! there is, has one. When an upload waits for its batch (it has gathered the next one, or wants its digest), the others
//! get a last [`GRACE`] to come; should nobody come in that time, the next such waits are without it for a while.
use super::stream::Stream;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Bytes an upload gathers, at most, before it hands them over. Much more than it is sent at once, so that the others have
/// come as far by then.
pub(super) const BATCH: usize = 1024 * 1024;
/// Hundreds of uploads hand over smaller batches: there is always company then, and all of them have to fit in memory.
pub(super) const SMALLEST_BATCH: usize = 32 * 1024;
/// What all uploads together gather, but for that.
const GATHERED: usize = 16 * 1024 * 1024;
/// What others have left to bring a batch when somebody waits already: about what one batch takes by itself.
const GRACE: Duration = Duration::from_millis(2);
/// So many waits are without grace after one in which nobody came: uploads that stand still are not waited for.
const ALONE: u8 = 15;

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
    hurry: bool,
    /// Waits to come that have no grace.
    alone: u8,
    pub(super) stopped: bool,
}

/// Counts an upload for as long as it is there.
pub(super) struct Present(pub(super) Arc<Shared>);

// === impl Shared ===

impl Shared {
    /// For threads that work on so many uploads at once.
    pub(super) fn new(lanes: usize) -> Self {
        let queue = Queue { jobs: VecDeque::new(), uploads: 0, lanes, hurry: false, alone: 0, stopped: false };
        Self { queue: Mutex::new(queue), filled: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to begin with; false when the pool stops.
    pub(super) fn wait(&self) -> Option<MutexGuard<'_, Queue>> {
        let mut queue = self.lock();
        loop {
            if queue.stopped && queue.jobs.is_empty() {
                return None;
            }
            if queue.is_full() || queue.stopped {
                return Some(queue);
            }
            if !queue.jobs.is_empty() && queue.hurry {
                return Some(self.grace(queue));
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Somebody waits already: gives the others their last chance.
    fn grace<'a>(&self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        if queue.alone > 0 {
            queue.alone -= 1;
            return queue;
        }
        let before = queue.jobs.len();
        let (mut queue, _) = self
            .filled
            .wait_timeout_while(queue, GRACE, |queue| !queue.is_full() && !queue.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if queue.jobs.len() <= before {
            queue.alone = ALONE;
        }
        queue
    }

    /// Somebody waits for what is queued.
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

    /// Whether no company can come that would find a lane.
    pub(super) fn is_full(&self) -> bool {
        !self.jobs.is_empty() && self.jobs.len() >= self.lanes.min(self.uploads)
    }

    /// The next batch; once there is none, nobody waits for any.
    pub(super) fn next(&mut self) -> Option<Job> {
        let next = self.jobs.pop_front();
        self.hurry &= next.is_some();
        next
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
        let full = queue.is_full();
        drop(queue);
        if full {
            self.0.filled.notify_one();
        }
    }
}

//! The thread that hashes many uploads in step, and the handle an upload holds.
use super::kernel::{BLOCK, Compress, INITIAL, MAX_LANES, Words, lanes};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Bytes an upload gathers before it hands them over: enough to make the hand-over cheap, little enough that hundreds
/// of uploads fit in memory.
const BATCH: usize = 128 * 1024;
/// Blocks hashed in step before the lanes are looked at again.
const STRIDE: usize = 1024;

/// Hashes uploads on threads of its own. Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct Md5Pool {
    shared: Arc<Shared>,
    _stop: Arc<StopOnDrop>,
}

/// One upload's MD5. Bytes go in with [`PooledMd5::update`]; [`PooledMd5::finish`] gives the digest.
pub struct PooledMd5 {
    pool: Arc<Shared>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// The running digest; while it is away at the pool, the receiver that brings it back.
    stream: Place,
}

enum Place {
    Here(Box<Stream>),
    Away(oneshot::Receiver<Box<Stream>>),
}

/// The pool's thread is gone: the process is shutting down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the MD5 threads have stopped")]
pub struct PoolStopped;

/// A running MD5: the chaining words, the bytes of an unfinished block, the total.
struct Stream {
    words: Words,
    tail: [u8; BLOCK],
    tail_len: usize,
    total: u64,
}

struct Job {
    stream: Box<Stream>,
    pieces: VecDeque<Bytes>,
    reply: oneshot::Sender<Box<Stream>>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

struct Queue {
    jobs: VecDeque<Job>,
    stopped: bool,
}

struct StopOnDrop(Arc<Shared>);

// === impl Md5Pool ===

impl Md5Pool {
    /// Starts `threads` threads (one is enough for a few GB/s where there are wide vectors).
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), stopped: false });
        let shared = Arc::new(Shared { queue, filled: Condvar::new() });
        let stop = Arc::new(StopOnDrop(Arc::clone(&shared)));
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("md5-{number}")).spawn(move || work(&shared))?;
        }
        Ok(Self { shared, _stop: stop })
    }

    /// A fresh MD5.
    pub fn hasher(&self) -> PooledMd5 {
        PooledMd5 {
            pool: Arc::clone(&self.shared),
            waiting: Vec::new(),
            waiting_bytes: 0,
            stream: Place::Here(Box::new(Stream::new())),
        }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.0.filled.notify_all();
    }
}

// === impl PooledMd5 ===

impl PooledMd5 {
    /// Takes the next bytes. Waits only when the batch before the last is still being hashed.
    ///
    /// # Errors
    /// [`PoolStopped`] while the process shuts down.
    pub async fn update(&mut self, bytes: Bytes) -> Result<(), PoolStopped> {
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        if self.waiting_bytes >= BATCH { self.hand_over().await } else { Ok(()) }
    }

    /// The digest of everything that came.
    ///
    /// # Errors
    /// [`PoolStopped`] while the process shuts down.
    pub async fn finish(mut self) -> Result<[u8; 16], PoolStopped> {
        if self.waiting_bytes >= BATCH / 8 {
            self.hand_over().await?;
        }
        let mut stream = self.back().await?;
        for piece in &self.waiting {
            stream.absorb(piece);
        }
        Ok(stream.digest())
    }

    async fn hand_over(&mut self) -> Result<(), PoolStopped> {
        let stream = self.back().await?;
        let (reply, answer) = oneshot::channel();
        self.waiting_bytes = 0;
        let job = Job { stream, pieces: std::mem::take(&mut self.waiting).into(), reply };
        let mut queue = self.pool.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.stopped {
            return Err(PoolStopped);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.pool.filled.notify_one();
        self.stream = Place::Away(answer);
        Ok(())
    }

    /// Brings the running digest back from the pool.
    async fn back(&mut self) -> Result<Box<Stream>, PoolStopped> {
        match std::mem::replace(&mut self.stream, Place::Here(Box::new(Stream::new()))) {
            Place::Here(stream) => Ok(stream),
            Place::Away(answer) => answer.await.map_err(|_| PoolStopped),
        }
    }
}

// === impl Stream ===

impl Stream {
    fn new() -> Self {
        Self { words: INITIAL, tail: [0; BLOCK], tail_len: 0, total: 0 }
    }

    /// Hashes `bytes` here and now, alone.
    fn absorb(&mut self, bytes: &[u8]) {
        let rest = self.top_up(bytes);
        let whole = rest.len() - rest.len() % BLOCK;
        self.compress(&rest[..whole]);
        self.keep(&rest[whole..]);
    }

    /// Completes a started block from `bytes`; what is left of them. Afterwards either no block is started or nothing is left.
    fn top_up<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.tail_len == 0 {
            return bytes;
        }
        let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - self.tail_len));
        self.keep(head);
        if self.tail_len == BLOCK {
            let block = self.tail;
            self.tail_len = 0;
            self.total -= BLOCK as u64;
            self.compress(&block);
        }
        rest
    }

    /// Keeps fewer bytes than a block for later.
    fn keep(&mut self, bytes: &[u8]) {
        self.tail[self.tail_len..self.tail_len + bytes.len()].copy_from_slice(bytes);
        self.tail_len += bytes.len();
        self.total += bytes.len() as u64;
    }

    fn compress(&mut self, blocks: &[u8]) {
        let mut words = [self.words];
        pulp::Arch::Scalar.dispatch(Compress { data: &[blocks], words: &mut words });
        [self.words] = words;
        self.total += blocks.len() as u64;
    }

    /// RFC 1321 sections 3.1 and 3.2: the padding, the length in bits, the last blocks.
    fn digest(mut self: Box<Self>) -> [u8; 16] {
        let bits = self.total.wrapping_mul(8).to_le_bytes();
        let mut padding = [0u8; 2 * BLOCK];
        padding[0] = 0x80;
        let zeros = (2 * BLOCK - 8 - self.tail_len - 1) % BLOCK;
        padding[1 + zeros..1 + zeros + 8].copy_from_slice(&bits);
        self.absorb(&padding[..1 + zeros + 8]);
        let mut digest = [0; 16];
        for (out, word) in digest.chunks_exact_mut(4).zip(self.words) {
            out.copy_from_slice(&word.to_le_bytes());
        }
        digest
    }
}

// === the threads ===

/// Serves the queue until the pool stops. Lanes that end are refilled from the queue at once.
fn work(shared: &Shared) {
    let arch = pulp::Arch::new();
    let width = lanes(arch);
    let mut running: Vec<Job> = Vec::with_capacity(width);
    while refill(shared, &mut running, width) {
        step(arch, &mut running);
        let mut at = 0;
        while at < running.len() {
            if running[at].pieces.is_empty() {
                let done = running.swap_remove(at);
                // The upload may be gone; then nobody wants the answer.
                let _ = done.reply.send(done.stream);
            } else {
                at += 1;
            }
        }
    }
}

/// Fills the lanes from the queue; waits while there is nothing at all. False when the pool stops.
fn refill(shared: &Shared, running: &mut Vec<Job>, width: usize) -> bool {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    while running.is_empty() && queue.jobs.is_empty() {
        if queue.stopped {
            return false;
        }
        queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    while running.len() < width {
        match queue.jobs.pop_front() {
            Some(job) => running.push(job),
            None => break,
        }
    }
    true
}

/// Advances every lane by as many blocks as all of them have in one piece.
fn step(arch: pulp::Arch, running: &mut [Job]) {
    let mut blocks = STRIDE;
    for job in running.iter_mut() {
        blocks = blocks.min(prepare(job));
    }
    if blocks == 0 {
        return;
    }
    let bytes = blocks * BLOCK;
    let mut words = [INITIAL; MAX_LANES];
    let used = running.len().min(MAX_LANES);
    {
        let mut data: [&[u8]; MAX_LANES] = [&[]; MAX_LANES];
        for ((slot, words), job) in data.iter_mut().zip(&mut words).zip(running.iter()) {
            *slot = job.pieces.front().map_or(&[][..], |piece| &piece[..bytes]);
            *words = job.stream.words;
        }
        let kernel = Compress { data: &data[..used], words: &mut words[..used] };
        if used == 1 { pulp::Arch::Scalar.dispatch(kernel) } else { arch.dispatch(kernel) }
    }
    for (job, words) in running.iter_mut().zip(words) {
        job.stream.words = words;
        job.stream.total += bytes as u64;
        if let Some(piece) = job.pieces.front_mut() {
            let _ = piece.split_to(bytes);
        }
        settle(job);
    }
}

/// Makes a lane's first piece start on a block; how many whole blocks it then has (0: the lane has ended).
fn prepare(job: &mut Job) -> usize {
    settle(job);
    job.pieces.front().map_or(0, |piece| piece.len() / BLOCK)
}

/// Takes what is too little for the vector unit (started blocks, ends of pieces) out of the way.
fn settle(job: &mut Job) {
    while let Some(piece) = job.pieces.front_mut() {
        let rest = job.stream.top_up(piece).len();
        let _ = piece.split_to(piece.len() - rest);
        if piece.len() >= BLOCK {
            return;
        }
        job.stream.keep(piece);
        job.pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::Digest;

    fn sample(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 5) as u8).collect()
    }

    async fn hash(pool: &Md5Pool, data: &[u8], split: usize) -> [u8; 16] {
        let mut hasher = pool.hasher();
        for piece in data.chunks(split) {
            hasher.update(Bytes::copy_from_slice(piece)).await.expect("the pool runs");
        }
        hasher.finish().await.expect("the pool runs")
    }

    #[tokio::test]
    async fn any_length_in_any_pieces_agrees_with_the_md5_crate() {
        let pool = Md5Pool::start(1).expect("a thread");
        for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 77] {
            for split in [1000, 4096, 65_537] {
                let data = sample(length, split);
                let expected = <[u8; 16]>::from(md5::Md5::digest(&data));
                assert_eq!(hash(&pool, &data, split).await, expected, "{length} bytes in pieces of {split}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_uploads_at_once_do_not_mix() {
        let pool = Md5Pool::start(2).expect("threads");
        let uploads = (0..40).map(|seed| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let data = sample(200_000 + seed * 7_919, seed);
                assert_eq!(hash(&pool, &data, 8_191 + seed).await, <[u8; 16]>::from(md5::Md5::digest(&data)));
            })
        });
        for upload in uploads.collect::<Vec<_>>() {
            upload.await.expect("the upload's digest is right");
        }
    }

    #[tokio::test]
    async fn an_upload_that_goes_away_leaves_the_others_alone() {
        let pool = Md5Pool::start(1).expect("a thread");
        let mut gone = pool.hasher();
        gone.update(Bytes::from(sample(BATCH * 2, 1))).await.expect("the pool runs");
        drop(gone);
        let data = sample(BATCH * 2, 2);
        assert_eq!(hash(&pool, &data, 5000).await, <[u8; 16]>::from(md5::Md5::digest(&data)));
    }

    #[tokio::test]
    async fn a_stopped_pool_says_so() {
        let pool = Md5Pool::start(1).expect("a thread");
        let mut hasher = pool.hasher();
        drop(pool);
        assert_eq!(hasher.update(Bytes::from(vec![0; BATCH])).await, Err(PoolStopped));
    }
}

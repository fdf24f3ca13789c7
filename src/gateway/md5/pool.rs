//! The thread that hashes many uploads in step, and the handle an upload holds.
use super::kernel::{BLOCK, Compress, INITIAL, MAX_LANES, lanes};
use super::queue::{Job, Present, SMALLEST_BATCH, Shared};
use super::stream::Stream;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;

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
    pool: Present,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// So many bytes are handed over.
    batch: usize,
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

struct StopOnDrop(Arc<Shared>);

// === impl Md5Pool ===

impl Md5Pool {
    /// Starts `threads` threads (one is enough for a few GB/s where there are wide vectors).
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let lanes = lanes(pulp::Arch::new());
        let shared = Arc::new(Shared::new(lanes));
        let stop = Arc::new(StopOnDrop(Arc::clone(&shared)));
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("md5-{number}")).spawn(move || work(&shared))?;
        }
        Ok(Self { shared, _stop: stop })
    }

    /// A fresh MD5.
    pub fn hasher(&self) -> PooledMd5 {
        let pool = Present::new(Arc::clone(&self.shared));
        let batch = pool.0.lock().batch();
        PooledMd5 { pool, batch, waiting: Vec::new(), waiting_bytes: 0, stream: Place::Here(Box::new(Stream::new())) }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
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
        if self.waiting_bytes >= self.batch {
            return self.hand_over().await;
        }
        Ok(())
    }

    /// The digest of everything that came.
    ///
    /// # Errors
    /// [`PoolStopped`] while the process shuts down.
    pub async fn finish(mut self) -> Result<[u8; 16], PoolStopped> {
        if self.waiting_bytes >= SMALLEST_BATCH / 2 {
            self.hand_over().await?;
        }
        let mut stream = self.back().await?;
        for piece in &self.waiting {
            stream.absorb(piece);
        }
        Ok((*stream).digest())
    }

    async fn hand_over(&mut self) -> Result<(), PoolStopped> {
        let stream = self.back().await?;
        let (reply, answer) = oneshot::channel();
        self.waiting_bytes = 0;
        let job = Job { stream, pieces: std::mem::take(&mut self.waiting).into(), reply };
        let mut queue = self.pool.0.lock();
        if queue.stopped {
            return Err(PoolStopped);
        }
        queue.jobs.push_back(job);
        self.batch = queue.batch();
        let full = queue.is_full();
        drop(queue);
        if full {
            self.pool.0.filled.notify_one();
        }
        self.stream = Place::Away(answer);
        Ok(())
    }

    /// Brings the running digest back from the pool.
    async fn back(&mut self) -> Result<Box<Stream>, PoolStopped> {
        match std::mem::replace(&mut self.stream, Place::Here(Box::new(Stream::new()))) {
            Place::Here(stream) => Ok(stream),
            Place::Away(mut answer) => {
                if let Ok(stream) = answer.try_recv() {
                    return Ok(stream);
                }
                self.pool.0.hurry();
                answer.await.map_err(|_| PoolStopped)
            }
        }
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

/// Fills the lanes from the queue; waits for it when all are empty. Whoever is at work already takes what has come. False
/// when the pool stops.
fn refill(shared: &Shared, running: &mut Vec<Job>, width: usize) -> bool {
    let mut queue = if running.is_empty() {
        match shared.wait() {
            Some(queue) => queue,
            None => return false,
        }
    } else {
        shared.lock()
    };
    while running.len() < width
        && let Some(job) = queue.next()
    {
        running.push(job);
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
        let arch = if used == 1 { pulp::Arch::Scalar } else { arch };
        Compress { data: &data[..used], words: &mut words[..used] }.run(arch);
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
    use super::super::queue::BATCH;
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

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_waits_for_company_that_does_not_come() {
        let pool = Md5Pool::start(1).expect("a thread");
        let mut slow = pool.hasher();
        slow.update(Bytes::from(sample(BATCH, 1))).await.expect("the pool runs");
        let _silent: Vec<_> = (0..20).map(|_| pool.hasher()).collect();
        let data = sample(BATCH * 5, 2);
        assert_eq!(hash(&pool, &data, 5000).await, <[u8; 16]>::from(md5::Md5::digest(&data)));
        assert_eq!(slow.finish().await, Ok(<[u8; 16]>::from(md5::Md5::digest(sample(BATCH, 1)))));
    }

    #[tokio::test]
    async fn a_stopped_pool_says_so() {
        let pool = Md5Pool::start(1).expect("a thread");
        let mut hasher = pool.hasher();
        drop(pool);
        assert_eq!(hasher.update(Bytes::from(vec![0; BATCH])).await, Err(PoolStopped));
    }
}

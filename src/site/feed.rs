//! The body of a write that is fed through a channel, and the watch kept over it.
//!
//! Who is to blame for a standstill matters: while the channel is empty it is our own side (a slow client),
//! while hyper does not ask for more it is the site. Only the latter is timed.
use super::object::PutBody;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

/// Why a body did not come to its end: hyper breaks the connection on it, so nothing becomes visible.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body itself, owned by the connection.
pub(super) struct Feed {
    left: u64,
    watch: Arc<FeedWatch>,
}

/// What the waiting side knows about the body, and its handle to break it off.
pub(super) struct FeedWatch {
    phase: AtomicU8,
    /// `None` once broken off. It lives here and not in the body, because hyper keeps the body of a connection whose
    /// peer takes nothing until TCP gives up, and the feeder must not wait for that.
    chunks: Mutex<Option<Receiver<Bytes>>>,
    waker: AtomicWaker,
    base: Instant,
    /// Milliseconds after `base` at which the site last asked for or took something.
    moved: AtomicU64,
}

/// Where a body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// The site holds bytes it has not taken yet (or the connection is not there yet).
    AtSite,
    /// Nothing to send: our own side is slow.
    AtFeeder,
    /// Every byte was handed over.
    Sent,
    /// The feeder was dropped, or sent more than it had announced.
    Aborted,
}

/// Breaks the body off when dropped, unless disarmed.
pub(super) struct BreakOnDrop(Option<Arc<FeedWatch>>);

#[derive(Debug, thiserror::Error)]
#[error("the body was broken off")]
struct BrokenOff;

// === impl Feed ===

impl Feed {
    pub(super) fn new(body: PutBody) -> (Self, Arc<FeedWatch>) {
        let phase = if body.length == 0 { Phase::Sent } else { Phase::AtSite };
        let watch = Arc::new(FeedWatch {
            phase: AtomicU8::new(phase as u8),
            chunks: Mutex::new(Some(body.chunks)),
            waker: AtomicWaker::new(),
            base: Instant::now(),
            moved: AtomicU64::new(0),
        });
        (Self { left: body.length, watch: watch.clone() }, watch)
    }

    /// Bytes still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.watch.waker.register(cx.waker());
        loop {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            match self.watch.poll_recv(cx) {
                Poll::Pending => {
                    self.watch.enter(Phase::AtFeeder);
                    return Poll::Pending;
                }
                Poll::Ready(Some(chunk)) if chunk.is_empty() => {}
                Poll::Ready(Some(chunk)) if chunk.len() as u64 <= self.left => {
                    self.left -= chunk.len() as u64;
                    self.watch.enter(if self.left == 0 { Phase::Sent } else { Phase::AtSite });
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Poll::Ready(_) => {
                    self.watch.enter(Phase::Aborted);
                    self.watch.break_off();
                    return Poll::Ready(Some(Err(Box::new(BrokenOff))));
                }
            }
        }
    }
}

// === impl FeedWatch ===

impl FeedWatch {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::AtSite,
            1 => Phase::AtFeeder,
            2 => Phase::Sent,
            _ => Phase::Aborted,
        }
    }

    /// How long the site has been sitting on what it was given; zero while the feeder is to blame.
    pub(super) fn silence(&self) -> Duration {
        if self.phase() == Phase::AtFeeder {
            return Duration::ZERO;
        }
        self.base.elapsed().saturating_sub(Duration::from_millis(self.moved.load(Ordering::Relaxed)))
    }

    fn enter(&self, phase: Phase) {
        let now = u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The next chunk; none when broken off.
    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.as_mut().map_or(Poll::Ready(None), |chunks| chunks.poll_recv(cx))
    }

    /// Frees the feeder at once and wakes the body, which then ends in an error.
    fn break_off(&self) {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.waker.wake();
    }
}

// === impl BreakOnDrop ===

impl BreakOnDrop {
    pub(super) fn new(watch: Arc<FeedWatch>) -> Self {
        Self(Some(watch))
    }

    /// The write succeeded: leave the connection alone.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for BreakOnDrop {
    fn drop(&mut self) {
        if let Some(watch) = self.0.take() {
            watch.break_off();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::sync::mpsc;

    fn feed(length: u64) -> (mpsc::Sender<Bytes>, Feed, Arc<FeedWatch>) {
        let (sender, chunks) = mpsc::channel(4);
        let (feed, watch) = Feed::new(PutBody { length, chunks });
        (sender, feed, watch)
    }

    async fn next(feed: &mut Feed) -> Option<Result<Bytes, String>> {
        poll_fn(|cx| feed.poll_chunk(cx)).await.map(|item| item.map_err(|e| e.to_string()))
    }

    #[tokio::test]
    async fn a_body_of_the_announced_length_ends_cleanly() {
        let (sender, mut feed, watch) = feed(3);
        for chunk in ["", "ab", "c"] {
            sender.send(Bytes::from(chunk)).await.expect("room");
        }
        assert_eq!(next(&mut feed).await, Some(Ok("ab".into())));
        assert_eq!(watch.phase(), Phase::AtSite);
        assert_eq!(next(&mut feed).await, Some(Ok("c".into())));
        assert_eq!((next(&mut feed).await, watch.phase()), (None, Phase::Sent));
    }

    #[tokio::test]
    async fn a_dropped_feeder_is_an_error_and_never_an_end() {
        let (sender, mut feed, watch) = feed(3);
        sender.send(Bytes::from("ab")).await.expect("room");
        drop(sender);
        assert_eq!(next(&mut feed).await, Some(Ok("ab".into())));
        assert!(matches!(next(&mut feed).await, Some(Err(_))));
        assert_eq!(watch.phase(), Phase::Aborted);
    }

    #[tokio::test]
    async fn more_bytes_than_announced_are_an_error() {
        let (sender, mut feed, _watch) = feed(3);
        sender.send(Bytes::from("abcd")).await.expect("room");
        assert!(matches!(next(&mut feed).await, Some(Err(_))));
    }

    #[tokio::test]
    async fn breaking_off_wakes_the_body_and_the_feeder() {
        let (sender, mut feed, watch) = feed(3);
        let waiting = tokio::spawn(async move { next(&mut feed).await });
        tokio::task::yield_now().await;
        drop(BreakOnDrop::new(watch));
        assert!(matches!(waiting.await.expect("no panic"), Some(Err(_))));
        assert!(sender.is_closed(), "the feeder notices");
    }

    #[tokio::test]
    async fn a_slow_feeder_is_not_the_sites_silence() {
        let (_sender, mut feed, watch) = feed(3);
        let polled = futures_util::poll!(std::pin::pin!(next(&mut feed)));
        assert!(polled.is_pending());
        assert_eq!((watch.phase(), watch.silence()), (Phase::AtFeeder, Duration::ZERO));
    }
}

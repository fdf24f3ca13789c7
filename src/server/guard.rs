//! Time limits on the bytes of a connection, where only the connection can see them: a head that drips in, a
//! connection that stands idle, an answer that nobody reads. (A request body that stalls is the front's: it can still
//! be answered.)
use crate::gateway::front::Patience;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What connection, requests and bytes tell each other.
#[derive(Debug, Default)]
pub(super) struct Flight {
    requests: AtomicUsize,
    /// Requests that ever were in flight.
    boarded: AtomicUsize,
    /// When the last one ended.
    ended: Mutex<Option<Instant>>,
    draining: AtomicBool,
    head_timed_out: AtomicBool,
    reader_stalled: AtomicBool,
}

/// A request in flight on its connection, until its answer is sent.
pub(super) struct Passenger(Arc<Flight>);

/// Limits of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) header: Duration,
    pub(super) idle: Duration,
    pub(super) stall: Duration,
}

/// What is being waited for on the reading side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first byte of a first request.
    Fresh,
    /// The rest of a head.
    Head,
    /// The first byte of a further request.
    Idle,
    /// Nothing: a request is in flight.
    Busy,
}

/// A stream with limits.
pub(super) struct Guard<S> {
    stream: S,
    limits: Limits,
    flight: Arc<Flight>,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    boarded: usize,
    reading: Patience,
    writing: Patience,
}

// === impl Flight ===

impl Flight {
    /// A request begins.
    pub(super) fn board(self: &Arc<Self>) -> Passenger {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.boarded.fetch_add(1, Ordering::AcqRel);
        Passenger(self.clone())
    }

    /// No further request is waited for.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// The head of a request did not arrive in time.
    pub(super) fn head_timed_out(&self) -> bool {
        self.head_timed_out.load(Ordering::Acquire)
    }

    /// An answer was not read in time.
    pub(super) fn reader_stalled(&self) -> bool {
        self.reader_stalled.load(Ordering::Acquire)
    }

    fn busy(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0
    }

    fn ended(&self) -> Option<Instant> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

// === impl Guard ===

impl<S> Guard<S> {
    pub(super) fn new(stream: S, limits: Limits, flight: Arc<Flight>) -> Self {
        let (reading, writing) = (Patience::default(), Patience::default());
        Self { stream, limits, flight, phase: Phase::Fresh, since: Instant::now(), boarded: 0, reading, writing }
    }

    fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            self.since = Instant::now();
        }
    }

    /// Nothing came. Pending: go on waiting. Ready: the end of the stream, or an error.
    fn nothing_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flight.busy() {
            self.enter(Phase::Busy);
            // Nobody may look again when the request ends: this makes sure that somebody does in time.
            let _ = self.reading.poll_since(cx, Instant::now(), self.limits.idle);
            return Poll::Pending;
        }
        if self.phase == Phase::Busy {
            self.enter(Phase::Idle);
            self.since = self.flight.ended().unwrap_or(self.since);
        }
        if self.phase != Phase::Head && self.flight.draining.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let limit = if self.phase == Phase::Idle { self.limits.idle } else { self.limits.header };
        if self.reading.poll_since(cx, self.since, limit).is_pending() {
            return Poll::Pending;
        }
        if self.phase == Phase::Head {
            self.flight.head_timed_out.store(true, Ordering::Release);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn wrote<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.rewarded();
            return polled;
        }
        if self.writing.poll(cx, self.limits.stall).is_pending() {
            return Poll::Pending;
        }
        self.flight.reader_stalled.store(true, Ordering::Release);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A request may have come and gone since the last look.
        let boarded = self.flight.boarded.load(Ordering::Acquire);
        if boarded != self.boarded {
            self.boarded = boarded;
            self.enter(Phase::Busy);
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_pending() {
            return self.nothing_read(cx);
        }
        if buf.filled().len() > before && !self.flight.busy() {
            self.enter(Phase::Head);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    const LIMITS: Limits =
        Limits { header: Duration::from_secs(1), idle: Duration::from_secs(10), stall: Duration::from_secs(5) };

    fn guarded() -> (Guard<DuplexStream>, DuplexStream, Arc<Flight>) {
        let (ours, theirs) = duplex(64);
        let flight = Arc::new(Flight::default());
        (Guard::new(ours, LIMITS, flight.clone()), theirs, flight)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_in_times_out_as_a_whole() {
        let (mut guard, mut client, flight) = guarded();
        let began = Instant::now();
        let dripping = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        let mut byte = [0];
        let error = loop {
            if let Err(error) = guard.read_exact(&mut byte).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(flight.head_timed_out());
        assert!(began.elapsed() >= LIMITS.header && began.elapsed() < LIMITS.header * 2);
        drop(guard);
        dripping.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_cleanly_after_its_time() {
        let (mut guard, _client, flight) = guarded();
        let mut byte = [0];
        let began = Instant::now();
        assert_eq!(guard.read(&mut byte).await.ok(), Some(0));
        assert_eq!(began.elapsed(), LIMITS.header, "a fresh one has the time of a head");
        guard.phase = Phase::Busy;
        let began = Instant::now();
        assert_eq!(guard.read(&mut byte).await.ok(), Some(0));
        assert_eq!(began.elapsed(), LIMITS.idle, "one that was used may stand idle");
        assert!(!flight.head_timed_out());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_came_and_went_between_two_looks_leaves_an_idle_connection() {
        let (mut guard, mut client, flight) = guarded();
        client.write_all(b"GET").await.expect("room");
        let mut head = [0; 8];
        assert_eq!(guard.read(&mut head).await.ok(), Some(3));
        drop(flight.board());
        let began = Instant::now();
        assert_eq!(guard.read(&mut head).await.ok(), Some(0));
        assert_eq!(began.elapsed(), LIMITS.idle);
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_request_is_in_flight_reading_has_no_limit() {
        let (mut guard, _client, flight) = guarded();
        let passenger = flight.board();
        let mut byte = [0];
        assert!(tokio::time::timeout(Duration::from_secs(3600), guard.read(&mut byte)).await.is_err());
        drop(passenger);
        flight.drain();
        assert_eq!(guard.read(&mut byte).await.ok(), Some(0), "and a drained connection ends when it is idle");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_broken_off() {
        let (mut guard, mut client, flight) = guarded();
        let began = Instant::now();
        let reading = tokio::spawn(async move {
            let mut some = [0; 64];
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                client.read_exact(&mut some).await.expect("bytes");
            }
            std::future::pending::<()>().await;
            drop(client);
        });
        let error = guard.write_all(&[0; 1000]).await.expect_err("it stalls");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(flight.reader_stalled());
        assert_eq!(began.elapsed(), Duration::from_secs(3 * 4) + LIMITS.stall, "slow reading is no stall");
        reading.abort();
    }
}

//! What happened to the body of a request on its way in; read by whoever answers and whoever writes it down.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// What happened to a body; read by whoever answers.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    received: AtomicU64,
    /// Nanoseconds from `began` to the last byte.
    last_byte: AtomicU64,
    fault: AtomicU8,
    wrong_hash: OnceLock<()>,
}

/// What went wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// No byte for too long.
    #[error("the client sent nothing for too long")]
    Stalled,
    /// The connection ended first.
    #[error("the client hung up before the end of its body")]
    Broken,
    /// More XML than is read.
    #[error("the XML body is too long")]
    TooLong,
    /// An `aws-chunked` body without its closing chunk.
    #[error("the chunked body ended before its closing chunk")]
    Unclosed,
    /// An `aws-chunked` body without the trailer that it announced.
    #[error("the chunked body came without the trailer it announced")]
    Untrailed,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            received: AtomicU64::new(0),
            last_byte: AtomicU64::new(0),
            fault: AtomicU8::new(0),
            wrong_hash: OnceLock::new(),
        }
    }

    /// When the request's head had arrived.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// From the head to the last byte of the body (zero without one).
    pub(super) fn last_byte(&self) -> Duration {
        Duration::from_nanos(self.last_byte.load(Ordering::Relaxed))
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        match self.fault.load(Ordering::Acquire) {
            1 => Some(Fault::Stalled),
            2 => Some(Fault::Broken),
            3 => Some(Fault::TooLong),
            4 => Some(Fault::Unclosed),
            5 => Some(Fault::Untrailed),
            _ => None,
        }
    }

    /// The body came whole, but is not what `x-amz-content-sha256` says (known for XML only).
    pub(super) fn has_wrong_hash(&self) -> bool {
        self.wrong_hash.get().is_some()
    }

    /// Notes what went wrong, for whoever answers.
    pub(super) fn fail(&self, fault: Fault) -> s3s::StdError {
        let number = match fault {
            Fault::Stalled => 1,
            Fault::Broken => 2,
            Fault::TooLong => 3,
            Fault::Unclosed => 4,
            Fault::Untrailed => 5,
        };
        self.fault.store(number, Ordering::Release);
        fault.into()
    }

    /// The hash of the whole body was not the declared one.
    pub(super) fn hash_is_wrong(&self) {
        let _ = self.wrong_hash.set(());
    }

    /// Bytes that nobody needs arrived.
    pub(super) fn drained(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// More of the body arrived.
    pub(super) fn took(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        let passed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_byte.store(passed, Ordering::Relaxed);
    }
}

//! A connection on which an answer can still be read when writing has failed.
//!
//! A server that refuses a request early (403, 412, 503) answers, closes, and resets the connection under the rest of
//! the body. hyper then reports the failed write and drops the answer that lies in the receive buffer. Here a failed
//! write looks as if it were not finished for [`GRACE`]: the reading side finds the answer, or the end.
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// How long the reading side has to find an answer.
const GRACE: Duration = Duration::from_secs(1);

/// The connection.
pub(super) struct Wire<S> {
    stream: S,
    broken: Option<Broken>,
}

/// Why writing failed, and until when that is kept quiet.
struct Broken {
    kind: io::ErrorKind,
    until: Pin<Box<Sleep>>,
}

// === impl Wire ===

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, broken: None }
    }
}

impl<S: Write + Unpin> Wire<S> {
    /// Runs a write; once one has failed, waits and then fails.
    fn attempt<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.broken.is_none() {
            match write(Pin::new(&mut self.stream), cx) {
                Poll::Ready(Err(error)) => {
                    let until = Box::pin(tokio::time::sleep(GRACE));
                    self.broken = Some(Broken { kind: error.kind(), until });
                }
                other => return other,
            }
        }
        let Some(broken) = &mut self.broken else { return Poll::Pending };
        ready!(broken.until.as_mut().poll(cx));
        Poll::Ready(Err(broken.kind.into()))
    }
}

impl<S: Read + Unpin> Read for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: Write + Unpin> Write for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().attempt(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().attempt(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().attempt(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: Connection> Connection for Wire<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

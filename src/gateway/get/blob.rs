//! Plaintext in the form in which `s3s` takes a response body.
use crate::gateway::open::PlainStream;
use bytes::Bytes;
use futures_util::Stream;
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A plaintext stream of known length.
pub(super) struct PlainBlob {
    stream: PlainStream,
    remaining: u64,
}

// === impl PlainBlob ===

impl PlainBlob {
    pub(super) fn new(stream: PlainStream, length: u64) -> Self {
        Self { stream, remaining: length }
    }
}

impl Stream for PlainBlob {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(Pin::new(&mut self.stream).poll_next(cx));
        if let Some(Ok(bytes)) = &item {
            self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(item.map(|result| result.map_err(|error| Box::new(error) as StdError)))
    }
}

impl ByteStream for PlainBlob {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.remaining).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}

//! The request body that both doors hand to the shared connection pool.
use super::feed::{BodyError, Feed};
use super::trailed::Trailed;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A request body: its exact length is always known, except for what the SDK brings.
pub(super) enum OutBody {
    /// No bytes.
    Empty,
    /// Bytes in memory.
    Full(Bytes),
    /// Fed through a channel.
    Feed(Feed),
    /// One of the others with its checksum behind it.
    Trailed(Trailed),
    /// The SDK's own.
    Sdk(SdkBody),
}

// === impl OutBody ===

impl Body for OutBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Feed(feed) => feed.poll_chunk(cx).map(|item| item.map(|chunk| chunk.map(Frame::data))),
            Self::Trailed(body) => body.poll_piece(cx).map(|item| item.map(|piece| piece.map(Frame::data))),
            Self::Sdk(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Feed(feed) => feed.left() == 0,
            Self::Trailed(body) => body.left() == 0,
            Self::Sdk(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Feed(feed) => SizeHint::with_exact(feed.left()),
            Self::Trailed(body) => SizeHint::with_exact(body.left()),
            Self::Sdk(body) => body.size_hint(),
        }
    }
}

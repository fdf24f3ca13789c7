//! The body of a response on its way out: counts what is sent and knows when it is over.
use super::exchange::Exchange;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A response's body. When it has been sent, or is dropped, the request's line is written.
pub struct FrontBody {
    body: s3s::Body,
    exchange: Option<Exchange>,
}

// === impl FrontBody ===

impl FrontBody {
    pub(super) fn new(body: s3s::Body, mut exchange: Exchange) -> Self {
        exchange.will_send(body.size_hint().exact());
        Self { body, exchange: Some(exchange) }
    }

    /// For the one answer that cannot be logged.
    pub(super) fn unlogged(body: s3s::Body) -> Self {
        Self { body, exchange: None }
    }
}

impl Body for FrontBody {
    type Data = Bytes;
    type Error = s3s::StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, s3s::StdError>>> {
        let this = &mut *self;
        let polled = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                if let (Some(data), Some(exchange)) = (frame.data_ref(), &mut this.exchange) {
                    exchange.sent(data.len());
                }
            }
            Some(Err(error)) => {
                // The connection is broken off, so that the client sees that it did not get everything.
                if let Some(exchange) = this.exchange.take() {
                    tracing::warn!(request_id = %exchange.id(), %error, "an answer broke off");
                }
            }
            None => {
                if let Some(mut exchange) = this.exchange.take() {
                    exchange.complete();
                }
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

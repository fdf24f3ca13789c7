//! Response bodies: exact length, no silence beyond the limit, every byte counted.
use super::error::{SiteError, chain};
use super::site::Inner;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep};

/// The most that an answer read as a whole may be.
const WHOLE_BODY_LIMIT: usize = 8 * 1024 * 1024;
/// An error body beyond this is cut off.
const ERROR_BODY_LIMIT: usize = 64 * 1024;

/// The body of a GET. Yields exactly `left` bytes, or an error.
pub(super) struct GetStream {
    site: Arc<Inner>,
    incoming: Incoming,
    left: u64,
    received: u64,
    silence: Option<Pin<Box<Sleep>>>,
    failed: bool,
}

// === impl GetStream ===

impl GetStream {
    pub(super) fn new(site: Arc<Inner>, incoming: Incoming, length: u64) -> Self {
        Self { site, incoming, left: length, received: 0, silence: None, failed: false }
    }

    fn fail(&mut self, detail: String) -> Poll<Option<Result<Bytes, SiteError>>> {
        self.failed = true;
        self.site.note(true);
        Poll::Ready(Some(Err(self.site.unreachable(detail))))
    }

    /// Pending within the limit; an error when the site has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let stall = self.site.stall;
        let sleep = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        sleep.as_mut().poll(cx)
    }
}

impl Stream for GetStream {
    type Item = Result<Bytes, SiteError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.failed {
            return Poll::Ready(None);
        }
        loop {
            let frame = match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.poll_silence(cx));
                    return this.fail("the body stalled".to_owned());
                }
            };
            // The next silence starts now; a parked timer is re-armed rather than rebuilt.
            if let Some(sleep) = this.silence.as_mut() {
                sleep.as_mut().reset(Instant::now() + this.site.stall);
            }
            match frame {
                None if this.left == 0 => return Poll::Ready(None),
                None => return this.fail(format!("the body ended {} bytes early", this.left)),
                Some(Err(error)) => return this.fail(chain(&error)),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let Some(left) = this.left.checked_sub(data.len() as u64) else {
                        return this.fail("the body is longer than announced".to_owned());
                    };
                    this.left = left;
                    this.received += data.len() as u64;
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left > 0), None)
    }
}

impl Drop for GetStream {
    fn drop(&mut self) {
        self.site.observer.bytes(&self.site.name, 0, self.received);
    }
}

/// The first bytes of an error body, best effort: what cannot be read in time is left out.
pub(super) async fn error_body(site: &Inner, mut incoming: Incoming) -> Bytes {
    let mut body = BytesMut::new();
    let read = async {
        while let Some(Ok(frame)) = incoming.frame().await {
            if let Ok(data) = frame.into_data() {
                body.extend_from_slice(&data[..data.len().min(ERROR_BODY_LIMIT - body.len())]);
            }
            if body.len() == ERROR_BODY_LIMIT {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(site.stall, read).await;
    body.freeze()
}

/// A small answer's whole body.
pub(super) async fn whole_body(site: &Inner, incoming: Incoming) -> Result<Bytes, SiteError> {
    let read = http_body_util::Limited::new(incoming, WHOLE_BODY_LIMIT).collect();
    match tokio::time::timeout(site.stall, read).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(site.unreachable(chain(error.as_ref()))),
        Err(_) => Err(site.unreachable("the answer stalled")),
    }
}

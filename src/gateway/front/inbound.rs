//! The body of a request on its way in: notices when the client stalls, hangs up, sends too much or ends too early,
//! hashes XML, and gives back what nobody read so that an early answer is not lost in a reset connection.
use super::super::form::Recorder;
use super::framing::Framing;
use super::patience::Patience;
use super::progress::{Fault, Progress};
use super::screen::{Target, takes_xml};
use super::settings::FrontSettings;
use bytes::Bytes;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// What is read and thrown away, at most, before an early answer: a client that sends its whole body before it
/// reads would otherwise get a reset instead of the answer.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);
const DRAIN_SILENCE: Duration = Duration::from_millis(300);

/// The body.
pub(super) struct Inbound<B> {
    body: Option<B>,
    progress: Arc<Progress>,
    leftover: Leftover<B>,
    patience: Patience,
    stall_timeout: Duration,
    xml: Option<Xml>,
    framing: Option<Framing>,
    form: Option<Recorder>,
    ended: bool,
}

/// Where an unread body is given back.
pub(super) struct Leftover<B> {
    slot: Arc<Mutex<Option<B>>>,
    progress: Arc<Progress>,
    /// The client waits for `100 Continue`, which it is sent when its body is asked for.
    expects: bool,
    asked: Arc<AtomicBool>,
}

/// What becomes of a connection whose request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Afterwards {
    /// The body was read to its end: the next bytes are the next request's.
    Reusable,
    /// Bytes of the body may or may not still come (RFC 9110, section 10.1.1): no next request could be told from
    /// them, so the answer has to say that the connection ends.
    Spent,
}

/// Limit and hash of a body that is read as a whole. `s3s` answers 500 to what is wrong with either.
struct Xml {
    left: u64,
    hash: Option<(Sha256, [u8; 32])>,
}

// === impl Inbound ===

impl<B> Inbound<B>
where
    B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
    B::Error: Into<s3s::StdError>,
{
    pub(super) fn new(
        settings: &FrontSettings,
        head: &Parts,
        target: &Target,
        body: B,
        progress: Arc<Progress>,
    ) -> Self {
        let xml = takes_xml(head, target).then(|| Xml::new(settings.max_xml_body, head));
        let leftover = Leftover {
            slot: Arc::new(Mutex::new(None)),
            progress: progress.clone(),
            expects: head.headers.contains_key(http::header::EXPECT),
            asked: Arc::default(),
        };
        Self {
            ended: body.is_end_stream(),
            body: Some(body),
            progress,
            leftover,
            patience: Patience::default(),
            stall_timeout: settings.stall_timeout,
            xml,
            framing: Framing::of(&head.headers),
            form: head.extensions.get::<Recorder>().cloned(),
        }
    }

    pub(super) fn leftover(&self) -> Leftover<B> {
        self.leftover.another()
    }

    /// As `s3s` takes it.
    pub(super) fn into_s3s(mut self) -> s3s::Body {
        if self.ended && self.framing.is_none() {
            self.finish_hash();
            return s3s::Body::empty();
        }
        s3s::Body::http_body(self)
    }

    /// The last byte was taken: whether anything is missing.
    fn end(&mut self) -> Result<(), s3s::StdError> {
        self.ended = true;
        self.finish_hash();
        match self.framing.take().and_then(|framing| framing.missing()) {
            Some(fault) => Err(self.progress.fail(fault)),
            None => Ok(()),
        }
    }

    fn finish_hash(&mut self) {
        if let Some(xml) = self.xml.take()
            && let Some((hash, expected)) = xml.hash
            && <[u8; 32]>::from(hash.finalize()) != expected
        {
            self.progress.hash_is_wrong();
        }
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, s3s::StdError> {
        let Some(data) = frame.data_ref() else { return Ok(frame) };
        self.progress.took(data.len());
        if let Some(framing) = &mut self.framing {
            framing.take(data);
        }
        if let Some(form) = &self.form {
            form.take(data);
        }
        if let Some(xml) = &mut self.xml
            && !xml.take(data)
        {
            return Err(self.progress.fail(Fault::TooLong));
        }
        Ok(frame)
    }
}

impl<B> Body for Inbound<B>
where
    B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
    B::Error: Into<s3s::StdError>,
{
    type Data = Bytes;
    type Error = s3s::StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, s3s::StdError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        this.leftover.asked.store(true, Ordering::Relaxed);
        let Poll::Ready(polled) = Pin::new(body).poll_frame(cx) else {
            ready!(this.patience.poll(cx, this.stall_timeout));
            this.ended = true;
            return Poll::Ready(Some(Err(this.progress.fail(Fault::Stalled))));
        };
        this.patience.rewarded();
        match polled {
            Some(Ok(frame)) => {
                let frame = this.take(frame);
                if this.body.as_ref().is_some_and(Body::is_end_stream)
                    && let Err(error) = this.end()
                {
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(frame))
            }
            Some(Err(error)) => {
                let error = error.into();
                tracing::debug!(%error, "a body broke off");
                this.ended = true;
                Poll::Ready(Some(Err(this.progress.fail(Fault::Broken))))
            }
            None => Poll::Ready(this.end().err().map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        // A framed body is polled once more, to be told whether it was whole.
        self.framing.is_none() && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for Inbound<B> {
    fn drop(&mut self) {
        if !self.ended {
            *self.leftover.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        }
    }
}

// === impl Leftover ===

impl<B> Leftover<B> {
    fn another(&self) -> Self {
        Self {
            slot: self.slot.clone(),
            progress: self.progress.clone(),
            expects: self.expects,
            asked: self.asked.clone(),
        }
    }
}

impl<B> Leftover<B>
where
    B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
    B::Error: Into<s3s::StdError>,
{
    /// Reads what is left, within bounds.
    pub(super) async fn drain(self) -> Afterwards {
        let Some(mut body) = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Afterwards::Reusable;
        };
        if self.expects && !self.asked.load(Ordering::Relaxed) {
            return Afterwards::Spent;
        }
        let drained = async {
            let mut left = DRAIN_BYTES;
            while left > 0 {
                let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
                let frame = match tokio::time::timeout(DRAIN_SILENCE, next).await {
                    Ok(Some(Ok(frame))) => frame,
                    Ok(None) => return Afterwards::Reusable,
                    Ok(Some(Err(_))) | Err(_) => return Afterwards::Spent,
                };
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.progress.drained(bytes);
                left = left.saturating_sub(bytes as u64);
            }
            Afterwards::Spent
        };
        tokio::time::timeout(DRAIN_TIME, drained).await.unwrap_or(Afterwards::Spent)
    }
}

// === impl Xml ===

impl Xml {
    fn new(limit: usize, head: &Parts) -> Self {
        let declared = head.headers.get(CONTENT_SHA256).map(http::HeaderValue::as_bytes);
        let mut expected = [0; 32];
        let given = declared.is_some_and(|hex| hex::decode_to_slice(hex, &mut expected).is_ok());
        Self { left: limit as u64, hash: given.then(|| (Sha256::new(), expected)) }
    }

    /// False when it is too much.
    fn take(&mut self, data: &[u8]) -> bool {
        if let Some((hash, _)) = &mut self.hash {
            hash.update(data);
        }
        match self.left.checked_sub(data.len() as u64) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

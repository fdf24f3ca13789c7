//! The stream of verified plaintext: sealed bytes from a site go in, whole verified chunks come out, in batches.
//! Decryption runs inline on the connection's task (a hand-off would cost more than the work).
use super::rescue::{Continuation, Rescuer, Whence};
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::respond::GatewayError;
use crate::s3::Operation;
use crate::seal::{SealError, SpanReader, VaultKeyRef};
use crate::site::{SealedBody, Site, SiteError, SiteName};
use crate::telemetry::Metrics;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Plaintext released at once: few enough bytes to hold for every connection, enough to make calls rare.
const BATCH: usize = 64 * 1024;
/// What is left of an object after its last chunk is read to the end when it is at most this long, so that the
/// connection to the site can be used again.
const MAX_DRAIN: u64 = 256 * 1024;

/// Verified plaintext of one span. When the site fails or its bytes do not authenticate, the rest comes from another site;
/// where none has it the stream ends with an error item, which makes the server break the connection off.
pub(in crate::gateway) struct PlainStream {
    site: SiteName,
    source: Option<SealedBody>,
    /// None: the bytes are plain in storage, or the span is complete.
    reader: Option<SpanReader>,
    /// Sealed bytes that belong to the span and have not come yet.
    missing: u64,
    /// Sealed bytes behind the span that will still come.
    behind: u64,
    out: BytesMut,
    /// Plaintext to drop: it is known already.
    skip: usize,
    /// The key may be disabled while the bytes still flow.
    guard: Option<Guard>,
    /// The bytes are plain in storage, and nobody can verify them.
    verbatim: bool,
    meter: Meter,
    /// `None` before the first batch (another site can still give the whole answer), and when nothing can go wrong any more.
    rescuer: Option<Box<Rescuer>>,
    whence: Option<Whence>,
}

/// Asks again whether the key may be used whenever some key has changed.
struct Guard {
    gateway: Arc<Gateway>,
    key: VaultKeyRef,
    generation: u64,
}

/// Counts what moved; reports once, when the stream is dropped.
struct Meter {
    metrics: Arc<Metrics>,
    operation: Option<Operation>,
    context: Option<RequestContext>,
    plain: u64,
    sealed: u64,
}

// === impl Guard ===

impl Guard {
    /// Its first check asks in any case: the key may have changed since it was looked up.
    fn of(whence: &Whence) -> Option<Self> {
        let key = whence.opened.object.key_ref()?.clone();
        Some(Self { gateway: whence.gateway.clone(), key, generation: u64::MAX })
    }

    fn check(&mut self) -> Result<(), GatewayError> {
        let generation = self.gateway.keyring.generation();
        if generation != self.generation {
            self.gateway.keyring.usable(&self.key)?;
            self.generation = generation;
        }
        Ok(())
    }
}

// === impl PlainStream ===

impl PlainStream {
    /// `source` delivers exactly the reader's span and then `behind` more bytes.
    pub(super) fn new(whence: Whence, source: SealedBody, reader: SpanReader, behind: u64) -> Self {
        let (_, missing) = reader.sealed_span();
        let metrics = whence.gateway.metrics.clone();
        Self {
            site: whence.opened.site.name().clone(),
            source: Some(source),
            reader: Some(reader),
            missing,
            behind,
            out: BytesMut::new(),
            skip: 0,
            guard: Guard::of(&whence),
            verbatim: false,
            meter: Meter { metrics, operation: None, context: None, plain: 0, sealed: 0 },
            rescuer: None,
            whence: Some(whence),
        }
    }

    /// Bytes that lie plain in storage: `source` delivers exactly `length` of them.
    pub(super) fn verbatim(site: &Site, source: SealedBody, length: u64, metrics: &Arc<Metrics>) -> Self {
        Self { source: Some(source), missing: length, verbatim: true, ..Self::ready(site, BytesMut::new(), 0, metrics) }
    }

    /// Plaintext that is verified already; `sealed` bytes were read for it.
    pub(super) fn ready(site: &Site, plain: BytesMut, sealed: u64, metrics: &Arc<Metrics>) -> Self {
        Self {
            site: site.name().clone(),
            source: None,
            reader: None,
            missing: 0,
            behind: 0,
            out: plain,
            skip: 0,
            guard: None,
            verbatim: false,
            meter: Meter { metrics: metrics.clone(), operation: None, context: None, plain: 0, sealed },
            rescuer: None,
            whence: None,
        }
    }

    /// Books what moves under an operation and a request.
    pub(in crate::gateway) fn booked(mut self, operation: Operation, context: Option<RequestContext>) -> Self {
        self.meter.operation = Some(operation);
        self.meter.context = context;
        self
    }

    /// Waits for the first batch. A failure that comes this early can still be answered by another site.
    pub(super) async fn prime(mut self) -> Result<Self, GatewayError> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await?;
        let unfinished = self.whence.take().filter(|_| self.source.is_some());
        self.rescuer = unfinished.map(|whence| Box::new(Rescuer::new(whence)));
        Ok(self)
    }

    /// Everything at once, when it is here already.
    pub(in crate::gateway) fn take_all(&mut self) -> Option<Bytes> {
        if self.source.is_some() || self.out.len() > BATCH * 4 {
            return None;
        }
        Some(self.release())
    }

    fn release(&mut self) -> Bytes {
        let bytes = self.out.split().freeze();
        self.meter.plain += bytes.len() as u64;
        bytes
    }

    /// Ready with a full batch, or with the last bytes (and the source gone), or with an error.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GatewayError>> {
        if let Some(guard) = &mut self.guard {
            guard.check()?;
        }
        loop {
            if self.missing == 0 {
                self.finish()?;
                ready!(self.poll_drain(cx));
                self.source = None;
            }
            let Some(source) = self.source.as_mut() else { break };
            if self.out.len() >= BATCH {
                break;
            }
            match ready!(source.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => self.accept(bytes)?,
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => return Poll::Ready(Err(self.ended_early())),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn accept(&mut self, mut bytes: Bytes) -> Result<(), GatewayError> {
        self.meter.sealed += bytes.len() as u64;
        let ours = usize::try_from(self.missing).map_or(bytes.len(), |missing| missing.min(bytes.len()));
        let rest = bytes.split_off(ours);
        self.missing -= bytes.len() as u64;
        self.behind = self.behind.saturating_sub(rest.len() as u64);
        if self.out.is_empty() {
            self.out.reserve(BATCH + bytes.len());
        }
        let Some(reader) = self.reader.as_mut() else {
            if self.verbatim {
                self.out.extend_from_slice(&bytes);
            }
            return Ok(());
        };
        let before = self.out.len();
        let pushed = reader.push(bytes, &mut self.out);
        let known = self.skip.min(self.out.len() - before);
        if known > 0 {
            self.out.copy_within(before + known.., before);
            self.out.truncate(self.out.len() - known);
            self.skip -= known;
        }
        pushed.map_err(|source| self.damaged(source))
    }

    fn finish(&mut self) -> Result<(), GatewayError> {
        match self.reader.take() {
            Some(reader) => reader.finish().map_err(|source| self.damaged(source)),
            None => Ok(()),
        }
    }

    /// Reads what lies behind the span and forgets it. All plaintext is verified by now, so a failure here is none.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.behind > 0 && self.behind <= MAX_DRAIN {
            let Some(source) = self.source.as_mut() else { break };
            match ready!(source.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => {
                    self.meter.sealed += bytes.len() as u64;
                    self.behind = self.behind.saturating_sub(bytes.len() as u64);
                }
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(())
    }

    fn damaged(&self, source: SealError) -> GatewayError {
        GatewayError::Integrity { site: self.site.clone(), source }
    }

    fn ended_early(&self) -> GatewayError {
        SiteError::Unreachable { site: self.site.clone(), detail: "the body ended early".to_owned() }.into()
    }

    /// A failure: sends for the rest at another site, or gives the error back.
    fn failed(&mut self, error: GatewayError) -> Option<GatewayError> {
        if matches!(error, GatewayError::Integrity { .. }) {
            self.meter.metrics.integrity_failure(&self.site.0);
            tracing::error!(site = %self.site, %error, "a sealed object does not authenticate");
        }
        (self.source, self.reader) = (None, None);
        let verified = self.meter.plain + self.out.len() as u64;
        match self.rescuer.as_mut() {
            Some(rescuer) => rescuer.send(&self.site, error, verified),
            None => Some(error),
        }
    }

    /// Goes on with the rest from another site.
    fn go_on(&mut self, rest: Continuation) {
        let (_, missing) = rest.reader.sealed_span();
        self.site = rest.site.name().clone();
        (self.source, self.reader, self.skip) = (Some(rest.source), Some(rest.reader), rest.skip);
        (self.missing, self.behind) = (missing, 0);
        if let Some(context) = &self.meter.context {
            let site = &self.site;
            context.with(|facts| {
                let before = facts.served_by.take().map(|before| format!("{before}, ")).unwrap_or_default();
                facts.served_by = Some(format!("{before}{site}"));
            });
        }
    }

    /// As [`Self::poll_fill`], from as many sites as it takes.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GatewayError>> {
        loop {
            if let Some(rescuer) = self.rescuer.as_mut()
                && let Some(rest) = ready!(rescuer.poll(cx))
            {
                self.go_on(rest?);
            }
            let Err(error) = ready!(self.poll_fill(cx)) else { return Poll::Ready(Ok(())) };
            if let Some(error) = self.failed(error) {
                return Poll::Ready(Err(error));
            }
        }
    }

    /// From here on nothing more comes, and nothing unverified is released.
    fn give_up(&mut self, error: GatewayError) -> GatewayError {
        tracing::error!(site = %self.site, %error, "a body is broken off");
        if let Some(context) = &self.meter.context {
            // the status line said 200: only the log can tell
            context.with(|facts| facts.error_code = Some("InternalError".to_owned()));
        }
        (self.source, self.reader, self.rescuer) = (None, None, None);
        self.missing = 0;
        self.out = BytesMut::new();
        error
    }
}

impl Stream for PlainStream {
    type Item = Result<Bytes, GatewayError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Err(error) = ready!(this.poll_more(cx)) {
            return Poll::Ready(Some(Err(this.give_up(error))));
        }
        if this.out.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(this.release())))
    }
}

// === impl Meter ===

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(operation) = self.operation {
            self.metrics.moved(operation, self.plain, self.sealed);
        }
        if let Some(context) = &self.context {
            context.with(|facts| {
                facts.bytes_plain += self.plain;
                facts.bytes_sealed += self.sealed;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::open::{layout, open};
    use crate::gateway::testbed::{Testbed, at, pattern};
    use crate::s3::PlainSpan;
    use futures_util::StreamExt;

    type Pieces = Vec<Result<Bytes, SiteError>>;

    fn cut(bytes: &[u8], size: usize) -> Pieces {
        bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    }

    fn outage() -> SiteError {
        SiteError::Unreachable { site: SiteName("primary".into()), detail: "test".to_owned() }
    }

    /// A stream of the whole of `key`, fed with these pieces.
    async fn stream(bed: &Testbed, key: &str, pieces: Pieces, behind: u64) -> PlainStream {
        let opened = open(&bed.gateway, &at(key)).await.expect("opened");
        let layout = layout(&bed.gateway, &at(key), &opened).await.expect("a layout");
        let span = PlainSpan::whole(opened.object.plain_len());
        let reader = opened.object.sealed().expect("sealed").reader(&layout, span).expect("a reader");
        let source = Box::pin(futures_util::stream::iter(pieces));
        let whence = Whence { gateway: bed.gateway.clone(), at: at(key), opened, span, brought: None };
        PlainStream::new(whence, source, reader, behind)
    }

    /// What came, and how it ended.
    async fn run(mut stream: PlainStream) -> (Vec<usize>, Vec<u8>, Option<GatewayError>) {
        let (mut sizes, mut plain) = (Vec::new(), Vec::new());
        while let Some(item) = stream.next().await {
            match item {
                Ok(bytes) => {
                    sizes.push(bytes.len());
                    plain.extend_from_slice(&bytes);
                }
                Err(error) => {
                    assert!(stream.next().await.is_none(), "nothing comes after an error");
                    return (sizes, plain, Some(error));
                }
            }
        }
        (sizes, plain, None)
    }

    #[tokio::test]
    async fn the_pieces_in_which_sealed_bytes_come_do_not_matter() {
        let bed = Testbed::start().await;
        let plain = pattern(200_000);
        let sealed = bed.put("object", &plain).await;
        let body = sealed.bytes.len() as u64;
        for size in [7, 1000, 16_400, 65_536, 1 << 20] {
            let whole = stream(&bed, "object", cut(&sealed.bytes, size), 0).await;
            let behind = body - whole.missing;
            let (sizes, out, error) = run(PlainStream { behind, ..whole }).await;
            assert!(out == plain && error.is_none(), "pieces of {size}");
            assert!(sizes.iter().all(|released| *released <= BATCH + size.max(16_400)), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn a_source_that_ends_or_fails_early_is_an_error_after_verified_bytes_only() {
        let bed = Testbed::start().await;
        let plain = pattern(200_000);
        let sealed = bed.put("object", &plain).await;
        for kept in [0, 10, 56, 100_000, 200_000] {
            for failure in [None, Some(outage())] {
                let mut pieces = cut(&sealed.bytes[..kept], 5000);
                pieces.extend(failure.map(Err));
                let (_, out, error) = run(stream(&bed, "object", pieces, 0).await).await;
                assert!(matches!(error, Some(GatewayError::Site(SiteError::Unreachable { .. }))), "{kept}");
                assert!(out.len() < plain.len() && plain.starts_with(&out), "{kept}");
            }
        }
    }

    #[tokio::test]
    async fn a_source_is_read_to_its_end_before_the_last_plaintext_is_released() {
        let bed = Testbed::start().await;
        let plain = pattern(200_000);
        let sealed = bed.put("object", &plain).await;
        let mut stream = stream(&bed, "object", Vec::new(), 0).await;
        let read = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = read.clone();
        let count = move |piece: &Result<Bytes, SiteError>| {
            let length = piece.as_ref().map_or(0, Bytes::len);
            counter.fetch_add(length, std::sync::atomic::Ordering::SeqCst);
        };
        stream.behind = sealed.bytes.len() as u64 - stream.missing;
        stream.source = Some(Box::pin(futures_util::stream::iter(cut(&sealed.bytes, 500)).inspect(count)));
        let mut released = 0;
        while released < plain.len() {
            released += stream.next().await.expect("more").expect("verified").len();
        }
        assert_eq!(read.load(std::sync::atomic::Ordering::SeqCst), sealed.bytes.len());
    }

    #[tokio::test]
    async fn what_goes_wrong_behind_the_last_chunk_does_not_take_the_plaintext_back() {
        let bed = Testbed::start().await;
        let plain = pattern(100_000);
        let sealed = bed.put("object", &plain).await;
        let probe = stream(&bed, "object", Vec::new(), 0).await;
        let needed = probe.missing as usize;
        let mut pieces = cut(&sealed.bytes[..needed], 5000);
        pieces.push(Err(outage()));
        let behind = (sealed.bytes.len() - needed) as u64;
        let (_, out, error) = run(stream(&bed, "object", pieces, behind).await).await;
        assert!(out == plain && error.is_none());
    }
}

//! One site's share of a write: a request fed through a channel, under way in a task of its own. The request of a small
//! write begins only when its answer is asked for: everything it sends is there by then, so it needs no task and goes
//! out in one piece.
use super::Mode;
use crate::s3::SealedETag;
use crate::site::{Location, ObjectHeaders, PutBody, Site, SiteError, SiteName, WriteCondition, Written};
use bytes::Bytes;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Chunks on their way to a site: enough to keep it busy, little enough for hundreds of writes.
const IN_FLIGHT: usize = 2;
/// Sealed bytes of a write that is small: they come in as many chunks as may be in flight, or fewer.
const SMALL: u64 = 64 * 1024;
/// What S3 takes in one request.
const ONE_REQUEST: u64 = 5 * 1024 * 1024 * 1024;
/// Part size of what is too long for one request.
const LARGE_PART: u64 = 1024 * 1024 * 1024;

/// A site's request under way. Dropping it breaks the request off: the site has not seen the last bytes.
pub(super) struct Leg {
    pub(super) site: Site,
    /// True when the write cannot succeed without this site.
    pub(super) required: bool,
    feed: Option<mpsc::Sender<Bytes>>,
    /// The request. Still here after the leg was given up on: it may yet have an effect at the site.
    request: Option<Sending>,
    /// Why it is out, once it is.
    pub(super) failure: Option<SiteError>,
    /// True once the last bytes were taken over: from then on the site may have the object.
    pub(super) may_have_it: bool,
    /// The answer, where it was collected before the others'.
    answered: Option<Written>,
}

/// A site's request in its own task.
pub(super) type Running = JoinHandle<Result<Written, SiteError>>;

/// A site's request.
enum Sending {
    /// In its own task.
    Begun(Running),
    /// Driven by whoever waits for its answer.
    Held(Pin<Box<dyn Future<Output = Result<Written, SiteError>> + Send>>),
}

/// A request panicked.
struct Panicked;

/// What a leg sends.
#[derive(Clone)]
pub(super) enum Request {
    Put { headers: ObjectHeaders, condition: WriteCondition },
    Part { upload: String, number: u16 },
}

// === impl Leg ===

impl Leg {
    pub(super) fn start(site: Site, required: bool, at: Location, length: u64, request: Request) -> Self {
        let (feed, chunks) = mpsc::channel(IN_FLIGHT);
        let body = PutBody { length, chunks };
        let held = Sending::Held(Box::pin({
            let site = site.clone();
            async move { run(&site, &at, request, body).await }
        }));
        let request = Some(if length <= SMALL { held } else { held.begun() });
        Self { site, required, feed: Some(feed), request, failure: None, may_have_it: false, answered: None }
    }

    /// A site that is not even tried: by the rule, or because its last requests failed. Whoever waits for it anew with every
    /// write makes every client wait.
    pub(super) fn left_out(site: Site, mode: Mode) -> Self {
        let failure = Some(left_out(site.name(), mode));
        Self { site, required: false, feed: None, request: None, failure, may_have_it: false, answered: None }
    }

    pub(super) fn is_live(&self) -> bool {
        self.failure.is_none()
    }

    /// Hands a chunk over; false when the site is out. A required site may take its time (it has its own time-outs); another one
    /// has `patience`.
    pub(super) async fn send(&mut self, chunk: Bytes, patience: Duration) -> bool {
        let Some(feed) = &self.feed else { return false };
        let chunk = match feed.try_send(chunk) {
            Ok(()) => return true,
            Err(mpsc::error::TrySendError::Full(chunk)) => chunk,
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.fail_from_answer(patience).await;
                return false;
            }
        };
        // Somebody has to take what is there.
        self.request = self.request.take().map(Sending::begun);
        let sent = if self.required {
            Some(feed.send(chunk).await)
        } else {
            tokio::time::timeout(patience, feed.send(chunk)).await.ok()
        };
        match sent {
            Some(Ok(())) => return true,
            Some(Err(_)) => self.fail_from_answer(patience).await,
            None => self.give_up("it takes no more bytes"),
        }
        false
    }

    /// Hands over the last bytes and closes the feed.
    pub(super) async fn send_last(&mut self, chunk: Bytes, patience: Duration) {
        if self.is_live() && !self.may_have_it {
            self.may_have_it = self.send(chunk, patience).await;
            self.feed = None;
        }
    }

    /// Waits for the site's answer and keeps it for [`Self::answer`].
    pub(super) async fn collect(&mut self) {
        self.answered = self.answer().await;
    }

    /// The site's answer, for as long as its own time-outs allow; `None` when the leg is out.
    pub(super) async fn answer(&mut self) -> Option<Written> {
        if self.answered.is_some() {
            return self.answered.take();
        }
        let ended = self.request.take()?.ended().await;
        self.note(ended)
    }

    /// The site's answer; from the moment `decided` resolves it has `grace` left. After that the request goes on by itself, see
    /// [`Self::late`].
    pub(super) async fn answer_within(
        &mut self,
        decided: impl Future<Output = bool>,
        grace: Duration,
    ) -> Option<Written> {
        let finished = {
            let request = self.request.as_mut()?;
            tokio::select! {
                ended = request.ended() => Some(ended),
                _ = async { decided.await; tokio::time::sleep(grace).await } => None,
            }
        };
        match finished {
            Some(ended) => {
                self.request = None;
                self.note(ended)
            }
            None => {
                self.give_up("it did not answer in time");
                self.request = self.request.take().map(Sending::begun);
                None
            }
        }
    }

    /// The request that was given up on after it had its last bytes.
    pub(super) fn late(&mut self) -> Option<Running> {
        if self.may_have_it && self.failure.is_some() { self.request.take().map(Sending::task) } else { None }
    }

    fn note(&mut self, ended: Result<Result<Written, SiteError>, Panicked>) -> Option<Written> {
        match ended {
            Ok(Ok(written)) => Some(written),
            Ok(Err(error)) => {
                self.failure.get_or_insert(error);
                None
            }
            Err(Panicked) => {
                self.give_up("its task ended unexpectedly");
                None
            }
        }
    }

    /// The channel is closed: the request has ended early, with an answer worth knowing.
    async fn fail_from_answer(&mut self, patience: Duration) {
        self.feed = None;
        let ended = match self.request.as_mut() {
            Some(request) => tokio::time::timeout(patience, request.ended()).await.ok(),
            None => None,
        };
        if ended.and_then(|ended| self.note(ended)).is_some() || self.is_live() {
            self.give_up("it answered before it had the whole body");
        }
        self.request = None;
    }

    /// Out from now on; a site that has not had the last bytes shows nothing.
    pub(super) fn give_up(&mut self, detail: &str) {
        self.feed = None;
        let site = self.site.name().clone();
        self.failure.get_or_insert(SiteError::Unreachable { site, detail: detail.to_owned() });
    }
}

// === impl Sending ===

impl Sending {
    /// On its way by itself.
    fn begun(self) -> Self {
        Self::Begun(self.task())
    }

    fn task(self) -> Running {
        match self {
            Self::Begun(task) => task,
            Self::Held(request) => tokio::spawn(request),
        }
    }

    /// How it ended. Nothing is lost when the wait is broken off.
    async fn ended(&mut self) -> Result<Result<Written, SiteError>, Panicked> {
        match self {
            Self::Begun(task) => task.await.map_err(|_| Panicked),
            Self::Held(request) => AssertUnwindSafe(request.as_mut()).catch_unwind().await.map_err(|_| Panicked),
        }
    }
}

/// Why a backup is not asked.
pub(super) fn left_out(site: &SiteName, mode: Mode) -> SiteError {
    if mode == Mode::Async {
        return SiteError::Later { site: site.clone() };
    }
    SiteError::Unreachable { site: site.clone(), detail: "not tried, because its last requests failed".to_owned() }
}

async fn run(site: &Site, at: &Location, request: Request, body: PutBody) -> Result<Written, SiteError> {
    match request {
        Request::Put { headers, condition } if body.length <= ONE_REQUEST => {
            site.put(at, &headers, &condition, body).await
        }
        // Boxed, so that the many small requests do not carry its state about.
        Request::Put { headers, condition } => Box::pin(put_large(site, at, &headers, &condition, body)).await,
        Request::Part { upload, number } => {
            let etag = site.upload_part(at, &upload, number, body).await?;
            Ok(Written { etag, version_id: None, expiration: None })
        }
    }
}

/// A write that is too long for one request: a multipart upload of the backend's own, invisible to everybody until the
/// last bytes have come.
async fn put_large(
    site: &Site,
    at: &Location,
    headers: &ObjectHeaders,
    condition: &WriteCondition,
    body: PutBody,
) -> Result<Written, SiteError> {
    let upload = site.create_multipart(at, headers).await?;
    let sent = send_parts(site, at, &upload, body).await;
    let done = match sent {
        Ok(parts) => site.complete_multipart(at, &upload, &parts, condition).await,
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Best effort: what stays behind is an unfinished upload, which no reader sees.
        let _ = site.abort_multipart(at, &upload).await;
    }
    done
}

async fn send_parts(
    site: &Site,
    at: &Location,
    upload: &str,
    mut body: PutBody,
) -> Result<Vec<(u16, SealedETag)>, SiteError> {
    let mut parts = Vec::new();
    let mut left = body.length;
    let mut carried = Bytes::new();
    while left > 0 {
        let length = part_length(left);
        let number = parts.len() as u16 + 1;
        let (feed, chunks) = mpsc::channel(IN_FLIGHT);
        let part = site.upload_part(at, upload, number, PutBody { length, chunks });
        let (etag, rest) = tokio::join!(part, forward(&mut body, carried, length, feed));
        parts.push((number, etag?));
        carried = rest?;
        left -= length;
    }
    Ok(parts)
}

/// The length of the next part of what is too long for one. The last takes up to twice the usual size, so that none is too small.
pub(super) fn part_length(left: u64) -> u64 {
    if left < 2 * LARGE_PART { left } else { LARGE_PART }
}

/// Feeds one part; what is left of the chunk that crosses its end.
async fn forward(
    body: &mut PutBody,
    mut carried: Bytes,
    mut length: u64,
    feed: mpsc::Sender<Bytes>,
) -> Result<Bytes, SiteError> {
    loop {
        let take = usize::try_from(length).unwrap_or(usize::MAX).min(carried.len());
        let chunk = carried.split_to(take);
        length -= take as u64;
        if !chunk.is_empty() && feed.send(chunk).await.is_err() {
            return Err(SiteError::Aborted);
        }
        if length == 0 {
            return Ok(carried);
        }
        carried = body.chunks.recv().await.ok_or(SiteError::Aborted)?;
    }
}

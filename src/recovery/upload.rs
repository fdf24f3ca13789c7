//! An object under way to a site: nothing is visible until all of it is known to be right.
use crate::s3::SealedETag;
use crate::site::{Location, ObjectHeaders, PutBody, Site, SiteError, WriteCondition};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// More goes in parts (S3: at most 5 GiB in one PUT).
const SINGLE: u64 = 5 * 1024 * 1024 * 1024;
const PART: u64 = 512 * 1024 * 1024;
const MAX_PARTS: u64 = 10_000;
/// Chunks in flight.
const CHUNKS: usize = 4;

/// A write of known length. Dropped before [`Upload::finish`] it leaves nothing behind but, for large objects, an unfinished
/// multipart upload, which [`Upload::abort`] takes away.
pub(super) struct Upload {
    site: Site,
    at: Location,
    /// Bytes still to come, of the whole object.
    left: u64,
    /// The last chunk is kept back: without it no request is complete.
    held: Bytes,
    way: Way,
}

enum Way {
    Single(Request),
    Parts { upload: String, size: u64, done: Vec<(u16, SealedETag)>, current: Option<Request> },
}

/// One request that takes its body from a channel.
struct Request {
    left: u64,
    sender: mpsc::Sender<Bytes>,
    task: JoinHandle<Result<SealedETag, SiteError>>,
}

// === impl Request ===

impl Request {
    fn put(site: &Site, at: &Location, headers: &ObjectHeaders, length: u64) -> Self {
        let (site, at, headers) = (site.clone(), at.clone(), headers.clone());
        Self::start(length, move |body| async move {
            site.put(&at, &headers, &WriteCondition::Always, body).await.map(|written| written.etag)
        })
    }

    fn part(site: &Site, at: &Location, upload: &str, number: u16, length: u64) -> Self {
        let (site, at, upload) = (site.clone(), at.clone(), upload.to_owned());
        Self::start(length, move |body| async move { site.upload_part(&at, &upload, number, body).await })
    }

    fn start<F>(length: u64, send: impl FnOnce(PutBody) -> F) -> Self
    where
        F: Future<Output = Result<SealedETag, SiteError>> + Send + 'static,
    {
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let task = tokio::spawn(send(PutBody { length, chunks }));
        Self { left: length, sender, task }
    }

    /// Takes as much as fits; false when the site stopped taking bytes (its answer says why).
    async fn write(&mut self, bytes: &mut Bytes) -> bool {
        let now = bytes.split_to(usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len()));
        self.left -= now.len() as u64;
        now.is_empty() || self.sender.send(now).await.is_ok()
    }

    async fn end(self) -> Result<SealedETag, SiteError> {
        drop(self.sender);
        self.task.await.unwrap_or(Err(SiteError::Aborted))
    }
}

// === impl Upload ===

impl Upload {
    pub(super) async fn begin(
        site: &Site,
        at: &Location,
        headers: &ObjectHeaders,
        length: u64,
    ) -> Result<Self, SiteError> {
        let way = if length <= SINGLE {
            Way::Single(Request::put(site, at, headers, length))
        } else {
            let upload = site.create_multipart(at, headers).await?;
            Way::Parts { upload, size: PART.max(length.div_ceil(MAX_PARTS)), done: Vec::new(), current: None }
        };
        Ok(Self { site: site.clone(), at: at.clone(), left: length, held: Bytes::new(), way })
    }

    /// Hands over the next bytes.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), SiteError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.held, bytes);
        self.send(before).await
    }

    /// Everything came and is right: makes the object visible.
    pub(super) async fn finish(mut self) -> Result<(), SiteError> {
        let last = std::mem::take(&mut self.held);
        self.send(last).await?;
        match self.way {
            Way::Single(request) => request.end().await.map(drop),
            Way::Parts { upload, mut done, current, .. } => {
                if let Some(request) = current {
                    done.push((done.len() as u16 + 1, request.end().await?));
                }
                self.site.complete_multipart(&self.at, &upload, &done, &WriteCondition::Always).await.map(drop)
            }
        }
    }

    /// Takes back what was begun.
    pub(super) async fn abort(self) {
        // Without its sender a request is broken off.
        let Way::Parts { upload, current, .. } = self.way else { return };
        drop(current);
        if let Err(error) = self.site.abort_multipart(&self.at, &upload).await {
            tracing::warn!(site = %self.site.name(), %error, "an unfinished upload is left behind at a site");
        }
    }

    async fn send(&mut self, mut bytes: Bytes) -> Result<(), SiteError> {
        while !bytes.is_empty() {
            let before = bytes.len() as u64;
            let taken = match &mut self.way {
                Way::Single(request) => request.write(&mut bytes).await,
                Way::Parts { upload, size, done, current } => {
                    if current.as_ref().is_some_and(|request| request.left == 0)
                        && let Some(full) = current.take()
                    {
                        done.push((done.len() as u16 + 1, full.end().await?));
                    }
                    let number = done.len() as u16 + 1;
                    let request = current.get_or_insert_with(|| {
                        Request::part(&self.site, &self.at, upload, number, self.left.min(*size))
                    });
                    request.write(&mut bytes).await
                }
            };
            self.left -= before - bytes.len() as u64;
            if !taken {
                return Err(self.refusal().await);
            }
        }
        Ok(())
    }

    /// Why the site stopped taking bytes.
    async fn refusal(&mut self) -> SiteError {
        let task = match &mut self.way {
            Way::Single(request) => Some(&mut request.task),
            Way::Parts { current, .. } => current.as_mut().map(|request| &mut request.task),
        };
        match task {
            Some(task) => match task.await {
                Ok(Err(error)) => error,
                _ => SiteError::Aborted,
            },
            None => SiteError::Aborted,
        }
    }
}

//! The body of one object becomes the beginning of another, inside every site: no byte of it passes through here.
//!
//! The primary's version is told by its ETag. A backup may hold the same bytes under another one (what came in parts may have been levelled in
//! one request), so there they are told by the object's last bytes, which no two versions share; the copy is then pinned to the backup's own ETag.
use super::leg::part_length;
use super::{Mode, SiteParts, SiteUploads, Tee, TeeError};
use crate::s3::{SealedETag, SealedLen};
use crate::site::{Location, SealedRange, Site, SiteError};
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The version whose body is copied.
#[derive(Clone, Debug)]
pub struct CopySource {
    /// Where it lies.
    pub at: Location,
    /// Its ETag at the primary.
    pub etag: SealedETag,
    /// How long the whole object is.
    pub total: SealedLen,
    /// So many bytes from its start are copied; S3's smallest part (5 MiB) or more.
    pub body: u64,
    /// Its last bytes, the same at every site that holds this version.
    pub last_bytes: Bytes,
}

/// One site's copy under way, in a task of its own.
struct Copying {
    site: Site,
    at: Location,
    upload: String,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Parts, SiteError>>,
}

type Parts = Vec<(u16, SealedETag)>;

// === impl Tee ===

impl Tee {
    /// Copies the body of `source` into the uploads at every site of `uploads`, as parts 1 and up; the parts of each site that has all of
    /// them. In tee mode a backup that fails, or is not done soon after the primary, is left out, and its upload is aborted.
    ///
    /// # Errors
    /// When the primary (in strict mode any site) fails; then the uploads are aborted everywhere. `PreconditionFailed` when a site does
    /// not hold this version, [`SiteError::Unsupported`] when it cannot copy.
    pub async fn copy_body(
        &self,
        at: &Location,
        uploads: &SiteUploads,
        source: &CopySource,
        mode: Mode,
    ) -> Result<SiteParts, TeeError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut copying: Vec<Copying> = self
            .inner
            .sites
            .all()
            .filter_map(|site| {
                let (_, upload) = uploads.iter().find(|(name, _)| name == site.name())?;
                let known = (site.name() == self.inner.sites.primary.name()).then(|| source.etag.clone());
                Some(Copying::start(site, at, upload, source, known, &stop))
            })
            .collect();
        let answers = self.copied(&mut copying, mode).await;
        let failure = answers.iter().enumerate().find_map(|(index, answer)| match answer {
            Err(error) if index == 0 || mode == Mode::Strict => Some(error.clone()),
            _ => None,
        });
        let mut parts = SiteParts::new();
        let mut answers = answers.into_iter();
        for one in copying {
            match answers.next() {
                Some(Ok(done)) if failure.is_none() => parts.push((one.site.name().clone(), done)),
                answer => one.give_up(answer.and_then(Result::err)),
            }
        }
        failure.map_or(Ok(parts), |error| Err(error.into()))
    }

    /// The primary has as long as it takes; from then on the backups have the grace period. Nobody waits for them when the primary failed.
    async fn copied(&self, copying: &mut [Copying], mode: Mode) -> Vec<Result<Parts, SiteError>> {
        let Some((primary, backups)) = copying.split_first_mut() else { return Vec::new() };
        let first = primary.answer(None).await;
        if first.is_err() {
            return vec![first];
        }
        let patience = (mode == Mode::Tee).then_some(self.inner.backup_grace);
        let others = futures_util::future::join_all(backups.iter_mut().map(|backup| backup.answer(patience))).await;
        std::iter::once(first).chain(others).collect()
    }
}

// === impl Copying ===

impl Copying {
    fn start(
        site: &Site,
        at: &Location,
        upload: &str,
        source: &CopySource,
        known: Option<SealedETag>,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        let task = tokio::spawn({
            let (site, at, upload, source, stop) =
                (site.clone(), at.clone(), upload.to_owned(), source.clone(), Arc::clone(stop));
            async move { copy_at(&site, &at, &upload, &source, known, &stop).await }
        });
        Self { site: site.clone(), at: at.clone(), upload: upload.to_owned(), stop: Arc::clone(stop), task }
    }

    async fn answer(&mut self, patience: Option<Duration>) -> Result<Parts, SiteError> {
        let unreachable =
            |detail: &str| Err(SiteError::Unreachable { site: self.site.name().clone(), detail: detail.to_owned() });
        let joined = match patience {
            None => (&mut self.task).await,
            Some(patience) => match tokio::time::timeout(patience, &mut self.task).await {
                Ok(joined) => joined,
                Err(_) => return unreachable("it did not copy in time"),
            },
        };
        joined.unwrap_or_else(|_| unreachable("its task ended unexpectedly"))
    }

    /// Aborts the upload, once no request is under way that could still add to it. Best effort and in the background.
    fn give_up(self, reason: Option<SiteError>) {
        let Self { site, at, upload, stop, task } = self;
        if let Some(reason) = reason {
            tracing::warn!(site = %site.name(), error = %reason, "a site does not copy a body by itself");
        }
        stop.store(true, Ordering::Relaxed);
        tokio::spawn(async move {
            // A handle must not be polled again after it was ready.
            if !task.is_finished() {
                let _ = task.await;
            }
            if let Err(error) = site.abort_multipart(&at, &upload).await
                && !error.is_not_found()
            {
                tracing::warn!(site = %site.name(), %error, "a site may keep parts of a copy that was given up");
            }
        });
    }
}

async fn copy_at(
    site: &Site,
    at: &Location,
    upload: &str,
    source: &CopySource,
    known: Option<SealedETag>,
    stop: &AtomicBool,
) -> Result<Parts, SiteError> {
    if !site.capabilities().upload_part_copy {
        return Err(SiteError::Unsupported { site: site.name().clone(), what: "UploadPartCopy" });
    }
    let etag = match known {
        Some(etag) => etag,
        None => etag_at(site, source).await?,
    };
    let mut parts = Parts::new();
    for (number, span) in (1..).zip(spans(source.body)) {
        if stop.load(Ordering::Relaxed) {
            return Err(SiteError::Aborted);
        }
        parts.push((number, site.upload_part_copy(at, upload, number, &source.at, &etag, span).await?));
    }
    Ok(parts)
}

/// The ETag under which a site holds this very version.
async fn etag_at(site: &Site, source: &CopySource) -> Result<SealedETag, SiteError> {
    let mut got = site.get(&source.at, SealedRange::Last(source.last_bytes.len() as u64), None).await?;
    let mut left = &source.last_bytes[..];
    let mut same = got.total == source.total && got.length == left.len() as u64;
    while same && !left.is_empty() {
        let Some(chunk) = got.body.next().await.transpose()? else { break };
        same = left.starts_with(&chunk);
        left = left.get(chunk.len()..).unwrap_or_default();
    }
    if same && left.is_empty() {
        return Ok(got.etag);
    }
    Err(SiteError::S3 {
        site: site.name().clone(),
        status: 412,
        code: "PreconditionFailed".to_owned(),
        message: "it holds another version of the copy's source".to_owned(),
    })
}

/// Start and length of every part that a body of `length` bytes is cut into.
fn spans(length: u64) -> Vec<(u64, u64)> {
    let (mut spans, mut start) = (Vec::new(), 0);
    while start < length {
        let part = part_length(length - start);
        spans.push((start, part));
        start += part;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_into_parts_that_every_backend_takes() {
        const MIB: u64 = 1024 * 1024;
        const GIB: u64 = 1024 * MIB;
        assert_eq!(spans(5 * MIB), [(0, 5 * MIB)]);
        assert_eq!(spans(2 * GIB - 1), [(0, 2 * GIB - 1)]);
        assert_eq!(spans(2 * GIB), [(0, GIB), (GIB, GIB)]);
        for length in [2 * GIB + 1, 5 * GIB, 5 * GIB + 5 * MIB + 56, 5 * 1024 * GIB] {
            let spans = spans(length);
            assert!(spans.iter().all(|(_, part)| (5 * MIB..=5 * GIB).contains(part)), "{length}");
            assert!(spans.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0), "{length}");
            assert_eq!(spans.iter().map(|(_, part)| part).sum::<u64>(), length);
            assert!(spans.len() < 10_000, "the footer is a part, too");
        }
    }
}

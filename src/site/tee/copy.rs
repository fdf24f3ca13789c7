//! The body of one object becomes the beginning of another, inside every site: no byte of it passes through here.
//!
//! The primary's version is told by its ETag. A backup may hold the same bytes under another one (what came in parts may have been levelled in
//! one request), so there they are told by the object's last bytes, which no two versions share; the copy is then pinned to the backup's own ETag.
use super::leg::part_length;
use super::{Mode, SiteParts, SiteUploads, Tee, TeeError};
use crate::s3::{SealedETag, SealedLen};
use crate::site::{Location, PartSource, SealedRange, Site, SiteError};
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
    /// The version, as the primary calls it; `None`: the current one.
    pub version: Option<String>,
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
                let task = self.copy_task(site, at, upload, source, known, &stop);
                Some(Copying {
                    site: site.clone(),
                    at: at.clone(),
                    upload: upload.clone(),
                    stop: Arc::clone(&stop),
                    task,
                })
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

    fn copy_task(
        &self,
        site: &Site,
        at: &Location,
        upload: &str,
        source: &CopySource,
        known: Option<SealedETag>,
        stop: &Arc<AtomicBool>,
    ) -> JoinHandle<Result<Parts, SiteError>> {
        let (sites, site, at) = (self.inner.sites.clone(), site.clone(), at.clone());
        let (upload, source, stop) = (upload.to_owned(), source.clone(), Arc::clone(stop));
        tokio::spawn(async move {
            let version = match &source.version {
                Some(version) => Some(sites.version_at(&site, &source.at, version).await?.ok_or_else(|| lacks(&site))?),
                None => None,
            };
            copy_at(&site, &at, &upload, &source, (version.as_deref(), known), &stop).await
        })
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
    (version, known): (Option<&str>, Option<SealedETag>),
    stop: &AtomicBool,
) -> Result<Parts, SiteError> {
    if !site.capabilities().upload_part_copy {
        return Err(SiteError::Unsupported { site: site.name().clone(), what: "UploadPartCopy" });
    }
    let etag = match known {
        Some(etag) => etag,
        None => etag_at(site, source, version).await?,
    };
    let mut parts = Parts::new();
    for (number, span) in (1..).zip(spans(source.body)) {
        if stop.load(Ordering::Relaxed) {
            return Err(SiteError::Aborted);
        }
        let from = PartSource { at: &source.at, version, etag: &etag };
        parts.push((number, site.upload_part_copy(at, upload, number, from, span).await?));
    }
    Ok(parts)
}

/// The ETag under which a site holds this very version.
async fn etag_at(site: &Site, source: &CopySource, version: Option<&str>) -> Result<SealedETag, SiteError> {
    let last = SealedRange::Last(source.last_bytes.len() as u64);
    let mut got = site.get_version(&source.at, version, last, None).await?;
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
    Err(lacks(site))
}

fn lacks(site: &Site) -> SiteError {
    SiteError::S3 {
        site: site.name().clone(),
        status: 412,
        code: "PreconditionFailed".to_owned(),
        message: "it does not hold this version of the copy's source".to_owned(),
    }
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

//! Streaming one version of an object's sealed bytes from the primary to another site. The last bytes are held back until the key's
//! lock is held and the primary still has that version.
use crate::s3::SealedETag;
use crate::seal::TRAILER_LEN;
use crate::site::tee::Tee;
use crate::site::{GotObject, Location, PutBody, SealedRange, Site, SiteError, WriteCondition};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

/// What S3 takes in one request.
const ONE_REQUEST: u64 = 5 * 1024 * 1024 * 1024;
/// Part size beyond that.
const PART: u64 = 512 * 1024 * 1024;

/// How a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// The site has it.
    Done,
    /// The primary moved on; look again.
    Overtaken,
}

pub(super) async fn copy(tee: &Tee, to: &Site, at: &Location) -> Result<Copied, SiteError> {
    let from = &tee.sites().primary;
    let got = match from.get(at, SealedRange::Whole, None).await {
        Ok(got) => got,
        Err(error) if error.is_not_found() => return Ok(Copied::Overtaken),
        Err(error) => return Err(error),
    };
    if got.total.0 > ONE_REQUEST {
        let (version, metadata, total) = (got.etag.clone(), got.metadata.clone(), got.total.0);
        drop(got);
        return copy_large(tee, to, at, &version, metadata.as_deref(), total).await;
    }
    let metadata = got.metadata.clone();
    let (feed, chunks) = mpsc::channel(2);
    let body = PutBody { length: got.total.0, chunks };
    let (written, fed) = tokio::join!(
        to.put(at, metadata.as_deref(), &WriteCondition::Always, body),
        feed_held_back(tee, at, got, feed)
    );
    match fed? {
        Copied::Overtaken => Ok(Copied::Overtaken),
        Copied::Done => written.map(|_| Copied::Done),
    }
}

/// Feeds the body; the chunk that ends it only under the lock. The lock is kept until the site has answered, because the channel's
/// other end is gone only then.
async fn feed_held_back(
    tee: &Tee,
    at: &Location,
    mut got: GotObject,
    feed: mpsc::Sender<Bytes>,
) -> Result<Copied, SiteError> {
    let mut held: Option<Bytes> = None;
    while let Some(chunk) = got.body.next().await {
        if let Some(ready) = held.replace(chunk?)
            && feed.send(ready).await.is_err()
        {
            // The site has answered early; its answer is the one that counts.
            return Ok(Copied::Done);
        }
    }
    let _guard = tee.lock(at).await;
    if !still_current(tee, at, &got.etag).await? {
        return Ok(Copied::Overtaken);
    }
    if let Some(last) = held {
        let _ = feed.send(last).await;
    }
    feed.closed().await;
    Ok(Copied::Done)
}

/// Beyond one request: a multipart upload at the site, from ranges of the same version.
async fn copy_large(
    tee: &Tee,
    to: &Site,
    at: &Location,
    version: &SealedETag,
    metadata: Option<&str>,
    total: u64,
) -> Result<Copied, SiteError> {
    let upload = to.create_multipart(at, metadata).await?;
    let mut parts = Vec::new();
    let mut start = 0;
    let sent = loop {
        if start >= total {
            break Ok(());
        }
        // A last part shorter than the trailer would be an oddity; the one before takes it in.
        let length = if total - start < PART + TRAILER_LEN.max(ONE_REQUEST / 1000) { total - start } else { PART };
        let number = parts.len() as u16 + 1;
        match copy_part(tee, to, at, &upload, number, version, (start, length)).await {
            Ok(etag) => parts.push((number, etag)),
            Err(error) => break Err(error),
        }
        start += length;
    };
    let _guard = tee.lock(at).await;
    let outcome = match sent {
        Ok(()) if still_current(tee, at, version).await? => {
            to.complete_multipart(at, &upload, &parts, &WriteCondition::Always).await.map(|_| Copied::Done)
        }
        Ok(()) => Ok(Copied::Overtaken),
        Err(error) if error.is_precondition_failed() || error.is_not_found() => Ok(Copied::Overtaken),
        Err(error) => Err(error),
    };
    if !matches!(outcome, Ok(Copied::Done)) {
        let _ = to.abort_multipart(at, &upload).await;
    }
    outcome
}

async fn copy_part(
    tee: &Tee,
    to: &Site,
    at: &Location,
    upload: &str,
    number: u16,
    version: &SealedETag,
    (start, length): (u64, u64),
) -> Result<SealedETag, SiteError> {
    let mut got = tee.sites().primary.get(at, SealedRange::Span { start, length }, Some(version)).await?;
    let (feed, chunks) = mpsc::channel(2);
    let forward = async {
        while let Some(chunk) = got.body.next().await {
            if feed.send(chunk?).await.is_err() {
                break;
            }
        }
        drop(feed);
        Ok::<_, SiteError>(())
    };
    let (etag, forwarded) = tokio::join!(to.upload_part(at, upload, number, PutBody { length, chunks }), forward);
    forwarded?;
    etag
}

async fn still_current(tee: &Tee, at: &Location, version: &SealedETag) -> Result<bool, SiteError> {
    match tee.sites().primary.head(at).await {
        Ok((etag, _)) => Ok(etag == *version),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

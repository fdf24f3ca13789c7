//! The streamed copy of one version from one site (the primary, but for repairs) to another. Bounded memory; nothing
//! becomes visible before the source was seen, under the key's commit lock, to hold that version still.
use super::compare::{self, Version};
use super::throttle::Throttle;
use crate::s3::SealedETag;
use crate::site::tee::{KeyGuard, MissError, Tee};
use crate::site::{
    Acl, BUCKET_OWNER_TOO, GotObject, Location, ObjectHeaders, PutBody, SealedRange, Site, SiteError, WriteCondition,
    Written,
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

/// Chunks in flight between the two sites.
const CHUNKS: usize = 4;
/// The most parts an upload may have.
const MAX_PARTS: u64 = 10_000;
/// How often a copy is given an ACL that changes meanwhile.
const ACL_TRIES: u32 = 4;
/// How often one part is tried: a large object should not start over because one of its requests broke.
const PART_TRIES: u32 = 3;

/// Where objects are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Longer objects go in parts (S3: at most 5 GiB in one PUT).
    pub(super) single: u64,
    /// Bytes of a part, 5 MiB or more.
    pub(super) part: u64,
}

/// One copy to be made.
pub(super) struct Transfer<'a> {
    pub(super) tee: &'a Tee,
    pub(super) from: &'a Site,
    pub(super) site: &'a Site,
    pub(super) at: &'a Location,
    pub(super) source: &'a Version,
    /// Which of `from`'s versions that is; `None`: the current one.
    pub(super) named: Option<&'a str>,
    /// What the site must still hold when the copy is committed; outer `None`: whatever it holds.
    pub(super) replaces: Option<Option<Version>>,
    /// `from` is the one that decides on the object, and must still be when the copy is committed.
    pub(super) decides: bool,
    pub(super) cut: Cut,
    pub(super) throttle: &'a Throttle,
}

/// How a copy ended.
pub enum Copied {
    /// The site has it, under this ETag.
    Done(SealedETag),
    /// Source or site hold another version by now; nothing was changed.
    Changed,
}

/// Copies `source` as it lies at `from` to `to`, unless `to` does not hold `replaces` any more when the copy is committed.
///
/// # Errors
/// As either site answered.
pub async fn repair(
    tee: &Tee,
    at: &Location,
    (from, source): (&Site, &Version),
    (to, replaces): (&Site, Option<Version>),
) -> Result<Copied, SiteError> {
    let super::Settings { single_limit: single, part_size: part, .. } = super::Settings::default();
    let cut = Cut { single, part };
    let throttle = &Throttle::default();
    Transfer { tee, from, site: to, at, source, named: None, replaces: Some(replaces), decides: false, cut, throttle }
        .run()
        .await
}

/// Why the feeding side stopped.
enum Fed {
    /// Everything was handed over; the lock is held until the site has answered.
    All {
        _guard: Option<KeyGuard>,
    },
    Changed,
    /// The site stopped taking bytes: its own answer says why.
    Refused,
}

// === impl Transfer ===

impl Transfer<'_> {
    pub(super) async fn run(&self) -> Result<Copied, SiteError> {
        let result = if self.source.length.0 > self.cut.single { self.in_parts().await } else { self.whole().await };
        match result {
            Ok(Copied::Done(etag)) => {
                self.share().await;
                Ok(Copied::Done(etag))
            }
            // The pinned read: the version is gone from the primary.
            Err(SiteError::S3 { site, status: 404 | 412, .. }) if site == *self.from.name() => Ok(Copied::Changed),
            other => other,
        }
    }

    /// Lets in whom the source lets in, as far as a canned ACL says it: a copy begins as the proxy's own. Best effort, since many sites take no ACLs.
    /// Whoever changes the ACL at the same time tells every site: the source is looked at again afterwards, so that theirs is the last word.
    async fn share(&self) {
        let mut told = None;
        for _ in 0..ACL_TRIES {
            let wanted = match self.wanted_acl().await {
                Ok(wanted) if wanted == told => return,
                Ok(wanted) => wanted,
                Err(error) => {
                    tracing::warn!(bucket = %self.at.bucket, site = %self.site.name(), %error, "the ACL of a copied object is not known; only the proxy may read the copy");
                    return;
                }
            };
            if let Err(error) = self.site.put_acl(self.at, wanted.unwrap_or("private")).await {
                tracing::warn!(bucket = %self.at.bucket, site = %self.site.name(), %error, "a site does not take the ACL of a copied object; only the proxy may read the copy");
                return;
            }
            told = wanted;
        }
    }

    async fn wanted_acl(&self) -> Result<Option<&'static str>, SiteError> {
        Ok(match self.from.acl(self.at, self.named).await? {
            Acl::Canned(name) => Some(name),
            Acl::Usual | Acl::Own => self.tee.is_among_users().then_some(BUCKET_OWNER_TOO),
        })
    }

    async fn read(&self, range: SealedRange) -> Result<GotObject, SiteError> {
        self.from.get_version(self.at, self.named, range, Some(&self.source.etag)).await
    }

    /// Takes the key's lock; `None` when source or site hold another version by now.
    async fn lock(&self) -> Result<Option<KeyGuard>, SiteError> {
        let guard = self.tee.lock(self.at).await;
        if let Some(expected) = &self.replaces
            && compare::version(self.site, self.at).await? != *expected
        {
            return Ok(None);
        }
        // A backup may have taken the primary's place meanwhile, or given it back.
        let home = self.tee.home_of(self.at).await.map_err(|error| unknown(self.from, error))?;
        let decides = home.as_ref().unwrap_or(self.tee.sites().primary.name()) == self.from.name();
        let awaits = self.tee.awaits(self.at).is_some();
        if (self.decides && (!decides || awaits)) || (!self.decides && home.is_some()) {
            return Ok(None);
        }
        // A named version never changes.
        if self.named.is_some() {
            return Ok(Some(guard));
        }
        let now = compare::version(self.from, self.at).await?;
        Ok((now.as_ref() == Some(self.source)).then_some(guard))
    }

    /// The site itself is asked to look once more, where it can: others write there who do not share the lock.
    fn condition(&self) -> WriteCondition {
        let able = self.site.capabilities();
        match &self.replaces {
            Some(Some(expected)) if able.put_if_match => WriteCondition::IfMatch(expected.etag.clone()),
            Some(None) if able.put_if_none_match => WriteCondition::IfAbsent,
            _ => WriteCondition::Always,
        }
    }

    /// The same for what travels in parts.
    fn condition_in_parts(&self) -> WriteCondition {
        let able = self.site.capabilities().complete_if_none_match;
        if able { self.condition() } else { WriteCondition::Always }
    }

    /// What the site is told to keep: as the source keeps it, tags included. (ACLs come later.)
    async fn headers(&self, got: &GotObject) -> Result<ObjectHeaders, SiteError> {
        let tags = if got.has_tags() { self.from.tagging_header(self.at, self.named).await? } else { None };
        let headers = got.headers(tags);
        // A backup may have object lock where the primary has none.
        Ok(headers.or_locked(|| self.tee.lock_of(self.at, got.last_modified)))
    }

    async fn whole(&self) -> Result<Copied, SiteError> {
        let got = self.read(SealedRange::Whole).await?;
        let headers = self.headers(&got).await?;
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let body = PutBody { length: got.length, chunks };
        // An empty body is sent as soon as it is announced: there are no last bytes to hold back.
        let guard = if got.length == 0 { self.lock().await? } else { None };
        if got.length == 0 && guard.is_none() {
            return Ok(Copied::Changed);
        }
        let condition = self.condition();
        let put = self.site.put(self.at, &headers, &condition, body);
        let (written, fed) = tokio::join!(put, self.feed_held_back(got, sender));
        drop(guard);
        match (written, fed?) {
            (Ok(Written { etag, .. }), _) => Ok(Copied::Done(etag)),
            (Err(_), Fed::Changed) => Ok(Copied::Changed),
            (Err(error), _) if condition != WriteCondition::Always && is_refused(&error) => Ok(Copied::Changed),
            (Err(error), _) => Err(error),
        }
    }

    /// Hands the bytes over, the last ones under the lock.
    async fn feed_held_back(&self, mut got: GotObject, sender: mpsc::Sender<Bytes>) -> Result<Fed, SiteError> {
        let mut held = Bytes::new();
        while let Some(chunk) = got.body.next().await {
            let before = std::mem::replace(&mut held, chunk?);
            self.throttle.pass(before.len()).await;
            if !before.is_empty() && sender.send(before).await.is_err() {
                return Ok(Fed::Refused);
            }
        }
        if held.is_empty() {
            return Ok(Fed::All { _guard: None });
        }
        let Some(guard) = self.lock().await? else { return Ok(Fed::Changed) };
        if sender.send(held).await.is_err() {
            return Ok(Fed::Refused);
        }
        Ok(Fed::All { _guard: Some(guard) })
    }

    async fn in_parts(&self) -> Result<Copied, SiteError> {
        // One byte, for the headers that an upload must be given at its start.
        let headers = self.headers(&self.read(SealedRange::Last(1)).await?).await?;
        let upload = self.site.create_multipart(self.at, &headers).await?;
        let result = self.parts(&upload).await;
        if !matches!(result, Ok(Copied::Done(_)))
            && let Err(error) = self.site.abort_multipart(self.at, &upload).await
        {
            tracing::warn!(site = %self.site.name(), %error, "an unfinished upload is left behind at a site");
        }
        result
    }

    async fn parts(&self, upload: &str) -> Result<Copied, SiteError> {
        let length = self.source.length.0;
        let size = self.cut.part.max(length.div_ceil(MAX_PARTS));
        let mut parts = Vec::new();
        for (number, start) in (1u16..).zip((0..length).step_by(usize::try_from(size).unwrap_or(usize::MAX))) {
            let span = SealedRange::Span { start, length: size.min(length - start) };
            parts.push((number, self.part(upload, number, span).await?));
        }
        let Some(_guard) = self.lock().await? else { return Ok(Copied::Changed) };
        let condition = self.condition_in_parts();
        match self.site.complete_multipart(self.at, upload, &parts, &condition).await {
            Err(error) if condition != WriteCondition::Always && is_refused(&error) => Ok(Copied::Changed),
            done => Ok(Copied::Done(done?.etag)),
        }
    }

    async fn part(&self, upload: &str, number: u16, span: SealedRange) -> Result<SealedETag, SiteError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_part(upload, number, span).await {
                Err(error) if error.is_outage() && tries < PART_TRIES => {
                    tracing::debug!(%error, number, "a part of a copy is sent again");
                }
                other => return other,
            }
        }
    }

    async fn try_part(&self, upload: &str, number: u16, span: SealedRange) -> Result<SealedETag, SiteError> {
        let mut got = self.read(span).await?;
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let body = PutBody { length: got.length, chunks };
        let feed = async move {
            while let Some(chunk) = got.body.next().await {
                let chunk = chunk?;
                self.throttle.pass(chunk.len()).await;
                if sender.send(chunk).await.is_err() {
                    break;
                }
            }
            Ok::<_, SiteError>(())
        };
        let (written, fed) = tokio::join!(self.site.upload_part(self.at, upload, number, body), feed);
        fed?;
        written
    }
}

/// The site holds something else by now: 412, or 409 while another write of the key was under way, or 404 where `If-Match` found nothing.
fn is_refused(error: &SiteError) -> bool {
    error.is_precondition_failed()
        || matches!(error, SiteError::S3 { status: 409, code, .. } if code == "ConditionalRequestConflict")
        || matches!(error, SiteError::S3 { status: 404, code, .. } if code == "NoSuchKey")
}

/// Nobody can tell who decides: nothing may be copied now.
fn unknown(site: &Site, error: MissError) -> SiteError {
    SiteError::Unreachable { site: site.name().clone(), detail: error.to_string() }
}

//! A write to every site: the body at once, the last bytes under the key's lock.
use super::leg::{Leg, Request};
use super::{Committed, Inner, Miss, Mode, TeeError};
use crate::site::{Location, SiteError, SiteName, WriteCondition, Written};
use bytes::Bytes;
use std::sync::Arc;

/// A write under way. Dropping it breaks it off everywhere: nothing becomes visible.
pub struct TeeWrite {
    inner: Arc<Inner>,
    at: Location,
    mode: Mode,
    /// Primary first.
    legs: Vec<Leg>,
    /// True for an object, whose misses are recorded; false for a part, whose caller sees to it.
    object: bool,
    conditional: bool,
}

// === impl TeeWrite ===

impl TeeWrite {
    pub(super) fn start(
        inner: Arc<Inner>,
        at: &Location,
        mode: Mode,
        length: u64,
        requests: Vec<(crate::site::Site, Request)>,
    ) -> Self {
        let primary = inner.sites.primary.name().clone();
        let conditional = requests
            .iter()
            .any(|(_, r)| matches!(r, Request::Put { condition, .. } if *condition != WriteCondition::Always));
        let object = requests.iter().any(|(_, r)| matches!(r, Request::Put { .. }));
        let legs = requests.into_iter().map(|(site, request)| {
            let is_primary = *site.name() == primary;
            let request = match request {
                // Only the primary decides; a backup follows.
                Request::Put { metadata, .. } if !is_primary => {
                    Request::Put { metadata, condition: WriteCondition::Always }
                }
                request => request,
            };
            Leg::start(site, is_primary || mode == Mode::Strict, at.clone(), length, request)
        });
        let legs = legs.collect();
        Self { inner, at: at.clone(), mode, legs, object, conditional }
    }

    /// Hands the next bytes to every site.
    ///
    /// # Errors
    /// As soon as the write cannot succeed any more.
    pub async fn send(&mut self, chunk: Bytes) -> Result<(), TeeError> {
        let patience = self.inner.backup_grace;
        for leg in self.legs.iter_mut().filter(|leg| leg.is_live()) {
            leg.send(chunk.clone(), patience).await;
        }
        self.required_failure().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Sends the last bytes under the key's lock and waits for the sites. Runs to its end even if the caller goes away.
    ///
    /// # Errors
    /// When the write failed; what then differs between sites is on record.
    pub async fn commit(self, last: Bytes) -> Result<Committed, TeeError> {
        let site = self.inner.sites.primary.name().clone();
        let task = tokio::spawn(self.run(last));
        let gone = |_| SiteError::Unreachable { site, detail: "the commit's task ended unexpectedly".to_owned() };
        task.await.map_err(gone)?
    }

    async fn run(mut self, last: Bytes) -> Result<Committed, TeeError> {
        if let Some(error) = self.required_failure() {
            return Err(error.into());
        }
        let inner = Arc::clone(&self.inner);
        // Parts are not visible, so their order does not matter.
        let _guard = if self.object { Some(inner.locks.one(&self.at).await) } else { None };
        let patience = inner.backup_grace;
        let mut primary = None;
        for index in 0..self.legs.len() {
            self.legs[index].send_last(last.clone(), patience).await;
            if self.conditional && index == 0 {
                primary = self.legs[0].answer(None).await;
                if primary.is_none() {
                    // The backups have not seen the last bytes: nothing to level there.
                    return Err(self.failure_of(0).into());
                }
            }
        }
        let mut answers = self.answers(primary).await;
        let primary = answers.first_mut().and_then(Option::take);
        self.settle(primary, answers).await
    }

    /// Waits for everybody at once: the primary as long as it takes, then the backups for the grace period.
    async fn answers(&mut self, known: Option<Written>) -> Vec<Option<Written>> {
        let grace = self.inner.backup_grace;
        let (first, backups) = self.legs.split_at_mut(1);
        let (decided, decision) = tokio::sync::watch::channel(false);
        let primary = async {
            let answer = match known {
                Some(written) => Some(written),
                None => match first.first_mut() {
                    Some(leg) => leg.answer(None).await,
                    None => None,
                },
            };
            let _ = decided.send(true);
            answer
        };
        let backups = futures_util::future::join_all(backups.iter_mut().map(|leg| {
            let mut decision = decision.clone();
            async move {
                if leg.required {
                    return leg.answer(None).await;
                }
                leg.answer_within(async move { decision.wait_for(|d| *d).await.is_ok() }, grace).await
            }
        }));
        let (primary, backups) = tokio::join!(primary, backups);
        std::iter::once(primary).chain(backups).collect()
    }

    /// Turns the answers into an outcome; whatever makes the sites differ is recorded first.
    async fn settle(mut self, primary: Option<Written>, answers: Vec<Option<Written>>) -> Result<Committed, TeeError> {
        let mut pending = Vec::new();
        let mut written = Vec::new();
        if let Some(first) = &primary {
            written.push((self.inner.sites.primary.name().clone(), first.etag.clone()));
        }
        for (leg, answer) in self.legs.iter().zip(&answers).skip(1) {
            match answer {
                Some(answer) => written.push((leg.site.name().clone(), answer.etag.clone())),
                None => pending.push(leg.site.name().clone()),
            }
        }
        if self.object {
            let differing = self.differing(primary.is_some());
            self.record(&differing).await?;
        }
        match primary {
            Some(primary) => match self.required_failure() {
                Some(error) => Err(error.into()),
                None => Ok(Committed { primary, written, pending }),
            },
            None => Err(self.failure_of(0).into()),
        }
    }

    /// The sites that do not, or may not, hold what the primary holds.
    fn differing(&self, primary_has_it: bool) -> Vec<SiteName> {
        let differs = |leg: &&Leg| if primary_has_it { leg.failure.is_some() } else { leg.may_have_it };
        self.legs.iter().skip(1).filter(differs).map(|leg| leg.site.name().clone()).collect()
    }

    async fn record(&self, sites: &[SiteName]) -> Result<(), TeeError> {
        for leg in self.legs.iter().filter(|leg| sites.contains(leg.site.name())) {
            let reason = leg.failure.as_ref().map_or_else(|| "the primary failed".to_owned(), ToString::to_string);
            let (bucket, key) = (self.at.bucket.clone(), Some(self.at.key.clone()));
            self.inner.misses.record(Miss { site: leg.site.name().clone(), bucket, key, reason }).await?;
        }
        Ok(())
    }

    fn required_failure(&mut self) -> Option<SiteError> {
        let index = self.legs.iter().position(|leg| leg.required && leg.failure.is_some())?;
        // In strict mode the primary may be fine; its leg is out all the same, because the write is.
        debug_assert!(index == 0 || self.mode == Mode::Strict);
        Some(self.failure_of(index))
    }

    fn failure_of(&mut self, index: usize) -> SiteError {
        self.legs.get_mut(index).and_then(|leg| leg.failure.take()).unwrap_or(SiteError::Aborted)
    }
}

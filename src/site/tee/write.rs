//! A write to every site: the body at once, the last bytes under the key's lock.
use super::late::OUT_OF_TURN;
use super::leg::{Leg, Request};
use super::{Change, Committed, Inner, Intent, Miss, Mode, TeeError};
use crate::s3::SealedETag;
use crate::site::{Location, Persevere, Site, SiteError, SiteName, WriteCondition, Written};
use bytes::Bytes;
use std::sync::Arc;

/// A write under way. Dropping it breaks it off everywhere: nothing becomes visible.
pub struct TeeWrite {
    inner: Arc<Inner>,
    at: Location,
    length: u64,
    mode: Mode,
    /// Primary first.
    legs: Vec<Leg>,
    /// True for an object, whose misses are recorded; false for a part, whose caller sees to it.
    object: bool,
    conditional: bool,
    /// The leg whose site takes the primary's place when that turns out not to answer.
    heir: Option<usize>,
    /// Of an object: written while the body streams.
    intent: Intent,
}

/// What is known of the primary after the last bytes went out.
enum Primary {
    Has(Written),
    /// It said no.
    Lacks,
    /// It said nothing: it may have the object.
    Unknown,
}

// === impl TeeWrite ===

impl TeeWrite {
    pub(super) fn start(
        inner: Arc<Inner>,
        at: &Location,
        mode: Mode,
        length: u64,
        requests: Vec<(Site, Request)>,
    ) -> Self {
        let primary = inner.sites.primary.name().clone();
        let conditional = requests
            .iter()
            .any(|(_, r)| matches!(r, Request::Put { condition, .. } if *condition != WriteCondition::Always));
        let object = requests.iter().any(|(_, r)| matches!(r, Request::Put { .. }));
        let legs = requests.into_iter().map(|(site, request)| {
            let required = *site.name() == primary || mode == Mode::Strict;
            if !required && !inner.asks(mode, &site) {
                return Leg::left_out(site, mode);
            }
            let request = match request {
                // Only the primary decides; a backup follows.
                Request::Put { headers, .. } if *site.name() != primary => {
                    Request::Put { headers, condition: WriteCondition::Always }
                }
                request => request,
            };
            Leg::start(site, required, at.clone(), length, request)
        });
        let legs = legs.collect();
        let change = || Change { bucket: at.bucket.clone(), keys: vec![at.key.clone()], retain_until: None };
        let intent = if object { inner.misses.intend(change()) } else { Intent::default() };
        Self { inner, at: at.clone(), length, mode, legs, object, conditional, heir: None, intent }
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
        self.final_failure().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Sends the last bytes under the key's lock and waits for the sites. Runs to its end even if the caller goes away.
    ///
    /// # Errors
    /// When the write failed; what then differs between sites is on record.
    pub async fn commit(self, last: Bytes) -> Result<Committed, TeeError> {
        let orphans = self.inner.orphans.clone();
        Persevere::new(Box::pin(self.run(last)), Some(orphans)).await
    }

    async fn run(mut self, last: Bytes) -> Result<Committed, TeeError> {
        if let Some(error) = self.final_failure() {
            return Err(error.into());
        }
        let inner = Arc::clone(&self.inner);
        let mut intent = std::mem::take(&mut self.intent);
        intent.arm().await?;
        // Parts are not visible; whoever uploads the same one twice sees to their order.
        let _guard = if self.object { Some(inner.locks.one(&self.at).await) } else { None };
        if self.object
            && let Err(error) = inner.still_decides(&self.at).await
        {
            // Dropped: no site has seen the last bytes.
            intent.settle();
            return Err(error);
        }
        if self.object && self.mode == Mode::Tee {
            let waiting = inner.out_of_turn(std::slice::from_ref(&self.at)).await;
            for leg in self.legs.iter_mut().filter(|leg| !leg.required && waiting.contains(leg.site.name())) {
                leg.give_up(OUT_OF_TURN);
            }
        }
        if self.can_be_accepted() {
            let behind = inner.misses.behind(&self.at).await?;
            let fit = |leg: &Leg| leg.is_live() && !behind.contains(leg.site.name());
            self.heir = (1..self.legs.len()).find(|index| fit(&self.legs[*index]));
        }
        let outcome = self.finish(last).await;
        intent.conclude(&outcome);
        outcome
    }

    async fn finish(mut self, last: Bytes) -> Result<Committed, TeeError> {
        let patience = self.inner.backup_grace;
        if self.mode == Mode::Strict && self.object && !self.conditional {
            self.backups_first(&last).await?;
        }
        let mut decided = None;
        for index in 0..self.legs.len() {
            self.legs[index].send_last(last.clone(), patience).await;
            if index > 0 {
                continue;
            }
            if self.conditional {
                decided = self.legs[0].answer().await;
            }
            let heir = self.heir.and_then(|heir| self.legs.get(heir));
            let primary_is_out = self.legs.first().is_none_or(|primary| !primary.is_live());
            if primary_is_out && !(heir.is_some_and(Leg::is_live) && self.final_failure().is_none()) {
                // No further site sees the last bytes.
                return self.settle(None, Vec::new()).await;
            }
        }
        let mut answers = self.answers(decided).await;
        let primary = answers.first_mut().and_then(Option::take);
        self.settle(primary, answers).await
    }

    /// Strict: the primary shows nothing that a backup has refused. When one fails, those that have the write are levelled to
    /// what the primary still holds.
    async fn backups_first(&mut self, last: &Bytes) -> Result<(), TeeError> {
        let patience = self.inner.backup_grace;
        for leg in self.legs.iter_mut().skip(1) {
            leg.send_last(last.clone(), patience).await;
        }
        futures_util::future::join_all(self.legs.iter_mut().skip(1).map(Leg::collect)).await;
        match self.required_failure() {
            None => Ok(()),
            Some(error) => {
                self.record(&Primary::Lacks).await?;
                Err(error.into())
            }
        }
    }

    /// Waits for everybody at once: the primary as long as it takes, then the backups for the grace period.
    async fn answers(&mut self, known: Option<Written>) -> Vec<Option<Written>> {
        let grace = self.inner.backup_grace;
        let (first, backups) = self.legs.split_at_mut(1);
        let (decided, decision) = tokio::sync::watch::channel(false);
        let primary = async {
            let answer = match (known, first.first_mut()) {
                (Some(written), _) => Some(written),
                (None, Some(leg)) => leg.answer().await,
                (None, None) => None,
            };
            let _ = decided.send(true);
            answer
        };
        let backups = futures_util::future::join_all(backups.iter_mut().map(|leg| {
            let mut decision = decision.clone();
            async move {
                if leg.required {
                    return leg.answer().await;
                }
                leg.answer_within(async move { decision.wait_for(|d| *d).await.is_ok() }, grace).await
            }
        }));
        let (primary, backups) = tokio::join!(primary, backups);
        std::iter::once(primary).chain(backups).collect()
    }

    /// Turns the answers into an outcome; whatever makes the sites differ is recorded first.
    async fn settle(mut self, primary: Option<Written>, answers: Vec<Option<Written>>) -> Result<Committed, TeeError> {
        if primary.is_none()
            && self.final_failure().is_none()
            && let Some((heir, Some(written))) = self.heir.and_then(|heir| Some((heir, answers.get(heir)?.clone())))
        {
            return self.accepted(heir, written, &answers).await;
        }
        let primary = match primary {
            Some(written) => Primary::Has(written),
            None if self.legs.first().is_some_and(is_undecided) => Primary::Unknown,
            None => Primary::Lacks,
        };
        if self.object {
            if matches!(primary, Primary::Unknown) {
                let why = self.legs.first().and_then(|leg| leg.failure.as_ref());
                self.inner.expect_straggler(&self.at, why, self.at_backups(&answers));
            }
            self.record(&primary).await?;
        }
        if let (true, Primary::Has(primary)) = (self.object, &primary) {
            self.inner.carried_out(&self.at, || self.written(primary, &answers));
        }
        if let Some(error) = self.required_failure() {
            return Err(error.into());
        }
        let Primary::Has(mut primary) = primary else { return Err(SiteError::Aborted.into()) };
        primary.version_id = self.inner.told_version(primary.version_id);
        let written = self.written(&primary, &answers);
        let missing = self.legs.iter().zip(&answers).skip(1).filter(|(_, answer)| answer.is_none());
        let pending = missing.map(|(leg, _)| leg.site.name().clone()).collect();
        Ok(Committed { primary, written, pending })
    }

    /// Who has it, under which ETag; the primary first.
    fn written(&self, primary: &Written, answers: &[Option<Written>]) -> Vec<(SiteName, SealedETag)> {
        let primary = (self.inner.sites.primary.name().clone(), primary.etag.clone());
        std::iter::once(primary).chain(self.at_backups(answers)).collect()
    }

    /// Which backups have it, under which ETag.
    fn at_backups(&self, answers: &[Option<Written>]) -> Vec<(SiteName, SealedETag)> {
        let backups = self.legs.iter().zip(answers).skip(1);
        backups.filter_map(|(leg, answer)| Some((leg.site.name().clone(), answer.as_ref()?.etag.clone()))).collect()
    }

    /// The primary did not answer and a backup has the write: it is accepted there, and the primary is to be made equal to it. It may have the
    /// write as well; then nothing is left to be done.
    async fn accepted(
        mut self,
        heir: usize,
        primary: Written,
        answers: &[Option<Written>],
    ) -> Result<Committed, TeeError> {
        let home = self.legs[heir].site.name().clone();
        tracing::info!(backup = %home, "a write is accepted at a backup");
        if let Some(primary) = self.legs.first().filter(|leg| is_undecided(leg)) {
            self.inner.expect_straggler(&self.at, primary.failure.as_ref(), self.at_backups(answers));
        }
        let (mut written, mut pending) = (vec![(home.clone(), primary.etag.clone())], Vec::new());
        for (index, leg) in self.legs.iter_mut().enumerate().filter(|(index, _)| *index != heir) {
            match answers.get(index) {
                Some(Some(answer)) => {
                    written.push((leg.site.name().clone(), answer.etag.clone()));
                    continue;
                }
                _ => pending.push(leg.site.name().clone()),
            }
            let miss = Miss {
                site: leg.site.name().clone(),
                bucket: self.at.bucket.clone(),
                key: Some(self.at.key.clone()),
                reason: leg.failure.as_ref().map_or_else(|| "it did not answer".to_owned(), ToString::to_string),
                bytes: self.length,
                retain_until: None,
                home_from: (index == 0).then(|| home.clone()),
            };
            self.inner.misses.record(miss.clone()).await?;
            if let Some(late) = leg.late() {
                self.inner.follow(late, vec![miss]);
            }
        }
        Ok(Committed { primary: Written { version_id: None, ..primary }, written, pending })
    }

    /// Whether a backup may take the primary's place in this write.
    fn can_be_accepted(&self) -> bool {
        let plain = self.object && !self.conditional && self.mode == Mode::Tee;
        plain && self.inner.accepts && self.inner.left_out.is_none() && self.legs.iter().skip(1).any(Leg::is_live)
    }

    /// As [`Self::required_failure`], but that the primary does not answer is none while a backup may take its place.
    fn final_failure(&self) -> Option<SiteError> {
        self.required_failure().filter(|error| !(error.is_outage() && self.can_be_accepted()))
    }

    /// Records every backup that does not, or may not, hold what the primary holds; once more when a late answer comes.
    async fn record(&mut self, primary: &Primary) -> Result<(), TeeError> {
        for leg in self.legs.iter_mut().skip(1) {
            let differs = match primary {
                Primary::Has(_) => leg.failure.is_some(),
                Primary::Lacks => leg.may_have_it,
                Primary::Unknown => true,
            };
            if !differs {
                continue;
            }
            let reason = leg.failure.as_ref().map_or_else(|| "the primary failed".to_owned(), ToString::to_string);
            let (bucket, key) = (self.at.bucket.clone(), Some(self.at.key.clone()));
            let bytes = if matches!(primary, Primary::Has(_)) { self.length } else { 0 };
            let miss =
                Miss { site: leg.site.name().clone(), bucket, key, reason, bytes, retain_until: None, home_from: None };
            self.inner.misses.record(miss.clone()).await?;
            // It may yet do what it did not answer to.
            let undecided = is_undecided(leg) && leg.failure.is_some();
            match leg.late() {
                Some(late) => self.inner.follow(late, vec![miss]),
                None if undecided => self.inner.look_again(vec![miss]),
                None => {}
            }
        }
        Ok(())
    }

    /// Why the write cannot succeed: the primary's failure, in strict mode anyone's.
    fn required_failure(&self) -> Option<SiteError> {
        self.legs.iter().filter(|leg| leg.required).find_map(|leg| leg.failure.clone())
    }
}

/// The last bytes went out and no answer came that says what became of them.
fn is_undecided(leg: &Leg) -> bool {
    leg.may_have_it && leg.failure.as_ref().is_none_or(SiteError::is_outage)
}

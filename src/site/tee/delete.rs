//! Deletes at every site. The primary decides first; which of a backup's versions is meant, what is stored there tells.
use super::late::{OUT_OF_TURN, unreachable};
use super::{Mode, Tee, TeeError};
use crate::s3::{BucketName, ObjectKey};
use crate::site::versions::counterpart;
use crate::site::{DeleteOptions, Deleted, Doomed, ListedVersion, Location, NULL_VERSION, Site, SiteError};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Keys whose versions are looked up at the same time.
const LOOKUPS: usize = 16;

/// How a delete is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fate {
    /// When it is acknowledged.
    pub mode: Mode,
    /// The backups keep what they have until this time (Unix seconds); `None`: they delete it as well.
    pub retain_until: Option<i64>,
}

/// The versions of some keys at the primary.
type Histories = BTreeMap<ObjectKey, Vec<ListedVersion>>;

impl Tee {
    /// Deletes everywhere, primary first. Deleting what is not there succeeds, as on S3. Runs to its end even if the caller
    /// goes away.
    ///
    /// # Errors
    /// When the primary (in strict mode any site) fails.
    pub async fn delete(&self, at: &Location, options: DeleteOptions, fate: Fate) -> Result<Deleted, TeeError> {
        let (tee, at) = (self.clone(), at.clone());
        let site = self.inner.sites.primary.name().clone();
        let task = tokio::spawn(async move { tee.delete_one(at, options, fate).await });
        let gone = |_| SiteError::Unreachable { site, detail: "the delete's task ended unexpectedly".to_owned() };
        task.await.map_err(gone)?
    }

    async fn delete_one(&self, at: Location, options: DeleteOptions, fate: Fate) -> Result<Deleted, TeeError> {
        let mut intent = self.intend(&at.bucket, std::slice::from_ref(&at.key), fate.retain_until);
        intent.arm().await?;
        let _guard = self.lock(&at).await;
        if let Err(error) = self.inner.still_decides(&at).await {
            intent.settle();
            return Err(error);
        }
        let plain = options.version.is_none() && options.if_match.is_none() && fate.retain_until.is_none();
        let heir = self.heir(std::slice::from_ref(&at), plain, fate.mode).await?;
        let outcome = self.delete_locked(&at, options.clone(), fate, heir.is_some()).await;
        let (outcome, teller) = match (outcome, &heir) {
            (Err(TeeError::Site(error)), Some(heir)) if error.is_outage() => {
                self.may_come_late(&at.bucket, std::slice::from_ref(&at.key), &error);
                let accepted = heir.delete_locked(&at, options, fate, false).await;
                if accepted.is_err() {
                    self.undecided(&at.bucket, std::slice::from_ref(&at.key), &error, fate.retain_until).await?;
                }
                (accepted, heir)
            }
            (outcome, _) => (outcome, self),
        };
        let outcome = outcome.map(|deleted| teller.told(deleted));
        intent.conclude(&outcome);
        outcome
    }

    /// `has_heir`: when the primary does not answer, somebody else is told, and nothing is recorded.
    async fn delete_locked(
        &self,
        at: &Location,
        options: DeleteOptions,
        fate: Fate,
        has_heir: bool,
    ) -> Result<Deleted, TeeError> {
        let Fate { mode, retain_until } = fate;
        let key = std::slice::from_ref(&at.key);
        let doomed = [Doomed { key: at.key.clone(), version: options.version.clone() }];
        let histories = Arc::new(self.histories(&at.bucket, &doomed).await?);
        let waiting = self.inner.waiting(mode, &at.bucket, key).await;
        let deleted = match self.inner.sites.primary.delete_with(at, &options).await {
            Ok(deleted) => deleted,
            Err(error) => {
                if !has_heir {
                    self.undecided(&at.bucket, key, &error, fate.retain_until).await?;
                }
                return Err(error.into());
            }
        };
        self.inner.carried_out_delete(at, options.version.is_some());
        if retain_until.is_some() {
            self.retained(&at.bucket, key, fate).await?;
            return Ok(deleted);
        }
        // Only the primary decides; a backup follows.
        let options = DeleteOptions { if_match: None, ..options };
        let delete = |site: Site| {
            let (at, options, doomed, histories) =
                (at.clone(), options.clone(), doomed.clone(), Arc::clone(&histories));
            let waiting = Arc::clone(&waiting);
            async move {
                if waiting.contains(site.name()) {
                    return Err(unreachable(site.name(), OUT_OF_TURN));
                }
                for one in translated(&site, &at.bucket, &doomed, &histories).await? {
                    site.delete_with(&at, &DeleteOptions { version: one.version, ..options.clone() }).await?;
                }
                Ok(())
            }
        };
        let mut failure = None;
        for asked in self.at_backups(mode, delete).await {
            if let Err(error) = asked.answer.clone()
                && !error.is_not_found()
            {
                self.missed(asked, &at.bucket, key, &error).await?;
                failure = Some(error);
            }
        }
        match failure {
            Some(error) if mode == Mode::Strict => Err(error.into()),
            _ => Ok(deleted),
        }
    }

    /// Deletes many everywhere; one answer for each, the primary's (strict: that of the first site which failed). Runs to its end
    /// even if the caller goes away.
    ///
    /// # Errors
    /// When the primary fails as a whole, or a miss cannot be recorded.
    pub async fn delete_many(
        &self,
        bucket: &BucketName,
        doomed: Vec<Doomed>,
        bypass_governance: bool,
        fate: Fate,
    ) -> Result<Vec<Result<Deleted, SiteError>>, TeeError> {
        let (tee, bucket) = (self.clone(), bucket.clone());
        let site = self.inner.sites.primary.name().clone();
        let task = tokio::spawn(async move { tee.delete_all(&bucket, doomed, bypass_governance, fate).await });
        let gone = |_| SiteError::Unreachable { site, detail: "the delete's task ended unexpectedly".to_owned() };
        task.await.map_err(gone)?
    }

    async fn delete_all(
        &self,
        bucket: &BucketName,
        doomed: Vec<Doomed>,
        bypass: bool,
        fate: Fate,
    ) -> Result<Vec<Result<Deleted, SiteError>>, TeeError> {
        let keys: Vec<ObjectKey> = doomed.iter().map(|one| one.key.clone()).collect();
        let mut intent = self.intend(bucket, &keys, fate.retain_until);
        intent.arm().await?;
        let places = keys.iter().map(|key| Location { bucket: bucket.clone(), key: key.clone() });
        let places: Vec<Location> = places.collect();
        let _guard = self.inner.locks.all(places.iter().cloned()).await;
        for at in &places {
            if let Err(error) = self.inner.still_decides(at).await {
                intent.settle();
                return Err(error);
            }
        }
        let plain = fate.retain_until.is_none() && doomed.iter().all(|one| one.version.is_none());
        let heir = self.heir(&places, plain, fate.mode).await?;
        let outcome = self.delete_all_locked(bucket, doomed.clone(), &keys, (bypass, heir.is_some()), fate).await;
        let outcome = match (outcome, &heir) {
            (Err(TeeError::Site(error)), Some(heir)) if error.is_outage() => {
                self.may_come_late(bucket, &keys, &error);
                let accepted = heir.delete_all_locked(bucket, doomed, &keys, (bypass, false), fate).await;
                if accepted.as_ref().map_or(true, |answers| answers.iter().any(Result::is_err)) {
                    self.undecided(bucket, &keys, &error, fate.retain_until).await?;
                }
                accepted
            }
            (outcome, _) => outcome,
        };
        let told = |answers: Vec<Result<Deleted, SiteError>>| {
            answers.into_iter().map(|answer| answer.map(|deleted| self.told(deleted))).collect()
        };
        let outcome = outcome.map(told);
        intent.conclude(&outcome);
        outcome
    }

    async fn delete_all_locked(
        &self,
        bucket: &BucketName,
        doomed: Vec<Doomed>,
        keys: &[ObjectKey],
        (bypass, has_heir): (bool, bool),
        fate: Fate,
    ) -> Result<Vec<Result<Deleted, SiteError>>, TeeError> {
        let Fate { mode, retain_until } = fate;
        let histories = Arc::new(self.histories(bucket, &doomed).await?);
        let waiting = self.inner.waiting(mode, bucket, keys).await;
        let mut answers = match self.inner.sites.primary.delete_many(bucket, &doomed, bypass).await {
            Ok(answers) => answers,
            Err(error) => {
                if !has_heir {
                    self.undecided(bucket, keys, &error, fate.retain_until).await?;
                }
                return Err(error.into());
            }
        };
        self.note_answers(bucket, &doomed, &answers, fate).await?;
        let gone: Vec<usize> = (0..doomed.len()).filter(|at| answers.get(*at).is_some_and(Result::is_ok)).collect();
        if gone.is_empty() {
            return Ok(answers);
        }
        if retain_until.is_some() {
            let gone: Vec<ObjectKey> = gone.iter().map(|at| keys[*at].clone()).collect();
            self.retained(bucket, &gone, fate).await?;
            return Ok(answers);
        }
        let shared: Arc<Vec<Doomed>> = Arc::new(gone.iter().map(|at| doomed[*at].clone()).collect());
        let delete = |site: Site| {
            let (bucket, shared, histories) = (bucket.clone(), Arc::clone(&shared), Arc::clone(&histories));
            let waiting = Arc::clone(&waiting);
            async move {
                if waiting.contains(site.name()) {
                    return Err(unreachable(site.name(), OUT_OF_TURN));
                }
                let doomed = translated(&site, &bucket, &shared, &histories).await?;
                let answers = site.delete_many(&bucket, &doomed, bypass).await?;
                let failed = doomed.into_iter().zip(answers).filter_map(|(one, answer)| Some((one.key, answer.err()?)));
                Ok(failed.collect::<Vec<_>>())
            }
        };
        for mut asked in self.at_backups(mode, delete).await {
            let (left, error) = match std::mem::replace(&mut asked.answer, Ok(Vec::new())) {
                Ok(left) => {
                    let Some((_, error)) = left.first() else { continue };
                    let error = error.clone();
                    (left, error)
                }
                Err(error) => (shared.iter().map(|one| (one.key.clone(), error.clone())).collect(), error),
            };
            let names: Vec<ObjectKey> = left.iter().map(|(key, _)| key.clone()).collect();
            self.missed(asked, bucket, &names, &error).await?;
            if mode == Mode::Strict {
                for (one, answer) in doomed.iter().zip(&mut answers) {
                    if let Some((_, error)) = left.iter().find(|(key, _)| *key == one.key) {
                        *answer = Err(error.clone());
                    }
                }
            }
        }
        Ok(answers)
    }

    /// What the primary made of each.
    async fn note_answers(
        &self,
        bucket: &BucketName,
        doomed: &[Doomed],
        answers: &[Result<Deleted, SiteError>],
        fate: Fate,
    ) -> Result<(), TeeError> {
        for (one, answer) in doomed.iter().zip(answers) {
            let at = Location { bucket: bucket.clone(), key: one.key.clone() };
            match answer {
                Ok(_) => self.inner.carried_out_delete(&at, one.version.is_some()),
                Err(error) => {
                    self.undecided(bucket, std::slice::from_ref(&one.key), error, fate.retain_until).await?;
                }
            }
        }
        Ok(())
    }

    fn told(&self, deleted: Deleted) -> Deleted {
        Deleted { version_id: self.inner.told_version(deleted.version_id), ..deleted }
    }

    /// The primary deleted it, the backups keep it for a term.
    async fn retained(&self, bucket: &BucketName, keys: &[ObjectKey], fate: Fate) -> Result<(), TeeError> {
        let why = SiteError::Later { site: self.inner.sites.primary.name().clone() };
        Ok(self.later(bucket, keys, &why, fate.retain_until).await?)
    }

    /// The primary's versions of every key of which a version is named, before they are deleted.
    async fn histories(&self, bucket: &BucketName, doomed: &[Doomed]) -> Result<Histories, SiteError> {
        if self.inner.sites.backups.is_empty() {
            return Ok(Histories::new());
        }
        histories_at(&self.inner.sites.primary, bucket, doomed).await
    }
}

async fn histories_at(site: &Site, bucket: &BucketName, doomed: &[Doomed]) -> Result<Histories, SiteError> {
    let named: BTreeSet<&ObjectKey> = doomed.iter().filter(|one| is_named(one)).map(|one| &one.key).collect();
    let lookups = named.into_iter().map(|key| async move {
        let at = Location { bucket: bucket.clone(), key: key.clone() };
        Ok((at.key.clone(), site.versions_of(&at).await?))
    });
    // Collected first: a stream over borrowed closures is not general enough for a spawned task.
    let lookups: Vec<_> = lookups.collect();
    let found: Vec<Result<_, SiteError>> = futures_util::stream::iter(lookups).buffered(LOOKUPS).collect().await;
    found.into_iter().collect()
}

/// The list in a backup's own version ids, without what it does not have.
async fn translated(
    site: &Site,
    bucket: &BucketName,
    doomed: &[Doomed],
    ours: &Histories,
) -> Result<Vec<Doomed>, SiteError> {
    let theirs = histories_at(site, bucket, doomed).await?;
    let translate = |one: &Doomed| match &one.version {
        Some(version) if is_named(one) => {
            let version = counterpart(ours.get(&one.key)?, version, theirs.get(&one.key)?)?;
            Some(Doomed { key: one.key.clone(), version: Some(version) })
        }
        _ => Some(one.clone()),
    };
    Ok(doomed.iter().filter_map(translate).collect())
}

/// `null` is the same at every site.
fn is_named(one: &Doomed) -> bool {
    one.version.as_deref().is_some_and(|version| version != NULL_VERSION)
}

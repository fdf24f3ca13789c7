//! Multipart bookkeeping and buckets at every site. The primary decides first.
use super::late::{OUT_OF_TURN, unreachable};
use super::{Committed, Miss, Mode, SiteParts, SiteUploads, Tee, TeeError};
use crate::s3::BucketName;
use crate::site::{Location, ObjectHeaders, Site, SiteError, SiteName, WriteCondition, Written};
use std::sync::Arc;

impl Tee {
    /// Creates a multipart upload at every site; in tee mode a backup that fails is left out.
    ///
    /// # Errors
    /// When the primary (in strict mode any site) fails.
    pub async fn create_multipart(
        &self,
        at: &Location,
        headers: &ObjectHeaders,
        mode: Mode,
    ) -> Result<SiteUploads, TeeError> {
        let upload = self.inner.sites.primary.create_multipart(at, headers).await?;
        let mut uploads = vec![(self.inner.sites.primary.name().clone(), upload)];
        let shared = Arc::new((at.clone(), headers.clone()));
        let create = |site: Site| {
            let shared = Arc::clone(&shared);
            async move { site.create_multipart(&shared.0, &shared.1).await }
        };
        for asked in self.at_backups(mode, create).await {
            match asked.answer {
                Ok(upload) => uploads.push((asked.site, upload)),
                Err(error) if mode == Mode::Strict => {
                    self.abort_multipart(at, &uploads).await?;
                    return Err(error.into());
                }
                Err(_) => {}
            }
        }
        Ok(uploads)
    }

    /// Completes at every site of `uploads` (primary first); sites not in it are recorded as misses. `parts` gives, per site,
    /// the part numbers and that site's ETags.
    ///
    /// # Errors
    /// When the primary (in strict mode any site) fails, or a miss cannot be recorded. Runs to its end even if the caller goes away.
    pub async fn complete_multipart(
        &self,
        at: &Location,
        uploads: &SiteUploads,
        parts: &SiteParts,
        condition: &WriteCondition,
        mode: Mode,
    ) -> Result<Committed, TeeError> {
        let (tee, at, condition) = (self.clone(), at.clone(), condition.clone());
        let shared = Arc::new((at.clone(), uploads.clone(), parts.clone()));
        let site = self.inner.sites.primary.name().clone();
        let task = tokio::spawn(async move { tee.complete(&at, shared, condition, mode).await });
        let gone = |_| SiteError::Unreachable { site, detail: "the commit's task ended unexpectedly".to_owned() };
        task.await.map_err(gone)?
    }

    async fn complete(
        &self,
        at: &Location,
        shared: Arc<(Location, SiteUploads, SiteParts)>,
        condition: WriteCondition,
        mode: Mode,
    ) -> Result<Committed, TeeError> {
        let mut intent = self.intend(&at.bucket, std::slice::from_ref(&at.key), None);
        intent.arm().await?;
        let _guard = self.lock(at).await;
        let outcome = match self.inner.still_decides(at).await {
            Ok(()) => self.complete_or_accept(at, shared, condition, mode).await,
            Err(error) => {
                intent.settle();
                return Err(error);
            }
        };
        intent.conclude(&outcome);
        outcome
    }

    async fn complete_or_accept(
        &self,
        at: &Location,
        shared: Arc<(Location, SiteUploads, SiteParts)>,
        condition: WriteCondition,
        mode: Mode,
    ) -> Result<Committed, TeeError> {
        let heir = self.heir(std::slice::from_ref(at), condition == WriteCondition::Always, mode).await?;
        let heir = heir.filter(|heir| shared.2.iter().any(|(site, _)| site == heir.inner.sites.primary.name()));
        let completed = self.complete_locked(at, Arc::clone(&shared), condition, (mode, heir.is_some())).await;
        match (completed, heir) {
            (Err(TeeError::Site(error)), Some(heir)) if error.is_outage() => {
                self.may_come_late(&at.bucket, std::slice::from_ref(&at.key), &error);
                let accepted = heir.complete_locked(at, shared, WriteCondition::Always, (mode, false)).await;
                if accepted.is_err() {
                    self.undecided(&at.bucket, std::slice::from_ref(&at.key), &error, None).await?;
                }
                accepted
            }
            (completed, _) => completed,
        }
    }

    /// The last of it: when the primary does not answer, somebody else is told, and nothing is recorded.
    async fn complete_locked(
        &self,
        at: &Location,
        shared: Arc<(Location, SiteUploads, SiteParts)>,
        condition: WriteCondition,
        (mode, has_heir): (Mode, bool),
    ) -> Result<Committed, TeeError> {
        let complete = |site: Site, condition: WriteCondition| {
            let shared = Arc::clone(&shared);
            async move {
                let (at, uploads, parts) = &*shared;
                let upload = uploads.iter().find(|(name, _)| name == site.name());
                let parts = parts.iter().find(|(name, _)| name == site.name());
                match (upload, parts) {
                    (Some((_, upload)), Some((_, parts))) => {
                        site.complete_multipart(at, upload, parts, &condition).await
                    }
                    _ => Err(SiteError::Unreachable {
                        site: site.name().clone(),
                        detail: "it missed parts of the upload".to_owned(),
                    }),
                }
            }
        };
        let key = std::slice::from_ref(&at.key);
        let waiting = match mode {
            Mode::Tee => self.inner.out_of_turn(std::slice::from_ref(at)).await,
            _ => Vec::new(),
        };
        let mut primary: Written = match complete(self.inner.sites.primary.clone(), condition).await {
            Ok(written) => written,
            Err(error) => {
                if !has_heir {
                    self.undecided(&at.bucket, key, &error, None).await?;
                }
                return Err(error.into());
            }
        };
        primary.version_id = self.inner.told_version(primary.version_id);
        let mut written = vec![(self.inner.sites.primary.name().clone(), primary.etag.clone())];
        let (mut pending, mut failure) = (Vec::new(), None);
        let complete_there = |site: Site| {
            let turn = if waiting.contains(site.name()) { Err(unreachable(site.name(), OUT_OF_TURN)) } else { Ok(()) };
            let completing = complete(site, WriteCondition::Always);
            async move {
                turn?;
                completing.await
            }
        };
        for asked in self.at_backups(mode, complete_there).await {
            match asked.answer.clone() {
                Ok(answer) => written.push((asked.site, answer.etag)),
                Err(error) => {
                    pending.push(asked.site.clone());
                    self.missed(asked, &at.bucket, key, &error).await?;
                    failure = Some(error);
                }
            }
        }
        self.inner.carried_out(at, || written.clone());
        match failure {
            Some(error) if mode == Mode::Strict => Err(error.into()),
            _ => Ok(Committed { primary, written, pending }),
        }
    }

    /// Records that a backup is to be made equal to the primary: for whoever finds that the primary has something whose
    /// commit nobody saw to its end.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn level(&self, at: &Location, backup: &SiteName, reason: &str) -> Result<(), TeeError> {
        let (bucket, key) = (at.bucket.clone(), Some(at.key.clone()));
        let (site, reason) = (backup.clone(), reason.to_owned());
        let miss = Miss { site, bucket, key, reason, bytes: 0, retain_until: None, home_from: None };
        Ok(self.inner.misses.record(miss).await?)
    }

    /// Aborts at the sites of `uploads`; a site that does not know the upload is fine. The backups that failed: they may keep parts of it.
    ///
    /// # Errors
    /// When the primary fails.
    pub async fn abort_multipart(&self, at: &Location, uploads: &SiteUploads) -> Result<Vec<SiteName>, TeeError> {
        let shared = Arc::new((at.clone(), uploads.clone()));
        let abort = |site: Site| {
            let shared = Arc::clone(&shared);
            async move {
                match shared.1.iter().find(|(name, _)| name == site.name()) {
                    Some((_, upload)) => site.abort_multipart(&shared.0, upload).await,
                    None => Ok(()),
                }
            }
        };
        let (primary, backups) =
            tokio::join!(abort(self.inner.sites.primary.clone()), self.at_backups(Mode::Tee, abort));
        match primary {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => {
                let failed = backups.into_iter().filter(|asked| matches!(&asked.answer, Err(e) if !e.is_not_found()));
                Ok(failed.map(|asked| asked.site).collect())
            }
        }
    }

    /// Creates a bucket everywhere. That a backup has it already is fine; that the primary has is the caller's to judge.
    ///
    /// # Errors
    /// The primary's answer.
    pub async fn create_bucket(
        &self,
        bucket: &BucketName,
        location: Option<&str>,
        headers: &[(&'static str, String)],
    ) -> Result<(), TeeError> {
        let mut intent = self.intend(bucket, &[], None);
        intent.arm().await?;
        let outcome = self.create_bucket_under(bucket, location, headers).await;
        intent.conclude(&outcome);
        outcome
    }

    async fn create_bucket_under(
        &self,
        bucket: &BucketName,
        location: Option<&str>,
        headers: &[(&'static str, String)],
    ) -> Result<(), TeeError> {
        let primary = self.inner.sites.primary.create_bucket_with(bucket, location, headers).await;
        if let Err(error) = &primary
            && !exists(error)
        {
            self.undecided(bucket, &[], error, None).await?;
            return primary.map_err(Into::into);
        }
        let shared = Arc::new((bucket.clone(), location.map(str::to_owned), headers.to_vec()));
        let create = |site: Site| {
            let shared = Arc::clone(&shared);
            async move { site.create_bucket_with(&shared.0, shared.1.as_deref(), &shared.2).await }
        };
        for asked in self.at_backups(Mode::Tee, create).await {
            if let Err(error) = asked.answer.clone()
                && !exists(&error)
            {
                self.missed(asked, bucket, &[], &error).await?;
            }
        }
        primary.map_err(Into::into)
    }

    /// Deletes a bucket everywhere.
    ///
    /// # Errors
    /// The primary's answer.
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), TeeError> {
        let mut intent = self.intend(bucket, &[], None);
        intent.arm().await?;
        let outcome = self.delete_bucket_under(bucket).await;
        intent.conclude(&outcome);
        outcome
    }

    async fn delete_bucket_under(&self, bucket: &BucketName) -> Result<(), TeeError> {
        if let Err(error) = self.inner.sites.primary.delete_bucket(bucket).await {
            self.undecided(bucket, &[], &error, None).await?;
            return Err(error.into());
        }
        let delete = |site: Site| {
            let bucket = bucket.clone();
            async move { site.delete_bucket(&bucket).await }
        };
        for asked in self.at_backups(Mode::Tee, delete).await {
            if let Err(error) = asked.answer.clone()
                && !error.is_not_found()
            {
                self.missed(asked, bucket, &[], &error).await?;
            }
        }
        Ok(())
    }
}

fn exists(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { code, .. } if code == "BucketAlreadyOwnedByYou" || code == "BucketAlreadyExists")
}

//! Everything to all sites that has no body: multipart bookkeeping, deletes, buckets. The primary decides first.
use super::{Committed, Miss, MissError, Mode, SiteUploads, Tee, TeeError};
use crate::s3::{BucketName, ObjectKey, SealedETag};
use crate::site::{Location, Site, SiteError, SiteName, WriteCondition, Written};
use futures_util::future::join_all;

impl Tee {
    /// Creates a multipart upload at every site; in tee mode a backup that fails is left out.
    ///
    /// # Errors
    /// When the primary (in strict mode any site) fails.
    pub async fn create_multipart(
        &self,
        at: &Location,
        metadata: Option<&str>,
        mode: Mode,
    ) -> Result<SiteUploads, TeeError> {
        let upload = self.inner.sites.primary.create_multipart(at, metadata).await?;
        let mut uploads = vec![(self.inner.sites.primary.name().clone(), upload)];
        let others = self.at_backups(|site| async move { site.create_multipart(at, metadata).await }).await;
        for (site, answer) in others {
            match answer {
                Ok(upload) => uploads.push((site, upload)),
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
        parts: &[(SiteName, Vec<(u16, SealedETag)>)],
        condition: &WriteCondition,
        mode: Mode,
    ) -> Result<Committed, TeeError> {
        let (tee, at, uploads) = (self.clone(), at.clone(), uploads.clone());
        let (parts, condition) = (parts.to_vec(), condition.clone());
        let site = self.inner.sites.primary.name().clone();
        let task = tokio::spawn(async move { tee.complete(&at, &uploads, &parts, &condition, mode).await });
        let gone = |_| SiteError::Unreachable { site, detail: "the commit's task ended unexpectedly".to_owned() };
        task.await.map_err(gone)?
    }

    async fn complete(
        &self,
        at: &Location,
        uploads: &SiteUploads,
        parts: &[(SiteName, Vec<(u16, SealedETag)>)],
        condition: &WriteCondition,
        mode: Mode,
    ) -> Result<Committed, TeeError> {
        let _guard = self.lock(at).await;
        let complete = |site: Site, condition: WriteCondition| async move {
            let upload = uploads.iter().find(|(name, _)| name == site.name());
            let parts = parts.iter().find(|(name, _)| name == site.name());
            match (upload, parts) {
                (Some((_, upload)), Some((_, parts))) => site.complete_multipart(at, upload, parts, &condition).await,
                _ => Err(SiteError::Unreachable {
                    site: site.name().clone(),
                    detail: "it missed parts of the upload".to_owned(),
                }),
            }
        };
        let primary: Written = complete(self.inner.sites.primary.clone(), condition.clone()).await?;
        let mut written = vec![(self.inner.sites.primary.name().clone(), primary.etag.clone())];
        let (mut pending, mut failure) = (Vec::new(), None);
        for (site, answer) in self.at_backups(|site| complete(site, WriteCondition::Always)).await {
            match answer {
                Ok(answer) => written.push((site, answer.etag)),
                Err(error) => {
                    self.miss(&site, &at.bucket, Some(&at.key), &error).await?;
                    pending.push(site);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) if mode == Mode::Strict => Err(error.into()),
            _ => Ok(Committed { primary, written, pending }),
        }
    }

    /// Aborts everywhere. A site that does not answer, or does not know the upload, is skipped.
    ///
    /// # Errors
    /// When the primary fails for another reason.
    pub async fn abort_multipart(&self, at: &Location, uploads: &SiteUploads) -> Result<(), TeeError> {
        let abort = |site: Site| async move {
            match uploads.iter().find(|(name, _)| name == site.name()) {
                Some((_, upload)) => site.abort_multipart(at, upload).await,
                None => Ok(()),
            }
        };
        let (primary, _) = tokio::join!(abort(self.inner.sites.primary.clone()), self.at_backups(abort));
        match primary {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Deletes everywhere, primary first. Deleting what is not there succeeds, as on S3.
    ///
    /// # Errors
    /// When the primary (in strict mode any site) fails.
    pub async fn delete(&self, at: &Location, mode: Mode) -> Result<(), TeeError> {
        let (tee, at) = (self.clone(), at.clone());
        let site = self.inner.sites.primary.name().clone();
        let task = tokio::spawn(async move { tee.delete_one(&at, mode).await });
        let gone = |_| SiteError::Unreachable { site, detail: "the delete's task ended unexpectedly".to_owned() };
        task.await.map_err(gone)?
    }

    async fn delete_one(&self, at: &Location, mode: Mode) -> Result<(), TeeError> {
        let _guard = self.lock(at).await;
        if let Err(error) = self.inner.sites.primary.delete(at).await {
            if error.is_outage() {
                // It may have happened: let the backups follow whatever the primary shows later.
                for backup in self.inner.sites.backups.iter() {
                    self.miss(backup.name(), &at.bucket, Some(&at.key), &error).await?;
                }
            }
            return Err(error.into());
        }
        let mut failure = None;
        for (site, answer) in self.at_backups(|site| async move { site.delete(at).await }).await {
            if let Err(error) = answer
                && !error.is_not_found()
            {
                self.miss(&site, &at.bucket, Some(&at.key), &error).await?;
                failure = Some(error);
            }
        }
        match failure {
            Some(error) if mode == Mode::Strict => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Deletes many everywhere; one entry per key that failed at the primary (strict: anywhere).
    ///
    /// # Errors
    /// When the primary fails as a whole, or a miss cannot be recorded.
    pub async fn delete_many(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
        mode: Mode,
    ) -> Result<Vec<(ObjectKey, SiteError)>, TeeError> {
        let places = keys.iter().map(|key| Location { bucket: bucket.clone(), key: key.clone() });
        let _guard = self.inner.locks.all(places).await;
        let mut failed = match self.inner.sites.primary.delete_many(bucket, keys).await {
            Ok(failed) => failed,
            Err(error) => {
                if error.is_outage() {
                    for backup in self.inner.sites.backups.iter() {
                        self.miss_all(backup.name(), bucket, keys, &error).await?;
                    }
                }
                return Err(error.into());
            }
        };
        let gone: Vec<ObjectKey> = keys.iter().filter(|k| !failed.iter().any(|(f, _)| f == *k)).cloned().collect();
        if gone.is_empty() {
            return Ok(failed);
        }
        let gone = &gone;
        for (site, answer) in self.at_backups(|site| async move { site.delete_many(bucket, gone).await }).await {
            match answer {
                Ok(left) => {
                    for (key, error) in left {
                        self.miss(&site, bucket, Some(&key), &error).await?;
                        if mode == Mode::Strict {
                            failed.push((key, error));
                        }
                    }
                }
                Err(error) => {
                    self.miss_all(&site, bucket, gone, &error).await?;
                    if mode == Mode::Strict {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(failed)
    }

    /// Creates a bucket everywhere. That a backup has it already is fine; that the primary has is the caller's to judge.
    ///
    /// # Errors
    /// The primary's answer.
    pub async fn create_bucket(&self, bucket: &BucketName, location: Option<&str>) -> Result<(), TeeError> {
        let primary = self.inner.sites.primary.create_bucket(bucket, location).await;
        if primary.as_ref().is_err_and(|error| !exists(error)) {
            return primary.map_err(Into::into);
        }
        for (site, answer) in self.at_backups(|site| async move { site.create_bucket(bucket, location).await }).await {
            if let Err(error) = answer
                && !exists(&error)
            {
                self.miss(&site, bucket, None, &error).await?;
            }
        }
        primary.map_err(Into::into)
    }

    /// Deletes a bucket everywhere.
    ///
    /// # Errors
    /// The primary's answer.
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), TeeError> {
        self.inner.sites.primary.delete_bucket(bucket).await?;
        for (site, answer) in self.at_backups(|site| async move { site.delete_bucket(bucket).await }).await {
            if let Err(error) = answer
                && !error.is_not_found()
            {
                self.miss(&site, bucket, None, &error).await?;
            }
        }
        Ok(())
    }

    /// Asks every backup at once.
    async fn at_backups<T, F: Future<Output = Result<T, SiteError>>>(
        &self,
        ask: impl Fn(Site) -> F,
    ) -> Vec<(SiteName, Result<T, SiteError>)> {
        let asked = self.inner.sites.backups.iter().map(|site| {
            let answer = ask(site.clone());
            let patience = self.inner.backup_grace;
            async move {
                let late = |_| SiteError::Unreachable {
                    site: site.name().clone(),
                    detail: "it did not answer in time".to_owned(),
                };
                let answer = tokio::time::timeout(patience, answer).await.map_err(late);
                (site.name().clone(), answer.and_then(|answer| answer))
            }
        });
        join_all(asked).await
    }

    async fn miss(
        &self,
        site: &SiteName,
        bucket: &BucketName,
        key: Option<&ObjectKey>,
        error: &SiteError,
    ) -> Result<(), MissError> {
        let miss = Miss { site: site.clone(), bucket: bucket.clone(), key: key.cloned(), reason: error.to_string() };
        self.inner.misses.record(miss).await
    }

    async fn miss_all(
        &self,
        site: &SiteName,
        bucket: &BucketName,
        keys: &[ObjectKey],
        error: &SiteError,
    ) -> Result<(), MissError> {
        for key in keys {
            self.miss(site, bucket, Some(key), error).await?;
        }
        Ok(())
    }
}

fn exists(error: &SiteError) -> bool {
    matches!(error, SiteError::S3 { code, .. } if code == "BucketAlreadyOwnedByYou" || code == "BucketAlreadyExists")
}

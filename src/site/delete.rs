//! Deletes, through the SDK door.
use super::error::SiteError;
use super::object::Location;
use super::sdk;
use super::site::Site;
use crate::s3::{BucketName, ObjectKey, SealedETag};
use aws_sdk_s3::types::{Delete, DeletedObject, ObjectIdentifier};

/// The most keys one DeleteObjects may carry.
const DELETE_BATCH: usize = 1000;
/// The most XML one DeleteObjects may be: Ceph's RADOS Gateway refuses bodies over 1 MiB (`rgw_max_put_param_size`)
/// with `InvalidRange`; 1,000 of the longest keys, escaped, are more.
const DELETE_XML: usize = 900 * 1024;
/// `<Object><Key></Key><VersionId></VersionId></Object>`, rounded up.
const DELETE_ENTRY: usize = 64;

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Only this version, for good; `None`: what a plain read sees (a versioned bucket keeps it under a delete marker).
    pub version: Option<String>,
    /// Only while this is the current version.
    pub if_match: Option<SealedETag>,
    /// `x-amz-bypass-governance-retention`.
    pub bypass_governance: bool,
    /// `x-amz-mfa`, passed on.
    pub mfa: Option<String>,
}

/// One object of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Key.
    pub key: ObjectKey,
    /// Only this version.
    pub version: Option<String>,
}

/// What a delete left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The version that was deleted, or the delete marker that was made.
    pub version_id: Option<String>,
    /// True when that is a delete marker.
    pub delete_marker: bool,
}

impl Site {
    /// Deletes what a plain read sees; what is not there is deleted already.
    ///
    /// # Errors
    /// As the site answered.
    pub async fn delete(&self, at: &Location) -> Result<Deleted, SiteError> {
        self.delete_with(at, &DeleteOptions::default()).await
    }

    /// Deletes an object or one version of it; what is not there is deleted already.
    ///
    /// # Errors
    /// 412 when the condition does not hold, 403 for a version under a lock; [`SiteError::Unsupported`] for a condition that the probe
    /// found ignored; else as the site answered.
    pub async fn delete_with(&self, at: &Location, options: &DeleteOptions) -> Result<Deleted, SiteError> {
        let inner = &self.inner;
        if options.if_match.is_some() && inner.capabilities.load().as_ref().is_some_and(|found| !found.delete_if_match)
        {
            return Err(SiteError::Unsupported { site: inner.name.clone(), what: "If-Match on DeleteObject" });
        }
        self.delete_unchecked(at, options).await
    }

    /// As [`Self::delete_with`], also with a condition that the probe has yet to try.
    pub(super) async fn delete_unchecked(&self, at: &Location, options: &DeleteOptions) -> Result<Deleted, SiteError> {
        if at.key.as_str().trim().is_empty() && options.if_match.is_none() && options.mfa.is_none() {
            // The SDK takes such a key for none at all, but for one in a list.
            let one = Doomed { key: at.key.clone(), version: options.version.clone() };
            let answers = self.delete_many(&at.bucket, &[one], options.bypass_governance).await?;
            return answers.into_iter().next().unwrap_or_else(|| Err(self.inner.nonsense("no answer to a delete")));
        }
        let inner = &self.inner;
        let request = async {
            let call = inner
                .sdk
                .delete_object()
                .bucket(inner.bucket(&at.bucket))
                .key(at.key.as_str())
                .set_version_id(options.version.clone())
                .set_if_match(options.if_match.as_ref().map(|etag| inner.if_match(etag)))
                .set_mfa(options.mfa.clone())
                .set_bypass_governance_retention(options.bypass_governance.then_some(true));
            // A repetition could leave a second delete marker.
            let call = call.customize().config_override(sdk::once());
            match call.send().await.map_err(|e| inner.sdk_error(e)) {
                Ok(done) => Ok(Deleted {
                    version_id: done.version_id.filter(|id| !id.is_empty()),
                    delete_marker: done.delete_marker.unwrap_or(false),
                }),
                Err(SiteError::S3 { code, .. }) if code == "NoSuchKey" && options.if_match.is_none() => {
                    Ok(Deleted { version_id: options.version.clone(), delete_marker: false })
                }
                Err(error) => Err(error),
            }
        };
        inner.watched("delete", request).await
    }

    /// Deletes many; one answer for each, in order.
    ///
    /// # Errors
    /// When a whole batch of up to 1,000 keys failed.
    pub async fn delete_many(
        &self,
        bucket: &BucketName,
        doomed: &[Doomed],
        bypass_governance: bool,
    ) -> Result<Vec<Result<Deleted, SiteError>>, SiteError> {
        let mut answers = Vec::with_capacity(doomed.len());
        for batch in delete_batches(doomed) {
            let request = self.delete_batch(bucket, batch, bypass_governance);
            answers.extend(self.inner.watched("delete_many", request).await?);
        }
        Ok(answers)
    }

    async fn delete_batch(
        &self,
        bucket: &BucketName,
        batch: &[Doomed],
        bypass_governance: bool,
    ) -> Result<Vec<Result<Deleted, SiteError>>, SiteError> {
        let inner = &self.inner;
        let identifiers = batch
            .iter()
            .map(|one| ObjectIdentifier::builder().key(one.key.as_str()).set_version_id(one.version.clone()).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| inner.nonsense(e.to_string()))?;
        // Quiet answers do not say which delete markers were made.
        let delete = Delete::builder().set_objects(Some(identifiers)).quiet(false).build();
        let delete = delete.map_err(|e| inner.nonsense(e.to_string()))?;
        let call = inner.sdk.delete_objects().bucket(inner.bucket(bucket)).delete(delete);
        let call = call.set_bypass_governance_retention(bypass_governance.then_some(true));
        let answer = call.customize().config_override(sdk::once()).send().await.map_err(|e| inner.sdk_error(e))?;
        let outcome = |one: &Doomed| {
            let failed = answer_of(one, answer.errors(), |error| (error.key(), error.version_id()));
            match failed.filter(|error| error.code() != Some("NoSuchKey")) {
                Some(error) => Err(self.failed(error)),
                None => {
                    let deleted = answer_of(one, answer.deleted(), |gone| (gone.key(), gone.version_id()));
                    Ok(deleted.map(|gone| left(one, gone)).unwrap_or_default())
                }
            }
        };
        Ok(batch.iter().map(outcome).collect())
    }

    fn failed(&self, error: &aws_sdk_s3::types::Error) -> SiteError {
        let code = error.code().unwrap_or("InternalError").to_owned();
        let status = match code.as_str() {
            "AccessDenied" => 403,
            "InternalError" => 500,
            _ => 400,
        };
        let message = error.message().unwrap_or_default().to_owned();
        SiteError::S3 { site: self.name().clone(), status, code, message }
    }
}

/// What an answer to a list says of `one`: a list may hold the key itself and versions of it, in any order.
fn answer_of<'a, T>(one: &Doomed, all: &'a [T], names: impl Fn(&T) -> (Option<&str>, Option<&str>)) -> Option<&'a T> {
    all.iter().find(|entry| {
        let (key, version) = names(entry);
        key == Some(one.key.as_str()) && version.filter(|version| !version.is_empty()) == one.version.as_deref()
    })
}

/// In an answer to a list, the version that was made stands apart from the one that was named.
fn left(asked: &Doomed, gone: &DeletedObject) -> Deleted {
    let delete_marker = gone.delete_marker().unwrap_or(false);
    let made = gone.delete_marker_version_id().filter(|id| !id.is_empty()).map(str::to_owned);
    Deleted { version_id: made.or_else(|| asked.version.clone()), delete_marker }
}

/// As many keys in one request as every backend takes.
fn delete_batches(mut doomed: &[Doomed]) -> impl Iterator<Item = &[Doomed]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = doomed.iter().take(DELETE_BATCH).take_while(|one| {
            bytes += DELETE_ENTRY + escaped_len(one.key.as_str()) + one.version.as_deref().map_or(0, escaped_len);
            bytes <= DELETE_XML
        });
        // One key always fits: it is at most 6 KiB.
        let (batch, rest) = doomed.split_at(fits.count().max(1).min(doomed.len()));
        doomed = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// No less than the bytes of `text` in XML: an escaped character is up to six.
fn escaped_len(text: &str) -> usize {
    text.bytes().map(|byte| if matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | 0..0x20) { 6 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_belongs_to_the_version_that_was_named_and_no_other() {
        let key = ObjectKey::parse("k").expect("a key");
        let doomed = |version: Option<&str>| Doomed { key: key.clone(), version: version.map(str::to_owned) };
        let gone = |version: Option<&str>, marker: Option<&str>| {
            let made = DeletedObject::builder().key("k").set_delete_marker_version_id(marker.map(str::to_owned));
            made.set_version_id(version.map(str::to_owned)).build()
        };
        let all = [gone(Some("1"), None), gone(Some("2"), None), gone(None, Some("m"))];
        let found = |version| {
            let one = doomed(version);
            let entry = answer_of(&one, &all, |gone| (gone.key(), gone.version_id()));
            entry.map(|entry| (entry.version_id(), entry.delete_marker_version_id()))
        };
        assert_eq!(found(None), Some((None, Some("m"))));
        assert_eq!(found(Some("2")), Some((Some("2"), None)));
        assert_eq!(found(Some("3")), None);
    }

    #[test]
    fn a_delete_is_cut_into_requests_that_every_backend_takes() {
        let one = |text: &str| Doomed { key: ObjectKey::parse(text).expect("a key"), version: None };
        let keys = |text: &str, count| vec![one(text); count];
        let sizes = |keys: &[Doomed]| delete_batches(keys).map(<[_]>::len).collect::<Vec<_>>();
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&keys("short", 2001)), [1000, 1000, 1]);
        assert_eq!(sizes(&keys(&"&".repeat(1024), 1000)), [148, 148, 148, 148, 148, 148, 112]);
    }
}

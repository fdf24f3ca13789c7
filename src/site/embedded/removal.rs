//! Deletes at an embedded site. It has no versions: an object is its own and only one, `null`.
use super::blobs::blocking;
use super::disk;
use super::objects::{Conditions, forget};
use super::wrapper::{Shared, Store, existing};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

impl Store {
    pub(super) async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let input = request.input;
        existing(&self.0.index(), &input.bucket)?;
        only_version(input.version_id.as_deref())?;
        let shared = self.0.clone();
        let conditions = Conditions { if_match: input.if_match, if_none_match: None };
        blocking(move || Ok(shared.remove(&input.bucket, &input.key, &conditions))).await??;
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        existing(&self.0.index(), &bucket)?;
        let shared = self.0.clone();
        let quiet = delete.quiet.unwrap_or(false);
        let answers = blocking(move || {
            let remove = |object: ObjectIdentifier| {
                let removed = only_version(object.version_id.as_deref())
                    .and_then(|()| shared.remove(&bucket, &object.key, &Conditions::default()));
                (object, removed)
            };
            Ok(delete.objects.into_iter().map(remove).collect::<Vec<_>>())
        });
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (object, removed) in answers.await? {
            let (key, version_id) = (Some(object.key), object.version_id);
            match removed {
                Ok(()) => deleted.push(DeletedObject { key, version_id, ..Default::default() }),
                Err(error) => errors.push(Error {
                    key,
                    version_id,
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                }),
            }
        }
        let errors = Some(errors).filter(|errors| !errors.is_empty());
        Ok(DeleteObjectsOutput { deleted: Some(deleted).filter(|_| !quiet), errors, ..Default::default() })
    }
}

impl Shared {
    fn remove(&self, bucket: &str, key: &str, conditions: &Conditions) -> S3Result<()> {
        let _lock = self.lock_key(bucket, key);
        let current = self.index().buckets.get(bucket).and_then(|found| found.objects.get(key).cloned());
        conditions.check(current.as_deref())?;
        if current.is_none() {
            return Ok(());
        }
        disk::remove(&self.disk.entry_file(bucket, key)).map_err(|e| s3_error!(e, InternalError))?;
        let removed = self.index_mut().buckets.get_mut(bucket).and_then(|found| found.objects.remove(key));
        forget(removed);
        Ok(())
    }
}

/// What is named must be what there is.
pub(super) fn only_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "this site has no versions")),
    }
}

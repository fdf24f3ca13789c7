//! Buckets of an embedded site.
use super::blobs::blocking;
use super::disk;
use super::entry::BucketFile;
use super::index::Bucket;
use super::unkept;
use super::wrapper::{Shared, Store, existing};
use crate::clock;
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

impl Store {
    pub(super) async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<CreateBucketOutput> {
        unkept::of_bucket(&request.input)?;
        let bucket = request.input.bucket;
        let location = format!("/{bucket}");
        let shared = self.0.clone();
        let created = blocking(move || shared.create(&bucket)).await?;
        if created {
            Ok(CreateBucketOutput { location: Some(location), ..Default::default() })
        } else {
            Err(s3_error!(BucketAlreadyOwnedByYou))
        }
    }

    pub(super) async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<DeleteBucketOutput> {
        let bucket = request.input.bucket;
        let shared = self.0.clone();
        match blocking(move || shared.remove_bucket(&bucket)).await? {
            Removed::Done => Ok(DeleteBucketOutput {}),
            Removed::NotEmpty => Err(s3_error!(BucketNotEmpty)),
            Removed::Missing => Err(s3_error!(NoSuchBucket)),
        }
    }

    pub(super) async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
        existing(&self.0.index(), &request.input.bucket)?;
        Ok(HeadBucketOutput::default())
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        existing(&self.0.index(), &request.input.bucket)?;
        Ok(GetBucketLocationOutput::default())
    }

    pub(super) async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
        let index = self.0.index();
        let listed = |(name, bucket): (&String, &Bucket)| s3s::dto::Bucket {
            name: Some(name.clone()),
            creation_date: Some(bucket.created.into()),
            ..Default::default()
        };
        Ok(ListBucketsOutput { buckets: Some(index.buckets.iter().map(listed).collect()), ..Default::default() })
    }
}

/// What became of a DeleteBucket.
enum Removed {
    Done,
    NotEmpty,
    Missing,
}

impl Shared {
    /// False when it is there already.
    fn create(&self, bucket: &str) -> io::Result<bool> {
        let _all = self.lock_all();
        if self.index().buckets.contains_key(bucket) {
            return Ok(false);
        }
        let created = clock::now();
        std::fs::create_dir_all(self.disk.root().join(bucket))?;
        let file = BucketFile { created_nanos: created.unix_timestamp_nanos() };
        self.disk.replace(&self.disk.bucket_file(bucket), &file)?;
        self.index_mut().buckets.insert(bucket.to_owned(), Bucket { created, objects: BTreeMap::new() });
        Ok(true)
    }

    /// Uploads under way go with their bucket.
    fn remove_bucket(&self, bucket: &str) -> io::Result<Removed> {
        let _all = self.lock_all();
        match self.index().buckets.get(bucket) {
            None => return Ok(Removed::Missing),
            Some(found) if !found.objects.is_empty() => return Ok(Removed::NotEmpty),
            Some(_) => {}
        }
        disk::remove(&self.disk.bucket_file(bucket))?;
        let mut index = self.index_mut();
        index.buckets.remove(bucket);
        let doomed: Vec<_> = index.uploads.extract_if(|_, upload| upload.file.bucket == bucket).collect();
        drop(index);
        for (id, upload) in doomed {
            remove_folder(&self.disk.upload(&id))?;
            upload.parts.values().for_each(|part| part.blob.forget());
        }
        remove_folder(&self.disk.entries(bucket))?;
        // What is left there is not ours, or is about to go: the folder stays for it.
        remove_empty(&self.disk.root().join(bucket));
        Ok(Removed::Done)
    }
}

pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes the empty folders of blobs, and the bucket's own when nothing else is left.
fn remove_empty(folder: &Path) {
    for inner in disk::folders(folder).unwrap_or_default() {
        let _ = std::fs::remove_dir(inner);
    }
    let _ = std::fs::remove_dir(folder);
}

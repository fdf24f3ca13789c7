//! The store as `s3s` sees it: each operation, and what they share.
use super::disk::Disk;
use super::entry::Entry;
use super::index::{Bucket, Index};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks over keys (and over uploads): a key always has the same one.
const STRIPES: usize = 64;

/// One embedded site's data.
#[derive(Clone)]
pub(super) struct Store(pub(super) Arc<Shared>);

/// What every operation uses.
pub(super) struct Shared {
    pub(super) fs: FileSystem,
    pub(super) disk: Arc<Disk>,
    index: RwLock<Index>,
    keys: Vec<Mutex<()>>,
    upload_locks: Vec<Mutex<()>>,
}

// === impl Store ===

impl Store {
    /// Opens a folder, created when missing.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let disk = Disk::open(folder)?;
        let fs = FileSystem::new(disk.root()).map_err(|_| io::Error::other("the folder cannot be used"))?;
        let index = RwLock::new(Index::load(&disk)?);
        let stripes = || std::iter::repeat_with(Mutex::default).take(STRIPES).collect();
        Ok(Self(Arc::new(Shared { fs, disk: Arc::new(disk), index, keys: stripes(), upload_locks: stripes() })))
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds off every other change of `key`. Only for blocking threads; never while another lock of a key is held.
    pub(super) fn lock_key(&self, bucket: &str, key: &str) -> MutexGuard<'_, ()> {
        locked(&self.keys, (bucket, key))
    }

    /// Holds off every other change of an upload. Taken before the lock of its key.
    pub(super) fn lock_upload(&self, id: &str) -> MutexGuard<'_, ()> {
        locked(&self.upload_locks, id)
    }

    /// Holds off every change, in the order in which the single locks are taken. Only for blocking threads.
    pub(super) fn lock_all(&self) -> Vec<MutexGuard<'_, ()>> {
        let all = self.upload_locks.iter().chain(&self.keys);
        all.map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    /// The object, or the 404 that says what is missing.
    pub(super) fn find(&self, bucket: &str, key: &str) -> S3Result<Arc<Entry>> {
        let index = self.index();
        let bucket = existing(&index, bucket)?;
        bucket.objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
    }
}

fn locked(stripes: &[Mutex<()>], name: impl Hash) -> MutexGuard<'_, ()> {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
    let stripe = usize::try_from(hash % stripes.len().max(1) as u64).unwrap_or(0);
    stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bucket, or `NoSuchBucket`.
pub(super) fn existing<'a>(index: &'a Index, bucket: &str) -> S3Result<&'a Bucket> {
    index.buckets.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket))
}

/// Each operation in its place: `operation => method`.
macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Store {
            $(async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                Store::$operation(self, request).await.map(S3Response::new)
            })*
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    list_objects(ListObjectsInput) -> ListObjectsOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    list_parts(ListPartsInput) -> ListPartsOutput;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
}

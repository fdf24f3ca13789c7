//! The S3 operations, one file per family. [`Gateway`] is what they share; [`front`] is the HTTP around them.
//!
//! One place opens objects ([`open`]), one takes bodies in ([`ingest`]), one maps errors ([`respond`]).
use crate::authz::Authorizer;
use crate::identity::Credentials;
use crate::keys::Keyring;
use crate::policy::LiveRules;
use crate::s3::Aliases;
use crate::seal::Entropy;
use crate::site::tee::Tee;
use crate::site::{Hedge, Sites};
use crate::state::State;
use crate::telemetry::Metrics;
use std::sync::Arc;

mod access;
mod address;
mod anonymous;
mod attributes;
mod bucket;
mod checksum;
mod conditions;
mod copy;
mod cors;
mod customer;
mod delete;
mod describe;
mod encryption;
mod form;
mod get;
mod head;
pub mod ingest;
mod list;
pub mod md5;
pub mod metadata;
mod multipart;
mod open;
pub mod passthrough;
mod put;
mod refuse;
mod replication;
mod request;
mod respond;
mod retention;
pub mod support;
mod terms;
mod xml;

#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod write_tests;

pub mod front;

/// What every operation works with. Everything inside is shared and cheap to clone.
pub struct Gateway {
    pub(crate) sites: Sites,
    pub(crate) tee: Tee,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) rules: Arc<LiveRules>,
    pub(crate) aliases: Aliases,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) state: State,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) region: String,
    pub(crate) objects: open::ObjectCache,
    pub(crate) md5: md5::Md5Pool,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) uploads: multipart::Uploads,
    pub(in crate::gateway) cors: cors::Cors,
}

/// What [`Gateway::new`] is made of.
pub struct Parts {
    pub sites: Sites,
    pub tee: Tee,
    pub keyring: Arc<Keyring>,
    pub rules: Arc<LiveRules>,
    /// Names under which objects may have been sealed.
    pub aliases: Aliases,
    pub authorizer: Arc<Authorizer>,
    pub credentials: Arc<Credentials>,
    pub state: State,
    pub metrics: Arc<Metrics>,
    pub entropy: Arc<dyn Entropy>,
    /// Region clients sign for.
    pub region: String,
    /// Opened trailers kept in memory.
    pub cache_entries: u64,
    /// Hashes uploads.
    pub md5: md5::Md5Pool,
    /// When a slow read is asked of another site as well; `None`: never.
    pub hedge: Option<Hedge>,
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            sites,
            tee,
            keyring,
            rules,
            aliases,
            authorizer,
            credentials,
            state,
            metrics,
            entropy,
            region,
            cache_entries,
            md5,
            hedge,
        } = parts;
        let objects = open::ObjectCache::new(cache_entries);
        Arc::new(Self {
            sites,
            tee,
            keyring,
            rules,
            aliases,
            authorizer,
            credentials,
            state,
            metrics,
            entropy,
            region,
            objects,
            md5,
            hedge,
            uploads: multipart::Uploads::default(),
            cors: cors::Cors::default(),
        })
    }
}

macro_rules! operations {
    ($($name:ident, $input:ident, $output:ident, $file:ident;)*) => {
        /// Every operation that is served here, by `s3s`'s name for it.
        pub const SERVED: &[&str] = &[$(stringify!($name)),*];

        #[async_trait::async_trait]
        impl s3s::S3 for Service {
            $(async fn $name(&self, req: s3s::S3Request<s3s::dto::$input>) -> s3s::S3Result<s3s::S3Response<s3s::dto::$output>> {
                $file::$name(&self.0, req).await
            })*
        }
    };
}

/// The `s3s` face of a [`Gateway`].
pub struct Service(pub Arc<Gateway>);

operations! {
    put_object, PutObjectInput, PutObjectOutput, put;
    post_object, PostObjectInput, PostObjectOutput, form;
    copy_object, CopyObjectInput, CopyObjectOutput, copy;
    delete_object, DeleteObjectInput, DeleteObjectOutput, delete;
    delete_objects, DeleteObjectsInput, DeleteObjectsOutput, delete;
    create_multipart_upload, CreateMultipartUploadInput, CreateMultipartUploadOutput, multipart;
    upload_part, UploadPartInput, UploadPartOutput, multipart;
    upload_part_copy, UploadPartCopyInput, UploadPartCopyOutput, multipart;
    complete_multipart_upload, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, multipart;
    abort_multipart_upload, AbortMultipartUploadInput, AbortMultipartUploadOutput, multipart;
    list_parts, ListPartsInput, ListPartsOutput, multipart;
    list_multipart_uploads, ListMultipartUploadsInput, ListMultipartUploadsOutput, multipart;
    get_object, GetObjectInput, GetObjectOutput, get;
    head_object, HeadObjectInput, HeadObjectOutput, get;
    get_object_attributes, GetObjectAttributesInput, GetObjectAttributesOutput, attributes;
    list_objects, ListObjectsInput, ListObjectsOutput, list;
    list_objects_v2, ListObjectsV2Input, ListObjectsV2Output, list;
    list_object_versions, ListObjectVersionsInput, ListObjectVersionsOutput, list;
    create_bucket, CreateBucketInput, CreateBucketOutput, bucket;
    delete_bucket, DeleteBucketInput, DeleteBucketOutput, bucket;
    head_bucket, HeadBucketInput, HeadBucketOutput, bucket;
    list_buckets, ListBucketsInput, ListBucketsOutput, bucket;
    get_bucket_location, GetBucketLocationInput, GetBucketLocationOutput, bucket;
}

//! The S3 operations, one file per family. [`Gateway`] is what they share; [`front`] is the HTTP around them.
//!
//! One place opens objects ([`open`]), one takes bodies in ([`ingest`]), one maps errors ([`respond`]).
use crate::authz::{Authorizer, Permit};
use crate::identity::Credentials;
use crate::keys::Keyring;
use crate::policy::LiveRules;
use crate::s3::Aliases;
use crate::seal::Entropy;
use crate::site::tee::Tee;
use crate::site::{Hedge, Sites};
use crate::state::State;
use crate::telemetry::Metrics;
use std::collections::HashMap;
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
mod public_policy;
mod publish;
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
#[derive(Clone)]
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
    pub(crate) objects: Arc<open::ObjectCache>,
    pub(crate) md5: md5::Md5Pool,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) uploads: Arc<multipart::Uploads>,
    pub(in crate::gateway) cors: Arc<cors::Cors>,
    /// The same gateway for callers who are users of their own at the sites, by access key id.
    actors: HashMap<Arc<str>, Arc<Self>>,
}

/// What [`Gateway::new`] is made of.
pub struct Parts {
    pub sites: Sites,
    pub tee: Tee,
    /// The sites as callers who are users of their own there, by access key id.
    pub actors: Vec<(Arc<str>, Sites)>,
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
            actors,
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
        let objects = Arc::new(open::ObjectCache::new(cache_entries));
        let own = Self {
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
            uploads: Arc::default(),
            cors: Arc::default(),
            actors: HashMap::new(),
        };
        let actors = actors.into_iter().map(|(who, sites)| (who, Arc::new(own.acting_as(sites)))).collect();
        Arc::new(Self { actors, ..own })
    }

    /// The gateway of whoever may do this: most callers are the proxy's own user at every site.
    pub(in crate::gateway) fn of<'a>(self: &'a Arc<Self>, permit: Option<&Permit>) -> &'a Arc<Self> {
        permit.and_then(|permit| self.actors.get(&permit.principal().access_key_id)).unwrap_or(self)
    }

    /// The same with other credentials at the sites. Everything else is shared.
    fn acting_as(&self, sites: Sites) -> Self {
        Self { tee: self.tee.acting_as(sites.clone()), sites, ..self.clone() }
    }
}

macro_rules! operations {
    ($($name:ident, $input:ident, $output:ident, $file:ident;)*) => {
        /// Every operation that is served here, by `s3s`'s name for it.
        pub const SERVED: &[&str] = &[$(stringify!($name)),*];

        #[async_trait::async_trait]
        impl s3s::S3 for Service {
            $(async fn $name(&self, req: s3s::S3Request<s3s::dto::$input>) -> s3s::S3Result<s3s::S3Response<s3s::dto::$output>> {
                $file::$name(self.0.of(req.extensions.get::<Permit>()), req).await
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

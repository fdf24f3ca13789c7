//! The S3 operations by name: the bounded label of metrics and the verb of the access log.

/// One line per operation: S3's own name and the access log's verb
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>).
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $verb:literal,)*) => {
        /// An S3 operation. `name()` is S3's own name for it; `log_verb()` the access log's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            /// Every operation in the order of its declaration, for tables and metrics.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// S3's name, for example `PutObject`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The access log's verb, for example `REST.PUT.OBJECT`.
            pub const fn log_verb(self) -> &'static str {
                match self { $(Self::$name => $verb,)* }
            }
        }
    };
}

operations! {
    PutObject "REST.PUT.OBJECT",
    GetObject "REST.GET.OBJECT",
    HeadObject "REST.HEAD.OBJECT",
    CopyObject "REST.COPY.OBJECT",
    DeleteObject "REST.DELETE.OBJECT",
    DeleteObjects "REST.POST.MULTI_OBJECT_DELETE",
    ListObjects "REST.GET.BUCKET",
    ListObjectsV2 "REST.GET.BUCKET",
    ListObjectVersions "REST.GET.BUCKETVERSIONS",
    GetObjectAttributes "REST.GET.OBJECT_ATTRIBUTES",
    CreateMultipartUpload "REST.POST.UPLOADS",
    UploadPart "REST.PUT.PART",
    UploadPartCopy "REST.COPY.PART",
    CompleteMultipartUpload "REST.POST.UPLOAD",
    AbortMultipartUpload "REST.DELETE.UPLOAD",
    ListParts "REST.GET.UPLOAD",
    ListMultipartUploads "REST.GET.UPLOADS",
    CreateBucket "REST.PUT.BUCKET",
    DeleteBucket "REST.DELETE.BUCKET",
    HeadBucket "REST.HEAD.BUCKET",
    ListBuckets "REST.GET.SERVICE",
    GetBucketLocation "REST.GET.LOCATION",
    GetObjectTagging "REST.GET.OBJECT_TAGGING",
    PutObjectTagging "REST.PUT.OBJECT_TAGGING",
    DeleteObjectTagging "REST.DELETE.OBJECT_TAGGING",
    GetObjectAcl "REST.GET.ACL",
    PutObjectAcl "REST.PUT.ACL",
    GetObjectRetention "REST.GET.OBJECT_LOCK_RETENTION",
    PutObjectRetention "REST.PUT.OBJECT_LOCK_RETENTION",
    GetObjectLegalHold "REST.GET.OBJECT_LOCK_LEGALHOLD",
    PutObjectLegalHold "REST.PUT.OBJECT_LOCK_LEGALHOLD",
    RestoreObject "REST.POST.RESTORE",
    GetBucketAcl "REST.GET.ACL",
    PutBucketAcl "REST.PUT.ACL",
    GetBucketCors "REST.GET.CORS",
    PutBucketCors "REST.PUT.CORS",
    DeleteBucketCors "REST.DELETE.CORS",
    GetBucketPolicy "REST.GET.BUCKETPOLICY",
    PutBucketPolicy "REST.PUT.BUCKETPOLICY",
    DeleteBucketPolicy "REST.DELETE.BUCKETPOLICY",
    GetBucketPolicyStatus "REST.GET.POLICY_STATUS",
    GetBucketLifecycleConfiguration "REST.GET.LIFECYCLE",
    PutBucketLifecycleConfiguration "REST.PUT.LIFECYCLE",
    DeleteBucketLifecycle "REST.DELETE.LIFECYCLE",
    GetBucketVersioning "REST.GET.VERSIONING",
    PutBucketVersioning "REST.PUT.VERSIONING",
    GetBucketTagging "REST.GET.TAGGING",
    PutBucketTagging "REST.PUT.TAGGING",
    DeleteBucketTagging "REST.DELETE.TAGGING",
    GetBucketWebsite "REST.GET.WEBSITE",
    PutBucketWebsite "REST.PUT.WEBSITE",
    DeleteBucketWebsite "REST.DELETE.WEBSITE",
    GetBucketNotificationConfiguration "REST.GET.NOTIFICATION",
    PutBucketNotificationConfiguration "REST.PUT.NOTIFICATION",
    GetBucketEncryption "REST.GET.ENCRYPTION",
    PutBucketEncryption "REST.PUT.ENCRYPTION",
    DeleteBucketEncryption "REST.DELETE.ENCRYPTION",
    GetPublicAccessBlock "REST.GET.PUBLIC_ACCESS_BLOCK",
    PutPublicAccessBlock "REST.PUT.PUBLIC_ACCESS_BLOCK",
    DeletePublicAccessBlock "REST.DELETE.PUBLIC_ACCESS_BLOCK",
    GetBucketOwnershipControls "REST.GET.OWNERSHIP_CONTROLS",
    PutBucketOwnershipControls "REST.PUT.OWNERSHIP_CONTROLS",
    DeleteBucketOwnershipControls "REST.DELETE.OWNERSHIP_CONTROLS",
    GetObjectLockConfiguration "REST.GET.OBJECT_LOCK",
    PutObjectLockConfiguration "REST.PUT.OBJECT_LOCK",
    GetBucketLogging "REST.GET.LOGGING_STATUS",
    PutBucketLogging "REST.PUT.LOGGING_STATUS",
    GetBucketRequestPayment "REST.GET.REQUEST_PAYMENT",
    PutBucketRequestPayment "REST.PUT.REQUEST_PAYMENT",
    GetBucketAccelerateConfiguration "REST.GET.ACCELERATE",
    PutBucketAccelerateConfiguration "REST.PUT.ACCELERATE",
    OptionsObject "REST.OPTIONS.PREFLIGHT",
    /// Refused before it was known what was asked, or an operation we do not serve.
    Other "REST.OTHER",
}

impl Operation {
    /// By S3's name; [`Operation::Other`] for one we do not serve.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.iter().copied().find(|op| op.name() == name).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_operations() {
        for &op in Operation::ALL {
            assert_eq!(Operation::from_name(op.name()), op);
        }
        assert_eq!(Operation::from_name("SelectObjectContent"), Operation::Other);
    }

    #[test]
    fn operations_are_listed_in_the_order_of_their_numbers() {
        for (at, &operation) in Operation::ALL.iter().enumerate() {
            assert_eq!(operation as usize, at);
        }
    }
}

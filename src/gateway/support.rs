//! What of S3 is served, passed on and refused, and why: the table that the access check refuses by and that `docs/S3-COMPATIBILITY.md` is
//! written from (`tests/s3_compatibility.rs` holds both against `s3s`). PURE.
//!
//! What is served stands in the list of operations in `gateway/mod.rs`, what is passed on in `passthrough/table.rs`.
use super::passthrough;
use http::HeaderMap;

pub use super::SERVED;

/// An operation that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// S3's name.
    pub operation: &'static str,
    /// The parameter that names it, where one does.
    pub sub_resource: Option<&'static str>,
    /// Why.
    pub why: &'static str,
}

/// What is done with a header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// Does what S3 says.
    Honoured,
    /// Told to every site, which acts by it.
    Sites,
    /// The request is refused (`NotImplemented`).
    Refused,
    /// Has no effect.
    Ignored,
}

/// A header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Lower case.
    pub name: &'static str,
    /// What is done with it.
    pub handling: Handling,
    /// What else there is to say.
    pub note: &'static str,
}

const SEALED_BYTES: &str = "it would act on sealed bytes";
const DIRECTORY: &str = "directory buckets are a product of AWS of their own";
const TABLES: &str = "S3 Metadata is a service of AWS that reads the objects";
const ANNOTATIONS: &str = "a site would keep them in clear, and no backend of ours has them";
const COUNTS: &str = "a site would report on sealed bytes; see docs/METRICS.md";

const fn refused(operation: &'static str, sub_resource: &'static str, why: &'static str) -> Refused {
    Refused { operation, sub_resource: Some(sub_resource), why }
}

const fn unnamed(operation: &'static str, why: &'static str) -> Refused {
    Refused { operation, sub_resource: None, why }
}

/// Every operation that is refused.
pub const REFUSED: &[Refused] = &[
    refused("CreateBucketMetadataConfiguration", "metadataConfiguration", TABLES),
    refused("CreateBucketMetadataTableConfiguration", "metadataTable", TABLES),
    refused("CreateSession", "session", DIRECTORY),
    refused("DeleteBucketAnalyticsConfiguration", "analytics", COUNTS),
    refused("DeleteBucketIntelligentTieringConfiguration", "intelligent-tiering", SEALED_BYTES),
    refused("DeleteBucketInventoryConfiguration", "inventory", COUNTS),
    refused("DeleteBucketMetadataConfiguration", "metadataConfiguration", TABLES),
    refused("DeleteBucketMetadataTableConfiguration", "metadataTable", TABLES),
    refused("DeleteBucketMetricsConfiguration", "metrics", COUNTS),
    refused("DeleteBucketReplication", "replication", "the proxy replicates"),
    refused("DeleteObjectAnnotation", "annotation", ANNOTATIONS),
    refused("GetBucketAbac", "abac", "access is decided by the proxy"),
    refused("GetBucketAnalyticsConfiguration", "analytics", COUNTS),
    refused("GetBucketIntelligentTieringConfiguration", "intelligent-tiering", SEALED_BYTES),
    refused("GetBucketInventoryConfiguration", "inventory", COUNTS),
    refused("GetBucketMetadataConfiguration", "metadataConfiguration", TABLES),
    refused("GetBucketMetadataTableConfiguration", "metadataTable", TABLES),
    refused("GetBucketMetricsConfiguration", "metrics", COUNTS),
    refused("GetBucketReplication", "replication", "the proxy replicates"),
    refused("GetObjectAnnotation", "annotation", ANNOTATIONS),
    refused("GetObjectTorrent", "torrent", SEALED_BYTES),
    refused("ListBucketAnalyticsConfigurations", "analytics", COUNTS),
    refused("ListBucketIntelligentTieringConfigurations", "intelligent-tiering", SEALED_BYTES),
    refused("ListBucketInventoryConfigurations", "inventory", COUNTS),
    refused("ListBucketMetricsConfigurations", "metrics", COUNTS),
    unnamed("ListDirectoryBuckets", DIRECTORY),
    refused("ListObjectAnnotations", "annotations", ANNOTATIONS),
    unnamed("ListenBucketNotification", "an extension of MinIO's"),
    refused("PutBucketAbac", "abac", "access is decided by the proxy"),
    refused("PutBucketAnalyticsConfiguration", "analytics", COUNTS),
    refused("PutBucketIntelligentTieringConfiguration", "intelligent-tiering", SEALED_BYTES),
    refused("PutBucketInventoryConfiguration", "inventory", COUNTS),
    refused("PutBucketMetricsConfiguration", "metrics", COUNTS),
    refused("PutBucketReplication", "replication", "the proxy replicates"),
    refused("PutObjectAnnotation", "annotation", ANNOTATIONS),
    refused("RenameObject", "renameObject", DIRECTORY),
    refused("SelectObjectContent", "select", SEALED_BYTES),
    unnamed("UpdateBucketMetadataAnnotationTableConfiguration", TABLES),
    unnamed("UpdateBucketMetadataInventoryTableConfiguration", TABLES),
    unnamed("UpdateBucketMetadataJournalTableConfiguration", TABLES),
    unnamed("UpdateObjectEncryption", "the proxy encrypts"),
    unnamed("WriteGetObjectResponse", "S3 Object Lambda is a service of AWS"),
];

/// What there is to say about operations that are served.
pub const NOTES: &[(&str, &str)] = &[
    ("CompleteMultipartUpload", "a part that was uploaded may be left out only where the backend allows that"),
    ("CopyObject", "from 5 MiB (sealed) on, no data moves"),
    ("CreateMultipartUpload", "part numbers 1 to 9,999"),
    ("DeleteObject", "with a condition only where the primary honours it"),
    ("GetBucketLocation", "the proxy's region"),
    ("HeadBucket", "the proxy's region"),
    ("ListBuckets", "the primary's buckets, but for the system bucket"),
    ("ListObjectVersions", "where the primary has versions"),
    ("PostObject", "a form upload; the same as PutObject"),
    ("PutObject", "with a condition only where the primary honours it"),
];

const fn header(name: &'static str, handling: Handling, note: &'static str) -> Header {
    Header { name, handling, note }
}

const SSE_C: &str = "SSE-C: over TLS, or from the proxy's own machine; never told to a site";
const NO_SUCH_SUM: &str = "not among the checksums that a sealed object can hold";
const COPIES: &str = "on the source's plain ETag and date";

/// Every header that an operation which is served can have.
pub const HEADERS: &[Header] = {
    use Handling::{Honoured, Ignored, Refused, Sites};
    &[
        header("cache-control", Honoured, "sealed"),
        header("content-disposition", Honoured, "sealed"),
        header("content-encoding", Honoured, "sealed; without `aws-chunked`"),
        header("content-language", Honoured, "sealed"),
        header("content-length", Honoured, "uploads need one"),
        header("content-md5", Honoured, "compared before the object is visible"),
        header("content-type", Honoured, "sealed"),
        header("expires", Honoured, "sealed"),
        header("if-match", Honoured, "on the plain ETag; writes where the primary honours it"),
        header("if-modified-since", Honoured, ""),
        header("if-none-match", Honoured, "reads: on the plain ETag; writes: `*`, where the primary honours it"),
        header("if-range", Honoured, ""),
        header("if-unmodified-since", Honoured, ""),
        header("range", Honoured, "one range of bytes; anything else is ignored, as S3 does"),
        header("x-amz-acl", Sites, ""),
        header("x-amz-bucket-namespace", Refused, "buckets have one namespace"),
        header("x-amz-bucket-object-lock-enabled", Sites, ""),
        header("x-amz-bypass-governance-retention", Sites, ""),
        header("x-amz-checksum-algorithm", Honoured, ""),
        header("x-amz-checksum-crc32", Honoured, "compared before the object is visible"),
        header("x-amz-checksum-crc32c", Honoured, "compared before the object is visible"),
        header("x-amz-checksum-crc64nvme", Honoured, "compared before the object is visible"),
        header("x-amz-checksum-md5", Refused, NO_SUCH_SUM),
        header("x-amz-checksum-mode", Honoured, ""),
        header("x-amz-checksum-sha1", Honoured, "compared before the object is visible"),
        header("x-amz-checksum-sha256", Honoured, "compared before the object is visible"),
        header("x-amz-checksum-sha512", Refused, NO_SUCH_SUM),
        header("x-amz-checksum-type", Honoured, ""),
        header("x-amz-checksum-xxhash128", Refused, NO_SUCH_SUM),
        header("x-amz-checksum-xxhash3", Refused, NO_SUCH_SUM),
        header("x-amz-checksum-xxhash64", Refused, NO_SUCH_SUM),
        header("x-amz-copy-source", Honoured, ""),
        header("x-amz-copy-source-if-match", Honoured, COPIES),
        header("x-amz-copy-source-if-modified-since", Honoured, COPIES),
        header("x-amz-copy-source-if-none-match", Honoured, COPIES),
        header("x-amz-copy-source-if-unmodified-since", Honoured, COPIES),
        header("x-amz-copy-source-range", Honoured, ""),
        header("x-amz-copy-source-server-side-encryption-customer-algorithm", Honoured, SSE_C),
        header("x-amz-copy-source-server-side-encryption-customer-key", Honoured, SSE_C),
        header("x-amz-copy-source-server-side-encryption-customer-key-md5", Honoured, SSE_C),
        header("x-amz-expected-bucket-owner", Ignored, "the proxy has no accounts; passed on with configuration"),
        header("x-amz-grant-full-control", Sites, ""),
        header("x-amz-grant-read", Sites, ""),
        header("x-amz-grant-read-acp", Sites, ""),
        header("x-amz-grant-write", Sites, ""),
        header("x-amz-grant-write-acp", Sites, ""),
        header("x-amz-if-match-initiated-time", Refused, "a condition of directory buckets"),
        header("x-amz-if-match-last-modified-time", Honoured, "where the primary honours conditions on deletes"),
        header("x-amz-if-match-size", Honoured, "where the primary honours conditions on deletes"),
        header("x-amz-max-parts", Honoured, ""),
        header("x-amz-meta-*", Honoured, "sealed; up to 2 KB; one that comes twice is joined with a comma"),
        header("x-amz-metadata-directive", Honoured, ""),
        header("x-amz-mfa", Sites, ""),
        header("x-amz-mp-object-size", Honoured, ""),
        header("x-amz-object-annotation-directive", Refused, "no annotations"),
        header("x-amz-object-attributes", Honoured, ""),
        header("x-amz-object-lock-legal-hold", Sites, ""),
        header("x-amz-object-lock-mode", Sites, ""),
        header("x-amz-object-lock-retain-until-date", Sites, ""),
        header("x-amz-object-ownership", Sites, ""),
        header("x-amz-optional-object-attributes", Ignored, "no listing tells of restores"),
        header("x-amz-part-number-marker", Honoured, ""),
        header("x-amz-request-payer", Ignored, "nobody pays here; passed on with configuration"),
        header("x-amz-server-side-encryption", Honoured, "`AES256` and `aws:kms`; another one is refused"),
        header(
            "x-amz-server-side-encryption-aws-kms-key-id",
            Honoured,
            "a vault key that the rule lets clients ask for",
        ),
        header("x-amz-server-side-encryption-bucket-key-enabled", Ignored, "it only saves calls to a KMS"),
        header("x-amz-server-side-encryption-context", Refused, "a vault key has no context"),
        header("x-amz-server-side-encryption-customer-algorithm", Honoured, SSE_C),
        header("x-amz-server-side-encryption-customer-key", Honoured, SSE_C),
        header("x-amz-server-side-encryption-customer-key-md5", Honoured, SSE_C),
        header("x-amz-source-expected-bucket-owner", Ignored, "the proxy has no accounts"),
        header("x-amz-storage-class", Sites, ""),
        header("x-amz-tagging", Sites, ""),
        header("x-amz-tagging-directive", Honoured, ""),
        header("x-amz-website-redirect-location", Honoured, "sealed"),
        header("x-amz-write-offset-bytes", Refused, "appending is an operation of directory buckets"),
        header("x-minio-force-delete", Refused, "an extension of MinIO's that deletes a bucket with all in it"),
    ]
};

/// Headers that are refused here and not by the operation, whose words are better.
const REFUSED_AT_ONCE: &[&str] = &[
    "x-amz-bucket-namespace",
    "x-amz-if-match-initiated-time",
    "x-amz-object-annotation-directive",
    "x-minio-force-delete",
];

/// Headers of ours, which no client may send (trap 13).
const RESERVED: [&str; 2] = ["x-amz-meta-strongroom", "x-strongroom-"];

/// Parameters that name an operation of their own besides those of the tables.
const OF_LISTED: [&str; 2] = ["attributes", "versions"];

/// Whether a parameter names an operation, so that the request is not the plain one of its method (`GET /b/k?policy` is no GetObject).
pub(super) fn is_sub_resource(parameter: &str) -> bool {
    OF_LISTED.contains(&parameter)
        || passthrough::TABLE.iter().any(|row| row.sub_resource == parameter)
        || REFUSED.iter().any(|row| row.sub_resource == Some(parameter))
}

/// Why an operation is refused.
pub(super) fn why_refused(operation: &str) -> Option<&'static str> {
    REFUSED.iter().find(|row| row.operation == operation).map(|row| row.why)
}

/// A header of the request with which no operation can be served.
pub(super) fn refused_header(headers: &HeaderMap) -> Option<&'static str> {
    REFUSED_AT_ONCE.iter().copied().find(|name| headers.contains_key(*name))
}

/// Whether a header, or the field of a form that stands for one, is the proxy's own; `name` in lower case.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_at_once_is_in_the_table_as_refused() {
        for name in REFUSED_AT_ONCE {
            let row = HEADERS.iter().find(|row| row.name == *name).expect("a row");
            assert_eq!(row.handling, Handling::Refused, "{name}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(refused_header(&headers), None);
        headers.insert("x-minio-force-delete", http::HeaderValue::from_static("true"));
        assert_eq!(refused_header(&headers), Some("x-minio-force-delete"));
    }

    #[test]
    fn what_sites_are_told_is_in_the_table_as_theirs() {
        for name in crate::site::KEPT {
            let row = HEADERS.iter().find(|row| row.name == *name).expect("a row");
            assert_eq!(row.handling, Handling::Sites, "{name}");
        }
    }

    #[test]
    fn the_sub_resources_hold_none_that_plain_operations_have() {
        for served in ["uploads", "uploadId", "partNumber", "delete", "location", "list-type", "versionId", "prefix"] {
            assert!(!is_sub_resource(served), "{served}");
        }
        for other in ["policy", "acl", "torrent", "select", "annotation", "versions", "attributes", "website"] {
            assert!(is_sub_resource(other), "{other}");
        }
    }
}

//! Signature version 2 covers fewer parameters than there are. PURE.
//!
//! It is taken because storage that applications are moved from takes it (Ceph, older S3 regions), and forms and presigned URLs
//! made with it are still about: boto3 makes them to this day. It is weaker than version 4 (SHA-1, no hash of the body, parameters that
//! it does not cover), so `listen.allow_signature_v2 = false` refuses it, and what its holder could be tricked with is refused here.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>
use super::super::access::parameters;
use super::super::support::is_sub_resource;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// Sub-resources that the signature covers.
const COVERED: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "restore",
    "select",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Whoever holds a URL for an object could else change what is asked of it.
///
/// # Errors
/// AccessDenied for any sub-resource that the signature does not cover.
pub(super) fn refuse_uncovered(query: &str) -> S3Result<()> {
    match parameters(query).find(|name| is_sub_resource(name) && !COVERED.contains(&&**name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("Signature version 2 does not cover {name}: sign with version 4.");
            Err(S3Error::with_message(S3ErrorCode::AccessDenied, message))
        }
    }
}

/// # Errors
/// AccessDenied when a presigned URL does not say in seconds until when it is good; `s3s` has another code for it.
pub(super) fn refuse_bad_expiry(query: &str) -> S3Result<()> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("Expires="));
    if value.is_some_and(|value| value.parse::<i64>().is_ok()) {
        return Ok(());
    }
    let message = "Query-string authentication requires a date in Expires, in seconds since 1970.";
    Err(S3Error::with_message(S3ErrorCode::AccessDenied, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_signature_does_not_cover_cannot_be_asked() {
        let signed = "AWSAccessKeyId=a&Expires=1&Signature=b";
        for covered in ["acl", "versionId=1", "tagging", "response-content-type=a", "prefix=a"] {
            assert!(refuse_uncovered(&format!("{signed}&{covered}")).is_ok(), "{covered}");
        }
        for expires in ["", "Expires=", "Expires=soon", "Expires=1.5", "Expires=99999999999999999999999"] {
            assert!(refuse_bad_expiry(expires).is_err(), "{expires}");
        }
        assert!(refuse_bad_expiry(signed).is_ok() && refuse_bad_expiry("Expires=-1").is_ok());
        for uncovered in ["retention", "legal-hold", "%65ncryption", "publicAccessBlock", "attributes"] {
            assert!(refuse_uncovered(&format!("{signed}&{uncovered}")).is_err(), "{uncovered}");
        }
    }
}

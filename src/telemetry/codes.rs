//! The S3 error codes that may become a label. Anything else counts as `Other`, so that no answer of a backend can
//! grow the number of series.

/// What an unknown code is counted as.
pub(super) const OTHER: &str = "Other";

/// Sorted, for the binary search
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>).
const KNOWN: &[&str] = &[
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "BadDigest",
    "BadRequest",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketNotEmpty",
    "ConditionalRequestConflict",
    "EntityTooLarge",
    "EntityTooSmall",
    "ExpiredToken",
    "IllegalLocationConstraintException",
    "IncompleteBody",
    "InternalError",
    "InvalidAccessKeyId",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidDigest",
    "InvalidEncryptionAlgorithmError",
    "InvalidObjectState",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidPolicyDocument",
    "InvalidRange",
    "InvalidRequest",
    "InvalidSecurity",
    "InvalidStorageClass",
    "InvalidToken",
    "InvalidURI",
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
    "KeyTooLongError",
    "MalformedACLError",
    "MalformedPOSTRequest",
    "MalformedRequest",
    "MalformedXML",
    "MaxMessageLengthExceeded",
    "MaxPostPreDataLengthExceededError",
    "MetadataTooLarge",
    "MethodNotAllowed",
    "MissingContentLength",
    "MissingRequestBodyError",
    "MissingSecurityHeader",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchUpload",
    "NoSuchVersion",
    "NotImplemented",
    "NotModified",
    "OperationAborted",
    "PreconditionFailed",
    "RequestHeaderSectionTooLarge",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "SlowDown",
    "TooManyBuckets",
    "TooManyParts",
    "UnexpectedContent",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
];

/// The label for a code.
pub(super) fn label(code: &str) -> &'static str {
    KNOWN.binary_search(&code).ok().and_then(|at| KNOWN.get(at)).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_code_is_found() {
        assert!(KNOWN.is_sorted());
        assert!(KNOWN.iter().all(|code| label(code) == *code));
    }

    #[test]
    fn what_s3_does_not_know_counts_as_other() {
        for code in ["", "nosuchkey", "XMinioStorageFull", "clients/4711/scan.pdf"] {
            assert_eq!(label(code), OTHER);
        }
    }
}

//! Which requests are about configuration that the sites keep, by method, level and sub-resource. PURE.
//!
//! Sub-resources that are not in this table and that no operation of ours has are refused (`access.rs`).
use crate::s3::Operation;
use crate::s3::Operation::*;
use http::Method;
use percent_encoding::percent_decode_str;

/// One operation that is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The parameter that names it.
    pub sub_resource: &'static str,
    /// True: about an object; false: about a bucket.
    pub of_object: bool,
    /// GET, PUT, POST or DELETE.
    pub method: Verb,
    /// What it is.
    pub operation: Operation,
}

/// The methods that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Asked of one site.
    Get,
    /// Told to all of them.
    Put,
    /// Told to all of them.
    Post,
    /// Told to all of them.
    Delete,
}

const BUCKET: bool = false;
const OBJECT: bool = true;

const fn row(sub_resource: &'static str, of_object: bool, method: Verb, operation: Operation) -> Row {
    Row { sub_resource, of_object, method, operation }
}

/// Every operation that is passed on.
pub const TABLE: &[Row] = &[
    row("tagging", OBJECT, Verb::Get, GetObjectTagging),
    row("tagging", OBJECT, Verb::Put, PutObjectTagging),
    row("tagging", OBJECT, Verb::Delete, DeleteObjectTagging),
    row("acl", OBJECT, Verb::Get, GetObjectAcl),
    row("acl", OBJECT, Verb::Put, PutObjectAcl),
    row("retention", OBJECT, Verb::Get, GetObjectRetention),
    row("retention", OBJECT, Verb::Put, PutObjectRetention),
    row("legal-hold", OBJECT, Verb::Get, GetObjectLegalHold),
    row("legal-hold", OBJECT, Verb::Put, PutObjectLegalHold),
    row("restore", OBJECT, Verb::Post, RestoreObject),
    row("acl", BUCKET, Verb::Get, GetBucketAcl),
    row("acl", BUCKET, Verb::Put, PutBucketAcl),
    row("cors", BUCKET, Verb::Get, GetBucketCors),
    row("cors", BUCKET, Verb::Put, PutBucketCors),
    row("cors", BUCKET, Verb::Delete, DeleteBucketCors),
    row("policy", BUCKET, Verb::Get, GetBucketPolicy),
    row("policy", BUCKET, Verb::Put, PutBucketPolicy),
    row("policy", BUCKET, Verb::Delete, DeleteBucketPolicy),
    row("policyStatus", BUCKET, Verb::Get, GetBucketPolicyStatus),
    row("lifecycle", BUCKET, Verb::Get, GetBucketLifecycleConfiguration),
    row("lifecycle", BUCKET, Verb::Put, PutBucketLifecycleConfiguration),
    row("lifecycle", BUCKET, Verb::Delete, DeleteBucketLifecycle),
    row("versioning", BUCKET, Verb::Get, GetBucketVersioning),
    row("versioning", BUCKET, Verb::Put, PutBucketVersioning),
    row("tagging", BUCKET, Verb::Get, GetBucketTagging),
    row("tagging", BUCKET, Verb::Put, PutBucketTagging),
    row("tagging", BUCKET, Verb::Delete, DeleteBucketTagging),
    row("website", BUCKET, Verb::Get, GetBucketWebsite),
    row("website", BUCKET, Verb::Put, PutBucketWebsite),
    row("website", BUCKET, Verb::Delete, DeleteBucketWebsite),
    row("notification", BUCKET, Verb::Get, GetBucketNotificationConfiguration),
    row("notification", BUCKET, Verb::Put, PutBucketNotificationConfiguration),
    row("encryption", BUCKET, Verb::Get, GetBucketEncryption),
    row("encryption", BUCKET, Verb::Put, PutBucketEncryption),
    row("encryption", BUCKET, Verb::Delete, DeleteBucketEncryption),
    row("publicAccessBlock", BUCKET, Verb::Get, GetPublicAccessBlock),
    row("publicAccessBlock", BUCKET, Verb::Put, PutPublicAccessBlock),
    row("publicAccessBlock", BUCKET, Verb::Delete, DeletePublicAccessBlock),
    row("ownershipControls", BUCKET, Verb::Get, GetBucketOwnershipControls),
    row("ownershipControls", BUCKET, Verb::Put, PutBucketOwnershipControls),
    row("ownershipControls", BUCKET, Verb::Delete, DeleteBucketOwnershipControls),
    row("object-lock", BUCKET, Verb::Get, GetObjectLockConfiguration),
    row("object-lock", BUCKET, Verb::Put, PutObjectLockConfiguration),
    row("logging", BUCKET, Verb::Get, GetBucketLogging),
    row("logging", BUCKET, Verb::Put, PutBucketLogging),
    row("requestPayment", BUCKET, Verb::Get, GetBucketRequestPayment),
    row("requestPayment", BUCKET, Verb::Put, PutBucketRequestPayment),
    row("accelerate", BUCKET, Verb::Get, GetBucketAccelerateConfiguration),
    row("accelerate", BUCKET, Verb::Put, PutBucketAccelerateConfiguration),
];

/// Parameters that travel along; all others (a signature's, an SDK's `x-id`) stay here.
const ALONG: [&str; 1] = ["versionId"];

/// Headers of such requests that mean something to the site
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>).
pub(super) const HEADERS: &[&str] = &[
    "content-type",
    "x-amz-acl",
    "x-amz-bucket-object-lock-token",
    "x-amz-bypass-governance-retention",
    "x-amz-confirm-remove-self-bucket-access",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-mfa",
    "x-amz-request-payer",
    "x-amz-skip-destination-validation",
    "x-amz-transition-default-minimum-object-size",
];

/// Headers of the site's answer that the client is given.
pub(super) const ANSWER_HEADERS: &[&str] = &[
    "content-type",
    "x-amz-delete-marker",
    "x-amz-request-charged",
    "x-amz-transition-default-minimum-object-size",
    "x-amz-version-id",
];

/// The row that a request belongs to. A request with two sub-resources belongs to none.
pub fn find(method: &Method, of_object: bool, query: &str) -> Option<&'static Row> {
    let verb = match *method {
        Method::GET => Verb::Get,
        Method::PUT => Verb::Put,
        Method::POST => Verb::Post,
        Method::DELETE => Verb::Delete,
        _ => return None,
    };
    let names: Vec<String> = pairs(query).map(|(name, _)| name).collect();
    let mut known = names.iter().filter(|name| TABLE.iter().any(|row| row.sub_resource == name.as_str()));
    let (Some(name), None) = (known.next(), known.next()) else { return None };
    TABLE.iter().find(|row| row.method == verb && row.of_object == of_object && row.sub_resource == name.as_str())
}

/// The query that a site is sent.
pub(in crate::gateway) fn query(row: &Row, query: &str) -> Vec<(String, String)> {
    let along = pairs(query).filter(|(name, _)| ALONG.contains(&name.as_str()));
    std::iter::once((row.sub_resource.to_owned(), String::new())).chain(along).collect()
}

/// Names and values of a query's parameters, decoded.
pub(in crate::gateway) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.split('&').map(move |parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, of_object: bool, query: &str) -> Option<Operation> {
        find(&method, of_object, query).map(|row| row.operation)
    }

    #[test]
    fn method_level_and_sub_resource_decide() {
        assert_eq!(found(Method::GET, false, "acl"), Some(GetBucketAcl));
        assert_eq!(found(Method::GET, true, "acl="), Some(GetObjectAcl));
        assert_eq!(found(Method::PUT, true, "versionId=3&t%61gging"), Some(PutObjectTagging));
        assert_eq!(found(Method::DELETE, false, "X-Amz-Signature=a&policy"), Some(DeleteBucketPolicy));
        assert_eq!(found(Method::POST, true, "restore&versionId=3"), Some(RestoreObject));
    }

    #[test]
    fn anything_else_is_not_passed_on() {
        for (method, of_object, query) in [
            (Method::GET, false, ""),
            (Method::GET, false, "prefix=acl"),
            (Method::POST, false, "policy"),
            (Method::HEAD, true, "acl"),
            (Method::DELETE, true, "acl"),
            (Method::GET, true, "policy"),
            (Method::GET, false, "acl&policy"),
            (Method::PUT, true, "tagging&acl"),
            (Method::GET, false, "replication"),
        ] {
            assert_eq!(found(method.clone(), of_object, query), None, "{method} {query}");
        }
    }

    #[test]
    fn only_what_means_something_to_the_site_travels() {
        let row = find(&Method::GET, true, "tagging&versionId=a%2Bb&X-Amz-Signature=x&x-id=y").expect("a row");
        let sent = query(row, "tagging&versionId=a%2Bb&X-Amz-Signature=x&x-id=y");
        let expected = [("tagging", ""), ("versionId", "a+b")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(sent, expected);
    }

    #[test]
    fn every_row_is_there_once_and_named_after_its_method() {
        for (at, row) in TABLE.iter().enumerate() {
            let same = |other: &Row| {
                (other.sub_resource, other.of_object) == (row.sub_resource, row.of_object) && other.method == row.method
            };
            assert_eq!(TABLE.iter().position(same), Some(at), "{row:?}");
            let verb = format!("{:?}", row.method);
            assert!(row.operation == RestoreObject || row.operation.name().starts_with(&verb), "{row:?}");
        }
    }

    #[test]
    fn headers_sort_where_the_signer_wants_them() {
        for name in HEADERS {
            assert!(*name < "x-amz-content-sha256" || *name > "x-amz-date", "{name}");
        }
    }
}

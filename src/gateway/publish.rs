//! What clients make public through the proxy is remembered: for that, and for nothing else, the primary is asked what anybody may do
//! ([`super::anonymous`]). The storage alone makes nothing public.
//!
//! A bucket is made public by its ACL or policy, an object by its ACL. It is remembered before a site is told; what the sites refuse, or what is made
//! private again, stays remembered until the bucket is deleted, since the primary has to grant it all the same.
use super::Gateway;
use super::public_policy::allows_anybody;
use super::respond::GatewayError;
use crate::authz::Permit;
use crate::s3::Operation;
use crate::site::ALL_USERS;
use http::HeaderMap;
use s3s::S3Result;

/// The canned ACLs that have everybody among their grantees (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>).
const PUBLIC: [&str; 2] = ["public-read", "public-read-write"];
const GRANTS: &str = "x-amz-grant-";

/// Remembers what this request makes public, if it does.
///
/// # Errors
/// When that cannot be written: then nothing is to be done.
pub(super) async fn remember(gateway: &Gateway, permit: &Permit, headers: &HeaderMap, body: &[u8]) -> S3Result<()> {
    let Some(bucket) = permit.bucket().filter(|_| publishes(permit.operation(), headers, body)) else { return Ok(()) };
    let key = permit.key();
    // Most often it is public already.
    if gateway.state.is_published(bucket, key).await.map_err(GatewayError::from)? {
        return Ok(());
    }
    if gateway.state.publish(bucket, key).await.map_err(GatewayError::from)? {
        let what = if key.is_some() { "an object in it" } else { "the bucket" };
        tracing::info!(%bucket, what, by = %permit.principal().name, "made public by a client: the primary is asked what anybody may do there");
    }
    Ok(())
}

fn publishes(operation: Operation, headers: &HeaderMap, body: &[u8]) -> bool {
    match operation {
        Operation::CreateBucket | Operation::PutObject | Operation::CopyObject | Operation::CreateMultipartUpload => {
            by_headers(headers)
        }
        Operation::PutBucketAcl | Operation::PutObjectAcl => {
            by_headers(headers) || String::from_utf8_lossy(body).contains(ALL_USERS)
        }
        Operation::PutBucketPolicy => allows_anybody(body),
        _ => false,
    }
}

fn by_headers(headers: &HeaderMap) -> bool {
    let canned = headers.get("x-amz-acl").is_some_and(|acl| PUBLIC.iter().any(|public| acl == public));
    let granted =
        |name: &str, value: &[u8]| name.starts_with(GRANTS) && String::from_utf8_lossy(value).contains(ALL_USERS);
    canned || headers.iter().any(|(name, value)| granted(name.as_str(), value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn an_acl_makes_public_what_everybody_is_granted() {
        for (name, value, public) in [
            ("x-amz-acl", "public-read", true),
            ("x-amz-acl", "public-read-write", true),
            ("x-amz-acl", "private", false),
            ("x-amz-acl", "authenticated-read", false),
            ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"", true),
            ("x-amz-grant-full-control", "id=4711, uri=http://acs.amazonaws.com/groups/global/AllUsers", true),
            ("x-amz-grant-read", "uri=http://acs.amazonaws.com/groups/global/AuthenticatedUsers", false),
            ("x-amz-meta-note", "http://acs.amazonaws.com/groups/global/AllUsers", false),
        ] {
            let headers = headers(name, value);
            for operation in [Operation::PutObject, Operation::CreateBucket, Operation::PutObjectAcl] {
                assert_eq!(publishes(operation, &headers, b""), public, "{operation:?} {name}: {value}");
            }
            assert!(!publishes(Operation::GetObject, &headers, b""));
        }
        let body = format!("<AccessControlPolicy><URI>{ALL_USERS}</URI></AccessControlPolicy>");
        assert!(publishes(Operation::PutBucketAcl, &HeaderMap::new(), body.as_bytes()));
        assert!(!publishes(Operation::PutBucketTagging, &HeaderMap::new(), body.as_bytes()));
    }
}

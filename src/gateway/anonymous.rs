//! Requests without a signature. The primary is asked, without a signature too, whether it would let anybody do this, and for whom it would the proxy
//! does it: for what a client made public through the proxy ([`super::publish`]), or for everything where a rule says `anonymous = "as-storage"`.
//! Whatever else the storage would let anybody do is denied: it is not trusted with the plaintext.
//!
//! Reads, listings and single PUTs (forms, too) are asked about in this way. Whatever else changes something cannot be asked about without doing it,
//! and stays denied.
use super::Gateway;
use super::passthrough::{Row, Verb, pairs, query_of};
use super::public_policy::can_be_asked;
use super::respond::GatewayError;
use crate::policy::Anonymous;
use crate::s3::{BucketName, ObjectKey, Operation};
use crate::site::{Location, Site, SiteError};
use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// What a request without a signature is about.
pub(super) struct Visit<'a> {
    pub(super) operation: Operation,
    pub(super) bucket: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) query: &'a str,
    /// The row of one that is passed on.
    pub(super) row: Option<&'static Row>,
    pub(super) headers: &'a HeaderMap,
    /// It came over TLS.
    pub(super) secure: bool,
}

/// How the primary is asked.
#[derive(Debug, PartialEq, Eq)]
enum Question {
    /// A GET with these parameters.
    Read(Vec<(String, String)>),
    Write,
}

/// Parameters that change the headers of an answer start so
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>: not without a signature).
const OVERRIDES: &str = "response-";
const REFERER: &str = "referer";
const USER_AGENT: &str = "user-agent";

/// Whether anybody may do this.
///
/// # Errors
/// When the primary does not say; for what S3 does for nobody without a signature.
pub(super) async fn admits(gateway: &Gateway, visit: &Visit<'_>) -> S3Result<bool> {
    let bucket = visit.bucket.and_then(|bucket| BucketName::parse(bucket).ok());
    let key = visit.key.map(ObjectKey::parse).transpose();
    let (Some(bucket), Ok(key)) = (bucket, key) else { return Ok(false) };
    if visit.operation == Operation::CreateBucket {
        return Ok(false);
    }
    let word = gateway.rules.current().anonymous(&bucket, key.as_ref());
    if !asks(gateway, word, &bucket, key.as_ref()).await? {
        return Ok(false);
    }
    let Some(question) = question(visit) else { return Ok(false) };
    let primary = &gateway.sites.primary;
    if !may_be_asked_for(primary, &bucket, visit.secure).await? {
        return Ok(false);
    }
    let client = described(visit.headers);
    let admitted = match (question, &key) {
        (Question::Read(query), key) => primary.lets_anybody_read(&bucket, key.as_ref(), &query, &client).await,
        (Question::Write, Some(key)) => {
            primary.lets_anybody_write(&Location { bucket: bucket.clone(), key: key.clone() }, &client).await
        }
        _ => return Ok(false),
    };
    let admitted = admitted.map_err(failed)?;
    if admitted && reads_object(visit.operation) && pairs(visit.query).any(|(name, _)| name.starts_with(OVERRIDES)) {
        let message = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(admitted)
}

/// Whether a form without a signature may be looked at further; its object, when it is known, is asked about like any PUT.
pub(super) async fn may_admit_form(gateway: &Gateway, bucket: Option<&str>) -> S3Result<bool> {
    let Some(bucket) = bucket.and_then(|bucket| BucketName::parse(bucket).ok()) else { return Ok(false) };
    asks(gateway, gateway.rules.current().most_anonymous(&bucket), &bucket, None).await
}

/// Whether the primary is asked.
///
/// # Errors
/// `NoSuchBucket`, which S3 tells anybody.
async fn asks(gateway: &Gateway, word: Anonymous, bucket: &BucketName, key: Option<&ObjectKey>) -> S3Result<bool> {
    if bucket == gateway.authorizer.system_bucket() {
        return Ok(false);
    }
    match word {
        Anonymous::Deny => Ok(false),
        Anonymous::AsGranted => {
            let published = gateway.state.is_published(bucket, key).await.map_err(GatewayError::from)?;
            if !published && gateway.sites.primary.head_bucket(bucket).await.is_err_and(|error| error.is_not_found()) {
                return Err(S3Error::new(S3ErrorCode::NoSuchBucket));
            }
            Ok(published)
        }
        Anonymous::AsStorage => Ok(true),
    }
}

/// Whether the bucket's policy, if it has one, says of the proxy's question what it would say of the client's request.
async fn may_be_asked_for(primary: &Site, bucket: &BucketName, secure: bool) -> S3Result<bool> {
    match primary.bucket_policy(bucket).await {
        Ok(policy) => Ok(policy.is_none_or(|policy| can_be_asked(&policy, secure))),
        Err(error) if error.is_outage() => Err(failed(error)),
        Err(error) => {
            tracing::warn!(%bucket, %error, "anonymous requests are denied in a bucket whose policy the proxy cannot read");
            Ok(false)
        }
    }
}

/// What the client says of itself that policies may go by.
fn described(headers: &HeaderMap) -> Vec<(&'static str, &str)> {
    let told =
        [REFERER, USER_AGENT].into_iter().map(|name| (name, headers.get(name).and_then(|value| value.to_str().ok())));
    told.filter_map(|(name, value)| Some((name, value?))).collect()
}

fn failed(error: SiteError) -> S3Error {
    GatewayError::from(error).into()
}

/// Whether a write asks for what takes more than leave to write: who may read the object, how long it is kept, its tags.
pub(super) fn asks_for_more(headers: &HeaderMap) -> bool {
    const MORE: [&str; 5] =
        ["x-amz-acl", "x-amz-grant-", "x-amz-tagging", "x-amz-object-lock-", "x-amz-bypass-governance-retention"];
    headers.keys().any(|name| MORE.iter().any(|more| name.as_str().starts_with(more)))
}

fn question(visit: &Visit<'_>) -> Option<Question> {
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    if let Some(row) = visit.row {
        return (row.method == Verb::Get).then(|| Question::Read(query_of(row, visit.query)));
    }
    // `s3s` reads a `+` as a space: what is asked about is what is done.
    let decoded = visit.query.replace('+', " ");
    let mut query: Vec<_> = pairs(&decoded).filter(|(name, _)| name == "versionId" || name == "prefix").collect();
    query.extend(match visit.operation {
        Operation::GetObject | Operation::HeadObject => vec![],
        Operation::ListObjects | Operation::HeadBucket => vec![of("max-keys", "1")],
        Operation::ListObjectsV2 => vec![of("list-type", "2"), of("max-keys", "1")],
        Operation::ListObjectVersions => vec![of("versions", ""), of("max-keys", "1")],
        Operation::ListMultipartUploads => vec![of("uploads", ""), of("max-uploads", "1")],
        Operation::GetBucketLocation => vec![of("location", "")],
        Operation::PutObject => return Some(Question::Write),
        _ => return None,
    });
    Some(Question::Read(query))
}

fn reads_object(operation: Operation) -> bool {
    matches!(operation, Operation::GetObject | Operation::HeadObject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: Operation, query: &str) -> Option<Question> {
        let headers = HeaderMap::new();
        question(&Visit {
            operation,
            bucket: Some("b"),
            key: Some("k"),
            query,
            row: None,
            headers: &headers,
            secure: false,
        })
    }

    #[test]
    fn the_primary_is_asked_what_the_client_asks_and_no_more_of_it_than_decides() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Some(Question::Read(pairs.collect()))
        };
        assert_eq!(asked(Operation::GetObject, "versionId=7&x=1"), read(&[("versionId", "7")]));
        let listed = [("prefix", "a b"), ("list-type", "2"), ("max-keys", "1")];
        assert_eq!(asked(Operation::ListObjectsV2, "list-type=2&prefix=a%20b&max-keys=9"), read(&listed));
        assert_eq!(asked(Operation::PutObject, ""), Some(Question::Write));
        let plus = asked(Operation::ListObjects, "prefix=a+b%2Bc");
        assert_eq!(plus, read(&[("prefix", "a b+c"), ("max-keys", "1")]));
    }

    #[test]
    fn what_cannot_be_asked_about_without_doing_it_is_not() {
        let asked_about = |operation: &&Operation| asked(**operation, "").is_some();
        let all: Vec<_> = Operation::ALL.iter().filter(asked_about).map(|operation| operation.name()).collect();
        let expected = [
            "PutObject",
            "GetObject",
            "HeadObject",
            "ListObjects",
            "ListObjectsV2",
            "ListObjectVersions",
            "ListMultipartUploads",
            "HeadBucket",
            "GetBucketLocation",
        ];
        assert_eq!(all, expected);
    }
}

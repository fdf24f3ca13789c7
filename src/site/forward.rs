//! Requests about configuration (policies, tags, locks, versioning, ...) that a site answers itself: signed anew, passed on
//! as they came, answered as the site answered.
//!
//! Only the bucket's name differs between a client's view and the site's: where it stands in a body, the site's prefix is put
//! on and taken off here.
use super::error::SiteError;
use super::lean::{Plan, around_content_hash};
use super::path;
use super::site::{Inner, Site};
use super::stream::whole_body;
use crate::s3::{BucketName, ObjectKey};
use bytes::Bytes;
use http::{HeaderMap, Method};
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// What stands before a bucket's name in policies and notification targets
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html>), and in a logging configuration.
const BEFORE_NAMES: [&str; 2] = [":s3:::", "<TargetBucket>"];

/// A request to pass on.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Method.
    pub method: Method,
    /// The logical bucket.
    pub bucket: BucketName,
    /// The object, where it is about one.
    pub key: Option<ObjectKey>,
    /// Decoded parameters.
    pub query: Vec<(String, String)>,
    /// Headers beside those that every request has. Lower-case.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty: none.
    pub body: Bytes,
}

/// What a site answered (2xx).
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// Status.
    pub status: u16,
    /// All the site's headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Forward {
    /// A GET with these parameters.
    pub fn question(bucket: &BucketName, key: Option<&ObjectKey>, query: Vec<(String, String)>) -> Self {
        let (bucket, key) = (bucket.clone(), key.cloned());
        Self { method: Method::GET, bucket, key, query, headers: Vec::new(), body: Bytes::new() }
    }
}

impl Site {
    /// Passes a request on. It must be one that can be repeated: it is tried twice when a connection turns out to be dead.
    ///
    /// # Errors
    /// As the site answered, with its own code and words; an outage as everywhere.
    pub async fn forward(&self, request: &Forward) -> Result<Forwarded, SiteError> {
        let answer = self.inner.watched("forward", self.inner.pass_on(request)).await;
        if request.method != Method::GET && request.query.iter().any(|(name, _)| name == "object-lock") {
            self.forget_lock(&request.bucket);
        }
        answer
    }
}

impl Inner {
    async fn pass_on(&self, request: &Forward) -> Result<Forwarded, SiteError> {
        let body = with_prefix(&request.body, &self.bucket_prefix);
        let mut headers = request.headers.clone();
        if !body.is_empty() {
            use base64::Engine as _;
            // Several operations demand it, and what is sent may differ from what came.
            let digest = base64::engine::general_purpose::STANDARD.encode(Md5::digest(&body));
            headers.push(("content-md5", digest));
        }
        headers.sort_unstable();
        let borrowed: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (before, after) = around_content_hash(&borrowed);
        let payload = hex::encode(Sha256::digest(&body));
        let plan = Plan {
            method: request.method.clone(),
            path: path::path_of(&self.bucket_prefix, &request.bucket, request.key.as_ref()),
            query: path::query(&request.query),
            before,
            after,
            // RGW takes an unsigned payload for objects only.
            payload: &payload,
        };
        let has_body = !matches!(request.method, Method::GET | Method::HEAD | Method::DELETE);
        let response = self.ask(&plan, has_body.then(|| body.clone())).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response).await.without_prefix(&self.bucket_prefix));
        }
        let (head, incoming) = response.into_parts();
        let body = whole_body(self, incoming).await?;
        let body = without_prefix(&body, &self.bucket_prefix);
        Ok(Forwarded { status: status.as_u16(), headers: head.headers, body })
    }
}

fn with_prefix(body: &Bytes, prefix: &str) -> Bytes {
    replaced(body, prefix, |before| (before.to_owned(), format!("{before}{prefix}")))
}

fn without_prefix(body: &Bytes, prefix: &str) -> Bytes {
    replaced(body, prefix, |before| (format!("{before}{prefix}"), before.to_owned()))
}

/// Bodies are JSON or XML; one that is not even UTF-8 is passed on for the site to refuse.
fn replaced(body: &Bytes, prefix: &str, pair: impl Fn(&str) -> (String, String)) -> Bytes {
    let Ok(text) = std::str::from_utf8(body) else { return body.clone() };
    let mut names = BEFORE_NAMES.into_iter().map(pair).filter(|(from, _)| text.contains(from.as_str())).peekable();
    if prefix.is_empty() || names.peek().is_none() {
        return body.clone();
    }
    Bytes::from(names.fold(text.to_owned(), |text, (from, to)| text.replace(&from, &to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_in_bodies_carry_the_sites_prefix_and_lose_it_again() {
        let policy = Bytes::from_static(br#"{"Resource":["arn:aws:s3:::docs","arn:aws-cn:s3:::docs/*"],"Id":"docs"}"#);
        let sent = with_prefix(&policy, "agency-");
        let expected: &[u8] =
            br#"{"Resource":["arn:aws:s3:::agency-docs","arn:aws-cn:s3:::agency-docs/*"],"Id":"docs"}"#;
        assert_eq!(sent.as_ref(), expected);
        assert_eq!(without_prefix(&sent, "agency-"), policy);
        assert_eq!(with_prefix(&policy, ""), policy);
        let binary = Bytes::from_static(b"\xff:s3:::x");
        assert_eq!(with_prefix(&binary, "agency-"), binary);
    }
}

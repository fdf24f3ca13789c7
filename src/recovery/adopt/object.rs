//! One object: what lies there, the copy onto itself, and the proof that the copy can be read.
use super::AdoptError;
use crate::s3::SealedETag;
use crate::site::{Forward, Forwarded, Location, SealedRange, Site, SiteError, copy_source};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use md5::{Digest as _, Md5};

/// Says that an object lies plain in storage.
const UNSEALED: &str = "x-strongroom-unsealed";
/// Names the site that served, when it was not the primary.
const SERVED_BY: &str = "x-strongroom-served-by";
/// What S3 says of an object whose customer's key is not brought.
const NEEDS_CUSTOMER_KEY: &str = "stored using a form of Server Side Encryption";
/// The most that one CopyObject takes (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
const MAX_COPY: u64 = 5 * 1024 * 1024 * 1024;

/// What a copy does not take over by itself.
const CARRIED: [&str; 5] = [
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// What lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A sealed object.
    Sealed,
    /// A plain one.
    Plain(Plain),
    /// Nothing any more.
    Gone,
}

/// A plain object as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    etag: SealedETag,
    pub(super) length: u64,
    carried: Vec<(&'static str, String)>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was sealed before.
    Sealed,
    /// It is plain (a dry run).
    Plain {
        /// Its length.
        bytes: u64,
    },
    /// It is sealed now.
    Adopted {
        /// Its plain length.
        bytes: u64,
        /// The plain version is still there, under its version id.
        versioned: bool,
    },
    /// A client wrote or deleted it meanwhile.
    Changed,
}

/// Asks the proxy.
pub(super) async fn look(proxy: &Site, at: &Location) -> Result<Found, AdoptError> {
    let headers = match proxy.forward(&request(Method::HEAD, at, Vec::new())).await {
        Ok(Forwarded { headers, .. }) => headers,
        Err(error) if error.is_not_found() => return Ok(Found::Gone),
        // Of what is sealed under a customer's key nothing is told without it.
        Err(SiteError::S3 { status: 400, .. }) if needs_customer_key(proxy, at).await => return Ok(Found::Sealed),
        Err(SiteError::S3 { status: 403, .. }) => return Err(why_refused(proxy, at).await),
        Err(SiteError::S3 { status: 500, .. }) => return Err(AdoptError::Refused),
        Err(error) => return Err(error.into()),
    };
    if !headers.contains_key(UNSEALED) {
        return Ok(Found::Sealed);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text("content-length").and_then(|length| length.parse().ok());
    let (Some(etag), Some(length)) = (text("etag").map(SealedETag::from_backend), length) else {
        let detail = "HEAD without ETag or length".to_owned();
        return Err(SiteError::Protocol { site: proxy.name().clone(), detail }.into());
    };
    Ok(Found::Plain(Plain { etag, length, carried: carried(&headers) }))
}

/// The answer to a HEAD has no words; the same question as a GET has.
async fn why_refused(proxy: &Site, at: &Location) -> AdoptError {
    match proxy.get(at, SealedRange::Last(1), None).await {
        Err(SiteError::S3 { code, .. }) if code == "InvalidObjectState" => AdoptError::NotAllowed,
        Err(error) => error.into(),
        Ok(_) => AdoptError::NotReadBack("the proxy served it only the second time it was asked".to_owned()),
    }
}

/// Whether a GET is refused for want of a customer's key, in S3's words.
async fn needs_customer_key(proxy: &Site, at: &Location) -> bool {
    let got = proxy.get(at, SealedRange::Last(1), None).await;
    matches!(got, Err(SiteError::S3 { code, message, .. }) if code == "InvalidRequest" && message.contains(NEEDS_CUSTOMER_KEY))
}

/// Has the proxy copy the object onto itself, and reads the copy.
pub(super) async fn seal(proxy: &Site, at: &Location, plain: &Plain) -> Result<Fate, AdoptError> {
    if plain.length > MAX_COPY {
        return Err(AdoptError::TooLong);
    }
    let mut headers = plain.carried.clone();
    headers.extend([
        ("if-match", plain.etag.quoted()),
        ("x-amz-copy-source", copy_source(at)),
        ("x-amz-copy-source-if-match", plain.etag.quoted()),
        // What changes is the encryption: without saying so, S3 refuses a copy onto itself.
        ("x-amz-server-side-encryption", "AES256".to_owned()),
    ]);
    let copied = match proxy.forward(&request(Method::PUT, at, headers)).await {
        Ok(copied) => copied,
        Err(SiteError::S3 { status: 404 | 412, .. }) => return Ok(Fate::Changed),
        Err(SiteError::S3 { code, message, .. }) if code == "NotImplemented" && message.starts_with("If-Match") => {
            return Err(AdoptError::Unconditional);
        }
        Err(error) => return Err(error.into()),
    };
    read_back(proxy, at, plain, &copied).await
}

async fn read_back(proxy: &Site, at: &Location, plain: &Plain, copied: &Forwarded) -> Result<Fate, AdoptError> {
    let wrong = |what: &str| AdoptError::NotReadBack(what.to_owned());
    let given = element(&copied.body, "ETag").map(|etag| SealedETag::from_backend(&etag.replace("&quot;", "")));
    let given = given.ok_or_else(|| wrong("the proxy did not say under which ETag"))?;
    let mut got = match proxy.get(at, SealedRange::Whole, Some(&given)).await {
        // The next client was quick.
        Err(SiteError::S3 { status: 404 | 412, .. }) => return Ok(Fate::Changed),
        Err(error) => return Err(AdoptError::NotReadBack(format!("it cannot be read back: {error}"))),
        Ok(got) => got,
    };
    if got.headers.contains_key(UNSEALED) {
        return Err(wrong("it is still plain"));
    }
    if got.headers.contains_key(SERVED_BY) {
        return Err(wrong("the primary does not serve it"));
    }
    let (mut md5, mut length) = (Md5::new(), 0);
    while let Some(chunk) = got.body.next().await {
        let chunk = chunk.map_err(|error| AdoptError::NotReadBack(format!("it broke off: {error}")))?;
        length += chunk.len() as u64;
        md5.update(&chunk);
    }
    if length != plain.length || hex::encode(md5.finalize()) != given.as_str() {
        return Err(wrong("what is read back is something else"));
    }
    let version = copied.headers.get("x-amz-version-id").is_some_and(|id| id != "null");
    Ok(Fate::Adopted { bytes: length, versioned: version })
}

fn carried(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    CARRIED.iter().filter_map(|name| Some((*name, headers.get(*name)?.to_str().ok()?.to_owned()))).collect()
}

fn request(method: Method, at: &Location, headers: Vec<(&'static str, String)>) -> Forward {
    let (bucket, key) = (at.bucket.clone(), Some(at.key.clone()));
    Forward { method, bucket, key, query: Vec::new(), headers, body: Bytes::new() }
}

/// The text of an element that occurs once and has no children.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_found_however_it_is_escaped() {
        for body in ["<R><ETag>\"ab\"</ETag></R>", "<R><ETag>&quot;ab&quot;</ETag></R>"] {
            let etag = element(body.as_bytes(), "ETag").expect("there is one");
            assert_eq!(SealedETag::from_backend(&etag.replace("&quot;", "")).as_str(), "ab");
        }
        assert_eq!(element(b"<R/>", "ETag"), None);
    }

    #[test]
    fn what_a_copy_leaves_behind_is_carried() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-amz-storage-class", "COLD"), ("x-amz-meta-a", "b"), ("etag", "x")] {
            headers.insert(name, value.parse().expect("a value"));
        }
        assert_eq!(carried(&headers), [("x-amz-storage-class", "COLD".to_owned())]);
    }
}

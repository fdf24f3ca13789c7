//! Cross-origin requests: browsers ask whether a page of another origin may do something (a preflight), and look for the same in the
//! headers of the real answer. Both are answered from the bucket's CORS configuration, which the sites keep.
//!
//! A preflight cannot be signed, so anybody may ask; what it learns is what the bucket's owner put there for browsers. The
//! configuration gives no access to anything: the real request needs its signature all the same.
use super::Gateway;
use super::open::Candidates;
use super::respond::{GatewayError, custom};
use crate::s3::BucketName;
use crate::site::{Forward, Site, SiteError};
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN};
use http::{HeaderMap, Method, StatusCode};
use s3s::{S3Error, S3Result};
use std::sync::Arc;
use std::time::Duration;

mod rules;

use rules::{Rule, Wish};

/// A change made through this proxy counts at once; one made elsewhere, after so long.
const TIME_TO_LIVE: Duration = Duration::from_secs(30);
const MOST_BUCKETS: u64 = 10_000;

/// The rules of buckets that browsers ask about; none for a bucket without any.
pub(super) struct Cors {
    rules: moka::sync::Cache<BucketName, Arc<[Rule]>>,
}

/// What a request from a page says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    bucket: Option<BucketName>,
    wish: Wish,
}

// === impl Cors ===

impl Default for Cors {
    fn default() -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(MOST_BUCKETS);
        Self { rules: builder.time_to_live(TIME_TO_LIVE).build() }
    }
}

impl Cors {
    /// The bucket's configuration is about to change, or has.
    pub(super) fn forget(&self, bucket: &BucketName) {
        self.rules.invalidate(bucket);
    }

    async fn of(&self, gateway: &Gateway, bucket: &BucketName) -> Result<Arc<[Rule]>, GatewayError> {
        if bucket == gateway.authorizer.system_bucket() {
            return Ok(Arc::default());
        }
        if let Some(rules) = self.rules.get(bucket) {
            return Ok(rules);
        }
        let rules = ask(gateway, bucket).await?;
        self.rules.insert(bucket.clone(), rules.clone());
        Ok(rules)
    }
}

/// From the first site that answers. A site's refusal (no configuration, no such bucket, no such feature) means no rules.
async fn ask(gateway: &Gateway, bucket: &BucketName) -> Result<Arc<[Rule]>, GatewayError> {
    let question = Forward::question(bucket, None, vec![("cors".to_owned(), String::new())]);
    let asked = &question;
    let ask = |site: Site| async move { Ok(site.forward(asked).await?) };
    match Candidates::of_bucket(gateway).first(ask).await {
        Ok(answer) => Ok(rules::parse(&answer.body).unwrap_or_default().into()),
        Err(GatewayError::Site(SiteError::S3 { status, .. })) if status < 500 || status == 501 => Ok(Arc::default()),
        Err(error) => Err(error),
    }
}

// === impl Crossing ===

impl Crossing {
    /// `None`: the request is from no page. `bucket` is what its address names.
    pub(super) fn of(method: &Method, headers: &HeaderMap, bucket: Option<&str>) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let asked = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default().split(',');
        let asked = asked.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
        let preflight = method == Method::OPTIONS;
        let method = if preflight { text(ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default() } else { method.as_str() };
        let wish = Wish {
            origin: text(ORIGIN).filter(|origin| !origin.is_empty())?.to_owned(),
            method: method.to_owned(),
            headers: if preflight { asked.collect() } else { Vec::new() },
        };
        Some(Self { bucket: bucket.and_then(|name| BucketName::parse(name).ok()), wish })
    }

    /// The headers that the real answer gets: none when no rule allows it, or no site can be asked.
    pub(super) async fn granted(&self, gateway: &Gateway) -> HeaderMap {
        let Some(bucket) = &self.bucket else { return HeaderMap::new() };
        match gateway.cors.of(gateway, bucket).await {
            Ok(rules) => rules::grant(&rules, &self.wish).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%bucket, %error, "a page is answered without CORS headers");
                HeaderMap::new()
            }
        }
    }
}

/// Answers a preflight: the headers of the answer.
///
/// # Errors
/// 400 when it says too little, 403 when no rule allows it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html>).
pub(super) async fn preflight(gateway: &Gateway, crossing: Option<Crossing>) -> S3Result<HeaderMap> {
    let Some(crossing) = crossing else {
        return Err(bad_request("Insufficient information. Origin request header needed."));
    };
    if crossing.wish.method.is_empty() {
        return Err(bad_request("Invalid Access-Control-Request-Method: null"));
    }
    let rules = match &crossing.bucket {
        Some(bucket) => gateway.cors.of(gateway, bucket).await?,
        None => Arc::default(),
    };
    if rules.is_empty() {
        return Err(forbidden("CORSResponse: CORS is not enabled for this bucket."));
    }
    rules::grant(&rules, &crossing.wish).ok_or_else(|| {
        forbidden(
            // S3's words, its spelling included: clients have been seen to look for them.
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
        )
    })
}

fn bad_request(message: &str) -> S3Error {
    custom("BadRequest", StatusCode::BAD_REQUEST, message)
}

fn forbidden(message: &str) -> S3Error {
    custom("AccessForbidden", StatusCode::FORBIDDEN, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossing(method: Method, headers: &[(&'static str, &str)]) -> Option<Wish> {
        let pairs = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), http::HeaderValue::from_str(value).expect("a header value"))
        });
        Crossing::of(&method, &pairs.collect(), Some("bucket")).map(|crossing| crossing.wish)
    }

    #[test]
    fn only_a_preflight_speaks_for_another_request() {
        let headers = [
            ("origin", "http://a"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "X-Amz-Date, ,content-type"),
        ];
        let wish = |method: &str, names: &[&str]| Wish {
            origin: "http://a".to_owned(),
            method: method.to_owned(),
            headers: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(crossing(Method::OPTIONS, &headers), Some(wish("PUT", &["x-amz-date", "content-type"])));
        assert_eq!(crossing(Method::GET, &headers), Some(wish("GET", &[])));
        assert_eq!(crossing(Method::GET, &[]), None);
        assert_eq!(crossing(Method::OPTIONS, &[("origin", "")]), None);
    }
}

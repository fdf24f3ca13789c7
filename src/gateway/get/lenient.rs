//! Ranges that S3 ignores and `s3s` refuses. PURE; for the front, which sees a request before `s3s` parses it.
//!
//! S3 answers a `Range` that it cannot serve (several ranges, another unit, `bytes=5-2`) with the whole object, as
//! RFC 9110 section 14.2 allows; `s3s` 0.17 answers 400. The header can be dropped as long as the signature does not
//! cover it, which is the case for browsers, players and presigned URLs. A signed one still gets the 400.
use http::header::{AUTHORIZATION, RANGE};
use http::{HeaderMap, Uri};
use s3s::dto::Range;

/// Drops a `Range` header that cannot be served, unless it is signed.
pub(in crate::gateway) fn drop_bad_range(headers: &mut HeaderMap, uri: &Uri) {
    let bad = headers.get_all(RANGE).iter().count() > 1
        || headers.get(RANGE).is_some_and(|value| value.to_str().map_or(true, |text| Range::parse(text).is_err()));
    if bad && !is_signed(headers, uri) {
        headers.remove(RANGE);
    }
}

/// Whether the signature covers `Range`; not being able to tell counts as yes.
fn is_signed(headers: &HeaderMap, uri: &Uri) -> bool {
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or("SignedHeaders=range"));
    let in_header = header.and_then(|text| text.split("SignedHeaders=").nth(1)).and_then(|text| text.split(',').next());
    let query = uri.query().unwrap_or_default().split('&');
    let in_query = query.filter_map(|pair| pair.strip_prefix("X-Amz-SignedHeaders=")).next_back();
    let in_query = in_query.map(|names| percent_encoding::percent_decode_str(names).decode_utf8_lossy());
    [in_header, in_query.as_deref()]
        .into_iter()
        .flatten()
        .any(|names| names.split(';').any(|name| name.trim() == "range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn range_after(range: &'static str, authorization: Option<&'static str>, uri: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        }
        drop_bad_range(&mut headers, &Uri::from_static(uri));
        headers.get(RANGE).map(|value| value.to_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_range_that_can_be_served_stays() {
        for good in ["bytes=0-1", "bytes=5-", "bytes=-5", "bytes=-0"] {
            assert_eq!(range_after(good, None, "/b/k").as_deref(), Some(good));
        }
    }

    #[test]
    fn a_range_that_cannot_be_served_is_ignored_as_s3_does() {
        for bad in ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=x-y", "nonsense"] {
            assert_eq!(range_after(bad, None, "/b/k"), None, "{bad}");
        }
    }

    #[test]
    fn a_signed_range_is_never_touched() {
        let bad = "bytes=5-2";
        let with = "AWS4-HMAC-SHA256 Credential=A/x, SignedHeaders=host;range;x-amz-date, Signature=0";
        let without = "AWS4-HMAC-SHA256 Credential=A/x, SignedHeaders=host;x-amz-date, Signature=0";
        assert_eq!(range_after(bad, Some(with), "/b/k").as_deref(), Some(bad));
        assert_eq!(range_after(bad, Some(without), "/b/k"), None);
        assert_eq!(range_after(bad, None, "/b/k?X-Amz-SignedHeaders=host%3Brange&x=1").as_deref(), Some(bad));
        assert_eq!(range_after(bad, None, "/b/k?X-Amz-SignedHeaders=host"), None);
    }
}

//! Where an object is, for the client that has just written it: the `Location` of an answer. PURE.
//!
//! As S3 does, an absolute address, under the name and by the way of addressing that the client itself used.
use super::list::Encoding;
use super::terms::is_secure;
use crate::audit::RequestContext;
use crate::site::Location;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// Set by whoever ends TLS before the proxy.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The path alone where the client named no host.
pub(super) fn address_of(uri: &Uri, headers: &HeaderMap, context: Option<&RequestContext>, at: &Location) -> String {
    let key = Encoding::Url.apply(at.key.as_str());
    let named = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(host) = named else { return format!("/{}/{key}", at.bucket) };
    let forwarded = headers.get(FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let scheme = if is_secure(context) || forwarded { "https" } else { "http" };
    if in_host(&host, uri, at) {
        format!("{scheme}://{host}/{key}")
    } else {
        format!("{scheme}://{host}/{}/{key}", at.bucket)
    }
}

/// Whether the bucket is in the host's name, and not (only, by chance) in the path.
fn in_host(host: &Authority, uri: &Uri, at: &Location) -> bool {
    let bucket = at.bucket.as_str();
    let under_it = host.as_str().strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.'));
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy();
    let path = path.strip_prefix('/').unwrap_or(&path);
    let with_bucket = path.strip_prefix(bucket).is_some_and(|rest| {
        // A form is posted to the bucket, everything else to the object.
        rest.is_empty() || rest == "/" || rest.strip_prefix('/') == Some(at.key.as_str())
    });
    under_it && (!with_bucket || path == at.key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::{BucketName, ObjectKey, RequestId};
    use http::HeaderValue;

    fn address(host: &'static str, path: &str, key: &str, secure: bool) -> String {
        let context = RequestContext::new(RequestId::from_bits(1));
        context.with(|facts| facts.secure = secure);
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, HeaderValue::from_static(host));
        }
        let bucket = BucketName::parse("ledgers").expect("a bucket's name");
        let at = Location { bucket, key: ObjectKey::parse(key).expect("a key") };
        address_of(&path.parse().expect("a path"), &headers, Some(&context), &at)
    }

    #[test]
    fn it_has_the_host_the_client_named() {
        assert_eq!(address("s3.example:9000", "/ledgers/a/b", "a/b", false), "http://s3.example:9000/ledgers/a/b");
        assert_eq!(address("s3.example", "/ledgers", "a b", true), "https://s3.example/ledgers/a%20b");
        assert_eq!(address("", "/ledgers/a", "a", true), "/ledgers/a");
        assert_eq!(address("no host", "/ledgers/a", "a", true), "/ledgers/a");
    }

    #[test]
    fn a_bucket_in_the_host_is_not_said_twice() {
        assert_eq!(address("ledgers.s3.example", "/a%2Fb", "a/b", true), "https://ledgers.s3.example/a/b");
        assert_eq!(address("ledgers.s3.example", "/", "a", true), "https://ledgers.s3.example/a");
        assert_eq!(address("ledgers.example", "/ledgers/a", "a", true), "https://ledgers.example/ledgers/a");
        assert_eq!(address("ledgers.example", "/ledgers/a", "ledgers/a", true), "https://ledgers.example/ledgers/a");
    }
}

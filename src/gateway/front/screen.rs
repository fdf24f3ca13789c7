//! What is refused before `s3s` sees it, because it would let it through or misread it.
use super::super::support::is_reserved;
use super::routes::row_of;
use super::settings::FrontSettings;
use super::signature;
use crate::s3::rewrap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3ErrorCode, S3Result};

const COPY_SOURCE: &str = "x-amz-copy-source";

/// What a request is about, as far as its address tells; for the log before anything is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
}

// === impl Target ===

impl Target {
    pub(super) fn of(settings: &FrontSettings, head: &Parts) -> Self {
        let path = head.uri.path();
        let path = path.strip_prefix('/').unwrap_or(path);
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let named = |text: &str| Some(decode(text)).filter(|text| !text.is_empty());
        match settings.domain.as_deref().and_then(|domain| bucket_of_host(&head.headers, domain)) {
            Some(bucket) => Self { bucket: Some(bucket), key: named(path) },
            None => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                Self { bucket: named(bucket), key: named(key) }
            }
        }
    }
}

fn bucket_of_host(headers: &HeaderMap, domain: &str) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bucket = host.strip_suffix(domain)?.strip_suffix('.')?;
    Some(bucket.to_owned()).filter(|bucket| !bucket.is_empty())
}

/// # Errors
/// The refusal.
pub(super) fn screen(settings: &FrontSettings, head: &Parts, target: &Target) -> S3Result<()> {
    refuse_method(head, target)?;
    refuse_bad_address(head)?;
    refuse_reserved_headers(head)?;
    let query = head.uri.query().unwrap_or_default();
    signature::screen(&head.headers, query, crate::clock::now())?;
    refuse_split_responses(query)?;
    refuse_empty_source(&head.headers)?;
    refuse_unmeasured(head, target)?;
    refuse_long_xml(settings, head, target)
}

/// `s3s` calls what no operation has NotImplemented.
fn refuse_method(head: &Parts, target: &Target) -> S3Result<()> {
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS];
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS];
    let allowed = if target.bucket.is_some() { known.contains(&head.method) } else { reads.contains(&head.method) };
    if allowed { Ok(()) } else { Err(S3Error::new(S3ErrorCode::MethodNotAllowed)) }
}

/// Whether the body, if there is one, is XML (or a policy) that is read as a whole: all but uploads of objects.
pub(super) fn takes_xml(head: &Parts, target: &Target) -> bool {
    match head.method {
        Method::POST => !is_form(&head.headers),
        Method::PUT => target.key.is_none() || row_of(head, target).is_some(),
        _ => false,
    }
}

/// `s3s` takes a broken escape literally, so that two different requests would mean the same key.
fn refuse_bad_address(head: &Parts) -> S3Result<()> {
    let path = head.uri.path();
    let broken = path.split('%').skip(1).any(|rest| {
        let mut digits = rest.bytes();
        !matches!((digits.next(), digits.next()), (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    });
    if broken || !path.starts_with('/') {
        return Err(S3Error::new(S3ErrorCode::InvalidURI));
    }
    Ok(())
}

fn refuse_reserved_headers(head: &Parts) -> S3Result<()> {
    // A whole copy of an object: the one request that has some of them.
    let is_copy = head.method == Method::PUT && head.uri.query().is_none() && head.headers.contains_key(COPY_SOURCE);
    let allowed = |name: &str| is_copy && [rewrap::WISH, rewrap::ONLY].contains(&name);
    match head.headers.keys().find(|name| is_reserved(name.as_str()) && !allowed(name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let message = format!("The header {name} is reserved.");
            Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
        }
    }
}

/// `response-*` parameters become headers of the answer: a line break in one would split it.
fn refuse_split_responses(query: &str) -> S3Result<()> {
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        if name.starts_with("response-") && percent_decode_str(value).any(|byte| byte < 0x20 || byte == 0x7f) {
            let message = format!("The value of {name} holds control characters.");
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
        }
    }
    Ok(())
}

/// `s3s` has another code for it.
fn refuse_empty_source(headers: &HeaderMap) -> S3Result<()> {
    if headers.get(COPY_SOURCE).is_some_and(|source| source.is_empty()) {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    Ok(())
}

/// HTTP takes a missing length for an empty body. S3 does not: an upload that lost its length must not become an
/// empty object. A form's file must be measurable too, or it would be held in memory.
fn refuse_unmeasured(head: &Parts, target: &Target) -> S3Result<()> {
    let headers = &head.headers;
    if headers.contains_key(CONTENT_LENGTH) {
        return Ok(());
    }
    let upload = head.method == Method::PUT
        && target.key.is_some()
        && row_of(head, target).is_none()
        && !headers.contains_key(TRANSFER_ENCODING)
        && !headers.contains_key(COPY_SOURCE);
    let form = head.method == Method::POST && is_form(headers);
    if upload || form { Err(S3Error::new(S3ErrorCode::MissingContentLength)) } else { Ok(()) }
}

fn refuse_long_xml(settings: &FrontSettings, head: &Parts, target: &Target) -> S3Result<()> {
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let too_long = length.is_some_and(|length| length > settings.max_xml_body as u64);
    if too_long && takes_xml(head, target) {
        return Err(S3Error::new(S3ErrorCode::MaxMessageLengthExceeded));
    }
    Ok(())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..19).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use std::time::Duration;

    fn settings() -> FrontSettings {
        FrontSettings {
            allow_signature_v2: true,
            region: None,
            domain: Some("s3.example.com".to_owned()),
            max_xml_body: 1000,
            stall_timeout: Duration::from_secs(1),
        }
    }

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a valid request").into_parts().0
    }

    fn refusal(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let head = head(method, uri, headers);
        let target = Target::of(&settings(), &head);
        screen(&settings(), &head, &target).err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn a_target_is_read_from_path_or_host() {
        let target = |uri, host| {
            let Target { bucket, key } = Target::of(&settings(), &head("GET", uri, &[("host", host)]));
            (bucket.unwrap_or_default(), key.unwrap_or_default())
        };
        let pair = |bucket: &str, key: &str| (bucket.to_owned(), key.to_owned());
        assert_eq!(target("/", "s3.example.com"), pair("", ""));
        assert_eq!(target("/docs", "s3.example.com:9000"), pair("docs", ""));
        assert_eq!(target("/docs/", "127.0.0.1"), pair("docs", ""));
        assert_eq!(target("/docs/a/%E5%AD%97", "other.example.org"), pair("docs", "a/字"));
        assert_eq!(target("/a/b", "docs.s3.example.com:443"), pair("docs", "a/b"));
        assert_eq!(target("/a/b", "docss3.example.com"), pair("a", "b"));
    }

    #[test]
    fn methods_that_nothing_has_are_not_allowed() {
        for (method, uri) in [("TRACE", "/b/k"), ("PATCH", "/b/k"), ("PATCH", "/b"), ("PUT", "/"), ("DELETE", "/")] {
            assert_eq!(refusal(method, uri, &[]).as_deref(), Some("MethodNotAllowed"), "{method} {uri}");
        }
        assert_eq!(refusal("DELETE", "/b", &[]), None);
    }

    #[test]
    fn broken_escapes_are_no_address() {
        for path in ["/b/a%zz", "/b/a%4", "/b/%", "/b/%%41"] {
            assert_eq!(refusal("GET", path, &[]).as_deref(), Some("InvalidURI"), "{path}");
        }
        assert_eq!(refusal("GET", "/b/a%2F%25", &[]), None);
    }

    #[test]
    fn our_own_headers_are_refused_from_outside() {
        for name in ["x-amz-meta-strongroom", "X-Amz-Meta-Strongroom-1", "x-strongroom-served-by"] {
            assert_eq!(refusal("GET", "/b/k", &[(name, "1")]).as_deref(), Some("InvalidArgument"), "{name}");
        }
        assert_eq!(refusal("GET", "/b/k", &[("x-amz-meta-strong", "1")]), None);
        let (wish, source) = (("x-strongroom-rewrap", "newest"), ("x-amz-copy-source", "/b/k"));
        assert_eq!(refusal("PUT", "/b/k", &[wish, source]), None);
        for (method, uri, headers) in [
            ("GET", "/b/k", vec![wish, source]),
            ("PUT", "/b/k", vec![wish, ("content-length", "1")]),
            ("PUT", "/b/k?partNumber=1&uploadId=x", vec![wish, source]),
            ("PUT", "/b/k", vec![("x-strongroom-rewrapped", "done"), source]),
        ] {
            assert_eq!(refusal(method, uri, &headers).as_deref(), Some("InvalidArgument"), "{method} {uri}");
        }
    }

    #[test]
    fn an_upload_needs_a_length() {
        assert_eq!(refusal("PUT", "/b/k", &[]).as_deref(), Some("MissingContentLength"));
        assert_eq!(refusal("PUT", "/b/k", &[("content-length", "0")]), None);
        assert_eq!(refusal("PUT", "/b/k", &[("transfer-encoding", "chunked")]), None);
        assert_eq!(refusal("PUT", "/b/k", &[("x-amz-copy-source", "/b/o")]), None);
        assert_eq!(refusal("PUT", "/b", &[]), None);
        let form = ("content-type", "multipart/form-data; boundary=x");
        assert_eq!(refusal("POST", "/b", &[form]).as_deref(), Some("MissingContentLength"));
    }

    #[test]
    fn a_copy_needs_a_source() {
        assert_eq!(refusal("PUT", "/b/k", &[("x-amz-copy-source", "")]).as_deref(), Some("InvalidArgument"));
    }

    #[test]
    fn xml_beyond_the_limit_is_refused_before_it_is_read_but_objects_are_not_xml() {
        let long = ("content-length", "1001");
        for (method, uri) in [("POST", "/b?delete"), ("POST", "/b/k?uploadId=x"), ("PUT", "/b")] {
            assert_eq!(refusal(method, uri, &[long]).as_deref(), Some("MaxMessageLengthExceeded"), "{method} {uri}");
        }
        assert_eq!(refusal("PUT", "/b/k", &[long]), None);
        assert_eq!(refusal("POST", "/b", &[long, ("content-type", "multipart/form-data; boundary=x")]), None);
    }

    #[test]
    fn an_answer_cannot_be_split_through_its_overrides() {
        for value in ["a%0d%0aX-Planted:1", "%00", "%7F"] {
            let uri = format!("/b/k?response-content-disposition={value}");
            assert_eq!(refusal("GET", &uri, &[]).as_deref(), Some("InvalidArgument"), "{value}");
        }
        assert_eq!(refusal("GET", "/b/k?response-content-type=text/plain&prefix=%0a", &[]), None);
    }
}

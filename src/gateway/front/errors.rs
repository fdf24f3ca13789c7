//! Error answers: the right code for what went wrong with a body, and the ids that SDKs and operators look for.
use super::super::xml::push_element;
use super::progress::{Fault, Progress};
use super::words;
use crate::s3::RequestId;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, StatusCode};
use s3s::{HttpResponse, S3Error, S3ErrorCode};

/// What `s3s` says of a presigned URL whose parameters have values that they may not have.
const NOT_VALID: &str = "The authorization query parameters that you provided are not valid.";
const CLOSING: &[u8] = b"</Error>";
/// Error bodies are small; anything longer is an answer of another kind.
const LONGEST: usize = 64 * 1024;

/// An error as `s3s` would write it.
pub(super) fn response(error: S3Error) -> HttpResponse {
    error.to_http_response().unwrap_or_else(|_| {
        let mut bare = HttpResponse::new(s3s::Body::empty());
        *bare.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        bare
    })
}

/// Replaces an error that an operation, or `s3s`, could only call internal: what really happened is that the
/// request's body was not what it should have been.
pub(super) fn mend(response_: HttpResponse, progress: &Progress) -> HttpResponse {
    let status = response_.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response_;
    }
    match progress.fault() {
        Some(Fault::Stalled) => {
            let mut mended = response(S3Error::new(S3ErrorCode::RequestTimeout));
            mended.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            mended
        }
        Some(Fault::TooLong) => response(S3Error::new(S3ErrorCode::MaxMessageLengthExceeded)),
        Some(Fault::Broken | Fault::Unclosed) => response(S3Error::new(S3ErrorCode::IncompleteBody)),
        Some(Fault::Untrailed) => {
            let message = "The request contained trailing data that was not well-formed.";
            response(bad_request("MalformedTrailerError", message))
        }
        None if status == StatusCode::INTERNAL_SERVER_ERROR && progress.has_wrong_hash() => {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            response(bad_request("XAmzContentSHA256Mismatch", message))
        }
        None if has_code(&response_, "AuthorizationQueryParametersError") && says(&response_, NOT_VALID) => {
            let message = "The parameters of the presigned address are not valid, or it may not be valid for so long.";
            response(S3Error::with_message(S3ErrorCode::AccessDenied, message))
        }
        None if is_policy_condition(&response_) => {
            let message = "Invalid according to Policy: a condition of the policy failed.";
            response(S3Error::with_message(S3ErrorCode::AccessDenied, message))
        }
        None => response_,
    }
}

/// `s3s` says the same of a form whose policy has expired as of a presigned URL that has.
pub(super) fn of_form(answer: HttpResponse) -> HttpResponse {
    if answer.status() == StatusCode::FORBIDDEN && says(&answer, "Request has expired") {
        return response(S3Error::with_message(
            S3ErrorCode::AccessDenied,
            "Invalid according to Policy: Policy expired.",
        ));
    }
    answer
}

/// `s3s` calls a form that its policy does not allow a bad policy (400); S3 denies it.
fn is_policy_condition(response: &HttpResponse) -> bool {
    has_code(response, "InvalidPolicyDocument") && says(response, "Policy condition ")
}

/// Whether its message begins so.
fn says(response: &HttpResponse, words: &str) -> bool {
    text_between(&text_of(response), "<Message>", "</Message>").is_some_and(|message| message.starts_with(words))
}

fn has_code(response: &HttpResponse, code: &str) -> bool {
    response.status() == StatusCode::BAD_REQUEST && text_between(&text_of(response), "<Code>", "</Code>") == Some(code)
}

fn text_of(response: &HttpResponse) -> String {
    String::from_utf8_lossy(&response.body().bytes().unwrap_or_default()).into_owned()
}

/// A code that `s3s` does not have.
fn bad_request(code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

/// Adds resource and ids to an error body; what code it has. An answer without a body (HEAD) has none.
pub(super) fn identify(response: &mut HttpResponse, path: &str, id: RequestId, host_id: &str) -> Option<String> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let body = response.body().bytes().filter(|body| body.len() <= LONGEST);
    let text = body.as_deref().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
    let code = text_between(text, "<Code>", "</Code>").map(str::to_owned);
    if code.is_some()
        && let Some(start) = text.as_bytes().strip_suffix(CLOSING).and_then(|start| std::str::from_utf8(start).ok())
    {
        let mut whole = String::with_capacity(start.len() + path.len() + 128);
        whole.push_str(start);
        if let Some(words) = words::instead(text) {
            let said = text_between(text, "<Message>", "</Message>").unwrap_or_default();
            whole = whole.replacen(said, words, 1);
        }
        for (name, value) in [("Resource", path), ("RequestId", id.as_str()), ("HostId", host_id)] {
            if !text.contains(&format!("<{name}>")) {
                push_element(&mut whole, name, value);
            }
        }
        whole.push_str("</Error>");
        if response.headers().contains_key(CONTENT_LENGTH) {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
        }
        *response.body_mut() = s3s::Body::from(whole);
    }
    code
}

pub(super) fn text_between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(response: &HttpResponse) -> String {
        String::from_utf8(response.body().bytes().expect("a whole body").to_vec()).expect("UTF-8")
    }

    #[test]
    fn an_error_body_tells_resource_and_ids_and_cannot_be_broken_out_of() {
        let mut error = response(S3Error::new(S3ErrorCode::NoSuchKey));
        let code = identify(&mut error, "/b/<&'\">k", RequestId::from_bits(0xabc), "aG9zdA==");
        assert_eq!(code.as_deref(), Some("NoSuchKey"));
        let text = body(&error);
        let tail = "<Resource>/b/&lt;&amp;&apos;&quot;&gt;k</Resource><RequestId>0000000000000ABC</RequestId>\
                    <HostId>aG9zdA==</HostId></Error>";
        assert!(text.ends_with(tail) && text.starts_with("<?xml"), "{text}");
        quick_xml::Reader::from_str(&text).read_event().expect("XML");
    }

    #[test]
    fn an_id_that_is_there_already_is_not_repeated() {
        let mut error = S3Error::new(S3ErrorCode::NoSuchKey);
        error.set_request_id("MINE");
        let mut response = response(error);
        identify(&mut response, "/", RequestId::from_bits(1), "h");
        assert_eq!(body(&response).matches("<RequestId>").count(), 1);
    }

    #[test]
    fn a_form_that_its_policy_does_not_allow_is_denied_and_a_bad_policy_is_bad() {
        for (message, status) in [("Policy condition 'eq' for field 'key' failed", 403), ("failed to parse", 400)] {
            let error = S3Error::with_message(S3ErrorCode::InvalidPolicyDocument, message);
            assert_eq!(mend(response(error), &Progress::new()).status().as_u16(), status, "{message}");
        }
    }

    #[test]
    fn a_form_that_comes_late_is_told_so_of_its_policy() {
        let late = || response(S3Error::with_message(S3ErrorCode::AccessDenied, "Request has expired"));
        assert!(body(&of_form(late())).contains("<Message>Invalid according to Policy: Policy expired.</Message>"));
        let denied = response(S3Error::new(S3ErrorCode::AccessDenied));
        let before = body(&denied);
        assert_eq!(body(&of_form(denied)), before);
    }

    #[test]
    fn answers_that_are_no_errors_stay_as_they_are() {
        let mut fine = HttpResponse::new(s3s::Body::from("<Code>x</Code></Error>".to_owned()));
        assert_eq!(identify(&mut fine, "/", RequestId::from_bits(1), "h"), None);
        assert_eq!(body(&fine), "<Code>x</Code></Error>");
    }
}

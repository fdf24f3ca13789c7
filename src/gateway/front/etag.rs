//! The ETag of GetObjectAttributes: S3 writes it without quotes, alone among all answers; `s3s` 0.17 cannot.
use crate::s3::Operation;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, StatusCode};
use s3s::HttpResponse;

const QUOTED: (&str, &str) = ("<ETag>\"", "\"</ETag>");
const BARE: (&str, &str) = ("<ETag>", "</ETag>");

/// Takes the quotes off.
pub(super) fn unquote(response: &mut HttpResponse, operation: Operation) {
    if operation != Operation::GetObjectAttributes || response.status() != StatusCode::OK {
        return;
    }
    let Some(body) = response.body().bytes() else { return };
    let Ok(text) = std::str::from_utf8(&body) else { return };
    let text = text.replacen(QUOTED.0, BARE.0, 1).replacen(QUOTED.1, BARE.1, 1);
    if response.headers().contains_key(CONTENT_LENGTH) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    }
    *response.body_mut() = s3s::Body::from(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_attributes_of_an_object_have_a_bare_etag() {
        let text = "<R><ETag>\"ab-2\"</ETag><ObjectSize>1</ObjectSize></R>";
        let after = |operation| {
            let mut response = HttpResponse::new(s3s::Body::from(text.to_owned()));
            unquote(&mut response, operation);
            String::from_utf8(response.body().bytes().expect("a whole body").to_vec()).expect("UTF-8")
        };
        assert_eq!(after(Operation::GetObjectAttributes), "<R><ETag>ab-2</ETag><ObjectSize>1</ObjectSize></R>");
        assert_eq!(after(Operation::CopyObject), text);
    }
}

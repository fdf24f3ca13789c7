//! S3's words for errors that `s3s` tells in words of its own. PURE.
//!
//! Applications have been written that look for them.
use super::errors::text_between;

/// Code, how the words of `s3s` begin, S3's words.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "MalformedXML",
        "This happens when the user sends malformed XML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    (
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed object size.",
        "Your proposed upload is smaller than the minimum allowed size",
    ),
    (
        "InvalidAccessKeyId",
        "The AWS access key ID you provided does not exist",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
];

/// The words to take the place of those in an error's body.
pub(super) fn instead(body: &str) -> Option<&'static str> {
    let code = text_between(body, "<Code>", "</Code>")?;
    let said = text_between(body, "<Message>", "</Message>")?;
    WORDS.iter().find(|(of, begins, _)| *of == code && said.starts_with(begins)).map(|(_, _, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::{S3Error, S3ErrorCode};

    fn body(error: S3Error) -> String {
        let response = error.to_http_response().expect("a response");
        String::from_utf8(response.body().bytes().expect("a body").to_vec()).expect("UTF-8")
    }

    #[test]
    fn what_s3s_says_by_itself_is_found() {
        for (code, words) in [
            (S3ErrorCode::MalformedXML, "The XML you provided"),
            (S3ErrorCode::EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"),
            (S3ErrorCode::InvalidAccessKeyId, "The AWS Access Key Id"),
            (S3ErrorCode::SignatureDoesNotMatch, "The request signature"),
        ] {
            let body = body(S3Error::new(code));
            assert!(instead(&body).is_some_and(|instead| instead.starts_with(words)), "{body}");
        }
    }

    #[test]
    fn words_of_others_stay() {
        assert_eq!(instead(&body(S3Error::with_message(S3ErrorCode::MalformedXML, "The tag is not closed"))), None);
        assert_eq!(instead(&body(S3Error::new(S3ErrorCode::NoSuchKey))), None);
        assert_eq!(instead("no XML"), None);
    }
}

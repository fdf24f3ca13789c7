//! `encoding-type=url`: keys may hold characters that XML 1.0 cannot. PURE.
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::EncodingType;
use s3s::{S3Error, S3ErrorCode};

/// Left as they are. A space becomes `%20`, which both kinds of decoder understand (`+` only one of them).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// How names are written into a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Encoding {
    /// As they are.
    Plain,
    /// Percent-encoded.
    Url,
}

// === impl Encoding ===

impl Encoding {
    /// `url` or nothing.
    pub(in crate::gateway) fn parse(asked: Option<&EncodingType>) -> Result<Self, S3Error> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(_) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
        }
    }

    pub(in crate::gateway) fn apply(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Url => utf8_percent_encode(name, ENCODED).to_string(),
        }
    }
}

/// The prefix that ListObjects repeats. S3 encodes it like a key, Ceph not at all; boto3 decodes the keys of this listing but not
/// the prefix. What is encoded here is only what a decoder would misread or XML cannot carry, so that either kind of client gets
/// the prefix it asked for.
pub(in crate::gateway) fn echoed(encoding: Encoding, prefix: &str) -> String {
    match encoding {
        Encoding::Plain => prefix.to_owned(),
        Encoding::Url => {
            let misread = |one: char| matches!(one, '%' | '+') || (one.is_control() && !matches!(one, '\n' | '\t'));
            let written =
                |one: char| if misread(one) { encoding.apply(one.encode_utf8(&mut [0; 4])) } else { one.into() };
            prefix.chars().map(written).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_so_that_every_client_decodes_them_alike() {
        assert_eq!(Encoding::Url.apply("a/b-c_d.e~f"), "a/b-c_d.e~f");
        assert_eq!(Encoding::Url.apply("a b+c&<\u{1}>%ü"), "a%20b%2Bc%26%3C%01%3E%25%C3%BC");
        assert_eq!(Encoding::Plain.apply("a b+c"), "a b+c");
    }

    #[test]
    fn an_echoed_prefix_is_the_same_decoded_or_not_wherever_it_can_be() {
        assert_eq!(echoed(Encoding::Url, "a/b c&<\n\tü"), "a/b c&<\n\tü");
        assert_eq!(echoed(Encoding::Url, "50%+\u{1}\r"), "50%25%2B%01%0D");
        assert_eq!(echoed(Encoding::Plain, "50%"), "50%");
    }

    #[test]
    fn only_url_is_an_encoding() {
        assert_eq!(Encoding::parse(None).ok(), Some(Encoding::Plain));
        assert_eq!(Encoding::parse(Some(&EncodingType::from("url".to_owned()))).ok(), Some(Encoding::Url));
        assert!(Encoding::parse(Some(&EncodingType::from("base64".to_owned()))).is_err());
    }
}

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
    fn only_url_is_an_encoding() {
        assert_eq!(Encoding::parse(None).ok(), Some(Encoding::Plain));
        assert_eq!(Encoding::parse(Some(&EncodingType::from("url".to_owned()))).ok(), Some(Encoding::Url));
        assert!(Encoding::parse(Some(&EncodingType::from("base64".to_owned()))).is_err());
    }
}

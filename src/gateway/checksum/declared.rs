//! What a client declared about its body: `Content-MD5`, one `x-amz-checksum-*` header, or one announced as a trailer.
use crate::gateway::respond::{custom, not_implemented};
use crate::seal::{ChecksumAlgorithm, ChecksumValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

const ALGORITHMS: [(ChecksumAlgorithm, &str); 5] = [
    (ChecksumAlgorithm::Crc32, "CRC32"),
    (ChecksumAlgorithm::Crc32c, "CRC32C"),
    (ChecksumAlgorithm::Crc64Nvme, "CRC64NVME"),
    (ChecksumAlgorithm::Sha1, "SHA1"),
    (ChecksumAlgorithm::Sha256, "SHA256"),
];

const PREFIX: &str = "x-amz-checksum-";

/// What a client declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Declared {
    md5: Option<[u8; 16]>,
    value: Option<ChecksumValue>,
    trailer: Option<ChecksumAlgorithm>,
    /// An algorithm without a value: to be computed and kept, not compared.
    wanted: Option<ChecksumAlgorithm>,
}

/// By S3's name, any case.
pub(in crate::gateway) fn algorithm_by_name(name: &str) -> S3Result<ChecksumAlgorithm> {
    let found = ALGORITHMS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
    found.map(|(algorithm, _)| *algorithm).ok_or_else(|| {
        if ["MD5", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return not_implemented(&format!("The checksum algorithm {}", name.to_ascii_uppercase()));
        }
        S3Error::with_message(S3ErrorCode::InvalidRequest, "Checksum algorithm provided is unsupported.")
    })
}

/// S3's name.
pub(in crate::gateway) fn algorithm_name(algorithm: ChecksumAlgorithm) -> &'static str {
    ALGORITHMS.iter().find(|(known, _)| *known == algorithm).map_or("", |(_, name)| name)
}

/// A checksum as it travels: base64.
pub(in crate::gateway) fn encode(value: &ChecksumValue) -> String {
    STANDARD.encode(value.value())
}

// === impl Declared ===

impl Declared {
    /// Reads the headers of a request with a body.
    pub(in crate::gateway) fn from_headers(headers: &HeaderMap) -> S3Result<Self> {
        let mut declared = Self { md5: content_md5(headers)?, ..Self::default() };
        for (name, value) in headers {
            let Some(algorithm) = name.as_str().strip_prefix(PREFIX) else { continue };
            if ["mode", "type", "algorithm"].contains(&algorithm) {
                continue;
            }
            let algorithm = algorithm_by_name(algorithm)?;
            if declared.value.replace(parse(algorithm, value.to_str().unwrap_or_default())?).is_some() {
                let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
        }
        declared.read_trailer(headers)?;
        if let Some(name) = headers.get("x-amz-sdk-checksum-algorithm").and_then(|value| value.to_str().ok()) {
            declared.check_announced(algorithm_by_name(name)?)?;
        }
        Ok(declared)
    }

    /// Computes `algorithm` even though nothing was sent to compare it with (a multipart upload that keeps it for its parts).
    pub(in crate::gateway) fn also(mut self, algorithm: Option<ChecksumAlgorithm>) -> S3Result<Self> {
        match (algorithm, self.algorithm()) {
            (Some(wanted), Some(sent)) if wanted != sent => {
                let message = format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                    algorithm_name(wanted).to_ascii_lowercase(),
                    algorithm_name(sent).to_ascii_lowercase()
                );
                Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
            }
            _ => {
                self.wanted = self.wanted.or(algorithm);
                Ok(self)
            }
        }
    }

    /// Compares the MD5 with this one, too.
    pub(in crate::gateway) fn expecting(self, md5: Option<[u8; 16]>) -> Self {
        Self { md5: self.md5.or(md5), ..self }
    }

    /// The algorithm to compute besides MD5.
    pub(in crate::gateway) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.value.map(|value| value.algorithm).or(self.trailer).or(self.wanted)
    }

    /// Compares with what the plaintext gave. `trailers` must have arrived.
    pub(in crate::gateway) fn verify(
        &self,
        md5: &[u8; 16],
        computed: Option<&ChecksumValue>,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<()> {
        if self.md5.is_some_and(|expected| expected != *md5) {
            return Err(S3Error::with_message(
                S3ErrorCode::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let mut expected = self.value;
        if let Some(algorithm) = self.trailer {
            expected = Some(from_trailer(algorithm, trailers)?);
        }
        match (expected, computed) {
            (Some(expected), Some(computed)) if expected != *computed => {
                let name = algorithm_name(expected.algorithm);
                let message = format!("The {name} you specified did not match the calculated checksum.");
                Err(S3Error::with_message(S3ErrorCode::BadDigest, message))
            }
            (Some(_), None) => Err(S3Error::new(S3ErrorCode::InternalError)),
            _ => Ok(()),
        }
    }

    fn read_trailer(&mut self, headers: &HeaderMap) -> S3Result<()> {
        let names = headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        for name in names.flat_map(|value| value.split(',')).map(str::trim) {
            let Some(algorithm) = name.to_ascii_lowercase().strip_prefix(PREFIX).map(algorithm_by_name) else {
                continue;
            };
            if self.value.is_some() || self.trailer.replace(algorithm?).is_some() {
                let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
        }
        Ok(())
    }

    /// `x-amz-sdk-checksum-algorithm` promises a checksum; one of another kind is refused, none at all is S3's "compute it".
    fn check_announced(&mut self, announced: ChecksumAlgorithm) -> S3Result<()> {
        match self.algorithm() {
            Some(sent) if sent != announced => {
                let message = "Value for x-amz-sdk-checksum-algorithm header is invalid.";
                Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
            }
            _ => {
                self.wanted = Some(announced);
                Ok(())
            }
        }
    }
}

fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let md5 = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    md5.map(Some)
        .ok_or_else(|| S3Error::with_message(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified is not valid."))
}

fn parse(algorithm: ChecksumAlgorithm, text: &str) -> S3Result<ChecksumValue> {
    let value = STANDARD.decode(text.trim()).ok().and_then(|bytes| ChecksumValue::new(algorithm, &bytes));
    value.ok_or_else(|| {
        let name = algorithm_name(algorithm).to_ascii_lowercase();
        S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            format!("Value for x-amz-checksum-{name} header is invalid."),
        )
    })
}

fn from_trailer(algorithm: ChecksumAlgorithm, trailers: Option<&TrailingHeaders>) -> S3Result<ChecksumValue> {
    let name = format!("{PREFIX}{}", algorithm_name(algorithm).to_ascii_lowercase());
    let text = trailers
        .and_then(|t| t.read(|headers| headers.get(&name).and_then(|v| v.to_str().ok()).map(str::to_owned)))
        .flatten();
    let missing = || {
        custom(
            "MalformedTrailerError",
            StatusCode::BAD_REQUEST,
            "The request contained trailing data that was not well-formed.",
        )
    };
    parse(algorithm, &text.ok_or_else(missing)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    fn code(result: S3Result<Declared>) -> String {
        result.map_or_else(|error| error.code().as_str().to_owned(), |_| "accepted".to_owned())
    }

    #[test]
    fn malformed_or_contradicting_declarations_are_refused() {
        let cases = [
            (vec![("content-md5", "not base64")], "InvalidDigest"),
            (vec![("content-md5", "AAAA")], "InvalidDigest"),
            (vec![("x-amz-checksum-crc32", "AAAA")], "InvalidRequest"),
            (
                vec![("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=")],
                "InvalidRequest",
            ),
            (vec![("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-trailer", "x-amz-checksum-crc32c")], "InvalidRequest"),
            (vec![("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-sdk-checksum-algorithm", "SHA256")], "InvalidRequest"),
            (vec![("x-amz-checksum-xxhash64", "AAAA")], "NotImplemented"),
            (vec![("x-amz-checksum-nonsense", "AAAA")], "InvalidRequest"),
            (vec![("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-sdk-checksum-algorithm", "CRC32")], "accepted"),
            (vec![("x-amz-checksum-mode", "ENABLED")], "accepted"),
        ];
        for (pairs, expected) in cases {
            assert_eq!(code(Declared::from_headers(&headers(&pairs))), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_declared_value_must_be_the_computed_one() {
        let declared = Declared::from_headers(&headers(&[("x-amz-checksum-crc32", "AAAAAA==")])).expect("well-formed");
        let computed = |byte| ChecksumValue::new(ChecksumAlgorithm::Crc32, &[byte; 4]);
        assert!(declared.verify(&[0; 16], computed(0).as_ref(), None).is_ok());
        let error = declared.verify(&[0; 16], computed(1).as_ref(), None).expect_err("differs");
        assert_eq!(*error.code(), S3ErrorCode::BadDigest);
        assert!(error.message().is_some_and(|message| message.contains("CRC32")));
    }

    #[test]
    fn an_announced_trailer_must_arrive() {
        let declared =
            Declared::from_headers(&headers(&[("x-amz-trailer", "x-amz-checksum-crc32")])).expect("well-formed");
        let computed = ChecksumValue::new(ChecksumAlgorithm::Crc32, &[0; 4]);
        let error = declared.verify(&[0; 16], computed.as_ref(), None).expect_err("missing");
        assert_eq!(error.code().as_str(), "MalformedTrailerError");
    }
}

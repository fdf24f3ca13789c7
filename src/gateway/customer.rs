//! Keys that clients bring with a request (SSE-C): parsed from its headers, used, and forgotten with it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>; the words are S3's. No site ever sees such a header.
use super::terms::is_private;
use crate::audit::RequestContext;
use crate::seal::{CustomerKey, CustomerKeyFault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use md5::{Digest as _, Md5};
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The only algorithm that S3 has.
pub(super) const ALGORITHM: &str = "AES256";
/// Base64 of 32 bytes.
const KEY_TEXT: usize = 44;

/// A customer's key, and the MD5 that its client sent with it. Clones are one key. No `Debug`.
#[derive(Clone)]
pub(super) struct Brought(Arc<Keyed>);

struct Keyed {
    key: CustomerKey,
    md5: String,
}

/// The names of the headers: of an object's own key, and of a copy's source.
struct Names {
    algorithm: &'static str,
    key: &'static str,
    md5: &'static str,
}

const OWN: Names = Names {
    algorithm: "x-amz-server-side-encryption-customer-algorithm",
    key: "x-amz-server-side-encryption-customer-key",
    md5: "x-amz-server-side-encryption-customer-key-md5",
};

const SOURCE: Names = Names {
    algorithm: "x-amz-copy-source-server-side-encryption-customer-algorithm",
    key: "x-amz-copy-source-server-side-encryption-customer-key",
    md5: "x-amz-copy-source-server-side-encryption-customer-key-md5",
};

// === impl Brought ===

impl Brought {
    /// The key for the object that a request is about; `None` when it brings none.
    ///
    /// # Errors
    /// As S3 answers them: `InvalidArgument` for headers that are no key, `InvalidRequest` for a key over an open connection.
    pub(super) fn of(headers: &HeaderMap, context: Option<&RequestContext>) -> S3Result<Option<Self>> {
        Self::parse(headers, &OWN, context)
    }

    /// The same for the source of a copy.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn of_source(headers: &HeaderMap, context: Option<&RequestContext>) -> S3Result<Option<Self>> {
        Self::parse(headers, &SOURCE, context)
    }

    fn parse(headers: &HeaderMap, names: &Names, context: Option<&RequestContext>) -> S3Result<Option<Self>> {
        let algorithm = text(headers, names.algorithm)?;
        let (key, md5) = (text(headers, names.key)?, text(headers, names.md5)?);
        if algorithm.is_none() && key.is_none() && md5.is_none() {
            return Ok(None);
        }
        if !is_private(context) {
            let message = "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let algorithm = algorithm.ok_or_else(|| must_provide("a valid encryption algorithm"))?;
        if algorithm != ALGORITHM {
            let message = "The encryption request you specified is not valid. The valid value is AES256.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidEncryptionAlgorithmError, message));
        }
        let key = key.ok_or_else(|| must_provide("an appropriate secret key"))?;
        let md5 = md5.ok_or_else(|| must_provide("the client calculated MD5 of the secret key"))?;
        Self::new(key, md5).map(Some)
    }

    fn new(key: &str, md5: &str) -> S3Result<Self> {
        let unusable = || invalid("The secret key was invalid for the specified algorithm.");
        let mut decoded = Zeroizing::new([0u8; KEY_TEXT]);
        let length = STANDARD.decode_slice(key, decoded.as_mut_slice()).map_err(|_| unusable())?;
        let bytes = <&[u8; 32]>::try_from(&decoded[..length]).map_err(|_| unusable())?;
        let digest: [u8; 16] = Md5::digest(bytes).into();
        if STANDARD.decode(md5).ok().as_deref() != Some(digest.as_slice()) {
            return Err(invalid("The calculated MD5 hash of the key did not match the hash that was provided."));
        }
        let key = CustomerKey::new(bytes).map_err(|_| unusable())?;
        Ok(Self(Arc::new(Keyed { key, md5: md5.to_owned() })))
    }

    /// The key.
    pub(super) fn key(&self) -> &CustomerKey {
        &self.0.key
    }

    /// Its MD5, as the client wrote it.
    pub(super) fn md5(&self) -> &str {
        &self.0.md5
    }
}

/// Whether both are the same key, or both none.
pub(super) fn is_same(a: Option<&Brought>, b: Option<&Brought>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.key().is(b.key()),
        _ => false,
    }
}

/// What a read is refused with.
pub(super) fn refused(fault: CustomerKeyFault) -> S3Error {
    let (code, message) = match fault {
        CustomerKeyFault::Missing => (
            S3ErrorCode::InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
        ),
        CustomerKeyFault::Wrong => (S3ErrorCode::AccessDenied, "Access Denied"),
        CustomerKeyFault::NotUsed => {
            (S3ErrorCode::InvalidRequest, "The encryption parameters are not applicable to this object.")
        }
    };
    S3Error::with_message(code, message)
}

/// What a part is refused with whose upload was begun otherwise.
pub(super) fn refused_part(fault: CustomerKeyFault) -> S3Error {
    let message = match fault {
        CustomerKeyFault::Missing => {
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters."
        }
        CustomerKeyFault::Wrong => "The provided encryption parameters did not match the ones used originally.",
        CustomerKeyFault::NotUsed => {
            "The multipart upload initiate did not request encryption. Please resend the request without sending encryption parameters."
        }
    };
    S3Error::with_message(S3ErrorCode::InvalidRequest, message)
}

/// The value of a header that comes at most once.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> S3Result<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    // Never with its value: it may be a key.
    text.map(Some).ok_or_else(|| invalid(&format!("The header {name} has no usable value.")))
}

fn must_provide(what: &str) -> S3Error {
    invalid(&format!("Requests specifying Server Side Encryption with Customer provided keys must provide {what}."))
}

fn invalid(message: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::RequestId;

    const KEY: &str = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=";
    const MD5: &str = "DWygnHRtgiJ77HCm+1rvHw==";

    fn context(secure: bool, local: bool) -> RequestContext {
        let context = RequestContext::new(RequestId::from_bits(1));
        context.with(|facts| (facts.secure, facts.local) = (secure, local));
        context
    }

    fn headers(algorithm: Option<&str>, key: Option<&str>, md5: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(OWN.algorithm, algorithm), (OWN.key, key), (OWN.md5, md5)] {
            if let Some(value) = value {
                headers.append(name, value.parse().expect("a value"));
            }
        }
        headers
    }

    fn code(headers: &HeaderMap) -> Option<String> {
        let parsed = Brought::of(headers, Some(&context(true, false)));
        parsed.err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn a_key_comes_with_its_algorithm_and_md5_and_nothing_less() {
        let good = headers(Some("AES256"), Some(KEY), Some(MD5));
        let brought = Brought::of(&good, Some(&context(true, false))).expect("good").expect("a key");
        assert_eq!(brought.md5(), MD5);
        assert!(Brought::of_source(&good, None).expect("other names").is_none());
        assert!(Brought::of(&HeaderMap::new(), None).expect("nothing asked").is_none());
        let long = KEY.repeat(40);
        for (algorithm, key, md5) in [
            (None, Some(KEY), Some(MD5)),
            (Some("AES256"), None, Some(MD5)),
            (Some("AES256"), Some(KEY), None),
            (Some("AES256"), None, None),
            (None, Some(KEY), None),
            (None, None, Some(MD5)),
            (Some("AES256"), Some(KEY), Some("AAAAAAAAAAAAAAAAAAAAAA==")),
            (Some("AES256"), Some(KEY), Some("")),
            (Some("AES256"), Some("AAAA"), Some(MD5)),
            (Some("AES256"), Some(""), Some(MD5)),
            (Some("AES256"), Some(&KEY[..43]), Some(MD5)),
            (Some("AES256"), Some(long.as_str()), Some(MD5)),
            // 32 zeros and their MD5
            (Some("AES256"), Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), Some("cLyPS3KoaSFGi/joRB3OUQ==")),
        ] {
            assert_eq!(
                code(&headers(algorithm, key, md5)).as_deref(),
                Some("InvalidArgument"),
                "{algorithm:?} {md5:?}"
            );
        }
        let other = headers(Some("AES128"), Some(KEY), Some(MD5));
        assert_eq!(code(&other).as_deref(), Some("InvalidEncryptionAlgorithmError"));
        let mut twice = good;
        twice.append(OWN.key, KEY.parse().expect("a value"));
        assert_eq!(code(&twice).as_deref(), Some("InvalidArgument"), "which of the two?");
    }

    #[test]
    fn no_error_says_the_key() {
        let error = Brought::of(&headers(Some("AES256"), Some("not a key"), Some(MD5)), Some(&context(true, false)));
        assert!(!format!("{:?}", error.err()).contains("not a key"));
    }

    #[test]
    fn a_key_is_taken_over_tls_or_from_this_machine() {
        let headers = headers(Some("AES256"), Some(KEY), Some(MD5));
        for (secure, local, taken) in [(true, false, true), (false, true, true), (false, false, false)] {
            let parsed = Brought::of(&headers, Some(&context(secure, local)));
            let code = parsed.err().map(|error| error.code().as_str().to_owned());
            assert_eq!(code, (!taken).then(|| "InvalidRequest".to_owned()), "{secure} {local}");
        }
        assert!(Brought::of(&headers, None).is_err(), "nothing is known of the connection");
    }
}

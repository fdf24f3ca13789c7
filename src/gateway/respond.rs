//! The one place that turns inner errors into S3 errors.
//!
//! A client is told what S3 would tell it. What only the operator can mend (a site refuses our credential, a key is missing) is logged here, with
//! its cause, and answered as a fault of the service.
use super::customer;
use crate::keys::{KeyError, KeyState};
use crate::s3::Suite;
use crate::seal::SealError;
use crate::site::tee::TeeError;
use crate::site::{SiteError, SiteName, without_words};
use crate::state::StateError;
use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// Everything an operation can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// A site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The tee.
    #[error(transparent)]
    Tee(#[from] TeeError),
    /// Sealed bytes that a site returned do not authenticate.
    #[error("object at site {site} does not authenticate: {source}")]
    Integrity {
        /// The site.
        site: SiteName,
        /// What sealing said.
        source: SealError,
    },
    /// A plain object, which its rule lets be served: for the reader to go on with.
    #[error("the object in storage is not sealed")]
    Unsealed,
    /// Sealed with a suite that `[suites] read` does not name.
    #[error("objects that are sealed with {0} are not read here")]
    SuiteNotRead(Suite),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// State.
    #[error(transparent)]
    State(#[from] StateError),
    /// Already an S3 error.
    #[error("{0}")]
    S3(S3Error),
}

/// S3 codes of a backend that mean the same to our client, with what our client is told. (A backend's own words could name
/// its buckets or hosts.) <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const PASSED_ON: &[(&str, &str)] = &[
    ("NoSuchBucket", "The specified bucket does not exist"),
    ("NoSuchKey", "The specified key does not exist."),
    ("NoSuchVersion", "The specified version does not exist."),
    ("MethodNotAllowed", "The specified method is not allowed against this resource."),
    ("InvalidArgument", "The storage does not take an argument of the request."),
    (
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    ),
    (
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    ("AccessControlListNotSupported", "The bucket does not allow ACLs"),
    ("InvalidStorageClass", "The storage class you specified is not valid"),
    ("InvalidTag", "The tag provided was not a valid tag."),
    ("InvalidRequest", "The storage does not take the request as it is."),
    ("InvalidObjectState", "The operation is not valid for the object's storage class"),
    ("InvalidRetentionPeriod", "The retention period specified is not valid for the bucket."),
    ("BucketNotEmpty", "The bucket you tried to delete is not empty"),
    ("BucketAlreadyExists", "The requested bucket name is not available."),
    ("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."),
    ("TooManyBuckets", "You have attempted to create more buckets than allowed."),
    ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
    (
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    ),
    (
        "OperationAborted",
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    ("InvalidBucketName", "The specified bucket is not valid."),
    ("InvalidRange", "The requested range is not satisfiable"),
    ("KeyTooLongError", "Your key is too long"),
    ("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size of the storage."),
    ("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size of the storage."),
    ("NotImplemented", "The storage does not implement what the request needs."),
    ("QuotaExceeded", "The quota of the storage is used up."),
    ("SlowDown", "Please reduce your request rate."),
    ("NotModified", "Not Modified"),
];

/// What a site answers where a policy, an ACL or a lock forbids something. Clients set these through us, so it is their answer.
const DENIED: &str = "AccessDenied";

/// S3 codes of a backend that say our own credential or clock is at fault, not the client's.
const OURS: &[&str] = &["InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken"];

impl From<S3Error> for GatewayError {
    fn from(error: S3Error) -> Self {
        Self::S3(error)
    }
}

impl From<GatewayError> for S3Error {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::S3(error) => error,
            GatewayError::Site(error) | GatewayError::Tee(TeeError::Site(error)) => of_site(error),
            GatewayError::Tee(TeeError::Journal(error)) => {
                tracing::error!(%error, "nothing is acknowledged until the state database can be written again");
                unavailable()
            }
            GatewayError::State(error) => {
                tracing::error!(%error, "the state database failed");
                unavailable()
            }
            GatewayError::Integrity { source: SealError::CustomerKey(fault), .. } => customer::refused(fault),
            GatewayError::Integrity { site, source } => {
                tracing::error!(%site, error = %source, "a stored object failed authentication");
                failed_authentication()
            }
            GatewayError::Unsealed => not_sealed(),
            GatewayError::SuiteNotRead(suite) => {
                tracing::warn!(%suite, "an object of a suite was asked for that `[suites] read` does not name");
                let message = format!("Access Denied: the object is sealed with {suite}, which is not read here.");
                S3Error::with_message(S3ErrorCode::AccessDenied, message)
            }
            GatewayError::Seal(error) => of_seal(&error),
            GatewayError::Key(error) => of_key(error),
        }
    }
}

/// An operation or option that is refused rather than faked.
pub(super) fn not_implemented(what: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, format!("{what} is not supported by Strongroom."))
}

/// An S3 error whose code the `s3s` crate does not know.
pub(super) fn custom(code: &'static str, status: StatusCode, message: &str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.to_owned());
    error.set_status_code(status);
    error
}

/// What a client hears of an object that does not authenticate.
pub(super) fn failed_authentication() -> S3Error {
    S3Error::with_message(S3ErrorCode::InternalError, "The stored object failed authentication and was not returned.")
}

/// What lies in storage is not ours.
pub(super) fn not_sealed() -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidObjectState, "The object in storage is not sealed by Strongroom.")
}

/// "Try again."
pub(super) fn unavailable() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::ServiceUnavailable,
        "The service is unable to handle the request now. Please try again.",
    )
}

/// What a site says about its own configuration is the client's answer, code and words; where it may not do what was asked, so
/// may not the client.
pub(super) fn own_words(error: SiteError) -> S3Error {
    match error {
        SiteError::S3 { status, ref code, ref message, .. } if status < 500 && !OURS.contains(&code.as_str()) => {
            let ours = Some(message).filter(|message| **message == without_words(status)).and_then(|_| words_of(code));
            passed_on(code, status, ours.unwrap_or(message))
        }
        SiteError::S3 { status: 501, .. } => passed_on("NotImplemented", 501, "The storage does not implement this."),
        error => of_site(error),
    }
}

fn words_of(code: &str) -> Option<&'static str> {
    PASSED_ON.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

fn of_site(error: SiteError) -> S3Error {
    match &error {
        SiteError::S3 { site, status, code, message } => {
            if let Some(words) = words_of(code) {
                return passed_on(code, *status, words);
            }
            if *status == 429 {
                return passed_on("SlowDown", 503, "Please reduce your request rate.");
            }
            if code == DENIED {
                tracing::warn!(%site, message, "the site denies what a client asked for: by a policy, an ACL or a lock of the bucket, or because the proxy's own credential may not do it");
                return passed_on(DENIED, 403, "Access Denied");
            }
            if OURS.contains(&code.as_str()) {
                tracing::error!(%site, code, message, "the site refuses the credential of a request, the proxy's own or that of a caller who is a user of its own there; check keys, policy and clock");
                return unavailable();
            }
            tracing::error!(%site, code, status, message, "the site failed");
            match status {
                500.. => unavailable(),
                // A refusal that only this storage has: to be told as one, and not as something to try again.
                400..500 if is_code(code) => {
                    passed_on(code, *status, "The storage refuses the request, for a reason of its own.")
                }
                _ => S3Error::new(S3ErrorCode::InternalError),
            }
        }
        SiteError::DeleteMarker { status, version_id, .. } => delete_marker(*status, version_id.as_deref()),
        SiteError::Unreachable { site, detail } => {
            tracing::warn!(%site, detail, "the site is unreachable");
            unavailable()
        }
        SiteError::Protocol { site, detail } => {
            tracing::error!(%site, detail, "the site answered nonsense");
            unavailable()
        }
        SiteError::Unsupported { site, what } => {
            tracing::warn!(%site, what, "a client asked for what the site was found not to honour");
            S3Error::with_message(S3ErrorCode::NotImplemented, format!("The storage does not honour {what}."))
        }
        _ => unavailable(),
    }
}

/// Whether it looks like an error code of S3's.
fn is_code(code: &str) -> bool {
    code.len() <= 64
        && code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>: 404 for what lies under a delete marker, 405 for
/// the marker itself.
fn delete_marker(status: u16, version_id: Option<&str>) -> S3Error {
    let named = status == 405;
    let code = if named { S3ErrorCode::MethodNotAllowed } else { S3ErrorCode::NoSuchKey };
    let words = if named {
        "The specified method is not allowed against this resource."
    } else {
        "The specified key does not exist."
    };
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    headers.insert("x-amz-delete-marker", http::HeaderValue::from_static("true"));
    if named {
        headers.insert(http::header::ALLOW, http::HeaderValue::from_static("DELETE"));
    }
    if let Some(Ok(id)) = version_id.map(http::HeaderValue::from_str) {
        headers.insert("x-amz-version-id", id);
    }
    let mut error = S3Error::with_message(code, words);
    error.set_headers(headers);
    error
}

fn passed_on(code: &str, status: u16, message: &str) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::with_message(code, message.to_owned());
    if let Ok(status) = StatusCode::from_u16(status) {
        error.set_status_code(status);
    }
    error
}

fn of_seal(error: &SealError) -> S3Error {
    match error {
        SealError::NotSealed(_) => not_sealed(),
        SealError::CustomerKey(fault) => customer::refused(*fault),
        SealError::TooLarge(what) => S3Error::with_message(S3ErrorCode::EntityTooLarge, format!("Too large: {what}.")),
        error => {
            tracing::error!(%error, "sealing failed");
            S3Error::new(S3ErrorCode::InternalError)
        }
    }
}

/// AWS KMS's own words (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
fn of_key(error: KeyError) -> S3Error {
    match error {
        KeyError::NotFound(..) => {
            tracing::error!(%error, "an object or rule names a vault key that is not there");
            custom("KMS.NotFoundException", StatusCode::BAD_REQUEST, "The vault key of this object does not exist.")
        }
        KeyError::State(_, KeyState::Destroyed) => {
            tracing::warn!(%error, "a destroyed vault key was asked for");
            custom("KMS.NotFoundException", StatusCode::BAD_REQUEST, "The vault key of this object was destroyed.")
        }
        KeyError::State(_, KeyState::PendingDeletion) => {
            tracing::warn!(%error, "a vault key was asked for that is about to be destroyed");
            custom("KMS.KMSInvalidStateException", StatusCode::BAD_REQUEST, "The vault key is pending deletion.")
        }
        KeyError::State(..) => {
            tracing::warn!(%error, "a disabled vault key was asked for");
            custom("KMS.DisabledException", StatusCode::BAD_REQUEST, "The vault key is disabled.")
        }
        KeyError::Forbidden(..) => {
            tracing::warn!(%error, "a limit of the key denies it");
            S3Error::with_message(
                S3ErrorCode::AccessDenied,
                "Access Denied: this credential may not use the vault key.",
            )
        }
        KeyError::Site(error) => of_site(error),
        KeyError::Spent { .. } => {
            tracing::error!(%error, "nothing is sealed under this key");
            let message = "The vault key has sealed as much as it may, and cannot be rotated now.";
            custom("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE, message)
        }
        // Said once, when it began.
        KeyError::Withheld(_) => unavailable(),
        KeyError::ReadOnly(_) => {
            let message =
                "Nothing can be written now: the custodians of the root key cannot be asked. Reading goes on.";
            custom("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE, message)
        }
        KeyError::OutOfReach(key, _) => {
            let message = format!(
                "The vault key {key} cannot be used now: the custodians of a root key that it lies under cannot be asked."
            );
            let mut error = S3Error::with_message(S3ErrorCode::ServiceUnavailable, message);
            error.set_status_code(StatusCode::SERVICE_UNAVAILABLE);
            error
        }
        error => {
            tracing::error!(%error, "the keyring failed");
            unavailable()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(code: &str, status: u16) -> S3Error {
        let site = SiteName("primary".into());
        GatewayError::from(SiteError::S3 { site, status, code: code.into(), message: "m".into() }).into()
    }

    #[test]
    fn a_backends_answer_about_the_object_is_the_clients_too() {
        for (code, status) in
            [("NoSuchKey", 404), ("NoSuchBucket", 404), ("PreconditionFailed", 412), ("BucketNotEmpty", 409)]
        {
            let error = site(code, status);
            assert_eq!(error.code().as_str(), code);
            assert_eq!(error.status_code().map(|s| s.as_u16()), Some(status));
        }
    }

    #[test]
    fn a_backends_words_stay_inside() {
        assert_eq!(site("NoSuchBucket", 404).message(), Some("The specified bucket does not exist"));
        assert_eq!(site("MetadataTooLarge", 400).status_code().map(|s| s.as_u16()), Some(400));
        let unable = SiteError::Unsupported { site: SiteName("inner".into()), what: "If-Match on PutObject" };
        let error = S3Error::from(GatewayError::from(unable));
        assert_eq!(*error.code(), S3ErrorCode::NotImplemented);
        assert!(error.message().is_some_and(|text| text.contains("If-Match") && !text.contains("inner")));
    }

    #[test]
    fn a_refusal_that_only_one_storage_has_is_a_refusal() {
        let error = site("DirectoryObjectContainsData", 400);
        let status = error.status_code().map(|status| status.as_u16());
        assert_eq!((error.code().as_str(), status), ("DirectoryObjectContainsData", Some(400)));
        for odd in ["", "400", "<b>", "not a code"] {
            assert_eq!(*site(odd, 400).code(), S3ErrorCode::InternalError, "{odd:?}");
        }
    }

    #[test]
    fn our_own_credential_is_never_the_clients_fault() {
        for code in OURS {
            assert_eq!(*site(code, 403).code(), S3ErrorCode::ServiceUnavailable, "{code}");
        }
    }

    #[test]
    fn what_a_policy_of_the_bucket_forbids_is_the_clients_answer() {
        let error = site(DENIED, 403);
        assert_eq!((error.code().as_str(), error.status_code().map(|s| s.as_u16())), (DENIED, Some(403)));
        assert_eq!(error.message(), Some("Access Denied"), "the site's words could name its buckets");
    }

    #[test]
    fn outages_ask_the_client_to_try_again() {
        let down = SiteError::Unreachable { site: SiteName("primary".into()), detail: "refused".into() };
        assert_eq!(*S3Error::from(GatewayError::from(down)).code(), S3ErrorCode::ServiceUnavailable);
        assert_eq!(*site("InternalError", 500).code(), S3ErrorCode::ServiceUnavailable);
        assert_eq!(*site("SlowDown", 503).code(), S3ErrorCode::SlowDown);
    }
}

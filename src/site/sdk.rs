//! The SDK door: `aws-sdk-s3` over the lean door's own connection pool.
//!
//! The SDK brings endpoints, error models and retries for everything that is rare; its checksums are off where
//! an operation does not demand them, and every wait is bounded.
use super::config::SiteCredential;
use super::connect::Pool;
use super::error::{SiteError, chain, code_of_status, without_words};
use super::sdk_http::{SLOW, SdkHttp};
use super::site::{Inner, Origin};
use aws_sdk_s3::client::customize::CustomizableOperation;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::time::Duration;

/// Says that what was asked for is a delete marker.
pub(super) const DELETE_MARKER: &str = "x-amz-delete-marker";
/// The version that an answer is about.
pub(super) const VERSION_ID: &str = "x-amz-version-id";

/// Where this door leads, and how long it waits there.
pub(super) struct Door<'a> {
    pub(super) region: &'a str,
    pub(super) origin: &'a Origin,
    pub(super) connect_timeout: Duration,
    pub(super) stall_timeout: Duration,
}

/// The SDK's client for a site.
pub(super) fn client(door: &Door<'_>, credential: &SiteCredential, pool: Pool) -> aws_sdk_s3::Client {
    let http = SdkHttp::over(pool, door.origin.host.clone());
    let secret = credential.secret_access_key.expose();
    let settings = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .endpoint_url(door.origin.url())
        .force_path_style(true)
        .region(Region::new(door.region.to_owned()))
        .credentials_provider(Credentials::new(&credential.access_key_id, secret, None, None, "strongroom"))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(timeouts(door.connect_timeout, door.stall_timeout))
        .build();
    aws_sdk_s3::Client::from_conf(settings)
}

/// Override for operations whose repetition would not be the same thing (a condition, a state that is gone).
pub(super) fn once() -> Builder {
    aws_sdk_s3::Config::builder().retry_config(RetryConfig::disabled())
}

/// Override for operations that may take minutes inside the backend; tried once.
pub(super) fn slow(inner: &Inner) -> Builder {
    once().timeout_config(timeouts(inner.stall, SLOW))
}

/// Adds headers to a call; they are signed like its own.
pub(super) fn with_headers<T, E, B>(
    call: CustomizableOperation<T, E, B>,
    headers: Vec<(String, String)>,
) -> CustomizableOperation<T, E, B> {
    call.mutate_request(move |request| {
        for (name, value) in &headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    })
}

fn timeouts(connect: Duration, read: Duration) -> TimeoutConfig {
    let attempt = connect.saturating_add(read.saturating_mul(2));
    TimeoutConfig::builder()
        .connect_timeout(connect)
        .read_timeout(read)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt.saturating_mul(2).saturating_add(Duration::from_secs(1)))
        .build()
}

// === errors ===

impl Inner {
    /// An SDK error in our terms.
    pub(super) fn sdk_error<E>(&self, error: SdkError<E, HttpResponse>) -> SiteError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match &error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let headers = answer.raw().headers();
                if headers.get(DELETE_MARKER) == Some("true") && matches!(status, 404 | 405) {
                    let version_id = headers.get(VERSION_ID).map(str::to_owned);
                    return SiteError::DeleteMarker { site: self.name.clone(), status, version_id };
                }
                let meta = answer.err().meta();
                // A 200 that carries an <Error> (Complete, copies) is an error of the backend.
                let status = if status < 300 { status_of_code(meta.code()) } else { status };
                let code = meta.code().unwrap_or_else(|| code_of_status(status)).to_owned();
                let message = meta.message().map_or_else(|| without_words(status), str::to_owned);
                SiteError::S3 { site: self.name.clone(), status, code, message }
            }
            SdkError::ResponseError(answer) => {
                self.nonsense(format!("status {}: {}", answer.raw().status().as_u16(), chain(&error)))
            }
            SdkError::ConstructionFailure(_) => self.nonsense(chain(&error)),
            _ => self.unreachable(chain(&error)),
        }
    }
}

/// The status that a code inside a 200 answer stands for.
fn status_of_code(code: Option<&str>) -> u16 {
    match code {
        Some("PreconditionFailed") => 412,
        Some("NoSuchUpload" | "NoSuchKey" | "NoSuchBucket") => 404,
        Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "InvalidRequest") => 400,
        Some("AccessDenied") => 403,
        Some("ConditionalRequestConflict" | "OperationAborted") => 409,
        Some("SlowDown" | "ServiceUnavailable") => 503,
        _ => 500,
    }
}

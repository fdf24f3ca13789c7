//! Our connections in the terms of AWS's SDKs, so that no second HTTP client comes into the build.
use super::body::OutBody;
use super::connect::{self, Pool, Reach};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method, Uri};
use http_body::Body;
use std::time::Duration;

/// For operations that move data inside the backend before they answer (Complete, UploadPartCopy).
pub(super) const SLOW: Duration = Duration::from_secs(600);

/// A pool of connections in the SDKs' terms.
#[derive(Clone)]
pub struct SdkHttp {
    pool: Pool,
    /// What requests are addressed to; `None`: what their address says.
    host: Option<HeaderValue>,
    /// Longest wait for a response head.
    patience: Option<Duration>,
}

// === impl SdkHttp ===

impl SdkHttp {
    /// Connections of its own; opens none. `ca_pem`: extra certificate authorities, PEM.
    ///
    /// # Errors
    /// Why the certificate authorities are unusable.
    pub fn new(ca_pem: Option<&[u8]>, connect_timeout: Duration, stall_timeout: Duration) -> Result<Self, String> {
        let reach = Reach { ca_pem, connect_timeout, stall_timeout, max_idle_connections: 1 };
        let pool = connect::pool(&reach).map_err(|e| e.to_string())?;
        Ok(Self { pool, host: None, patience: None })
    }

    pub(super) fn over(pool: Pool, host: HeaderValue) -> Self {
        Self { pool, host: Some(host), patience: None }
    }
}

impl std::fmt::Debug for SdkHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SdkHttp").finish_non_exhaustive()
    }
}

impl HttpClient for SdkHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { patience: settings.read_timeout(), ..self.clone() })
    }
}

impl HttpConnector for SdkHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let mut request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?.map(OutBody::Sdk);
            let host = match this.host {
                Some(host) => host,
                None => host_of(request.uri())?,
            };
            request.headers_mut().entry(HOST).or_insert(host);
            // Neither the SDK nor hyper says that there is no body; RGW answers 411 to such an UploadPartCopy.
            if request.body().size_hint().exact() == Some(0) && !matches!(*request.method(), Method::GET | Method::HEAD)
            {
                request.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
            }
            let patience = this.patience.unwrap_or(SLOW);
            let answered = tokio::time::timeout(patience, this.pool.request(request)).await;
            let response = answered
                .map_err(|_| ConnectorError::timeout("no answer in time".into()))?
                .map_err(|e| ConnectorError::io(Box::new(e)))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x)).map_err(|e| ConnectorError::user(e.into()))
        })
    }
}

fn host_of(target: &Uri) -> Result<HeaderValue, ConnectorError> {
    let authority = target.authority().ok_or_else(|| ConnectorError::user("the address names no host".into()))?;
    HeaderValue::from_str(authority.as_str()).map_err(|e| ConnectorError::user(e.into()))
}

//! Connections to one site: TCP_NODELAY, TLS by rustls, one pool for both doors.
use super::body::OutBody;
use super::wire::Wire;
use http::Uri;
use http::uri::Authority;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// Shorter than the idle time of the servers we know (RGW 65 s, nginx 75 s, HAProxy 10 s and more), so that a
/// write seldom meets a connection that the server is just closing.
const IDLE: Duration = Duration::from_secs(8);

/// The pool.
pub(super) type Pool = Client<Dialler, OutBody>;

/// Opens connections: TCP and TLS within one limit of time.
#[derive(Clone)]
pub(super) struct Dialler {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

/// Where alone this process may connect to, once it was confined.
static CONFINED: OnceLock<Authority> = OnceLock::new();

/// From now on this process opens connections to this endpoint and to no other, whoever asks for them. False when it was confined to another one
/// before, or the endpoint is none.
pub fn confine(endpoint: &str) -> bool {
    let Some(authority) = endpoint.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned()) else { return false };
    *CONFINED.get_or_init(|| authority.clone()) == authority
}

/// The one place that may be reached, when it is not this one.
fn forbidden(target: &Uri) -> Option<&'static Authority> {
    CONFINED.get().filter(|only| target.authority() != Some(*only))
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The CA bundle is unusable.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("the CA bundle is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("the CA bundle holds no certificate")]
    Empty,
    #[error("a certificate of the CA bundle is unusable, or TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// hyper's read buffer grows up to this. Hundreds of downloads at once have one each.
const BUFFER: usize = 128 * 1024;

/// How a server is reached.
pub(super) struct Reach<'a> {
    /// Extra certificate authorities, PEM.
    pub(super) ca_pem: Option<&'a [u8]>,
    /// TCP and TLS.
    pub(super) connect_timeout: Duration,
    /// Longest silence.
    pub(super) stall_timeout: Duration,
    pub(super) max_idle_connections: usize,
}

/// Builds the pool; opens no connection.
pub(super) fn pool(reach: &Reach<'_>) -> Result<Pool, TlsError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    // A broken-off connection lingers until what was written is taken: not for longer than this.
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(reach.stall_timeout));
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls(reach.ca_pem)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let dialler = Dialler { inner: connector, limit: reach.connect_timeout };
    // Unsent requests may go to another connection; a request whose first byte left never is replayed.
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(reach.max_idle_connections)
        .retry_canceled_requests(true)
        .set_host(false)
        .http1_max_buf_size(BUFFER)
        .build(dialler))
}

/// TLS 1.2 and 1.3, the public roots, and the extra certificate authorities.
fn tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(pem) = ca_pem {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(TlsError::Empty);
        }
        for certificate in certificates {
            roots.add(certificate)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

// === impl Dialler ===

impl Service<Uri> for Dialler {
    type Response = Wire<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        if let Some(only) = forbidden(&target) {
            return Box::pin(async move { Err(format!("this process may connect to {only} only").into()) });
        }
        let dialled = tokio::time::timeout(self.limit, self.inner.call(target));
        Box::pin(async move { Ok(Wire::new(dialled.await.map_err(|_| "no connection in time")??)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_authorities_are_pem_and_at_least_one() {
        assert!(tls(None).is_ok());
        assert!(matches!(tls(Some(b"no certificate here")), Err(TlsError::Empty)));
        let garbage = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        assert!(tls(Some(garbage)).is_err());
        let ca = rcgen::generate_simple_self_signed(["ca.test".to_owned()]).expect("a certificate");
        assert!(tls(Some(ca.cert.pem().as_bytes())).is_ok());
    }
}

//! The loopback listener of an embedded site: TCP_NODELAY, keep-alive, one credential.
use super::wrapper::Store;
use crate::secret::SecretText;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long requests in flight may take to end after a stop.
const DRAIN: Duration = Duration::from_secs(10);
/// A Complete of 10,000 parts and a DeleteObjects of 1,000 long keys fit.
const XML_LIMIT: usize = 8 * 1024 * 1024;

/// Only the owner of the one credential gets in; there are no anonymous requests.
struct OwnerOnly {
    access_key_id: String,
}

/// The S3 service over a store.
pub(super) fn service(store: Store, access_key_id: &str, secret: &SecretText) -> S3Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_LIMIT;
    // A sealed object is a little longer than its plaintext, so 5 GiB of the latter must fit.
    config.put_object_max_size = None;
    config.allow_post_signature = false;
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(SimpleAuth::from_single(access_key_id, secret.expose()));
    builder.set_access(OwnerOnly { access_key_id: access_key_id.to_owned() });
    builder.build()
}

/// Accepts until `stopped` says so, then drains.
pub(super) async fn serve(listener: TcpListener, service: S3Service, mut stopped: watch::Receiver<bool>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(60));
    let draining = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, most likely: let some close.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        let connection = http.serve_connection(TokioIo::new(socket), service.clone());
        let connection = draining.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of an embedded site broke");
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, draining.shutdown()).await;
}

// === impl OwnerOnly ===

#[async_trait::async_trait]
impl S3Access for OwnerOnly {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        match context.credentials() {
            Some(credentials) if credentials.access_key == self.access_key_id => Ok(()),
            _ => Err(s3_error!(AccessDenied)),
        }
    }
}

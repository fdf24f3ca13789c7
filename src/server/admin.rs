//! The admin listener: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever routes traffic. Plain HTTP; it
//! shows numbers and the names of sites, never names of buckets, objects or clients.
use super::readiness::Readiness;
use crate::telemetry::Metrics;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Serves until `over`; connections that are open then are closed.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, readiness: Readiness, over: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, place, metrics.clone(), readiness.clone()));
                }
                Err(error) => super::accept::pause_after(&error).await,
            }
        }
    };
    over.run_until_cancelled(accepting).await;
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, _place: OwnedSemaphorePermit, metrics: Arc<Metrics>, readiness: Readiness) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let response = answer(request.method(), request.uri().path(), &metrics, &readiness);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "an admin connection broke");
    }
}

fn answer(method: &Method, path: &str, metrics: &Metrics, readiness: &Readiness) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET is served here\n");
    }
    match path {
        "/metrics" => page(StatusCode::OK, METRICS, metrics.render()),
        "/healthz" => page(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => {
            let report = readiness.report();
            let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            page(status, JSON, serde_json::to_string(&report).unwrap_or_default())
        }
        _ => page(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /healthz and /readyz\n"),
    }
}

fn page(status: StatusCode, kind: HeaderValue, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::SiteHealth;
    use http_body_util::BodyExt as _;

    async fn ask(method: Method, path: &str, readiness: &Readiness) -> (u16, String) {
        let response = answer(&method, path, &Metrics::new(), readiness);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn health_readiness_and_metrics_are_served_and_nothing_else() {
        let readiness = Readiness::new(|| vec![SiteHealth { name: "primary".to_owned(), healthy: true }]);
        assert_eq!(ask(Method::GET, "/healthz", &readiness).await, (200, "ok\n".to_owned()));
        let (status, text) = ask(Method::GET, "/readyz", &readiness).await;
        assert_eq!(status, 503);
        let expected = r#"{"ready":false,"reasons":["starting"],"sites":{"primary":"healthy"}}"#;
        assert_eq!(text, expected);
        readiness.started();
        assert_eq!(ask(Method::GET, "/readyz", &readiness).await.0, 200);
        assert!(ask(Method::GET, "/metrics", &readiness).await.1.contains("strongroom_build_info"));
        assert_eq!(ask(Method::GET, "/", &readiness).await.0, 404);
        assert_eq!(ask(Method::POST, "/metrics", &readiness).await.0, 405);
    }
}

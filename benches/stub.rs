//! A fast in-memory S3 stub, for the benchmark only (`scripts/bench`).
//!
//! It answers what the proxy and the plain reverse proxies ask for and nothing more: it checks no signature, keeps
//! everything in memory, and gives every write a counter as its ETag. It exists so that the numbers are the proxies'
//! and not the storage's. Never a test's backend: tests run against real servers.
//!
//! Usage: `stub PORT` (listens on 127.0.0.1 and prints `ready`).
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

type Body = BoxBody<Bytes, Infallible>;

/// A stored object: its body as it arrived, in pieces.
#[derive(Clone)]
struct Object {
    pieces: Arc<[Bytes]>,
    length: u64,
    etag: u64,
    metadata: Vec<(header::HeaderName, header::HeaderValue)>,
}

/// Everything stored, by `/bucket/key`, decoded. Buckets exist when asked for.
#[derive(Default)]
struct Store {
    objects: RwLock<BTreeMap<String, Object>>,
    parts: RwLock<BTreeMap<(String, u16), Object>>,
    next: AtomicU64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|p| p.parse::<u16>().ok()).unwrap_or(0);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let store = Arc::new(Store::default());
    eprintln!("ready {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(Arc::clone(&store), request));
            // A client that hangs up is the load generator stopping: nothing to report.
            let _ = hyper::server::conn::http1::Builder::new()
                .max_buf_size(512 * 1024)
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn answer(store: Arc<Store>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = decoded(request.uri().path());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_object = path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    Ok(match *request.method() {
        Method::PUT if is_object => put(&store, path, &query, request).await,
        Method::PUT => plain(StatusCode::OK),
        Method::GET if is_object => get(&store, &path, request.headers(), true),
        Method::HEAD if is_object => get(&store, &path, request.headers(), false),
        Method::GET if query.contains("object-lock") => {
            xml_status(StatusCode::NOT_IMPLEMENTED, "<Error><Code>NotImplemented</Code></Error>".to_owned())
        }
        Method::GET if query.contains("versioning") => {
            xml("<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>".to_owned())
        }
        Method::GET => list(&store, &path, &query),
        Method::HEAD => plain(StatusCode::OK),
        Method::DELETE if parameter(&query, "uploadId").is_none() => {
            store.objects.write().unwrap_or_else(PoisonError::into_inner).remove(&path);
            plain(StatusCode::NO_CONTENT)
        }
        Method::POST if is_object => multipart(&store, path, &query, request).await,
        _ => plain(StatusCode::NO_CONTENT),
    })
}

async fn put(store: &Store, path: String, query: &str, request: Request<Incoming>) -> Response<Body> {
    let headers = request.headers().clone();
    if let Some(source) = headers.get("x-amz-copy-source").and_then(|source| source.to_str().ok()) {
        return copy_part(store, source, &headers, query);
    }
    let Some((pieces, length)) = collect(request.into_body()).await else {
        return plain(StatusCode::BAD_REQUEST);
    };
    let etag = store.next.fetch_add(1, Ordering::Relaxed);
    let metadata =
        headers.iter().filter(|(n, _)| n.as_str().starts_with("x-amz-meta-")).map(|(n, v)| (n.clone(), v.clone()));
    let object = Object { pieces, length, etag, metadata: metadata.collect() };
    if let Some(number) = parameter(query, "partNumber").and_then(|n| n.parse().ok()) {
        let upload = parameter(query, "uploadId").unwrap_or_default().to_owned();
        store.parts.write().unwrap_or_else(PoisonError::into_inner).insert((upload, number), object);
    } else {
        let mut objects = store.objects.write().unwrap_or_else(PoisonError::into_inner);
        if forbidden(&headers, objects.get(&path)) {
            return plain(StatusCode::PRECONDITION_FAILED);
        }
        objects.insert(path, object);
    }
    with_etag(plain(StatusCode::OK), etag)
}

/// `If-Match` and `If-None-Match: *` of a write.
fn forbidden(headers: &HeaderMap, current: Option<&Object>) -> bool {
    let etag = current.map(|object| quoted(object.etag));
    headers.contains_key(header::IF_NONE_MATCH) && etag.is_some()
        || headers.get(header::IF_MATCH).is_some_and(|want| etag.as_deref() != want.to_str().ok())
}

/// UploadPartCopy, of a range or of all.
fn copy_part(store: &Store, source: &str, headers: &HeaderMap, query: &str) -> Response<Body> {
    let path = format!("/{}", decoded(source).trim_start_matches('/'));
    let Some(object) = store.objects.read().unwrap_or_else(PoisonError::into_inner).get(&path).cloned() else {
        return xml_status(StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>".to_owned());
    };
    let wanted = headers.get("x-amz-copy-source-if-match").and_then(|etag| etag.to_str().ok());
    if wanted.is_some_and(|etag| etag.trim_matches('"') != hex_etag(object.etag)) {
        return plain(StatusCode::PRECONDITION_FAILED);
    }
    let range = headers.get("x-amz-copy-source-range").and_then(|range| range.to_str().ok());
    let (start, end) = range.and_then(|range| span(range, object.length)).unwrap_or((0, object.length));
    let etag = store.next.fetch_add(1, Ordering::Relaxed);
    if let Some(number) = parameter(query, "partNumber").and_then(|n| n.parse().ok()) {
        let upload = parameter(query, "uploadId").unwrap_or_default().to_owned();
        let part = Object { pieces: cut(&object, start, end).into(), length: end - start, etag, ..object };
        store.parts.write().unwrap_or_else(PoisonError::into_inner).insert((upload, number), part);
    }
    xml(format!(
        "<CopyPartResult><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>{}</ETag></CopyPartResult>",
        quoted(etag)
    ))
}

async fn multipart(store: &Store, path: String, query: &str, request: Request<Incoming>) -> Response<Body> {
    let id = store.next.fetch_add(1, Ordering::Relaxed);
    let Some(upload) = parameter(query, "uploadId") else {
        return xml(format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ));
    };
    let headers = request.headers().clone();
    let _ = collect(request.into_body()).await;
    if forbidden(&headers, store.objects.read().unwrap_or_else(PoisonError::into_inner).get(&path)) {
        return plain(StatusCode::PRECONDITION_FAILED);
    }
    let mut parts = store.parts.write().unwrap_or_else(PoisonError::into_inner);
    let range = (upload.to_owned(), 0)..=(upload.to_owned(), u16::MAX);
    let keys: Vec<_> = parts.range(range).map(|(k, _)| k.clone()).collect();
    let taken: Vec<Object> = keys.iter().filter_map(|k| parts.remove(k)).collect();
    let length = taken.iter().map(|o| o.length).sum();
    let pieces = taken.iter().flat_map(|o| o.pieces.iter().cloned()).collect();
    let object = Object { pieces, length, etag: id, metadata: Vec::new() };
    store.objects.write().unwrap_or_else(PoisonError::into_inner).insert(path, object);
    xml(format!("<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>", quoted(id)))
}

fn get(store: &Store, path: &str, headers: &HeaderMap, with_body: bool) -> Response<Body> {
    let Some(object) = store.objects.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned() else {
        return xml_status(StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>".to_owned());
    };
    if headers.get(header::IF_MATCH).is_some_and(|v| v.to_str().ok() != Some(&quoted(object.etag))) {
        return plain(StatusCode::PRECONDITION_FAILED);
    }
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).and_then(|v| span(v, object.length));
    let (start, end) = range.unwrap_or((0, object.length));
    let mut response = Response::builder()
        .status(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
        .header(header::LAST_MODIFIED, "Mon, 01 Jan 2024 00:00:00 GMT")
        .header(header::ETAG, quoted(object.etag))
        .header(header::CONTENT_LENGTH, end - start);
    if range.is_some() {
        let value = format!("bytes {start}-{}/{}", end.saturating_sub(1), object.length);
        response = response.header(header::CONTENT_RANGE, value);
    }
    for (name, value) in &object.metadata {
        response = response.header(name, value);
    }
    let body = if with_body { slice(&object, start, end) } else { Empty::new().boxed() };
    response.body(body).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

fn slice(object: &Object, start: u64, end: u64) -> Body {
    let pieces = cut(object, start, end).into_iter().map(|piece| Ok(Frame::data(piece)));
    StreamBody::new(stream::iter(pieces.collect::<Vec<_>>())).boxed()
}

/// The pieces from `start` to `end`.
fn cut(object: &Object, start: u64, end: u64) -> Vec<Bytes> {
    let mut at = 0;
    let mut pieces = Vec::new();
    for piece in object.pieces.iter() {
        let (from, to) = (at, at + piece.len() as u64);
        if to > start && from < end {
            let low = start.max(from) - from;
            let high = end.min(to) - from;
            pieces.push(piece.slice(low as usize..high as usize));
        }
        at = to;
    }
    pieces
}

fn list(store: &Store, path: &str, query: &str) -> Response<Body> {
    let bucket = path.trim_end_matches('/');
    let prefix = format!("{bucket}/{}", parameter(query, "prefix").unwrap_or_default());
    let mut contents = String::new();
    let objects = store.objects.read().unwrap_or_else(PoisonError::into_inner);
    for (name, object) in objects.range(prefix.clone()..).take_while(|(n, _)| n.starts_with(&prefix)).take(1000) {
        let key = &name[bucket.len() + 1..];
        let _ = write!(
            contents,
            "<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>&quot;{}&quot;</ETag>\
             <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            hex_etag(object.etag),
            object.length
        );
    }
    xml(format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name><MaxKeys>1000</MaxKeys>\
         <IsTruncated>false</IsTruncated>{contents}</ListBucketResult>",
        bucket.trim_start_matches('/')
    ))
}

async fn collect(mut body: Incoming) -> Option<(Arc<[Bytes]>, u64)> {
    let mut pieces = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            length += data.len() as u64;
            pieces.push(data);
        }
    }
    Some((pieces.into(), length))
}

fn span(range: &str, length: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return Some((length.saturating_sub(last.parse().ok()?), length));
    }
    let last = last.parse::<u64>().map_or(length, |l| (l + 1).min(length));
    Some((first.parse().ok()?, last))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn hex_etag(etag: u64) -> String {
    format!("{etag:032x}")
}

fn quoted(etag: u64) -> String {
    format!("\"{}\"", hex_etag(etag))
}

fn with_etag(mut response: Response<Body>, etag: u64) -> Response<Body> {
    if let Ok(value) = quoted(etag).parse() {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed());
    *response.status_mut() = status;
    response
}

fn xml(text: String) -> Response<Body> {
    xml_status(StatusCode::OK, text)
}

fn xml_status(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    response
}

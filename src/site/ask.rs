//! One small question to a server that is no site: a body there, an answer of bounded length back. Over connections as sites have them, so that no
//! second HTTP client comes into the build.
use super::body::OutBody;
use super::connect::{self, Pool, Reach};
use super::error::chain;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Asks servers; its connections are its own.
pub struct Asker {
    pool: Pool,
    patience: Duration,
}

/// What a server answered, whatever it was.
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// Its body, wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

// === impl Asker ===

impl Asker {
    /// Opens no connection. `ca_pem`: extra certificate authorities, PEM; `patience`: for a whole answer.
    ///
    /// # Errors
    /// Why the certificate authorities are unusable.
    pub fn new(ca_pem: Option<&[u8]>, connect_timeout: Duration, patience: Duration) -> Result<Self, String> {
        let reach = Reach { ca_pem, connect_timeout, stall_timeout: patience, max_idle_connections: 1 };
        Ok(Self { pool: connect::pool(&reach).map_err(|e| e.to_string())?, patience })
    }

    /// Posts JSON. The body is wiped when it was sent; redirections are not followed.
    ///
    /// # Errors
    /// In one line, when there is no answer in time, or one of more than `limit` bytes.
    pub async fn post_json(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Zeroizing<Vec<u8>>,
        limit: usize,
    ) -> Result<Answered, String> {
        let request = request(url, headers, body)?;
        let answer = async {
            let response = self.pool.request(request).await.map_err(|e| chain(&e))?;
            let (head, mut incoming) = response.into_parts();
            // Room for all of it first, so that no copy is left behind by a reallocation.
            let mut body = Zeroizing::new(Vec::with_capacity(limit));
            while let Some(frame) = incoming.frame().await {
                let Ok(data) = frame.map_err(|e| chain(&e))?.into_data() else { continue };
                if body.len() + data.len() > limit {
                    return Err(format!("its answer is longer than {limit} bytes"));
                }
                body.extend_from_slice(&data);
            }
            Ok(Answered { status: head.status, body })
        };
        let late = |_| format!("no answer within {} seconds", self.patience.as_secs());
        tokio::time::timeout(self.patience, answer).await.map_err(late)?
    }
}

fn request(url: &str, headers: HeaderMap, body: Zeroizing<Vec<u8>>) -> Result<Request<OutBody>, String> {
    let uri: Uri = url.parse().map_err(|_| "its address is none".to_owned())?;
    let host = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let host = host.ok_or("its address names no host")?;
    let length = HeaderValue::from(body.len());
    let mut request = Request::post(uri).body(OutBody::Full(Bytes::from_owner(body))).map_err(|e| e.to_string())?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(CONTENT_LENGTH, length);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that answers one request with these bytes; what it was asked.
    async fn answer(bytes: &'static [u8], limit: usize) -> (Result<Answered, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1/x", listener.local_addr().expect("an address"));
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut asked = vec![0; 4096];
            let mut read = 0;
            while !asked[..read].ends_with(b"{}") {
                read += stream.read(&mut asked[read..]).await.expect("a request");
            }
            stream.write_all(bytes).await.expect("sent");
            String::from_utf8_lossy(&asked[..read]).to_ascii_lowercase()
        });
        let asker = Asker::new(None, Duration::from_secs(3), Duration::from_secs(5)).expect("an asker");
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("7"))]);
        let answered = asker.post_json(&url, headers, Zeroizing::new(b"{}".to_vec()), limit).await;
        (answered, served.await.expect("served"))
    }

    #[tokio::test]
    async fn an_answer_comes_whole_with_its_status_and_no_longer_than_allowed() {
        let bytes = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 5\r\n\r\n12345";
        let (answered, asked) = answer(bytes, 5).await;
        let answered = answered.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((answered.status, answered.body.as_slice()), (StatusCode::FORBIDDEN, b"12345".as_slice()));
        assert!(asked.starts_with("post /v1/x http/1.1\r\n") && asked.contains("host: 127.0.0.1:"), "{asked}");
        assert!(asked.contains("content-length: 2\r\n"), "{asked}");
        assert!(answer(bytes, 4).await.0.is_err_and(|e| e.contains("longer than 4")));
        assert!(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n123", 9).await.0.is_err(), "half an answer");
    }
}

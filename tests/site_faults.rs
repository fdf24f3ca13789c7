//! What a site does when the other end misbehaves: servers of a few lines that stall, cut off, refuse early or die.
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::secret::SecretText;
use strongroom::site::{
    Location, NO_HEADERS, PutBody, SealedRange, Site, SiteConfig, SiteError, SiteName, Unobserved, WriteCondition,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Far below the patience of a test run, far above the scheduling of a busy machine.
const STALL: Duration = Duration::from_millis(700);
const OBJECT: &str = "HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 10\r\n\r\n";
const WRITTEN: &str = "HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 0\r\n\r\n";

/// A server that gives each connection, by its number, to `serve`.
async fn server<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Site
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(count, socket));
            count += 1;
        }
    });
    site(&endpoint, None)
}

fn site(endpoint: &str, ca_pem: Option<Vec<u8>>) -> Site {
    let config = SiteConfig {
        name: SiteName("faulty".into()),
        endpoint: endpoint.into(),
        region: "us-east-1".into(),
        access_key_id: "key".into(),
        secret_access_key: SecretText::new("secret".into()),
        ca_pem,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(2),
        stall_timeout: STALL,
        max_idle_connections: 4,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a site")
}

fn at() -> Location {
    Location { bucket: BucketName::parse("bucket").expect("a name"), key: ObjectKey::parse("key").expect("a key") }
}

/// Reads until the end of a request head.
async fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

async fn say(socket: &mut TcpStream, text: &str) {
    let _ = socket.write_all(text.as_bytes()).await;
}

async fn for_ever() {
    std::future::pending::<()>().await;
}

fn unreachable<T>(result: Result<T, SiteError>) -> String {
    match result {
        Err(SiteError::Unreachable { detail, .. }) => detail,
        Err(other) => panic!("not unreachable but: {other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

async fn get(site: &Site) -> Result<Vec<u8>, SiteError> {
    let mut got = site.get(&at(), SealedRange::Whole, None).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    assert!(got.body.next().await.is_none());
    Ok(bytes)
}

async fn put(site: &Site, length: u64, fed: &[u8]) -> (Result<(), SiteError>, mpsc::Sender<Bytes>) {
    let (sender, chunks) = mpsc::channel(1);
    let target = at();
    let put = site.put(&target, &NO_HEADERS, &WriteCondition::Always, PutBody { length, chunks });
    let feed = async {
        for chunk in fed.chunks(1 << 20) {
            if sender.send(Bytes::copy_from_slice(chunk)).await.is_err() {
                return;
            }
        }
    };
    let (result, ()) = tokio::join!(put, feed);
    (result.map(drop), sender)
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable() {
    let site = server(|_, mut socket| async move {
        head(&mut socket).await;
        for_ever().await;
    })
    .await;
    unreachable(get(&site).await);
    unreachable(put(&site, 5, b"bytes").await.0);
    unreachable(site.head(&at()).await);
    assert!(!site.is_healthy(), "three outages in a row");
}

#[tokio::test]
async fn a_body_that_stalls_or_ends_early_is_an_error_and_never_an_end() {
    let site = server(|count, mut socket| async move {
        head(&mut socket).await;
        say(&mut socket, OBJECT).await;
        say(&mut socket, "12345").await;
        if count == 0 {
            for_ever().await;
        }
    })
    .await;
    assert!(unreachable(get(&site).await).contains("stalled"));
    unreachable(get(&site).await);
}

#[tokio::test]
async fn a_server_that_does_not_take_the_body_is_unreachable() {
    let site = server(|_, mut socket| async move {
        head(&mut socket).await;
        for_ever().await;
    })
    .await;
    // More than the sockets' buffers hold.
    let (result, sender) = put(&site, 1 << 30, &vec![0u8; 64 << 20]).await;
    unreachable(result);
    assert!(sender.is_closed(), "the feeder notices");
}

#[tokio::test]
async fn a_slow_feeder_is_waited_for() {
    let site = server(|_, mut socket| async move {
        head(&mut socket).await;
        let mut body = [0u8; 6];
        if socket.read_exact(&mut body).await.is_ok() {
            say(&mut socket, WRITTEN).await;
        }
        for_ever().await;
    })
    .await;
    let (sender, chunks) = mpsc::channel(1);
    let target = at();
    let put = site.put(&target, &NO_HEADERS, &WriteCondition::Always, PutBody { length: 6, chunks });
    let feed = async {
        for chunk in ["abc", "def"] {
            tokio::time::sleep(STALL * 2).await;
            sender.send(Bytes::from(chunk)).await.expect("still wanted");
        }
    };
    let (written, ()) = tokio::join!(put, feed);
    assert_eq!(written.expect("written").etag.as_str(), "e");
}

#[tokio::test]
async fn an_early_refusal_is_returned_while_the_body_is_still_coming() {
    let site = server(|_, mut socket| async move {
        head(&mut socket).await;
        let xml = "<Error><Code>SlowDown</Code><Message>later</Message></Error>";
        say(&mut socket, &format!("HTTP/1.1 503 Slow\r\ncontent-length: {}\r\n\r\n{xml}", xml.len())).await;
        for_ever().await;
    })
    .await;
    let (result, sender) = put(&site, 1 << 30, b"the first bytes").await;
    match result {
        Err(SiteError::S3 { status: 503, code, .. }) => assert_eq!(code, "SlowDown"),
        other => panic!("{other:?}"),
    }
    tokio::time::timeout(Duration::from_secs(5), sender.closed()).await.expect("the feeder notices");
}

#[tokio::test]
async fn success_before_the_end_of_the_body_is_not_believed() {
    let site = server(|_, mut socket| async move {
        head(&mut socket).await;
        say(&mut socket, WRITTEN).await;
        for_ever().await;
    })
    .await;
    let (result, _sender) = put(&site, 1 << 30, b"the first bytes").await;
    assert!(matches!(result, Err(SiteError::Protocol { .. })), "{result:?}");
}

#[tokio::test]
async fn a_read_survives_a_pooled_connection_that_died_and_a_write_is_never_replayed() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let site = server(move |_, mut socket| {
        let requests = counted.clone();
        async move {
            head(&mut socket).await;
            requests.fetch_add(1, Ordering::SeqCst);
            say(&mut socket, OBJECT).await;
            say(&mut socket, "0123456789").await;
            // The next request on this connection meets a server that closes as it reads.
            if head(&mut socket).await.starts_with("PUT") {
                requests.fetch_add(100, Ordering::SeqCst);
            }
        }
    })
    .await;
    assert_eq!(get(&site).await.expect("an object"), b"0123456789");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(get(&site).await.expect("tried once more"), b"0123456789");
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    tokio::time::sleep(Duration::from_millis(50)).await;
    unreachable(put(&site, 5, b"bytes").await.0);
    assert_eq!(requests.load(Ordering::SeqCst), 102, "sent once, on the pooled connection");
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_heals() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let site = site(&format!("http://{address}"), None);
    for _ in 0..3 {
        unreachable(get(&site).await);
    }
    assert!(!site.is_healthy());
    let listener = TcpListener::bind(address).await.expect("the same port");
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        head(&mut socket).await;
        say(&mut socket, OBJECT).await;
        say(&mut socket, "0123456789").await;
        for_ever().await;
    });
    get(&site).await.expect("an answer");
    assert!(site.is_healthy());
}

#[tokio::test]
async fn answers_that_are_not_s3_are_nonsense() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\netag: \"e\"\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 206 OK\r\netag: \"e\"\r\ncontent-length: 0\r\n\r\n",
    ] {
        let site = server(move |_, mut socket| async move {
            head(&mut socket).await;
            say(&mut socket, answer).await;
            for_ever().await;
        })
        .await;
        let result = get(&site).await;
        assert!(matches!(result, Err(SiteError::Protocol { .. })), "{answer:?}: {result:?}");
    }
}

#[tokio::test]
async fn requests_carry_what_rgw_needs_and_nothing_that_betrays() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let site = server(move |_, mut socket| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(head(&mut socket).await);
            let mut body = [0u8; 5];
            let _ = socket.read_exact(&mut body).await;
            say(&mut socket, WRITTEN).await;
            for_ever().await;
        }
    })
    .await;
    put(&site, 5, b"bytes").await.0.expect("written");
    let sent = told.recv().await.expect("a request").to_ascii_lowercase();
    assert!(sent.starts_with("put /bucket/key http/1.1\r\n"), "{sent}");
    for header in ["host: 127.0.0.1:", "content-length: 5", "x-amz-content-sha256: unsigned-payload"] {
        assert!(sent.contains(&format!("\r\n{header}")), "{header} in {sent}");
    }
    for header in ["transfer-encoding", "trailer", "expect", "user-agent", "secret"] {
        assert!(!sent.contains(header), "{header} in {sent}");
    }
}

#[tokio::test]
async fn tls_trusts_the_given_authority_and_no_stranger() {
    let ca = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(ca.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(vec![ca.cert.der().clone()], key)
        .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("https://localhost:{}", listener.local_addr().expect("bound").port());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(socket).await {
                    let mut request = [0u8; 2048];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(format!("{OBJECT}0123456789").as_bytes()).await;
                    let _ = stream.flush().await;
                    for_ever().await;
                }
            });
        }
    });
    let trusting = site(&endpoint, Some(ca.cert.pem().into_bytes()));
    assert_eq!(get(&trusting).await.expect("over TLS"), b"0123456789");
    unreachable(get(&site(&endpoint, None)).await);
}

#[tokio::test]
async fn an_early_refusal_is_read_even_when_the_connection_is_reset_under_the_body() {
    for _ in 0..30 {
        let site = server(|_, mut socket| async move {
            head(&mut socket).await;
            let xml = "<Error><Code>AccessDenied</Code></Error>";
            say(&mut socket, &format!("HTTP/1.1 403 No\r\ncontent-length: {}\r\n\r\n{xml}", xml.len())).await;
            // Closing with unread bytes resets the connection.
        })
        .await;
        let (result, _sender) = put(&site, 8 << 20, &vec![0u8; 8 << 20]).await;
        assert!(matches!(result, Err(SiteError::S3 { status: 403, .. })), "{result:?}");
    }
}

#[tokio::test]
async fn a_read_of_another_version_than_the_pinned_one_is_refused_here_when_the_server_does_not() {
    let site = server(|_, mut socket| async move {
        head(&mut socket).await;
        say(&mut socket, OBJECT).await;
        say(&mut socket, "0123456789").await;
    })
    .await;
    let pinned = strongroom::s3::SealedETag::from_backend("another");
    let result = site.get(&at(), SealedRange::Whole, Some(&pinned)).await;
    assert!(result.err().expect("it ignored If-Match").is_precondition_failed());
}

//! For tests of the server from outside: the real listeners and front over a few S3 operations of our own, and a
//! client that writes bytes to a socket, so that requests can be wrong in every way.
#![allow(dead_code, reason = "every test binary uses its part")]
use operations::Operations;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use strongroom::audit::{AuditLog, AuditSettings, Target};
use strongroom::authz::Authorizer;
use strongroom::gateway::front::{Front, FrontSettings, Guards};
use strongroom::identity::{Credential, Credentials};
use strongroom::policy::{LiveRules, RuleSet, Suites};
use strongroom::s3::BucketName;
use strongroom::secret::SecretText;
use strongroom::server::{Readiness, Server, ServerConfig, ServerError, ServerLimits, SiteHealth, TlsFiles};
use strongroom::telemetry::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod line;
mod operations;
pub mod sign;
pub mod tls;

pub use line::Line;
pub use operations::Store;

pub const ACCESS_KEY: &str = "AKTEST";
pub const SECRET: &str = "a-secret-of-the-tests";
pub const REGION: &str = "us-east-1";
pub const SYSTEM_BUCKET: &str = "strongroom-system";

/// A running server.
pub struct World {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub store: Arc<Store>,
    pub metrics: Arc<Metrics>,
    pub folder: tempfile::TempDir,
    pub stop: CancellationToken,
    audit: AuditLog,
    running: Option<JoinHandle<Result<(), ServerError>>>,
}

/// What a test may choose.
pub struct Setup {
    pub limits: ServerLimits,
    pub front: FrontSettings,
    pub tls: Option<TlsFiles>,
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

// === impl Setup ===

impl Default for Setup {
    fn default() -> Self {
        let limits = ServerLimits {
            connections: 100,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            max_header_bytes: 16 * 1024,
        };
        let front = FrontSettings {
            allow_signature_v2: true,
            region: Some(REGION.to_owned()),
            domain: Some("s3.test".to_owned()),
            max_xml_body: 100_000,
            stall_timeout: Duration::from_secs(10),
        };
        Self { limits, front, tls: None }
    }
}

// === impl World ===

impl World {
    pub async fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let metrics = Metrics::new();
        let audit = AuditLog::start(
            &AuditSettings {
                access: Target::File(folder.path().join("access.log")),
                events: Target::File(folder.path().join("events.json")),
                capacity: 1000,
            },
            metrics.clone(),
        )
        .expect("the log starts");
        let credential = Credential {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SecretText::new(SECRET.to_owned()),
            name: "tests".to_owned(),
            at: Vec::new(),
        };
        let guards = Guards {
            credentials: Arc::new(Credentials::new(vec![credential]).expect("a good credential")),
            authorizer: Arc::new(Authorizer::new(BucketName::parse(SYSTEM_BUCKET).expect("a good name"))),
            rules: Arc::new(LiveRules::new(RuleSet::new(Vec::new(), Suites::default()).expect("the default rule"))),
            metrics: metrics.clone(),
        };
        let store = Arc::new(Store::default());
        let front = Front::over(Operations(store.clone()), guards, audit.clone(), setup.front).expect("a front");
        let readiness = Readiness::new(|| vec![SiteHealth { name: "primary".to_owned(), healthy: true }]);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = ServerConfig { listen: any, admin: any, tls: setup.tls, limits: setup.limits };
        let server = Server::bind(config, front, readiness).await.expect("free ports");
        let (address, admin, stop) = (server.address(), server.admin(), CancellationToken::new());
        let running = Some(tokio::spawn(server.run(stop.clone())));
        Self { address, admin, store, metrics, folder, stop, audit, running }
    }

    /// Stops, and waits until everything has ended.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        let running = self.running.take().expect("stopped once");
        running.await.expect("no panic").expect("no error");
        self.audit.close().await;
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it accepts")
    }

    /// Sends bytes on a connection of its own and reads the answer.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut connection = self.connect().await;
        connection.write_all(bytes).await.expect("it reads");
        read_answer(&mut connection).await
    }

    /// A signed request.
    pub async fn send(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.raw(&sign::Request::new(method, target, body).bytes()).await
    }

    pub async fn get_admin(&self, path: &str) -> Answer {
        let mut connection = TcpStream::connect(self.admin).await.expect("it accepts");
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n");
        connection.write_all(request.as_bytes()).await.expect("it reads");
        read_answer(&mut connection).await
    }

    /// Waits until the access log has `count` records.
    pub async fn lines(&self, count: usize) -> Vec<Line> {
        loop {
            let text = std::fs::read_to_string(self.path("access.log")).unwrap_or_default();
            let lines: Vec<Line> = text.lines().map(Line::parse).collect();
            assert!(lines.len() <= count, "more than {count} lines:\n{text}");
            if lines.len() == count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The only record.
    pub async fn line(&self) -> Line {
        self.lines(1).await.pop().expect("one line")
    }

    /// Keys and sizes of what was stored.
    pub fn stored(&self) -> Vec<(String, usize)> {
        let objects = self.store.objects.lock().expect("no test panics with the lock");
        objects.iter().map(|(key, size)| (key.clone(), *size)).collect()
    }

    /// Waits until no request is in flight and no connection is open.
    pub async fn nothing_runs(&self) {
        for series in ["strongroom_requests_in_flight", "strongroom_connections"] {
            while self.metric(series).await != Some(0.0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// The value of a series.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let page = String::from_utf8(self.get_admin("/metrics").await.body).expect("UTF-8");
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Reads one answer.
pub async fn read_answer(connection: &mut (impl tokio::io::AsyncRead + Unpin)) -> Answer {
    try_read_answer(connection).await.expect("an answer")
}

/// Reads one answer, or what there is of it: `None` when the connection ends before its end.
pub async fn try_read_answer(connection: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Answer> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |value| value.parse().expect("a number"));
    let mut body = bytes.split_off(head);
    let bodyless = matches!(status, 204 | 304) || headers.contains_key("x-test-head");
    while !bodyless && body.len() < length {
        if connection.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Answer { status, headers, body })
}

// === impl Answer ===

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn element(&self, name: &str) -> String {
        let text = self.text();
        let inside = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
        inside.map(|(inside, _)| inside.to_owned()).unwrap_or_default()
    }

    pub fn code(&self) -> String {
        self.element("Code")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn outcome(&self) -> (u16, String) {
        (self.status, self.code())
    }
}

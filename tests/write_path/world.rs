//! A gateway over two embedded sites, asked over `s3s` as the front would ask it.
use crate::wire::Wire;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use s3s::service::{S3Service, S3ServiceBuilder};
use std::sync::Arc;
use std::time::Duration;
use strongroom::audit::{Facts, RequestContext};
use strongroom::authz::Authorizer;
use strongroom::gateway::md5::Md5Pool;
use strongroom::gateway::{Gateway, Parts, Service};
use strongroom::identity::{Credential, Credentials, Principal};
use strongroom::keys::{Keyring, OsEntropy, RootKey};
use strongroom::policy::{Conditions, KeyTemplate, LiveRules, Pattern, Replication, Rule, RuleSet, Suites, Terms};
use strongroom::replication::{BackOff, Journal, ReplicationObserver, run};
use strongroom::s3::{BucketName, ObjectKey, Operation, RequestId};
use strongroom::seal::VaultKeyId;
use strongroom::secret::{SecretBytes, SecretText};
use strongroom::site::embedded::EmbeddedSite;
use strongroom::site::tee::Tee;
use strongroom::site::{Location, SealedRange, Site, SiteConfig, SiteName, Sites, Unobserved};
use strongroom::state::{Backlog, Pending, State};
use strongroom::telemetry::Metrics;
use tokio_util::sync::CancellationToken;

/// Writes here are acknowledged when the primary has them.
pub const TEE: &str = "tee-bucket";
/// Writes here are acknowledged when every site has them.
pub const STRICT: &str = "strict-bucket";
/// The vault key of what is in [`STRICT`]; everything else has the default one.
pub const STRICT_KEY: &str = "strict-key";
pub const SYSTEM: &str = "strongroom-system";
/// How long a site may be silent.
const STALL: Duration = Duration::from_secs(3);
/// How long a backup may keep a write waiting.
pub const GRACE: Duration = Duration::from_millis(500);

pub struct World {
    pub sites: [Link; 2],
    pub tee: Tee,
    pub state: State,
    journal: Arc<Journal>,
    service: S3Service,
    authorizer: Arc<Authorizer>,
    folder: tempfile::TempDir,
}

/// A site, the breakable wire that the gateway reaches it by, and the tests' own access to it.
pub struct Link {
    pub wire: Wire,
    pub direct: Site,
    _embedded: EmbeddedSite,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub facts: Facts,
}

struct NobodyWatches;

impl ReplicationObserver for NobodyWatches {
    fn backlog(&self, _backlog: &Backlog, _oldest_seconds: f64) {}
    fn attempt(&self, _site: &str, _ok: bool) {}
}

// === impl World ===

impl World {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let primary = Link::start(&folder, "primary").await;
        let backup = Link::start(&folder, "backup").await;
        let through = |name: &str, link: &Link| site(name, &format!("http://{}", link.wire.address));
        let sites = Sites { primary: through("primary", &primary), backups: [through("backup", &backup)].into() };
        let system = BucketName::parse(SYSTEM).expect("a name");
        for site in sites.all() {
            site.probe(&system).await.expect("a probe");
            for bucket in [TEE, STRICT] {
                site.create_bucket(&BucketName::parse(bucket).expect("a name"), None).await.expect("a bucket");
            }
        }
        let wanted = ["default", STRICT_KEY].map(|name| VaultKeyId::parse(name).expect("a name"));
        let root = RootKey(SecretBytes::new([7; 32]));
        let keyring = Keyring::open(root, &sites, &system, &wanted, Arc::new(OsEntropy)).await.expect("a keyring");
        let state = State::open(&folder.path().join("state")).await.expect("a state");
        let journal = Journal::start(state.clone(), sites.backups.iter().map(Site::name)).await.expect("a journal");
        let tee = Tee::new(sites.clone(), journal.clone(), GRACE);
        let authorizer = Arc::new(Authorizer::new(system));
        let gateway = Gateway::new(Parts {
            sites,
            tee: tee.clone(),
            actors: Vec::new(),
            keyring: Arc::new(keyring),
            rules: Arc::new(LiveRules::new(rules())),
            aliases: strongroom::s3::Aliases::default(),
            authorizer: authorizer.clone(),
            credentials: Arc::new(credentials()),
            state: state.clone(),
            metrics: Metrics::new(),
            entropy: Arc::new(OsEntropy),
            region: "us-east-1".to_owned(),
            cache_entries: 100,
            md5: Md5Pool::start(1).expect("a thread"),
            hedge: None,
        });
        let service = S3ServiceBuilder::new(Service(gateway)).build();
        Self { sites: [primary, backup], tee, state, journal, service, authorizer, folder }
    }

    pub fn primary(&self) -> &Link {
        &self.sites[0]
    }

    pub fn backup(&self) -> &Link {
        &self.sites[1]
    }

    /// One request with a body that is already there.
    pub async fn ask(
        &self,
        method: &str,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let body = body.into();
        let length = body.len().to_string();
        let mut headers = headers.to_vec();
        if method != "GET" && method != "HEAD" && !headers.iter().any(|(name, _)| *name == "content-length") {
            headers.push(("content-length", &length));
        }
        self.call(method, operation, target, &headers, s3s::Body::from(body)).await
    }

    /// One request whose body comes piece by piece.
    pub async fn stream(
        &self,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Answer {
        let frames = StreamBody::new(body.map(|piece| piece.map(http_body::Frame::data)));
        self.call("PUT", operation, target, headers, s3s::Body::http_body(frames)).await
    }

    async fn call(
        &self,
        method: &str,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
        body: s3s::Body,
    ) -> Answer {
        let path = target.split('?').next().unwrap_or_default().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, key) = (BucketName::parse(bucket).ok(), ObjectKey::parse(key).ok());
        let principal = Principal { access_key_id: "TEST".into(), name: "test".into() };
        let permit = self.authorizer.permit(&principal, operation, bucket.as_ref(), key.as_ref()).expect("a permit");
        let context = RequestContext::new(RequestId::from_bits(1));
        // A client of this machine.
        context.with(|facts| facts.local = true);
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://localhost{target}"))
            .header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(permit);
        request.extensions_mut().insert(context.clone());
        let (parts, body) = self.service.call(request).await.expect("an answer").into_parts();
        let body = BodyExt::collect(body).await.expect("a body that ends").to_bytes();
        let facts = context.with(|facts| facts.clone());
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, facts }
    }

    pub async fn put(&self, target: &str, body: impl Into<Bytes>) -> Answer {
        self.put_with(target, &[], body).await
    }

    pub async fn put_with(&self, target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.ask("PUT", Operation::PutObject, target, headers, body).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", Operation::GetObject, target, &[], "").await
    }

    /// Nothing of this name at either site.
    pub async fn assert_nothing(&self, bucket: &str, key: &str) {
        for link in &self.sites {
            assert!(link.sealed(bucket, key).await.is_none(), "{bucket}/{key} is visible");
        }
    }

    /// No site keeps anything of an upload that is over, at the latest in a moment.
    pub async fn assert_no_uploads(&self) {
        for name in ["primary", "backup"] {
            let folder = self.folder.path().join(name).join(".strongroom").join("uploads");
            let left = || std::fs::read_dir(&folder).expect("the embedded site's uploads").count();
            until("every upload is gone", || async { left() == 0 }).await;
        }
    }

    /// The same sealed bytes and metadata at both sites.
    pub async fn assert_identical(&self, bucket: &str, key: &str) {
        let primary = self.primary().sealed(bucket, key).await.expect("the primary has it");
        let backup = self.backup().sealed(bucket, key).await.expect("the backup has it");
        assert!(primary == backup, "{bucket}/{key} differs between the sites");
    }

    /// What the journal remembers.
    pub async fn misses(&self) -> Vec<Pending> {
        self.state.due(i64::MAX, 10_000).await.expect("the journal")
    }

    /// Lets replication work until nothing is left.
    pub async fn level(&self) {
        let stop = CancellationToken::new();
        let back_off = BackOff::new(Duration::from_millis(10), Duration::from_millis(50)).expect("a back-off");
        let worker =
            tokio::spawn(run(self.journal.clone(), self.tee.clone(), back_off, Arc::new(NobodyWatches), stop.clone()));
        // Not what is due: a row that is worked on is not due to anybody else.
        let left = || async { self.state.backlog().await.expect("the journal").pending };
        until("the journal is empty", || async { left().await == 0 }).await;
        stop.cancel();
        worker.await.expect("the worker ends");
    }
}

// === impl Link ===

impl Link {
    async fn start(folder: &tempfile::TempDir, name: &str) -> Self {
        let secret = SecretText::new("site-secret-for-tests".to_owned());
        let embedded = EmbeddedSite::start(&folder.path().join(name), 0, "SITE", &secret).await.expect("a site");
        let wire = Wire::to(embedded.address).await;
        Self { wire, direct: site(name, &embedded.endpoint()), _embedded: embedded }
    }

    /// The sealed bytes and the metadata of an object.
    pub async fn sealed(&self, bucket: &str, key: &str) -> Option<(Vec<u8>, Option<String>)> {
        let mut got = self.direct.get(&at(bucket, key), SealedRange::Whole, None).await.ok()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = got.body.next().await {
            bytes.extend_from_slice(&chunk.expect("whole"));
        }
        Some((bytes, got.metadata))
    }
}

// === impl Answer ===

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("not text"))
    }

    pub fn etag(&self) -> &str {
        self.header("etag").trim_matches('"')
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> String {
        let text = self.text();
        let inner = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
        inner.map_or(String::new(), |(inner, _)| inner.replace("&quot;", "\"").replace("&#34;", "\""))
    }

    /// Status and S3 error code.
    pub fn verdict(&self) -> (u16, String) {
        (self.status, self.element("Code"))
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// Waits for something that is bound to happen.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..1500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: it never came to that");
}

pub fn at(bucket: &str, key: &str) -> Location {
    Location { bucket: BucketName::parse(bucket).expect("a name"), key: ObjectKey::parse(key).expect("a key") }
}

/// Bytes in which every position is recognisable.
pub fn pattern(length: usize) -> Bytes {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect::<Vec<u8>>().into()
}

pub fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    hex::encode(md5::Md5::digest(bytes))
}

fn site(name: &str, endpoint: &str) -> Site {
    let config = SiteConfig {
        name: SiteName(name.into()),
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        access_key_id: "SITE".to_owned(),
        secret_access_key: SecretText::new("site-secret-for-tests".to_owned()),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: STALL,
        stall_timeout: STALL,
        max_idle_connections: 32,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a site")
}

fn rules() -> RuleSet {
    let strict = Rule {
        name: "strict".to_owned(),
        pattern: Pattern::parse(&format!("{STRICT}/**")).expect("a pattern"),
        headers: Conditions::default(),
        key: KeyTemplate::fixed(STRICT_KEY).expect("a key"),
        terms: Terms { replication: Replication::Strict, ..Terms::default() },
    };
    RuleSet::new(vec![strict], Suites::default()).expect("rules")
}

fn credentials() -> Credentials {
    let credential = Credential {
        access_key_id: "TEST".to_owned(),
        secret_access_key: SecretText::new("a-secret-for-the-tests".to_owned()),
        name: "test".to_owned(),
        at: Vec::new(),
    };
    Credentials::new(vec![credential]).expect("credentials")
}

//! For tests of operations: a gateway over two embedded sites, asked over `s3s`; for reads fed with objects sealed by hand.
use super::metadata::UserMetadata;
use super::open::ObjectCache;
use super::{Gateway, Service};
use crate::audit::{Facts, RequestContext};
use crate::authz::Authorizer;
use crate::identity::{Credential, Credentials, Principal};
use crate::keys::{Keyring, OsEntropy, RootKey};
use crate::policy::{
    Conditions, DEFAULT, KeyTemplate, LiveRules, MetadataForm, Pattern, Rule, RuleSet, Suites, Terms, Unsealed,
};
use crate::replication::Journal;
use crate::s3::{BucketName, ObjectKey, Operation, PlainLen, RequestId};
use crate::seal::{
    ChecksumAlgorithm, ChecksumType, ChecksumValue, ContentInfo, ObjectName, ObjectSealer, PartEntry, Suite, VaultKeyId,
};
use crate::secret::{SecretBytes, SecretText};
use crate::site::embedded::EmbeddedSite;
use crate::site::tee::Tee;
use crate::site::{Location, PutBody, Site, SiteConfig, SiteName, SiteObserver, Sites, WriteCondition};
use crate::state::State;
use crate::telemetry::Metrics;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use s3s::service::{S3Service, S3ServiceBuilder};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const BUCKET: &str = "read-tests";
pub(super) const SYSTEM_BUCKET: &str = "strongroom-system";

/// Everything a test holds on to.
pub(super) struct Testbed {
    pub gateway: Arc<Gateway>,
    pub requests: Arc<Requests>,
    service: S3Service,
    running: Mutex<Vec<Option<EmbeddedSite>>>,
    _folders: tempfile::TempDir,
}

/// Every request that the sites were sent, and the bytes of objects in either direction.
#[derive(Default)]
pub(super) struct Requests(Mutex<Vec<(String, &'static str)>>, AtomicU64);

/// An answer, read to its end.
pub(super) struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
    /// True when the body broke off with an error instead of ending.
    pub broken: bool,
    pub facts: Facts,
}

/// A sealed object as a site stores it.
#[derive(Clone)]
pub(super) struct Sealed {
    pub bytes: Vec<u8>,
    pub metadata: Option<String>,
}

// === impl Requests ===

impl SiteObserver for Requests {
    fn request(&self, site: &SiteName, operation: &'static str, _outcome: &'static str, _seconds: f64) {
        self.0.lock().expect("no test panics with the lock").push((site.to_string(), operation));
    }
    fn bytes(&self, _site: &SiteName, sent: u64, received: u64) {
        self.1.fetch_add(sent + received, Ordering::Relaxed);
    }
    fn health(&self, _site: &SiteName, _healthy: bool) {}
}

impl Requests {
    /// Bytes that went to and came from the sites since the last call.
    pub(super) fn take_bytes(&self) -> u64 {
        self.1.swap(0, Ordering::Relaxed)
    }

    /// What was sent since the last call.
    pub(super) fn take(&self) -> Vec<(String, &'static str)> {
        std::mem::take(&mut self.0.lock().expect("no test panics with the lock"))
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("not text"))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

// === impl Testbed ===

impl Testbed {
    pub(super) async fn start() -> Self {
        Self::with_rule(Unsealed::default(), MetadataForm::default()).await
    }

    /// With a rule over the test bucket.
    pub(super) async fn with_rule(unsealed: Unsealed, metadata: MetadataForm) -> Self {
        let folders = tempfile::tempdir().expect("a temporary folder");
        let requests = Arc::new(Requests::default());
        let mut running = Vec::new();
        let mut sites = Vec::new();
        for name in ["primary", "backup"] {
            let folder = folders.path().join(name);
            let embedded =
                EmbeddedSite::start(&folder, 0, "SITE", &SecretText::new("site-secret-for-tests".to_owned()))
                    .await
                    .expect("an embedded site");
            sites.push(Site::new(site_config(name, embedded.address), requests.clone()).expect("a site"));
            running.push(Some(embedded));
        }
        let sites = Sites { primary: sites[0].clone(), backups: sites[1..].into() };
        let state = State::open(&folders.path().join("state")).await.expect("a state");
        let gateway = Arc::new(gateway(sites, state, rules(unsealed, metadata)).await);
        for site in gateway.sites.all() {
            site.create_bucket(&bucket(), None).await.expect("a bucket");
        }
        let service = S3ServiceBuilder::new(Service(gateway.clone())).build();
        requests.take();
        Self { gateway, requests, service, running: Mutex::new(running), _folders: folders }
    }

    pub(super) fn primary(&self) -> &Site {
        &self.gateway.sites.primary
    }

    pub(super) fn backup(&self) -> &Site {
        &self.gateway.sites.backups[0]
    }

    /// The primary goes away.
    pub(super) async fn stop_primary(&self) {
        let site = self.running.lock().expect("no test panics with the lock")[0].take();
        site.expect("stopped once").stop().await;
    }

    /// The backup goes away.
    pub(super) async fn stop_backup(&self) {
        let site = self.running.lock().expect("no test panics with the lock")[1].take();
        site.expect("stopped once").stop().await;
    }

    /// Seals `parts` (more than one, or `multipart`, makes a multipart object).
    pub(super) fn seal(&self, key: &str, parts: &[&[u8]], multipart: bool, metadata: &UserMetadata) -> Sealed {
        let at = at(key);
        let id = VaultKeyId::parse("default").expect("a valid name");
        let vault = self.gateway.keyring.for_sealing(&id).expect("the key");
        let sealer = ObjectSealer::generate(Suite::default(), &vault, &OsEntropy).expect("a sealer");
        let mut out = BytesMut::new();
        let entries: Vec<PartEntry> = parts
            .iter()
            .enumerate()
            .map(|(i, part)| {
                let mut message = sealer.message(&OsEntropy).expect("a message");
                message.update(part, &mut out).expect("sealed");
                let summary = message.finish(&mut out).expect("sealed");
                PartEntry {
                    part_number: i as u16 + 1,
                    plain_len: summary.plain_len,
                    salt: summary.salt,
                    md5: Md5::digest(part).into(),
                    checksum: multipart.then(|| crc(part)),
                }
            })
            .collect();
        let metadata = (*metadata != UserMetadata::default()).then(|| {
            let plain = serde_json::to_vec(metadata).expect("json");
            sealer.seal_metadata(&plain, &OsEntropy).expect("sealed metadata")
        });
        let md5s: Vec<u8> = entries.iter().flat_map(|entry| entry.md5).collect();
        let content = ContentInfo {
            md5: if multipart { Md5::digest(&md5s).into() } else { entries[0].md5 },
            multipart,
            checksum: Some(if multipart {
                (crc(&md5s), ChecksumType::Composite)
            } else {
                (crc(parts[0]), ChecksumType::FullObject)
            }),
            written_at: 1_700_000_000,
            metadata_tag: metadata.as_ref().map(|metadata| metadata.tag),
        };
        let name = ObjectName { bucket: &at.bucket, key: &at.key };
        out.extend_from_slice(&sealer.footer(&name, &entries, &content, &OsEntropy).expect("a footer"));
        let plain: usize = parts.iter().map(|part| part.len()).sum();
        let length = crate::seal::sealed_len(PlainLen(plain as u64)).expect("a length");
        assert_eq!(out.len() as u64, length.0, "the sealed object has its canonical length");
        Sealed { bytes: out.to_vec(), metadata: metadata.map(|metadata| metadata.value) }
    }

    /// Seals a plain PUT without metadata and stores it everywhere.
    pub(super) async fn put(&self, key: &str, plain: &[u8]) -> Sealed {
        let sealed = self.seal(key, &[plain], false, &UserMetadata::default());
        self.store_all(key, &sealed).await;
        sealed
    }

    pub(super) async fn store_all(&self, key: &str, sealed: &Sealed) {
        for site in self.gateway.sites.all() {
            self.store(site, key, sealed).await;
        }
        self.requests.take();
    }

    pub(super) async fn store(&self, site: &Site, key: &str, sealed: &Sealed) {
        let headers = crate::site::ObjectHeaders::of(sealed.metadata.as_deref());
        self.store_with(site, key, &sealed.bytes, &headers).await;
    }

    /// Puts bytes at a site behind the gateway's back.
    pub(super) async fn store_with(&self, site: &Site, key: &str, bytes: &[u8], headers: &crate::site::ObjectHeaders) {
        let (sender, chunks) = tokio::sync::mpsc::channel(4);
        let body = PutBody { length: bytes.len() as u64, chunks };
        let pieces: Vec<Bytes> = bytes.chunks(64 * 1024).map(Bytes::copy_from_slice).collect();
        let at = at(key);
        let feed = async move {
            for piece in pieces {
                let _ = sender.send(piece).await;
            }
        };
        let put = site.put(&at, headers, &WriteCondition::Always, body);
        futures_util::future::join(feed, put).await.1.expect("stored");
        self.requests.take();
    }

    /// One request about the test bucket. `target` is the path and query behind it.
    pub(super) async fn ask(
        &self,
        method: &str,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.call(method, operation, &format!("/{BUCKET}{target}"), headers).await
    }

    /// One request, with the permit that the access check would have given.
    pub(super) async fn call(
        &self,
        method: &str,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(method, operation, target, headers, s3s::Body::empty()).await
    }

    /// The same with a body.
    pub(super) async fn send(
        &self,
        method: &str,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
        body: s3s::Body,
    ) -> Answer {
        let path = target.split('?').next().unwrap_or_default().trim_start_matches('/');
        let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let (bucket, key) = (BucketName::parse(bucket).ok(), ObjectKey::parse(key).ok());
        let principal = Principal { access_key_id: "TEST".into(), name: "test".into() };
        let permit = self.gateway.authorizer.permit(&principal, operation, bucket.as_ref(), key.as_ref());
        let context = RequestContext(Arc::new(Mutex::new(no_facts(operation))));
        let uri = format!("http://localhost{target}");
        let mut request = http::Request::builder().method(method).uri(uri).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(permit.expect("a permit"));
        request.extensions_mut().insert(context.clone());
        let response = self.service.call(request).await.expect("an answer");
        let (parts, mut stream) = response.into_parts();
        let (mut body, mut broken) = (Vec::new(), false);
        while let Some(frame) = stream.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => broken = true,
            }
        }
        drop(stream);
        let facts = context.with(|facts| facts.clone());
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, broken, facts }
    }

    pub(super) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", Operation::GetObject, target, headers).await
    }

    pub(super) async fn head(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("HEAD", Operation::HeadObject, target, headers).await
    }
}

pub(super) fn bucket() -> BucketName {
    BucketName::parse(BUCKET).expect("a valid name")
}

pub(super) fn at(key: &str) -> Location {
    Location { bucket: bucket(), key: ObjectKey::parse(key).expect("a valid key") }
}

/// Bytes in which every position is recognisable.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

pub(super) fn crc(bytes: &[u8]) -> ChecksumValue {
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes) as u32;
    let mut value = [0; 32];
    value[..4].copy_from_slice(&sum.to_be_bytes());
    ChecksumValue { algorithm: ChecksumAlgorithm::Crc32, bytes: value }
}

fn rules(unsealed: Unsealed, metadata: MetadataForm) -> RuleSet {
    if unsealed == Unsealed::default() && metadata == MetadataForm::default() {
        return RuleSet::new(Vec::new(), Suites::default()).expect("the default rule");
    }
    let rule = Rule {
        name: "tested".to_owned(),
        pattern: Pattern::parse(&format!("{BUCKET}/**")).expect("a pattern"),
        headers: Conditions::default(),
        key: KeyTemplate::fixed(DEFAULT).expect("a key"),
        terms: Terms { unsealed, metadata, ..Terms::default() },
    };
    RuleSet::new(vec![rule], Suites::default()).expect("a rule")
}

async fn gateway(sites: Sites, state: State, rules: RuleSet) -> Gateway {
    let system = BucketName::parse(SYSTEM_BUCKET).expect("a valid name");
    let root = RootKey(SecretBytes::new([7; 32]));
    let wanted = [VaultKeyId::parse("default").expect("a valid name")];
    for site in sites.all() {
        site.probe(&system).await.expect("a probe");
    }
    let keyring = Keyring::open(root, &sites, &system, &wanted, Arc::new(OsEntropy)).await.expect("a keyring");
    let credential = Credential {
        access_key_id: "TEST".to_owned(),
        secret_access_key: SecretText::new("a-secret-for-the-tests".to_owned()),
        name: "test".to_owned(),
        at: Vec::new(),
    };
    let journal = Journal::start(state.clone(), sites.backups.iter().map(Site::name)).await.expect("a journal");
    Gateway {
        tee: Tee::new(sites.clone(), journal, Duration::from_secs(5)),
        sites,
        keyring: Arc::new(keyring),
        rules: Arc::new(LiveRules::new(rules)),
        aliases: crate::s3::Aliases::default(),
        authorizer: Arc::new(Authorizer::new(system)),
        credentials: Arc::new(Credentials::new(vec![credential]).expect("credentials")),
        state,
        metrics: Metrics::new(),
        entropy: Arc::new(OsEntropy),
        region: "us-east-1".to_owned(),
        objects: Arc::new(ObjectCache::new(100)),
        md5: super::md5::Md5Pool::start(1).expect("a thread"),
        hedge: Some(crate::site::Hedge { percentile: 99, floor: Duration::from_millis(50) }),
        uploads: Arc::default(),
        cors: Arc::default(),
        actors: HashMap::new(),
    }
}

fn site_config(name: &str, address: std::net::SocketAddr) -> SiteConfig {
    SiteConfig {
        name: SiteName(name.into()),
        endpoint: format!("http://{address}"),
        region: "us-east-1".to_owned(),
        access_key_id: "SITE".to_owned(),
        secret_access_key: SecretText::new("site-secret-for-tests".to_owned()),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(3),
        stall_timeout: Duration::from_secs(20),
        max_idle_connections: 32,
    }
}

fn no_facts(operation: Operation) -> Facts {
    Facts {
        request_id: RequestId::from_bits(1),
        secure: false,
        local: true,
        operation,
        bucket: None,
        key: None,
        principal: None,
        access_key_id: None,
        auth_type: None,
        error_code: None,
        rule: None,
        vault_key: None,
        vault_key_version: None,
        suite: None,
        sites_written: Vec::new(),
        sites_pending: Vec::new(),
        served_by: None,
        object_size: None,
        bytes_plain: 0,
        bytes_sealed: 0,
        version_id: None,
        also: Vec::new(),
    }
}

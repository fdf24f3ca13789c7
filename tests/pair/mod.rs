//! Two real embedded sites that can be stopped, started again and wiped, for tests of keys and replication.
#![allow(dead_code, reason = "each test binary uses a part of it")]
use bytes::Bytes;
use futures_util::StreamExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use strongroom::s3::{BucketName, ObjectKey, SealedETag};
use strongroom::seal::{VaultKeyId, VaultKeyRef};
use strongroom::secret::SecretText;
use strongroom::site::embedded::EmbeddedSite;
use strongroom::site::{
    Location, ObjectHeaders, PutBody, SealedRange, Site, SiteConfig, SiteError, SiteName, Sites, Unobserved,
    WriteCondition,
};

/// One embedded site, its folder, and the port it keeps over restarts.
pub struct Stand {
    name: &'static str,
    folder: PathBuf,
    port: u16,
    running: Option<EmbeddedSite>,
}

/// A primary and a backup.
pub struct Pair {
    pub primary: Stand,
    pub backup: Stand,
    pub sites: Sites,
    _folder: tempfile::TempDir,
}

// === impl Stand ===

impl Stand {
    async fn new(name: &'static str, folder: PathBuf) -> Self {
        let mut stand = Self { name, folder, port: 0, running: None };
        stand.start().await;
        stand
    }

    pub async fn start(&mut self) {
        let secret = SecretText::new("secret".into());
        let site = EmbeddedSite::start(&self.folder, self.port, "key", &secret).await.expect("an embedded site");
        self.port = site.address.port();
        self.running = Some(site);
    }

    pub async fn stop(&mut self) {
        if let Some(site) = self.running.take() {
            site.stop().await;
        }
    }

    /// Loses everything.
    pub async fn wipe(&mut self) {
        self.stop().await;
        std::fs::remove_dir_all(&self.folder).expect("removed");
        self.start().await;
    }

    /// Another client of the same site: as another proxy has it.
    pub fn client(&self) -> Site {
        let config = SiteConfig {
            name: SiteName(self.name.into()),
            endpoint: format!("http://127.0.0.1:{}", self.port),
            region: "us-east-1".into(),
            access_key_id: "key".into(),
            secret_access_key: SecretText::new("secret".into()),
            ca_pem: None,
            bucket_prefix: String::new(),
            connect_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(20),
            max_idle_connections: 16,
        };
        Site::new(config, Arc::new(Unobserved)).expect("a client")
    }
}

// === impl Pair ===

impl Pair {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let primary = Stand::new("primary", folder.path().join("primary")).await;
        let backup = Stand::new("backup", folder.path().join("backup")).await;
        let sites = Sites { primary: primary.client(), backups: vec![backup.client()].into() };
        Self { primary, backup, sites, _folder: folder }
    }

    /// Fresh clients, as after a restart of the proxy.
    pub fn clients(&self) -> Sites {
        Sites { primary: self.primary.client(), backups: vec![self.backup.client()].into() }
    }

    pub fn backup_site(&self) -> &Site {
        &self.sites.backups[0]
    }
}

pub fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).expect("a name")
}

/// Where the keyring lies.
pub fn system() -> BucketName {
    bucket("strongroom-system")
}

/// A vault key's name.
pub fn id(name: &str) -> VaultKeyId {
    VaultKeyId::parse(name).expect("a name")
}

/// A vault key's first version.
pub fn first(name: &str) -> VaultKeyRef {
    VaultKeyRef { id: id(name), version: 1 }
}

pub fn at(key: &str) -> Location {
    Location { bucket: bucket("data"), key: ObjectKey::parse(key).expect("a key") }
}

/// Puts an object with sealed metadata.
pub async fn put(site: &Site, at: &Location, bytes: &[u8], metadata: Option<&str>) -> SealedETag {
    let (sender, chunks) = tokio::sync::mpsc::channel(2);
    let whole = Bytes::copy_from_slice(bytes);
    let body = PutBody { length: whole.len() as u64, chunks };
    let feed = async move {
        for start in (0..whole.len()).step_by(64 * 1024) {
            let end = whole.len().min(start + 64 * 1024);
            if sender.send(whole.slice(start..end)).await.is_err() {
                return;
            }
        }
    };
    let headers = ObjectHeaders::of(metadata);
    tokio::join!(site.put(at, &headers, &WriteCondition::Always, body), feed).0.expect("put").etag
}

/// An object with its metadata.
pub async fn get(site: &Site, at: &Location) -> Result<(Vec<u8>, Option<String>), SiteError> {
    let mut got = site.get(at, SealedRange::Whole, None).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok((bytes, got.metadata))
}

/// Bytes in which every place is recognisable.
pub fn pattern(length: usize, seed: u64) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_add(seed << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

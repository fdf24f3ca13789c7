//! Two embedded sites with a keyring, a configuration for the binary, objects sealed as the proxy seals them, and ways
//! to spoil them.
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use md5::{Digest, Md5};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use strongroom::identity::{Credential, save_new, write_private};
use strongroom::keys::{Keyring, OsEntropy, RootKey};
use strongroom::s3::{BucketName, ObjectKey, PlainLen};
use strongroom::seal::{ContentInfo, ObjectName, ObjectSealer, PartEntry, Suite, VaultKeyId};
use strongroom::secret::SecretText;
use strongroom::site::embedded::EmbeddedSite;
use strongroom::site::{
    Location, ObjectHeaders, PutBody, SealedRange, Site, SiteConfig, SiteName, Sites, Unobserved, WriteCondition,
};

pub const BUCKET: &str = "docs";
const ACCESS: &str = "SRTEST";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What a run of the binary said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub primary: Site,
    pub backup: Site,
    keyring: Keyring,
    running: Vec<EmbeddedSite>,
}

// === impl World ===

impl World {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut running = Vec::new();
        for name in ["primary", "backup"] {
            let secret = SecretText::new(SECRET.into());
            running.push(EmbeddedSite::start(&folder.path().join(name), 0, ACCESS, &secret).await.expect("a site"));
        }
        let [primary, backup] = [0, 1].map(|i: usize| client(["primary", "backup"][i], &running[i].endpoint()));
        let sites = Sites { primary: primary.clone(), backups: vec![backup.clone()].into() };
        let system = BucketName::parse("strongroom-system").expect("a name");
        for site in sites.all() {
            site.probe(&system).await.expect("it answers");
            site.create_bucket(&bucket(BUCKET), None).await.expect("a bucket");
        }
        let root = RootKey::create(&folder.path().join("root.key"), &OsEntropy).expect("a root key");
        let wanted = [VaultKeyId::parse("default").expect("a name")];
        let keyring = Keyring::open(root, &sites, &system, &wanted, Arc::new(OsEntropy)).await.expect("a keyring");
        let world = Self { folder, primary, backup, keyring, running };
        world.configure("");
        world
    }

    /// Writes the configuration, with more at its end.
    pub fn configure(&self, more: &str) {
        let at = |name: &str| self.path(name);
        let credential = Credential::generate("test").expect("a credential");
        if !at("credentials.toml").exists() {
            save_new(&at("credentials.toml"), &credential).expect("a file");
            write_private(&at("site.secret"), SECRET).expect("a file");
        }
        let mut text = "[state]\nfolder = \"state\"\n[keys]\nroot = { file = \"root.key\" }\n\
                        [listen]\naddress = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
                        [credentials]\nfile = \"credentials.toml\"\n"
            .to_owned();
        for (name, site) in ["primary", "backup"].iter().zip(&self.running) {
            text += &format!(
                "[[site]]\nname = \"{name}\"\nrole = \"{name}\"\nendpoint = \"{}\"\naccess_key_id = \"{ACCESS}\"\n\
                 secret_access_key_file = \"site.secret\"\nconnect_timeout = \"500ms\"\n",
                site.endpoint()
            );
        }
        fs::write(at("strongroom.toml"), text + more).expect("a file");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an object of these parts at both sites, as the proxy would.
    pub async fn put(&self, key: &str, parts: &[&[u8]]) -> Bytes {
        let sealed = self.sealed(key, parts, 1_700_000_000);
        for site in [&self.primary, &self.backup] {
            put_raw(site, &at(key), &sealed).await;
        }
        sealed
    }

    pub fn sealed(&self, key: &str, parts: &[&[u8]], written_at: u64) -> Bytes {
        self.sealed_with(key, parts, written_at, None).0
    }

    /// With sealed metadata, which lies beside the bytes.
    pub fn sealed_with(
        &self,
        key: &str,
        parts: &[&[u8]],
        written_at: u64,
        metadata: Option<&[u8]>,
    ) -> (Bytes, Option<String>) {
        let id = VaultKeyId::parse("default").expect("a name");
        let vault = self.keyring.for_sealing(&id).expect("the key was made");
        let sealer = ObjectSealer::generate(Suite::default(), &vault, &OsEntropy).expect("a sealer");
        let (mut out, mut entries) = (BytesMut::new(), Vec::new());
        for (number, part) in (1u16..).zip(parts) {
            let mut message = sealer.message(&OsEntropy).expect("a message");
            message.update(part, &mut out).expect("sealed");
            let salt = message.finish(&mut out).expect("sealed").salt;
            let (plain_len, md5) = (PlainLen(part.len() as u64), Md5::digest(part).into());
            entries.push(PartEntry { part_number: number, plain_len, salt, md5, checksum: None });
        }
        let multipart = parts.len() > 1;
        let md5s: Vec<u8> = entries.iter().flat_map(|entry| entry.md5).collect();
        let md5 = if multipart { Md5::digest(md5s).into() } else { entries[0].md5 };
        let metadata = metadata.map(|plain| sealer.seal_metadata(plain, &OsEntropy).expect("sealed"));
        let metadata_tag = metadata.as_ref().map(|sealed| sealed.tag);
        let content = ContentInfo { md5, multipart, checksum: None, written_at, metadata_tag };
        let at = at(key);
        let name = ObjectName { bucket: &at.bucket, key: &at.key };
        out.extend_from_slice(&sealer.footer(&name, &entries, &content, &OsEntropy).expect("a footer"));
        (out.freeze(), metadata.map(|sealed| sealed.value))
    }

    /// Changes one byte of an object where a site keeps it, behind the site's back: ETag and size stay.
    pub fn rot(&self, site: &str, sealed: &[u8], byte: usize) {
        let mut folders = vec![self.path(site)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(&path).is_ok_and(|found| found == sealed) {
                    let mut bytes = sealed.to_vec();
                    bytes[byte] ^= 1;
                    fs::write(path, bytes).expect("written");
                    return;
                }
            }
        }
        panic!("{site} has no such object on its disk");
    }

    /// Runs the binary with `--config`.
    pub async fn run(&self, command: &[&str], arguments: &[&str]) -> Said {
        let config = self.path("strongroom.toml");
        let mut run = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        run.args(command).arg("--config").arg(config).args(arguments);
        self.say(run).await
    }

    pub async fn say(&self, mut command: Command) -> Said {
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        // The sites live on this test's runtime: it must not stand still meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub fn primary_address(&self) -> String {
        self.running[0].address.to_string()
    }

    pub fn endpoint(&self) -> String {
        self.running[0].endpoint()
    }

    /// Takes the primary off the network for good.
    pub async fn stop_primary(&mut self) {
        self.running.remove(0).stop().await;
    }
}

pub fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).expect("a name")
}

pub fn at(key: &str) -> Location {
    Location { bucket: bucket(BUCKET), key: ObjectKey::parse(key).expect("a key") }
}

pub fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

pub async fn put_raw(site: &Site, at: &Location, bytes: &Bytes) {
    put_with(site, at, bytes, None).await;
}

/// With sealed metadata.
pub async fn put_with(site: &Site, at: &Location, bytes: &Bytes, metadata: Option<&str>) {
    let (sender, chunks) = tokio::sync::mpsc::channel(1);
    let body = PutBody { length: bytes.len() as u64, chunks };
    let feed = async move { sender.send(bytes.clone()).await };
    let headers = ObjectHeaders::of(metadata);
    tokio::join!(site.put(at, &headers, &WriteCondition::Always, body), feed).0.expect("a put");
}

pub async fn get_raw(site: &Site, at: &Location) -> Option<Vec<u8>> {
    let mut got = site.get(at, SealedRange::Whole, None).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk.expect("a chunk"));
    }
    Some(bytes)
}

pub fn client(name: &str, endpoint: &str) -> Site {
    client_with(name, endpoint, ACCESS, SECRET)
}

pub fn client_with(name: &str, endpoint: &str, access: &str, secret: &str) -> Site {
    let config = SiteConfig {
        name: SiteName(name.into()),
        endpoint: endpoint.to_owned(),
        region: "us-east-1".into(),
        access_key_id: access.into(),
        secret_access_key: SecretText::new(secret.into()),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(3),
        stall_timeout: Duration::from_secs(30),
        max_idle_connections: 4,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a client")
}

/// Every file below a folder by its path, with its bytes.
pub fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                found.push((below, fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

//! The keyring over two real (embedded) sites.
use super::*;
use crate::s3::BucketName;
use crate::seal::{VaultKeyId, VaultKeyRef};
use crate::secret::{SecretBytes, SecretText};
use crate::site::embedded::EmbeddedSite;
use crate::site::{Site, SiteConfig, SiteName, Sites, Unobserved};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const ACCESS: &str = "SRKEYTESTS0000000000";

fn secret() -> SecretText {
    SecretText::new("a secret for the keyring's tests".to_owned())
}

async fn start(folder: &Path, port: u16) -> EmbeddedSite {
    EmbeddedSite::start(folder, port, ACCESS, &secret()).await.expect("an embedded site")
}

fn site(name: &str, address: std::net::SocketAddr) -> Site {
    let config = SiteConfig {
        name: SiteName(name.into()),
        endpoint: format!("http://{address}"),
        region: "us-east-1".into(),
        access_key_id: ACCESS.into(),
        secret_access_key: secret(),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(2),
        stall_timeout: Duration::from_secs(5),
        max_idle_connections: 4,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a site")
}

fn bucket() -> BucketName {
    BucketName::parse("strongroom-system").expect("a bucket")
}

fn id() -> VaultKeyId {
    VaultKeyId::parse("default").expect("a name")
}

async fn open(root: u8, sites: &Sites) -> Result<Keyring, KeyError> {
    for site in sites.all() {
        // A site that is down stays unprobed, as in production.
        let _ = site.probe(&bucket()).await;
    }
    Keyring::open(RootKey(SecretBytes::new([root; 32])), sites, &bucket(), &[id()], Arc::new(OsEntropy)).await
}

/// Two rings hold the same key when what one wraps the other unwraps.
fn same(a: &Keyring, b: &Keyring) -> bool {
    let reference = VaultKeyRef { id: id(), version: 1 };
    let sealer =
        crate::seal::ObjectSealer::generate(&a.for_sealing(&id()).expect("a key"), &OsEntropy).expect("sealer");
    crate::seal::ObjectSealer::from_wrapped(&sealer.to_wrapped(), &b.for_opening(&reference).expect("a key")).is_ok()
}

struct Pair {
    primary: Option<EmbeddedSite>,
    backup: Option<EmbeddedSite>,
    sites: Sites,
    folders: [tempfile::TempDir; 2],
}

async fn pair() -> Pair {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let (primary, backup) = (start(folders[0].path(), 0).await, start(folders[1].path(), 0).await);
    let sites =
        Sites { primary: site("primary", primary.address), backups: Arc::new([site("backup", backup.address)]) };
    Pair { primary: Some(primary), backup: Some(backup), sites, folders }
}

#[tokio::test]
async fn the_first_start_creates_the_key_at_every_site_and_the_next_one_finds_it() {
    let pair = pair().await;
    let first = open(1, &pair.sites).await.expect("created");
    let second = open(1, &pair.sites).await.expect("found");
    assert!(same(&first, &second));
    let only_backup = Sites { primary: pair.sites.backups[0].clone(), backups: Arc::new([]) };
    assert!(same(&first, &open(1, &only_backup).await.expect("the backup has a copy")));
}

#[tokio::test]
async fn a_lost_primary_is_given_its_copy_back() {
    let mut pair = pair().await;
    let first = open(1, &pair.sites).await.expect("created");
    pair.primary.take().expect("running").stop().await;
    let fresh = tempfile::tempdir().expect("a folder");
    let primary = start(fresh.path(), 0).await;
    let sites = Sites { primary: site("primary", primary.address), backups: pair.sites.backups.clone() };
    assert!(same(&first, &open(1, &sites).await.expect("from the backup")));
    let only_primary = Sites { primary: sites.primary.clone(), backups: Arc::new([]) };
    assert!(same(&first, &open(1, &only_primary).await.expect("the new primary has a copy")));
}

#[tokio::test]
async fn another_root_key_opens_nothing_and_changes_nothing() {
    let pair = pair().await;
    let first = open(1, &pair.sites).await.expect("created");
    assert!(matches!(open(2, &pair.sites).await, Err(KeyError::WrongRoot { .. })));
    assert!(same(&first, &open(1, &pair.sites).await.expect("still there")));
}

#[tokio::test]
async fn no_key_is_created_while_a_site_cannot_be_asked() {
    let mut pair = pair().await;
    pair.backup.take().expect("running").stop().await;
    assert!(matches!(open(1, &pair.sites).await, Err(KeyError::Unsettled(_))));
}

#[tokio::test]
async fn a_site_that_is_down_later_is_no_obstacle_and_gets_its_copy_when_it_is_back() {
    let mut pair = pair().await;
    let only_primary = Sites { primary: pair.sites.primary.clone(), backups: Arc::new([]) };
    let first = open(1, &only_primary).await.expect("created at the primary");
    let address = pair.backup.take().map(|site| (site.address, site));
    let (address, running) = address.expect("running");
    running.stop().await;
    let ring = open(1, &pair.sites).await.expect("the primary has it");
    assert!(same(&first, &ring));
    assert_eq!(ring.sync_copies(&pair.sites).await, 1);
    let _back = start(pair.folders[1].path(), address.port()).await;
    assert_eq!(ring.sync_copies(&pair.sites).await, 0);
}

#[tokio::test]
async fn two_first_starts_at_once_agree_on_one_key() {
    let pair = pair().await;
    let (a, b) = tokio::join!(open(1, &pair.sites), open(1, &pair.sites));
    assert!(same(&a.expect("opens"), &b.expect("opens")));
}

#[test]
fn root_keys_are_checked_before_use() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("root.key");
    let made = RootKey::create(&path, &OsEntropy).expect("made");
    assert!(RootKey::create(&path, &OsEntropy).is_err(), "never overwrites");
    let source = RootSource::File(path.clone());
    assert_eq!(RootKey::load(&source).expect("loads").fingerprint(), made.fingerprint());
    let refused = |text: &str, mode: u32, hint: &str| {
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("changed");
        let error = RootKey::load(&source).err().expect("refused").to_string();
        assert!(error.contains(hint), "{error}");
    };
    refused(&"00".repeat(32), 0o600, "zero key");
    refused(&"ab".repeat(31), 0o600, "64 hex digits");
    refused(&"ab".repeat(32), 0o640, "chmod 600");
    assert!(RootKey::load(&RootSource::Environment("STRONGROOM_NO_SUCH_VARIABLE".into())).is_err());
}

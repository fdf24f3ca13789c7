//! The keyring over two real sites: a site and the root key rebuild it, and in doubt nothing is made or changed.
mod pair;

use bytes::Bytes;
use pair::{Pair, id, system};
use std::sync::Arc;
use strongroom::keys::{KeyError, Keyring, OsEntropy, RootKey};
use strongroom::s3::ObjectKey;
use strongroom::seal::{Suite, VaultKeyId, VaultKeyRef};
use strongroom::secret::SecretBytes;
use strongroom::site::{Location, Site, Sites, WriteCondition};

fn root(byte: u8) -> RootKey {
    RootKey(SecretBytes::new([byte; 32]))
}

async fn open_with(sites: &Sites, root: RootKey, wanted: &[VaultKeyId]) -> Result<Keyring, KeyError> {
    Keyring::open(root, sites, &system(), wanted, Arc::new(OsEntropy)).await
}

async fn open(sites: &Sites) -> Keyring {
    match open_with(sites, root(1), &[id("default")]).await {
        Ok(keyring) => keyring,
        Err(error) => panic!("{error}"),
    }
}

async fn refused(sites: &Sites, root: RootKey, wanted: &[&str]) -> KeyError {
    let wanted: Vec<_> = wanted.iter().map(|name| id(name)).collect();
    match open_with(sites, root, &wanted).await {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

fn object(name: &str) -> Location {
    Location { bucket: system(), key: ObjectKey::parse(&format!("keyring/v1/{name}")).expect("a key") }
}

async fn bytes(site: &Site, name: &str) -> Option<Bytes> {
    site.get_small(&object(name)).await.ok().map(|(bytes, _)| bytes)
}

async fn replace(site: &Site, name: &str, bytes: Bytes) {
    site.put_small(&object(name), bytes, &WriteCondition::Always).await.expect("put");
}

/// Two keyrings hold the same key when what one sealed the other opens.
fn same_key(one: &Keyring, other: &Keyring) -> bool {
    use strongroom::seal::ObjectSealer;
    let key = one.for_sealing(&id("default")).expect("a key");
    let sealer = ObjectSealer::generate(Suite::default(), &key, &OsEntropy).expect("a sealer");
    let wrapped = sealer.to_wrapped();
    let reference = ObjectSealer::wrapped_key_ref(&wrapped).expect("a reference");
    let Ok(opener) = other.for_opening(&reference) else { return false };
    ObjectSealer::from_wrapped(&wrapped, &opener).is_ok()
}

#[tokio::test]
async fn the_first_start_makes_the_key_at_every_site_and_later_starts_use_it() {
    let pair = Pair::start().await;
    let first = open(&pair.sites).await;
    let copies = (bytes(&pair.sites.primary, "default").await, bytes(pair.backup_site(), "default").await);
    assert!(copies.0.is_some());
    assert_eq!(copies.0, copies.1, "the same sealed bytes");
    let second = open(&pair.clients()).await;
    assert!(same_key(&first, &second));
    assert_eq!(bytes(&pair.sites.primary, "default").await, copies.0, "nothing was written again");
    let reference = VaultKeyRef { id: id("default"), version: 1 };
    assert!(second.for_opening(&reference).is_ok());
    let unknown = VaultKeyRef { id: id("default"), version: 2 };
    assert!(matches!(second.for_opening(&unknown), Err(KeyError::NotFound(_, 2))));
    assert!(matches!(second.for_sealing(&id("other")), Err(KeyError::NotFound(..))));
}

#[tokio::test]
async fn the_key_never_lies_in_clear_in_the_bucket() {
    let pair = Pair::start().await;
    open(&pair.sites).await;
    let stored = bytes(&pair.sites.primary, "default").await.expect("there");
    for clear in ["versions", "enabled", "default"] {
        assert!(!stored.windows(clear.len()).any(|window| window == clear.as_bytes()), "{clear}");
    }
}

#[tokio::test]
async fn a_wiped_primary_is_rebuilt_from_the_backup() {
    let mut pair = Pair::start().await;
    let before = open(&pair.sites).await;
    pair.primary.wipe().await;
    let after = open(&pair.clients()).await;
    assert!(same_key(&before, &after));
    assert!(bytes(&pair.sites.primary, "default").await.is_some(), "the primary has its copy again");
}

#[tokio::test]
async fn another_root_key_is_refused_and_changes_nothing() {
    let pair = Pair::start().await;
    open(&pair.sites).await;
    let before = bytes(&pair.sites.primary, "default").await;
    for wanted in [&["default"][..], &["another"], &[]] {
        let error = refused(&pair.clients(), root(2), wanted).await;
        let KeyError::WrongRoot { site, .. } = &error else { panic!("{error}") };
        assert!(["primary", "backup"].contains(&site.as_str()));
        assert!(error.to_string().contains("Start with the root key that made"), "{error}");
    }
    assert_eq!(bytes(&pair.sites.primary, "default").await, before);
    assert!(bytes(&pair.sites.primary, "another").await.is_none(), "no key under a second root");
}

#[tokio::test]
async fn proxies_that_start_together_make_exactly_one_key() {
    for _ in 0..5 {
        let pair = Pair::start().await;
        let starts = (0..6).map(|_| {
            let sites = pair.clients();
            tokio::spawn(async move { open(&sites).await })
        });
        let rings: Vec<_> =
            futures_util::future::join_all(starts).await.into_iter().map(|r| r.expect("opened")).collect();
        assert!(rings.iter().all(|ring| same_key(&rings[0], ring)));
        assert_eq!(
            bytes(&pair.sites.primary, "default").await,
            bytes(pair.backup_site(), "default").await,
            "the loser's key is nowhere"
        );
    }
}

#[tokio::test]
async fn no_key_is_made_while_a_site_cannot_be_asked() {
    let mut pair = Pair::start().await;
    pair.backup.stop().await;
    let error = refused(&pair.sites, root(1), &["default"]).await;
    assert!(matches!(error, KeyError::Unsettled(_)) && error.to_string().contains("backup"), "{error}");
    pair.backup.start().await;
    pair.primary.stop().await;
    let error = refused(&pair.clients(), root(1), &["default"]).await;
    assert!(matches!(error, KeyError::Unsettled(_)), "{error}");
    pair.primary.start().await;
    assert!(bytes(&pair.sites.primary, "default").await.is_none());
    open(&pair.clients()).await;
}

#[tokio::test]
async fn a_key_that_one_site_has_is_used_while_the_other_is_down() {
    let mut pair = Pair::start().await;
    let before = open(&pair.sites).await;
    pair.backup.stop().await;
    let without_backup = open(&pair.clients()).await;
    assert!(same_key(&before, &without_backup));
    assert_eq!(without_backup.sync_copies(&pair.clients()).await, 1, "one site lacks it, as far as we know");
    pair.backup.start().await;
    pair.primary.stop().await;
    assert!(same_key(&before, &open(&pair.clients()).await));
}

#[tokio::test]
async fn a_missing_copy_is_written_when_the_site_is_back() {
    let mut pair = Pair::start().await;
    let keyring = open(&pair.sites).await;
    pair.backup.wipe().await;
    pair.backup.stop().await;
    let sites = pair.clients();
    assert_eq!(keyring.sync_copies(&sites).await, 1);
    pair.backup.start().await;
    assert_eq!(keyring.sync_copies(&sites).await, 0);
    assert_eq!(bytes(pair.backup_site(), "default").await, bytes(&pair.sites.primary, "default").await);
}

#[tokio::test]
async fn a_tampered_copy_is_passed_over_and_left_as_evidence() {
    let pair = Pair::start().await;
    let before = open(&pair.sites).await;
    let mut tampered = bytes(&pair.sites.primary, "default").await.expect("there").to_vec();
    *tampered.last_mut().expect("not empty") ^= 1;
    let tampered = Bytes::from(tampered);
    replace(&pair.sites.primary, "default", tampered.clone()).await;
    let after = open(&pair.clients()).await;
    assert!(same_key(&before, &after));
    assert_eq!(bytes(&pair.sites.primary, "default").await, Some(tampered.clone()));
    assert_eq!(after.sync_copies(&pair.clients()).await, 1);
    replace(pair.backup_site(), "default", tampered).await;
    let error = refused(&pair.clients(), root(1), &["default"]).await;
    assert!(matches!(error, KeyError::WrongRoot { .. }), "{error}");
}

#[tokio::test]
async fn the_copy_of_one_key_does_not_open_in_the_place_of_another() {
    let pair = Pair::start().await;
    assert!(open_with(&pair.sites, root(1), &[id("a"), id("b")]).await.is_ok());
    let a = bytes(&pair.sites.primary, "a").await.expect("there");
    for site in pair.sites.all() {
        replace(site, "b", a.clone()).await;
    }
    assert!(matches!(refused(&pair.clients(), root(1), &["a"]).await, KeyError::WrongRoot { .. }));
}

#[tokio::test]
async fn two_keys_of_one_name_and_serial_are_a_conflict() {
    let (one, two) = (Pair::start().await, Pair::start().await);
    open(&one.sites).await;
    open(&two.sites).await;
    let foreign = bytes(&two.sites.primary, "default").await.expect("there");
    replace(one.backup_site(), "default", foreign.clone()).await;
    let error = refused(&one.clients(), root(1), &["default"]).await;
    assert!(matches!(error, KeyError::Conflict(_)), "{error}");
    assert_eq!(bytes(one.backup_site(), "default").await, Some(foreign));
}

#[tokio::test]
async fn keys_that_are_no_longer_wanted_still_open_what_they_sealed() {
    let pair = Pair::start().await;
    assert!(open_with(&pair.sites, root(1), &[id("old"), id("default")]).await.is_ok());
    let keyring = open(&pair.clients()).await;
    assert!(keyring.for_opening(&VaultKeyRef { id: id("old"), version: 1 }).is_ok());
}

#[tokio::test]
async fn a_folder_with_the_system_buckets_objects_is_a_keyring() {
    let pair = Pair::start().await;
    let online = open(&pair.sites).await;
    let copy = bytes(pair.backup_site(), "default").await.expect("there");
    let folder = tempfile::tempdir().expect("a folder");
    for place in [folder.path().join("synced/keyring/v1"), folder.path().join("flat")] {
        std::fs::create_dir_all(&place).expect("created");
        std::fs::write(place.join("default"), &copy).expect("written");
    }
    std::fs::write(folder.path().join("flat/readme.txt"), "not a keyring object").expect("written");
    for place in ["synced", "flat"] {
        let Ok(offline) = Keyring::open_folder(root(1), &folder.path().join(place)) else { panic!("{place}") };
        assert!(same_key(&online, &offline));
        let wrong = Keyring::open_folder(root(2), &folder.path().join(place)).err().expect("refused");
        assert!(matches!(wrong, KeyError::WrongRoot { .. }), "{wrong}");
    }
    for empty in [folder.path().to_owned(), folder.path().join("none")] {
        assert!(matches!(Keyring::open_folder(root(1), &empty), Err(KeyError::Unsettled(_))));
    }
}

//! The life of a vault key over two real sites: made on first use, changed by conditional writes, taken over by every proxy.
mod pair;

use pair::{Pair, first, id, system};
use std::sync::Arc;
use strongroom::clock;
use strongroom::keys::{
    Done, KeyAdmin, KeyChange, KeyError, KeyInfo, KeyState, Keyring, Limits, OsEntropy, RootKey, Use,
};
use strongroom::secret::SecretBytes;
use strongroom::site::Sites;
use time::{Duration, OffsetDateTime};

fn root() -> RootKey {
    RootKey(SecretBytes::new([1; 32]))
}

async fn open(sites: &Sites) -> Keyring {
    for site in sites.all() {
        let _ = site.probe(&system()).await;
    }
    let opened = Keyring::open(root(), sites, &system(), &[id("default")], Arc::new(OsEntropy)).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

async fn change_at(sites: &Sites, name: &str, change: KeyChange, now: OffsetDateTime) -> Result<Done, KeyError> {
    for site in sites.all() {
        let _ = site.probe(&system()).await;
    }
    let admin = KeyAdmin { roots: &root().into(), sites, bucket: &system(), entropy: &OsEntropy, by: "a test" };
    admin.change(&id(name), &change, now).await
}

async fn change(sites: &Sites, name: &str, change: KeyChange) -> Done {
    change_at(sites, name, change, clock::now()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn show(sites: &Sites, name: &str) -> KeyInfo {
    let admin = KeyAdmin { roots: &root().into(), sites, bucket: &system(), entropy: &OsEntropy, by: "a test" };
    admin.show(&id(name)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Why a key does not open; `None` when it does.
fn refused(ring: &Keyring, name: &str) -> Option<KeyState> {
    match ring.for_opening(&first(name)) {
        Ok(_) => None,
        Err(KeyError::State(_, state)) => Some(state),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn many_who_want_a_new_key_at_once_through_two_proxies_get_one() {
    let pair = Pair::start().await;
    let rings = [Arc::new(open(&pair.clients()).await), Arc::new(open(&pair.clients()).await)];
    let asked = (0..24).map(|n| {
        let ring = rings[n % 2].clone();
        tokio::spawn(async move { ring.sealing_key(&id("client-acme")).await.map(|key| key.reference.clone()) })
    });
    for answer in futures_util::future::join_all(asked).await {
        let reference = answer.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(reference, first("client-acme"));
    }
    for ring in &rings {
        assert_eq!(refused(ring, "client-acme"), None, "what one made the other has");
    }
    assert_eq!(show(&pair.clients(), "client-acme").await.serial, 1);
}

#[tokio::test]
async fn a_new_key_needs_every_site_and_one_that_exists_needs_none() {
    let mut pair = Pair::start().await;
    let ring = open(&pair.clients()).await;
    ring.sealing_key(&id("known")).await.map(drop).unwrap_or_else(|error| panic!("{error}"));
    pair.backup.stop().await;
    let error = ring.sealing_key(&id("fresh")).await.map(drop).expect_err("it could exist at the backup");
    assert!(matches!(error, KeyError::Unsettled(_)), "{error}");
    let again = ring.sealing_key(&id("fresh")).await.map(drop).expect_err("not asked again at once");
    assert!(again.to_string().contains("a moment ago"), "{again}");
    assert!(ring.sealing_key(&id("known")).await.is_ok());
    pair.backup.start().await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(ring.sealing_key(&id("fresh")).await.is_ok());
}

#[tokio::test]
async fn what_another_proxy_made_is_found_when_it_is_needed() {
    let pair = Pair::start().await;
    let (one, other) = (open(&pair.clients()).await, open(&pair.clients()).await);
    one.sealing_key(&id("client-x")).await.map(drop).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(other.for_opening(&first("client-x")), Err(KeyError::NotFound(..))), "not in its memory");
    assert!(other.opening_key(&first("client-x")).await.is_ok());
    let unknown = other.opening_key(&first("client-y")).await.map(drop).expect_err("nobody made it");
    assert!(matches!(unknown, KeyError::NotFound(..)), "{unknown}: an object that names it makes no key");
}

#[tokio::test]
async fn every_change_reaches_a_running_keyring_with_its_next_look() {
    let pair = Pair::start().await;
    let ring = open(&pair.clients()).await;
    let steps = [
        (KeyChange::Disable, Some(KeyState::Disabled)),
        (KeyChange::Enable, None),
        (KeyChange::ScheduleDeletion { days: 7 }, Some(KeyState::PendingDeletion)),
        (KeyChange::CancelDeletion, Some(KeyState::Disabled)),
        (KeyChange::Enable, None),
    ];
    for (step, expected) in steps {
        let before = ring.generation();
        change(&pair.clients(), "default", step.clone()).await;
        assert_eq!(ring.refresh().await, 0);
        assert_eq!(refused(&ring, "default"), expected, "{step:?}");
        assert_ne!(ring.generation(), before);
    }
    change(&pair.clients(), "default", KeyChange::Rotate).await;
    ring.refresh().await;
    let newest = ring.for_sealing(&id("default")).map(|key| key.reference.version);
    assert_eq!(newest.unwrap_or_else(|error| panic!("{error}")), 2);
    assert!(ring.for_opening(&first("default")).is_ok(), "what the first version sealed stays readable");
    let limits = Limits { encrypt: Some(vec!["erp".into()]), decrypt: None };
    change(&pair.clients(), "default", KeyChange::Limit(limits)).await;
    ring.refresh().await;
    assert!(ring.may(&id("default"), Use::Encrypt, "erp").is_ok());
    assert!(matches!(ring.may(&id("default"), Use::Encrypt, "other"), Err(KeyError::Forbidden(..))));
    assert!(ring.may(&id("default"), Use::Decrypt, "other").is_ok());
}

#[tokio::test]
async fn an_old_key_is_rotated_once_however_many_proxies_see_it_and_a_stopped_one_is_not() {
    let pair = Pair::start().await;
    let rings = [open(&pair.clients()).await, open(&pair.clients()).await];
    let (day, now) = (std::time::Duration::from_secs(86_400), clock::now());
    let versions = async || show(&pair.clients(), "default").await.versions.len();
    assert_eq!(rings[0].rotate_older(day, now + Duration::hours(23)).await, 0);
    let late = now + Duration::hours(25);
    let rotated = tokio::join!(rings[0].rotate_older(day, late), rings[1].rotate_older(day, late));
    assert_eq!(rotated.0 + rotated.1, 1, "by one of them");
    assert_eq!(versions().await, 2);
    assert_eq!(rings[0].rotate_older(day, late).await + rings[1].rotate_older(day, late).await, 0);
    for ring in &rings {
        ring.refresh().await;
        let newest = ring.for_sealing(&id("default")).map(|key| key.reference.version);
        assert_eq!(newest.unwrap_or_else(|error| panic!("{error}")), 2);
        assert!(ring.for_opening(&first("default")).is_ok());
    }
    change(&pair.clients(), "default", KeyChange::Disable).await;
    rings[0].refresh().await;
    assert_eq!(rings[0].rotate_older(day, late + Duration::days(9)).await, 0);
    assert_eq!(rings[1].rotate_older(day, late + Duration::days(9)).await, 0, "it had not heard of it");
    assert_eq!(versions().await, 2);
}

#[tokio::test]
async fn a_key_is_destroyed_after_its_window_and_for_good() {
    let pair = Pair::start().await;
    let ring = open(&pair.clients()).await;
    let (sites, now) = (pair.clients(), clock::now());
    assert!(change_at(&sites, "default", KeyChange::Destroy, now).await.is_err(), "it is in use");
    for days in [0, 6, 31] {
        assert!(change_at(&sites, "default", KeyChange::ScheduleDeletion { days }, now).await.is_err(), "{days}");
    }
    change(&sites, "default", KeyChange::ScheduleDeletion { days: 7 }).await;
    let early = change_at(&sites, "default", KeyChange::Destroy, now + Duration::days(6)).await.map(drop);
    assert!(early.expect_err("too early").to_string().contains("window ends"));
    let done = change_at(&sites, "default", KeyChange::Destroy, now + Duration::days(8)).await;
    let info = done.unwrap_or_else(|error| panic!("{error}")).info;
    assert_eq!((info.state, info.versions.len()), (KeyState::Destroyed, 0));
    ring.refresh().await;
    assert_eq!(refused(&ring, "default"), Some(KeyState::Destroyed));
    for undo in [KeyChange::Enable, KeyChange::CancelDeletion, KeyChange::Rotate, KeyChange::Disable] {
        assert!(change_at(&sites, "default", undo, now).await.is_err());
    }
    let started_anew = open(&pair.clients()).await;
    let error = started_anew.sealing_key(&id("default")).await.map(drop).expect_err("never made again");
    assert!(matches!(error, KeyError::State(_, KeyState::Destroyed)), "{error}");
}

#[tokio::test]
async fn a_key_is_stopped_at_a_backup_while_the_primary_is_down_and_the_primary_learns_of_it() {
    let mut pair = Pair::start().await;
    let ring = open(&pair.clients()).await;
    pair.primary.stop().await;
    let refused_change = change_at(&pair.clients(), "default", KeyChange::Rotate, clock::now()).await;
    assert!(
        matches!(refused_change.map(drop), Err(KeyError::Unsettled(_))),
        "only what stops a key may go on without it"
    );
    let done = change(&pair.clients(), "default", KeyChange::Disable).await;
    assert_eq!(done.missing.first().map(|(site, _)| site.as_str()), Some("primary"));
    assert_eq!(ring.refresh().await, 1, "the primary does not answer");
    assert_eq!(refused(&ring, "default"), Some(KeyState::Disabled));
    pair.primary.start().await;
    ring.refresh().await;
    pair.backup.stop().await;
    assert_eq!(show(&pair.clients(), "default").await.state, KeyState::Disabled, "a proxy wrote it there");
}

#[tokio::test]
async fn a_site_that_lost_its_keyring_gets_it_back_from_a_running_proxy() {
    let mut pair = Pair::start().await;
    let ring = open(&pair.clients()).await;
    pair.backup.wipe().await;
    assert_eq!(ring.refresh().await, 0);
    pair.primary.stop().await;
    assert_eq!(show(&pair.clients(), "default").await.state, KeyState::Enabled);
}

#[tokio::test]
async fn an_old_version_is_disabled_put_back_and_destroyed_and_the_newest_never_is() {
    let pair = Pair::start().await;
    let sites = pair.clients();
    let ring = open(&sites).await;
    let refused_change = async |wanted: KeyChange| {
        let answer = change_at(&sites, "default", wanted.clone(), clock::now()).await;
        assert!(matches!(answer, Err(KeyError::Refused(..))), "{wanted:?}");
    };
    for wanted in [KeyChange::DisableVersion(1), KeyChange::DestroyVersion(1), KeyChange::EnableVersion(2)] {
        refused_change(wanted).await;
    }
    change(&sites, "default", KeyChange::Rotate).await;
    refused_change(KeyChange::DestroyVersion(1)).await;
    change(&sites, "default", KeyChange::DisableVersion(1)).await;
    assert_eq!(ring.refresh().await, 0);
    assert_eq!(refused(&ring, "default"), Some(KeyState::Disabled));
    let sealing = || ring.for_sealing(&id("default")).map(|key| key.reference.version);
    assert_eq!(sealing().ok(), Some(2));
    change(&sites, "default", KeyChange::EnableVersion(1)).await;
    assert_eq!(ring.refresh().await, 0);
    assert_eq!(refused(&ring, "default"), None);
    change(&sites, "default", KeyChange::DisableVersion(1)).await;
    let done = change(&sites, "default", KeyChange::DestroyVersion(1)).await;
    assert!(done.missing.is_empty());
    assert_eq!(done.info.changed.map(|changed| changed.what), Some("version destroyed (1)".to_owned()));
    assert_eq!(ring.refresh().await, 0);
    let again = open(&sites).await;
    for ring in [&ring, &again] {
        assert!(matches!(ring.for_opening(&first("default")), Err(KeyError::NotFound(_, 1))));
    }
    assert_eq!(sealing().ok(), Some(2));
    let numbers: Vec<_> = show(&sites, "default").await.versions.into_iter().map(|(number, ..)| number).collect();
    assert_eq!(numbers, [2]);
    refused_change(KeyChange::DisableVersion(2)).await;
    refused_change(KeyChange::DestroyVersion(1)).await;
    change(&sites, "default", KeyChange::Rotate).await;
    assert_eq!(show(&sites, "default").await.versions.last().map(|(number, ..)| *number), Some(3));
}

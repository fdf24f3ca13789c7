//! From one root key to the next, over two real sites: nothing living is lost at any step, and nothing destroyed comes back.
mod pair;

use pair::{Pair, first, id, system};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use strongroom::clock;
use strongroom::keys::{
    Custodians, KeyAdmin, KeyChange, KeyError, KeyState, Keyring, OsEntropy, RootKey, RootSource, RootUse, Roots,
};
use strongroom::s3::ObjectKey;
use strongroom::secret::SecretBytes;
use strongroom::site::{Location, Site, Sites, WriteCondition};
use time::OffsetDateTime;

const AT_ONCE: std::time::Duration = std::time::Duration::ZERO;

fn root(byte: u8) -> RootKey {
    RootKey(SecretBytes::new([byte; 32]))
}

fn fingerprint(byte: u8) -> String {
    root(byte).fingerprint()
}

fn roots(bytes: &[u8]) -> Roots {
    bytes[1..].iter().fold(Roots::from(root(bytes[0])), |roots, byte| roots.with(root(*byte)))
}

async fn probe(sites: &Sites) {
    for site in sites.all() {
        let _ = site.probe(&system()).await;
    }
}

async fn ring(sites: &Sites, roots: Roots) -> Result<Keyring, KeyError> {
    probe(sites).await;
    Keyring::open(roots, sites, &system(), &[id("default")], Arc::new(OsEntropy)).await
}

async fn opened(sites: &Sites, roots: Roots) -> Keyring {
    ring(sites, roots).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What an operator does.
async fn with_admin<T>(sites: &Sites, roots: &Roots, work: impl AsyncFnOnce(KeyAdmin<'_>) -> T) -> T {
    probe(sites).await;
    work(KeyAdmin { roots, sites, bucket: &system(), entropy: &OsEntropy, by: "a test" }).await
}

async fn rewrap(sites: &Sites, roots: &Roots, to: u8) -> Result<usize, KeyError> {
    let to = fingerprint(to);
    with_admin(sites, roots, async |admin| admin.rewrap(&to, clock::now(), AT_ONCE).await.map(|done| done.changed))
        .await
}

async fn rewrapped(sites: &Sites, roots: &Roots, to: u8) -> usize {
    rewrap(sites, roots, to).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn change(sites: &Sites, roots: &Roots, name: &str, change: KeyChange, now: OffsetDateTime) {
    let changed = with_admin(sites, roots, async |admin| admin.change(&id(name), &change, now).await.map(drop)).await;
    changed.unwrap_or_else(|error| panic!("{error}"));
}

async fn destroy(sites: &Sites, roots: &Roots, name: &str) {
    let now = clock::now();
    change(sites, roots, name, KeyChange::ScheduleDeletion { days: 7 }, now).await;
    change(sites, roots, name, KeyChange::Destroy, now + time::Duration::days(8)).await;
}

async fn seen(sites: &Sites, roots: &Roots) -> RootUse {
    with_admin(sites, roots, async |admin| admin.roots_in_use().await).await.unwrap_or_else(|error| panic!("{error}"))
}

fn at(name: &str) -> Location {
    Location { bucket: system(), key: ObjectKey::parse(&format!("keyring/v1/{name}")).expect("a key") }
}

/// A copy of a site's keyring in a folder.
async fn copy(site: &Site, names: &[&str], folder: &Path) {
    std::fs::create_dir_all(folder.join("keyring/v1")).expect("a folder");
    for name in names {
        let bytes = site.get_small(&at(name)).await.expect("a keyring object").0;
        std::fs::write(folder.join("keyring/v1").join(name), &bytes).expect("written");
    }
}

/// What the state of a key hides: whether the folder's keyring opens, and whether this key does.
fn opens(roots: Roots, folder: &Path, name: &str) -> Result<(), KeyError> {
    Keyring::open_folder(roots, folder)?.for_opening(&first(name)).map(drop)
}

async fn world() -> (Pair, Keyring) {
    let pair = Pair::start().await;
    let ring = opened(&pair.clients(), roots(&[1, 2])).await;
    for name in ["client-a", "client-b"] {
        ring.sealing_key(&id(name)).await.map(drop).unwrap_or_else(|error| panic!("{error}"));
    }
    (pair, ring)
}

#[tokio::test]
async fn a_running_proxy_goes_from_root_to_root_and_the_old_one_opens_nothing_any_more() {
    let (pair, ring) = world().await;
    let sites = pair.clients();
    let before = ring.for_opening(&first("client-a")).unwrap_or_else(|error| panic!("{error}")).reference.clone();
    assert_eq!(rewrapped(&sites, &roots(&[1, 2]), 2).await, 3);
    assert_eq!(ring.refresh().await, 0);
    assert_eq!(before, first("client-a"));
    assert!(ring.for_opening(&first("client-a")).is_ok());
    ring.sealing_key(&id("client-new")).await.map(drop).unwrap_or_else(|error| panic!("{error}"));
    let seen = seen(&sites, &roots(&[1, 2])).await;
    assert_eq!(seen.seals, Some(fingerprint(2)));
    let everywhere = BTreeMap::from([("backup".to_owned(), 4), ("primary".to_owned(), 4)]);
    assert_eq!(
        seen.copies,
        BTreeMap::from([(fingerprint(2), everywhere)]),
        "the key that was made since lies under the new root too"
    );
    let error = self::ring(&pair.clients(), roots(&[1])).await.err().expect("refused");
    assert!(matches!(error, KeyError::WrongRoot { .. }), "{error}");
    assert!(opened(&pair.clients(), roots(&[2])).await.for_opening(&first("client-new")).is_ok());
    assert_eq!(rewrapped(&sites, &roots(&[1, 2]), 2).await, 0, "again: nothing is left to do");
}

#[tokio::test]
async fn an_old_copy_of_everything_and_the_new_root_do_not_bring_a_destroyed_key_back() {
    let (pair, ring) = world().await;
    let (sites, both, names) = (pair.clients(), roots(&[1, 2]), ["default", "client-a", "client-b"]);
    let old = tempfile::tempdir().expect("a folder");
    copy(&sites.primary, &names, old.path()).await;
    assert!(opens(roots(&[1]), old.path(), "client-a").is_ok(), "the copy is one");
    destroy(&sites, &both, "client-a").await;
    assert!(!seen(&sites, &both).await.is_shredded(&id("client-a")), "the root that opened it is in use");
    rewrapped(&sites, &both, 2).await;
    assert!(seen(&sites, &both).await.is_shredded(&id("client-a")));
    ring.refresh().await;
    let error = ring.for_opening(&first("client-a")).map(drop).expect_err("gone");
    assert!(matches!(error, KeyError::State(_, KeyState::Destroyed)), "{error}");
    for site in sites.all() {
        let now = tempfile::tempdir().expect("a folder");
        copy(site, &names, now.path()).await;
        assert!(opens(roots(&[2]), now.path(), "client-b").is_ok(), "every other key reads on");
        assert!(opens(roots(&[2]), now.path(), "client-a").is_err());
        // The dead key's object out of the old copy, laid into today's.
        copy_into(old.path(), now.path(), "client-a");
        let error = opens(roots(&[2]), now.path(), "client-a").expect_err("its root is gone");
        assert!(matches!(error, KeyError::WrongRoot { .. }), "{error}");
    }
    assert!(opens(roots(&[2]), old.path(), "client-a").is_err() && opens(roots(&[2]), old.path(), "client-b").is_err());
    assert!(opens(roots(&[1]), old.path(), "client-a").is_ok(), "which is why the old root has to go");
    let error = opened(&pair.clients(), roots(&[2])).await.sealing_key(&id("client-a")).await.map(drop);
    assert!(matches!(error, Err(KeyError::State(_, KeyState::Destroyed))), "the name stays taken");
}

fn copy_into(from: &Path, to: &Path, name: &str) {
    let name = Path::new("keyring/v1").join(name);
    std::fs::copy(from.join(&name), to.join(&name)).expect("copied");
}

#[tokio::test]
async fn a_change_that_breaks_off_anywhere_leaves_every_key_readable_and_is_done_again() {
    let (mut pair, _) = world().await;
    let (sites, both) = (pair.clients(), roots(&[1, 2]));
    destroy(&sites, &both, "client-b").await;
    // The backup goes away after the first key was written to the primary.
    pair.backup.stop().await;
    assert!(matches!(rewrap(&pair.clients(), &both, 2).await, Err(KeyError::Unsettled(_))), "every site is needed");
    pair.backup.start().await;
    let before = pair.backup.client().get_small(&at("client-a")).await.expect("there").0;
    rewrapped(&pair.clients(), &both, 2).await;
    // As it is when the last copies were not written: a key lies under the new root at one site alone.
    let backup = pair.backup.client();
    backup.put_small(&at("client-a"), before, &WriteCondition::Always).await.expect("put back");
    let half = seen(&pair.clients(), &both).await;
    assert!(!half.is_settled() && half.seals == Some(fingerprint(2)) && !half.is_shredded(&id("client-b")));
    let ring = opened(&pair.clients(), both.clone()).await;
    assert!(ring.for_opening(&first("client-a")).is_ok(), "readable in the middle");
    // The restart of a proxy has mended it; and so does the command.
    assert!(rewrap(&pair.clients(), &both, 2).await.is_ok());
    let whole = seen(&pair.clients(), &both).await;
    assert!(whole.is_settled() && whole.is_shredded(&id("client-b")));
    pair.primary.stop().await;
    assert!(
        opened(&pair.clients(), roots(&[2])).await.for_opening(&first("client-a")).is_ok(),
        "from the backup alone"
    );
}

#[tokio::test]
async fn a_root_that_was_left_never_comes_back() {
    let (pair, _) = world().await;
    rewrapped(&pair.clients(), &roots(&[1, 2]), 2).await;
    let error = rewrap(&pair.clients(), &roots(&[1, 2]), 1).await.expect_err("it opened keys once");
    assert!(error.to_string().contains("never comes back"), "{error}");
    rewrapped(&pair.clients(), &roots(&[2, 3]), 3).await;
    assert!(rewrap(&pair.clients(), &roots(&[3, 1]), 1).await.is_err(), "however long ago");
    let unknown = rewrap(&pair.clients(), &roots(&[1, 2]), 2).await.expect_err("the root in use is not known");
    assert!(matches!(unknown, KeyError::Unsettled(_) | KeyError::WrongRoot { .. }), "{unknown}");
    assert_eq!(seen(&pair.clients(), &roots(&[3])).await.past, BTreeSet::from([fingerprint(1), fingerprint(2)]));
}

#[tokio::test]
async fn a_proxy_that_was_not_given_the_new_root_serves_what_it_has_and_makes_no_key() {
    let pair = Pair::start().await;
    let ring = opened(&pair.clients(), roots(&[1])).await;
    rewrapped(&pair.clients(), &roots(&[1, 2]), 2).await;
    ring.refresh().await;
    assert!(ring.for_sealing(&id("default")).is_ok());
    let error = ring.sealing_key(&id("client-x")).await.map(drop).expect_err("it would be lost with the old root");
    assert!(error.to_string().contains("does not open"), "{error}");
    assert_eq!(seen(&pair.clients(), &roots(&[1, 2])).await.copies.len(), 1, "nothing was written under the old root");
}

#[tokio::test]
async fn a_waiting_proxy_finds_the_next_root_when_it_is_made() {
    let pair = Pair::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| RootSource::File(folder.path().join(name));
    let make = |name: &str| RootKey::create(&folder.path().join(name), &OsEntropy).map(|root| root.fingerprint());
    let Ok(_) = make("root.key") else { panic!("made") };
    let load = async || {
        let roots = Roots::load(&file("root.key"), &[file("root-2.key")], &Custodians::default()).await;
        roots.unwrap_or_else(|error| panic!("{error}"))
    };
    let ring = opened(&pair.clients(), load().await).await;
    let Ok(next) = make("root-2.key") else { panic!("made") };
    let (sites, roots) = (pair.clients(), load().await);
    let done = with_admin(&sites, &roots, async |admin| admin.rewrap(&next, clock::now(), AT_ONCE).await).await;
    done.map(drop).unwrap_or_else(|error| panic!("{error}"));
    change(&sites, &roots, "default", KeyChange::Disable, clock::now()).await;
    assert_eq!(ring.refresh().await, 0);
    let state = ring.for_opening(&first("default")).map(drop);
    assert!(matches!(state, Err(KeyError::State(_, KeyState::Disabled))), "what was said under the new root is heard");
}

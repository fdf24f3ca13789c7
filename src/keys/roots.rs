//! [`Roots`]: every root key that opens the keyring. Which of them seals, the keyring itself says: the newest that sealed any of it.
//!
//! A keyring object remembers the fingerprints of the roots it was sealed under before. The more of them, the newer the root under which it
//! lies; a root that is among them never seals again. So a root can be changed while proxies run: they are given the next root first, and
//! turn to it when they see it in use.
use super::document::{Document, DocumentError};
use super::vigil::Verdict;
use super::{CustodianError, Custodians, Envelope, KeyError, RootKey, RootSource};
use crate::seal::{SealError, VaultKeyId};
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The root keys that are known, and where others are expected. Cheap to clone.
#[derive(Clone)]
pub struct Roots(Arc<Inner>);

struct Inner {
    /// At least one; the first is the one that seals as long as there is no keyring.
    known: ArcSwap<Vec<Arc<RootKey>>>,
    /// Where there was none yet.
    awaited: Mutex<Vec<RootSource>>,
    /// Who opens those of them that are wrapped.
    custodians: Custodians,
    /// One of those was opened since the last look.
    opened: AtomicBool,
    /// Those that no custodian could be asked for.
    silent: Mutex<Vec<Silent>>,
}

/// A root that no custodian could be asked for.
#[derive(Clone)]
struct Silent {
    source: RootSource,
    /// It is the root of the configuration, not one of the others.
    is_first: bool,
    /// What the custodians said.
    why: String,
}

/// The root that seals new keys, and what their documents remember of earlier ones.
pub(super) struct Sealing {
    pub(super) root: Arc<RootKey>,
    pub(super) past: Vec<String>,
}

// === impl Roots ===

impl Roots {
    /// Loads the root and others that open the keyring too. One of the others may not be there yet: it is looked for again
    /// whenever something does not open.
    ///
    /// # Errors
    /// As [`Custodians::load`], for the root and for others that are there.
    pub async fn load(root: &RootSource, others: &[RootSource], custodians: &Custodians) -> Result<Self, KeyError> {
        let mut roots = vec![Arc::new(custodians.load(root).await?)];
        let (there, awaited): (Vec<_>, Vec<_>) = others.iter().cloned().partition(RootSource::is_there);
        for other in there {
            add(&mut roots, custodians.load(&other).await?);
        }
        Ok(Self::of(roots, awaited, custodians.clone()))
    }

    /// The same, and a root whose custodians cannot be asked now is done without, as long as any root opens: for a proxy that starts during an outage.
    /// A custodian that was asked and refuses ends it all the same.
    ///
    /// # Errors
    /// As [`Self::load`]; when no root opens, with what every custodian said.
    pub async fn load_what_opens(
        root: &RootSource,
        others: &[RootSource],
        custodians: &Custodians,
    ) -> Result<Self, KeyError> {
        let (there, awaited): (Vec<_>, Vec<_>) = others.iter().cloned().partition(RootSource::is_there);
        let (mut roots, mut silent) = (Vec::new(), Vec::new());
        for (at, source) in std::iter::once(root).chain(&there).enumerate() {
            match load_or_learn(custodians, source).await? {
                Ok(root) => add(&mut roots, root),
                Err(why) => silent.push(Silent { source: source.clone(), is_first: at == 0, why }),
            }
        }
        if roots.is_empty() {
            return Err(none_opens(&silent));
        }
        let this = Self::of(roots, awaited, custodians.clone());
        *this.0.silent.lock().unwrap_or_else(PoisonError::into_inner) = silent;
        Ok(this)
    }

    /// Those that no custodian could be asked for, as people know them.
    pub(super) fn silent(&self) -> Vec<String> {
        self.silences().iter().map(|silent| silent.source.to_string()).collect()
    }

    /// Whether the root of the configuration is among them.
    pub(super) fn lacks_the_first(&self) -> bool {
        self.silences().iter().any(|silent| silent.is_first)
    }

    /// Whether what lies in this envelope is among them.
    pub(super) fn awaits(&self, envelope: &Path) -> bool {
        self.silences().iter().any(|silent| matches!(&silent.source, RootSource::Envelope(path) if path == envelope))
    }

    /// Why nothing opens.
    pub(super) fn none_opens(&self) -> KeyError {
        none_opens(&self.silences())
    }

    /// Asks for them again, all in turn.
    pub(super) async fn ask_again(&self) {
        for silent in self.silences() {
            match self.0.custodians.load(&silent.source).await {
                Ok(root) => {
                    self.come(root, silent.is_first);
                    let mut left = self.0.silent.lock().unwrap_or_else(PoisonError::into_inner);
                    left.retain(|other| other.source != silent.source);
                }
                Err(error) => tracing::debug!(%error, "a root is still missing"),
            }
        }
    }

    fn silences(&self) -> Vec<Silent> {
        self.0.silent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same and one more.
    pub fn with(&self, root: RootKey) -> Self {
        let mut roots = Vec::clone(&self.0.known.load());
        add(&mut roots, root);
        Self::of(roots, Vec::new(), Custodians::default())
    }

    fn of(known: Vec<Arc<RootKey>>, awaited: Vec<RootSource>, custodians: Custodians) -> Self {
        Self(Arc::new(Inner {
            known: ArcSwap::from_pointee(known),
            awaited: Mutex::new(awaited),
            custodians,
            opened: AtomicBool::new(false),
            silent: Mutex::default(),
        }))
    }

    /// Their fingerprints ([`RootKey::fingerprint`]), in the order of the configuration.
    pub fn fingerprints(&self) -> Vec<String> {
        self.0.known.load().iter().map(|root| root.fingerprint()).collect()
    }

    /// Refuses those that `strongroom demo` made: what is meant to be kept needs a key that nobody played with.
    ///
    /// # Errors
    /// [`KeyError::Root`], with what to do.
    pub fn refuse_of_a_demo(&self) -> Result<(), KeyError> {
        let known = self.0.known.load();
        let Some(root) = known.iter().find(|root| root.is_of_a_demo()) else { return Ok(()) };
        Err(KeyError::Root(format!(
            "the root key {} was made by `strongroom demo`, which alone serves with it; `strongroom init` or `strongroom root new` makes one for you",
            root.fingerprint()
        )))
    }

    /// The one of this fingerprint.
    pub(super) fn find(&self, fingerprint: &str) -> Option<Arc<RootKey>> {
        self.0.known.load().iter().find(|root| root.fingerprint() == fingerprint).cloned()
    }

    /// Looks for roots that were not there. True when one has come.
    pub(super) fn look_again(&self) -> bool {
        let mut awaited = self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let mut come = self.0.opened.swap(false, Ordering::AcqRel);
        awaited.retain(|source| {
            if !source.is_there() {
                return true;
            }
            if let RootSource::Envelope(_) = source {
                return !self.open_later(source.clone());
            }
            match RootKey::load(source) {
                Ok(root) => {
                    self.come(root, false);
                    come = true;
                    false
                }
                Err(error) => {
                    tracing::error!(%error, "a root key has come that cannot be used");
                    true
                }
            }
        });
        come
    }

    /// Custodians are asked beside: whoever looks holds a thread, and looks again. False when that cannot be.
    fn open_later(&self, source: RootSource) -> bool {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return false };
        let this = self.clone();
        runtime.spawn(async move {
            match this.0.custodians.load(&source).await {
                Ok(root) => {
                    this.come(root, false);
                    this.0.opened.store(true, Ordering::Release);
                }
                Err(error) => {
                    tracing::error!(%error, "a root envelope has come that cannot be used");
                    this.0.awaited.lock().unwrap_or_else(PoisonError::into_inner).push(source);
                }
            }
        });
        true
    }

    /// The root of the configuration seals when there is no keyring yet, so it comes first.
    fn come(&self, root: RootKey, first: bool) {
        tracing::info!(fingerprint = root.fingerprint(), "another root key is there now");
        let root = Arc::new(root);
        self.0.known.rcu(|known| {
            let mut roots = Vec::clone(known);
            add_shared(&mut roots, root.clone());
            let at = roots.iter().position(|known| known.fingerprint() == root.fingerprint());
            if let (true, Some(at)) = (first, at) {
                roots[..=at].rotate_right(1);
            }
            roots
        });
    }

    /// Opens a keyring object with whichever root it was sealed under.
    pub(super) fn open(&self, id: &VaultKeyId, sealed: &[u8]) -> Result<Document, DocumentError> {
        match self.try_all(id, sealed) {
            Err(DocumentError::Closed(SealError::Authentication(_))) if self.look_again() => self.try_all(id, sealed),
            other => other,
        }
    }

    /// The root that seals, by what the keyring holds.
    pub(super) fn sealing<'a>(&self, documents: impl Iterator<Item = &'a Document>) -> Sealing {
        let newest = documents.max_by_key(|document| document.past_roots.len());
        let of =
            |document: &Document| Some(Sealing { root: document.under.clone()?, past: document.past_roots.clone() });
        newest.and_then(of).unwrap_or_else(|| Sealing { root: self.first(), past: Vec::new() })
    }

    fn first(&self) -> Arc<RootKey> {
        self.0.known.load()[0].clone()
    }

    fn try_all(&self, id: &VaultKeyId, sealed: &[u8]) -> Result<Document, DocumentError> {
        let known = self.0.known.load();
        let mut refused = DocumentError::Closed(SealError::Authentication("no root key is known"));
        for root in known.iter() {
            match Document::open(root, id, sealed) {
                Err(error @ DocumentError::Closed(_)) => refused = error,
                other => return other,
            }
        }
        Err(refused)
    }
}

impl From<RootKey> for Roots {
    fn from(root: RootKey) -> Self {
        Self::of(vec![Arc::new(root)], Vec::new(), Custodians::default())
    }
}

/// A root; or what its custodians say, when all that can be asked at all are out of reach.
///
/// # Errors
/// As [`Custodians::load`], when anything else is the matter.
async fn load_or_learn(custodians: &Custodians, source: &RootSource) -> Result<Result<RootKey, String>, KeyError> {
    let error = match custodians.load(source).await {
        Ok(root) => return Ok(Ok(root)),
        Err(error) => error,
    };
    let RootSource::Envelope(path) = source else { return Err(error) };
    // Asked once more, one by one: what each says decides.
    let (mut verdict, mut out) = (Verdict::Silence, false);
    for answer in custodians.ask(&Envelope::read(path)?).await {
        if let Ok(root) = answer.root {
            return Ok(Ok(root));
        }
        out |= answer.root.as_ref().is_err_and(CustodianError::is_outage);
        verdict = verdict.and(&answer.root);
    }
    if verdict == Verdict::Silence && out { Ok(Err(error.to_string())) } else { Err(error) }
}

fn none_opens(silent: &[Silent]) -> KeyError {
    KeyError::Root(silent.iter().map(|silent| silent.why.as_str()).collect::<Vec<_>>().join("; "))
}

/// A root under two names is one.
fn add(roots: &mut Vec<Arc<RootKey>>, root: RootKey) {
    add_shared(roots, Arc::new(root));
}

fn add_shared(roots: &mut Vec<Arc<RootKey>>, root: Arc<RootKey>) {
    let fingerprint = root.fingerprint();
    if roots.iter().all(|known| known.fingerprint() != fingerprint) {
        roots.push(root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::OsEntropy;

    async fn load(root: &RootSource, others: &[RootSource]) -> Result<Roots, KeyError> {
        Roots::load(root, others, &Custodians::default()).await
    }

    #[tokio::test]
    async fn a_root_that_is_not_there_yet_is_found_when_it_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        RootKey::create(&path("a"), &OsEntropy).map(drop).unwrap_or_else(|error| panic!("{error}"));
        let others = [RootSource::File(path("b")), RootSource::Environment("STRONGROOM_NO_SUCH".into())];
        let roots = load(&RootSource::File(path("a")), &others).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(!roots.look_again());
        assert_eq!(roots.fingerprints().len(), 1);
        let Ok(made) = RootKey::create(&path("b"), &OsEntropy) else { panic!("made") };
        assert!(roots.look_again() && !roots.look_again(), "once");
        assert_eq!(roots.fingerprints()[1], made.fingerprint());
        assert!(roots.find(&made.fingerprint()).is_some());
    }

    #[tokio::test]
    async fn an_envelope_that_comes_later_is_opened_beside() {
        use crate::keys::{CustodianKind, CustodianSettings};
        use crate::secret::SecretText;
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        RootKey::create(&path("a"), &OsEntropy).map(drop).unwrap_or_else(|error| panic!("{error}"));
        let phrase = CustodianKind::Passphrase(SecretText::new("a phrase that is long enough".to_owned()));
        let settings = vec![CustodianSettings { name: "one".to_owned(), kind: phrase }];
        let custodians = Custodians::new(settings).unwrap_or_else(|error| panic!("{error}"));
        let others = [RootSource::Envelope(path("b"))];
        let roots = Roots::load(&RootSource::File(path("a")), &others, &custodians).await;
        let roots = roots.unwrap_or_else(|error| panic!("{error}"));
        let Ok(next) = RootKey::generate(&OsEntropy) else { panic!("made") };
        let sealed = custodians.seal(&next, &[]).await.unwrap_or_else(|error| panic!("{error}"));
        sealed.write(&path("b"), false).unwrap_or_else(|error| panic!("{error}"));
        while !roots.look_again() {
            tokio::task::yield_now().await;
        }
        assert!(roots.find(&next.fingerprint()).is_some() && !roots.look_again());
    }

    #[tokio::test]
    async fn a_root_that_is_there_and_bad_is_refused_and_the_first_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| RootSource::File(folder.path().join(name));
        RootKey::create(&folder.path().join("a"), &OsEntropy).map(drop).unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(folder.path().join("b"), "x").expect("written");
        assert!(load(&path("a"), &[path("b")]).await.is_err());
        assert!(load(&path("c"), &[path("a")]).await.is_err());
    }

    #[test]
    fn a_root_that_is_named_twice_is_one() {
        let root = || RootKey(crate::secret::SecretBytes::new([1; 32]));
        assert_eq!(Roots::from(root()).with(root()).fingerprints().len(), 1);
    }
}

//! [`Keyring`]: what the proxy seals and opens with.
use super::copies;
use super::document::{Document, VersionState};
use super::reach::Reach;
use super::ring::{Entry, Held, Ring};
use super::settle::{Maker, Settled, settle, settle_certain};
use super::state::{KeyState, Use};
use super::survey::{self, Answer, Copy};
use super::tally::Tally;
use super::usage::{Meter, Tallies};
use super::watch::{UNREADABLE, Watch};
use super::{KeyError, Roots};
use crate::s3::BucketName;
use crate::seal::{Entropy, VaultKey, VaultKeyId, VaultKeyRef};
use crate::site::{Site, Sites};
use arc_swap::ArcSwapOption;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// After a key could not be made or found, how long nobody tries again: the answer would be the same.
const PAUSE: Duration = Duration::from_secs(1);

/// The opened keyring, in memory. Lookups never do I/O and take no lock; only what is not there is asked for at the sites.
pub struct Keyring {
    roots: Roots,
    pub(super) ring: Ring,
    pub(super) tallies: Tallies,
    /// `None`: nothing is counted.
    pub(super) meter: Option<Meter>,
    /// `None` when it came from a folder.
    pub(super) home: Option<Home>,
    /// What is missing; `None`: nothing.
    pub(super) reach: ArcSwapOption<Reach>,
}

/// Where the keyring lies.
pub(super) struct Home {
    pub(super) sites: Sites,
    pub(super) bucket: BucketName,
    entropy: Arc<dyn Entropy>,
    pub(super) watch: Watch,
    flights: Mutex<HashMap<VaultKeyId, Flight>>,
}

/// A key that is being asked for: whoever comes meanwhile waits for the same answer.
struct Flight {
    turn: Weak<tokio::sync::Mutex<()>>,
    failed: Option<Instant>,
}

// === impl Keyring ===

impl Keyring {
    /// Reads the keyring from every reachable site, reconciles copies, creates what `wanted` lacks (only when
    /// it is certain that no site holds it), verifies by unwrapping, writes stale copies anew.
    ///
    /// # Errors
    /// [`KeyError::WrongRoot`] when a key's copies are there and none opens; [`KeyError::Conflict`] when two copies of
    /// the same serial differ; [`KeyError::Unsettled`] when a key is nowhere to be found and some site cannot be asked,
    /// or the primary cannot do conditional writes; [`KeyError::Root`] when roots are missing and none of the keyring opens. Nothing is written in these
    /// cases.
    pub async fn open(
        roots: impl Into<Roots>,
        sites: &Sites,
        system_bucket: &BucketName,
        wanted: &[VaultKeyId],
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyError> {
        let roots = roots.into();
        for fingerprint in roots.fingerprints() {
            tracing::info!(fingerprint, "opening the keyring with this root key");
        }
        let answers = survey::survey(&roots, sites, system_bucket, wanted).await?;
        let silent = silent(&answers);
        let watch = Watch::of(&answers);
        let (mut settled, reach) = within_reach(&roots, answers)?;
        let maker = Maker { roots: &roots, sites, bucket: system_bucket, entropy: &*entropy };
        for id in wanted {
            if settled.contains_key(id) || reach.as_ref().is_some_and(|reach| !reach.may_make()) {
                continue;
            }
            if let Some(reasons) = &silent {
                return Err(not_certain(id, reasons));
            }
            let sealing = roots.sealing(settled.values().map(|known| &known.document));
            settled.insert(id.clone(), maker.make(id, sealing).await?);
        }
        if let Some(reasons) = silent {
            tracing::warn!(%reasons, "the keyring is opened without some of the sites");
        }
        let home =
            Home { sites: sites.clone(), bucket: system_bucket.clone(), entropy, watch, flights: Mutex::default() };
        let keyring = Self::of(roots, Some(home), settled)?;
        keyring.reach.store(reach.map(Arc::new));
        keyring.sync_copies(sites).await;
        Ok(keyring)
    }

    /// From a folder that holds the system bucket's objects (offline: `unseal`): `FOLDER/keyring/v1/ID`, or `FOLDER/ID`.
    ///
    /// # Errors
    /// [`KeyError::WrongRoot`], [`KeyError::Malformed`]; [`KeyError::Unsettled`] when there is no keyring in it.
    pub fn open_folder(roots: impl Into<Roots>, folder: &std::path::Path) -> Result<Self, KeyError> {
        let roots = roots.into();
        let settled = super::folder::read(&roots, folder)?;
        Self::of(roots, None, settled)
    }

    /// The newest enabled version, if it is in memory. To seal under it, [`Keyring::take`] it.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] (version 0) when the key is not there; [`KeyError::State`] when it may not be used;
    /// [`KeyError::Withheld`] when no key may be.
    pub fn for_sealing(&self, id: &VaultKeyId) -> Result<Arc<VaultKey>, KeyError> {
        self.newest(id).map(|(key, _)| key)
    }

    /// The same, and its counts.
    pub(super) fn newest(&self, id: &VaultKeyId) -> Result<(Arc<VaultKey>, Arc<Tally>), KeyError> {
        self.refuse_withheld()?;
        self.writable()?;
        self.refuse_out_of_reach(id)?;
        let entry = self.ring.get(id).ok_or_else(|| KeyError::NotFound(id.as_str().to_owned(), 0))?;
        entry.usable(id)?;
        // Every version is disabled, the key is not.
        let disabled = || KeyError::State(id.as_str().to_owned(), KeyState::Disabled);
        entry.sealing.as_ref().map(|held| (held.key.clone(), held.tally.clone())).ok_or_else(disabled)
    }

    /// The same, and a key that no site has is made: at every site, read back and opened, before this returns. One caller makes it,
    /// the others wait for that; what another proxy made meanwhile is taken over.
    ///
    /// # Errors
    /// As [`Keyring::for_sealing`]; [`KeyError::Unsettled`] when some site cannot be asked and the others have none.
    pub async fn sealing_key(&self, id: &VaultKeyId) -> Result<Arc<VaultKey>, KeyError> {
        self.refuse_withheld()?;
        self.writable()?;
        self.refuse_out_of_reach(id)?;
        if self.ring.get(id).is_none() {
            // Rare, so on the heap: every read and write holds this future.
            Box::pin(self.fetch(id, true)).await?;
        }
        self.for_sealing(id)
    }

    /// Exactly this version, for opening, if it is in memory.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] when it is not there; [`KeyError::State`] when the key or the version may not be used.
    pub fn for_opening(&self, reference: &VaultKeyRef) -> Result<Arc<VaultKey>, KeyError> {
        self.held(reference).map(|held| held.key)
    }

    /// The counts of exactly this version.
    pub(super) fn tally(&self, reference: &VaultKeyRef) -> Result<Arc<Tally>, KeyError> {
        self.held(reference).map(|held| held.tally)
    }

    fn held(&self, reference: &VaultKeyRef) -> Result<Held, KeyError> {
        self.refuse_withheld()?;
        let (id, version) = (&reference.id, reference.version);
        let not_found = || KeyError::NotFound(id.as_str().to_owned(), version);
        self.refuse_out_of_reach(id)?;
        let entry = self.ring.get(id).ok_or_else(not_found)?;
        entry.usable(id)?;
        match entry.opening.get(&version) {
            Some(held) if held.state == VersionState::Enabled => Ok(held.clone()),
            Some(_) => Err(KeyError::State(id.as_str().to_owned(), KeyState::Disabled)),
            None => Err(not_found()),
        }
    }

    /// The same; a key or version that is not in memory is asked for at the sites: another proxy may have made it just now.
    ///
    /// # Errors
    /// As [`Keyring::for_opening`].
    pub async fn opening_key(&self, reference: &VaultKeyRef) -> Result<Arc<VaultKey>, KeyError> {
        match self.for_opening(reference) {
            Err(KeyError::NotFound(..)) if self.home.is_some() => {
                match Box::pin(self.fetch(&reference.id, false)).await {
                    Err(error @ (KeyError::Site(_) | KeyError::WrongRoot { .. } | KeyError::OutOfReach(..))) => {
                        return Err(error);
                    }
                    other => drop(other),
                }
                self.for_opening(reference)
            }
            found => found,
        }
    }

    /// From now on no key is given out, for this reason; `None`: keys are given out again. True when that is a change.
    pub fn withhold(&self, why: Option<&'static str>) -> bool {
        self.ring.withhold(why)
    }

    /// Why no key is given out; `None` when keys are.
    pub fn withheld(&self) -> Option<&'static str> {
        self.ring.withheld()
    }

    fn refuse_withheld(&self) -> Result<(), KeyError> {
        self.withheld().map_or(Ok(()), |why| Err(KeyError::Withheld(why)))
    }

    /// Whether a version that was in use a moment ago still may be.
    ///
    /// # Errors
    /// As [`Keyring::for_opening`].
    pub fn usable(&self, reference: &VaultKeyRef) -> Result<(), KeyError> {
        self.for_opening(reference).map(drop)
    }

    /// Whether the credential of this name may use the key. A key that is not there forbids nothing.
    ///
    /// # Errors
    /// [`KeyError::Forbidden`].
    pub fn may(&self, id: &VaultKeyId, wanted: Use, who: &str) -> Result<(), KeyError> {
        match self.ring.get(id) {
            Some(entry) if !entry.settled.document.limits.allow(wanted, who) => {
                Err(KeyError::Forbidden(id.as_str().to_owned(), who.to_owned(), wanted))
            }
            _ => Ok(()),
        }
    }

    /// Changes with every change of any key: what was usable under one number need not be asked again while it stays.
    pub fn generation(&self) -> u64 {
        self.ring.generation()
    }

    /// How many keys are in each state.
    pub fn states(&self) -> BTreeMap<&'static str, u64> {
        let mut states = self.ring.states();
        states.insert("out of reach", self.missing().1 as u64);
        states
    }

    /// Looks at every site for keyring objects that changed since, takes over what is newer, and writes anew what a site lacks or has in an
    /// older serial. Returns at how many sites that failed.
    pub async fn refresh(&self) -> usize {
        let Some(home) = &self.home else { return 0 };
        let looks = home.sites.all().map(|site| async move { usize::from(!self.refresh_at(site).await) });
        futures_util::future::join_all(looks).await.into_iter().sum()
    }

    /// The same at one site. True when that succeeded.
    pub async fn refresh_at(&self, site: &Site) -> bool {
        let Some(home) = &self.home else { return true };
        let look = self.refresh_from(home, site).await;
        if let Err(error) = &look {
            tracing::warn!(site = %site.name(), %error, "a site's keyring cannot be looked at now");
        }
        look.is_ok()
    }

    /// The roots that it opens with.
    pub(super) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Where it lies; `None` when it came from a folder.
    pub(super) fn place(&self) -> Option<(&Sites, &BucketName, &dyn Entropy)> {
        self.home.as_ref().map(|home| (&home.sites, &home.bucket, &*home.entropy))
    }

    /// What is to be said of the keys in memory.
    pub(super) fn documents<T>(&self, say: impl Fn(&VaultKeyId, &Document) -> Option<T>) -> Vec<T> {
        self.ring.all().iter().filter_map(|(id, entry)| say(id, &entry.settled.document)).collect()
    }

    async fn refresh_from(&self, home: &Home, site: &Site) -> Result<(), KeyError> {
        if home.watch.is_blind(site) && self.roots.look_again() {
            home.watch.look_again();
        }
        // As it was before anything is read: a root may come meanwhile.
        let is_partial = self.is_partial();
        let look = home.watch.look(site, &home.bucket).await?;
        for (id, etag) in &look.changed {
            let serial = match survey::copy(&self.roots, site, &home.bucket, id).await {
                Ok(Copy::Good { document, sealed, .. }) => {
                    let serial = document.serial;
                    self.take_over(id, Settled { document: *document, sealed }, site)?;
                    serial
                }
                // Read again with each look: it may open with a root that is missing.
                Ok(Copy::Closed(_)) if is_partial => {
                    self.lose(id);
                    continue;
                }
                Ok(Copy::Closed(error)) => {
                    tracing::error!(site = %site.name(), key = id.as_str(), %error, "a keyring copy does not open; it is left alone");
                    UNREADABLE
                }
                Ok(Copy::Missing) => continue,
                Err(KeyError::Malformed { site, detail }) => {
                    tracing::error!(site, detail, "a keyring copy makes no sense; what is known of the key stays");
                    UNREADABLE
                }
                Err(error) => return Err(error),
            };
            home.watch.seen(site, id, etag.clone(), serial);
        }
        if self.writable().is_err() {
            return Ok(());
        }
        for (id, entry) in self.ring.all().iter() {
            if home.watch.lags(site, &look, id, entry.settled.document.serial) {
                self.bring_up(home, site, id, entry).await?;
            }
        }
        Ok(())
    }

    /// Writes one copy that a site lacks. The next look sees what it has then.
    async fn bring_up(&self, home: &Home, site: &Site, id: &VaultKeyId, entry: &Entry) -> Result<(), KeyError> {
        match copies::bring_up(&self.roots, site, &home.bucket, id, &entry.settled).await {
            Ok(false) => Ok(()),
            Ok(true) => {
                tracing::info!(site = %site.name(), key = id.as_str(), "a keyring copy was written");
                Ok(())
            }
            // Changed meanwhile: the next look takes it over.
            Err(KeyError::Conflict(_)) if self.is_older(id, entry) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What a site has, when it is newer than what is known.
    fn take_over(&self, id: &VaultKeyId, found: Settled, site: &Site) -> Result<(), KeyError> {
        if self.refuse_out_of_reach(id).is_err() {
            return Ok(());
        }
        let (serial, state) = (found.document.serial, found.document.state);
        if let Some(known) = self.ring.get(id) {
            let ours = &known.settled.document;
            if ours.serial == serial && !ours.says_the_same(&found.document) {
                tracing::error!(
                    site = %site.name(), key = id.as_str(), serial,
                    "this site's copy of a key contradicts what this proxy works with; see docs/KEYS.md"
                );
            }
            if ours.serial >= serial {
                return Ok(());
            }
        }
        if self.keep(id, found)? {
            tracing::info!(site = %site.name(), key = id.as_str(), serial, %state, "a vault key changed");
        }
        Ok(())
    }

    /// Asks the sites for a key that is not in memory; with `make`, makes it when it is certain that none has it.
    pub(super) async fn fetch(&self, id: &VaultKeyId, make: bool) -> Result<(), KeyError> {
        let Some(home) = &self.home else { return Err(KeyError::NotFound(id.as_str().to_owned(), 0)) };
        let serial = || self.ring.get(id).map(|entry| entry.settled.document.serial);
        let before = serial();
        let turn = home.turn(id)?;
        let _alone = turn.lock().await;
        if serial() != before {
            return Ok(());
        }
        if home.failed_just_now(id) {
            return Err(paused(id));
        }
        let fetched = self.fetch_alone(home, id, make).await;
        if fetched.is_err() || (!make && serial() == before) {
            home.failed(id);
        }
        fetched
    }

    async fn fetch_alone(&self, home: &Home, id: &VaultKeyId, make: bool) -> Result<(), KeyError> {
        let answers = survey::ask(&self.roots, &home.sites, &home.bucket, id).await?;
        let silent = silent(&answers);
        let found = if self.is_partial() {
            let (mut settled, doubtful) = settle_certain(answers)?;
            doubtful.iter().for_each(|id| self.lose(id));
            self.refuse_out_of_reach(id)?;
            settled.remove(id)
        } else {
            settle(answers)?.remove(id)
        };
        let settled = match (found, silent) {
            (Some(found), _) => found,
            (None, _) if !make => return Ok(()),
            (None, Some(reasons)) => return Err(not_certain(id, &reasons)),
            (None, None) => {
                let (roots, sites, bucket) = (&self.roots, &home.sites, &home.bucket);
                if home.watch.is_blind(&sites.primary)
                    || self.reach.load().as_ref().is_some_and(|reach| !reach.may_make())
                {
                    return Err(not_ours(&sites.primary));
                }
                let sealing = roots.sealing(self.ring.all().values().map(|entry| &entry.settled.document));
                Maker { roots, sites, bucket, entropy: &*home.entropy }.make(id, sealing).await?
            }
        };
        self.keep(id, settled)?;
        Ok(())
    }

    /// Into memory, unless a newer one is there. True when it was.
    pub(super) fn keep(&self, id: &VaultKeyId, settled: Settled) -> Result<bool, KeyError> {
        Ok(self.ring.insert(id, Entry::of(id, settled, &self.tallies)?))
    }

    /// Tries again to bring stale or missing copies up to date; how many sites still lack one.
    pub async fn sync_copies(&self, sites: &Sites) -> usize {
        let Some(home) = self.home.as_ref().filter(|_| self.writable().is_ok()) else { return 0 };
        let synced = sites.all().map(|site| async {
            let result = self.sync_site(home, site).await;
            if let Err(error) = &result {
                tracing::warn!(site = %site.name(), %error, "a site lacks a copy of the keyring, or has another one");
            }
            usize::from(result.is_err())
        });
        futures_util::future::join_all(synced).await.into_iter().sum()
    }

    /// Every key of the ring, whatever became of the others.
    async fn sync_site(&self, home: &Home, site: &Site) -> Result<(), KeyError> {
        survey::ensure_bucket(site, &home.bucket).await?;
        let mut outcome = Ok(());
        for (id, entry) in self.ring.all().iter() {
            if let Err(error) = self.bring_up(home, site, id, entry).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    fn is_older(&self, id: &VaultKeyId, entry: &Entry) -> bool {
        self.ring.get(id).is_some_and(|now| now.settled.document.serial > entry.settled.document.serial)
    }

    fn of(roots: Roots, home: Option<Home>, settled: BTreeMap<VaultKeyId, Settled>) -> Result<Self, KeyError> {
        let tallies = Tallies::default();
        let entries = settled.into_iter().map(|(id, settled)| {
            let entry = Entry::of(&id, settled, &tallies)?;
            Ok::<_, KeyError>((id, Arc::new(entry)))
        });
        let ring = Ring::new(entries.collect::<Result<_, _>>()?);
        Ok(Self { roots, home, reach: ArcSwapOption::empty(), ring, tallies, meter: None })
    }
}

// === impl Home ===

impl Home {
    /// The turn of everybody who asks for this key now.
    fn turn(&self, id: &VaultKeyId) -> Result<Arc<tokio::sync::Mutex<()>>, KeyError> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |flight: &Flight| flight.failed.is_some_and(|at| at.elapsed() < PAUSE);
        if let Some(flight) = flights.get(id) {
            if recent(flight) {
                return Err(paused(id));
            }
            if let Some(turn) = flight.turn.upgrade() {
                return Ok(turn);
            }
        }
        flights.retain(|_, flight| flight.turn.strong_count() > 0 || recent(flight));
        let turn = Arc::default();
        flights.insert(id.clone(), Flight { turn: Arc::downgrade(&turn), failed: None });
        Ok(turn)
    }

    fn failed_just_now(&self, id: &VaultKeyId) -> bool {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.get(id).and_then(|flight| flight.failed).is_some_and(|at| at.elapsed() < PAUSE)
    }

    fn failed(&self, id: &VaultKeyId) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get_mut(id) {
            flight.failed = Some(Instant::now());
        }
    }
}

/// The keys that can be relied on, and what is missing.
fn within_reach(
    roots: &Roots,
    answers: Vec<Answer>,
) -> Result<(BTreeMap<VaultKeyId, Settled>, Option<Reach>), KeyError> {
    if roots.silent().is_empty() {
        return Ok((settle(answers)?, None));
    }
    let (settled, doubtful) = settle_certain(answers)?;
    let opens_none = settled.is_empty() && (roots.lacks_the_first() || !doubtful.is_empty());
    let reach = Reach::of(roots, doubtful);
    if let Some(reach) = &reach {
        reach.tell();
    }
    if opens_none { Err(roots.none_opens()) } else { Ok((settled, reach)) }
}

fn paused(id: &VaultKeyId) -> KeyError {
    KeyError::Unsettled(format!("vault key {} could not be had a moment ago; it is tried again soon", id.as_str()))
}

/// The keyring may lie under a root that this proxy was not given: what it made would be lost with the root it knows.
fn not_ours(site: &Site) -> KeyError {
    KeyError::Unsettled(format!(
        "a keyring object at site {} does not open with the root keys that this proxy knows, so it makes no key; see the log, \
         and docs/KEYS.md about a root that was changed",
        site.name()
    ))
}

fn not_certain(id: &VaultKeyId, reasons: &str) -> KeyError {
    KeyError::Unsettled(format!(
        "no site that answers has vault key {}, but not all could be asked, so one may exist there: {reasons}. Try again \
         when every site answers",
        id.as_str()
    ))
}

/// Why some sites could not be asked; `None` when all answered.
fn silent(answers: &[Answer]) -> Option<String> {
    let reasons: Vec<_> =
        answers.iter().filter_map(|answer| answer.copies.as_ref().err().map(ToString::to_string)).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

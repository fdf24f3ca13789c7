//! From one root key to the next: every keyring object is sealed anew, at every site, and read back.
//!
//! Nothing of a destroyed key but its name goes along. So once the old root is gone, whoever has an old copy of all buckets and every root that
//! is left cannot open what that key sealed.
//!
//! Every step can be broken off and done again. A key lies under the old root or under the new one at any moment, and both are known to
//! the operator and the proxies until the last copy was read back.
use super::admin::KeyAdmin;
use super::copies;
use super::document::{Changed, Document};
use super::settle::{Settled, settle};
use super::survey::{self, Answer, Copy};
use super::{KeyError, RootKey};
use crate::seal::VaultKeyId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How long until every proxy has taken over what it was given (twice its pause between two looks, and time for the look).
pub const TAKEN_OVER: Duration = Duration::from_secs(5);
/// Rounds of sealing anew until nothing is found any more.
const ROUNDS: usize = 10;

/// Which roots the keyring lies under, at every site that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootUse {
    /// Fingerprint of the root that seals new keys; none when there is no keyring.
    pub seals: Option<String>,
    /// Fingerprint -> site -> copies under it.
    pub copies: BTreeMap<String, BTreeMap<String, usize>>,
    /// Roots that the keyring lay under before. They must not seal again.
    pub past: BTreeSet<String>,
    /// (Site, key) of copies that none of the known roots opens.
    pub closed: Vec<(String, String)>,
    /// (Site, why) of sites that could not be asked.
    pub silent: Vec<(String, String)>,
    /// Destroyed keys, and the last root that could open them.
    pub shredded: BTreeMap<VaultKeyId, String>,
}

/// What was done to bring the keyring under one root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys in the keyring, destroyed ones included.
    pub keys: usize,
    /// Of them, sealed anew.
    pub changed: usize,
    /// Fingerprints of the roots that it lay under before; nothing is left under them at any site.
    pub retired: Vec<String>,
}

// === impl KeyAdmin ===

impl KeyAdmin<'_> {
    /// Which roots the keyring lies under.
    ///
    /// # Errors
    /// When no site can be asked; as the sites answered.
    pub async fn roots_in_use(&self) -> Result<RootUse, KeyError> {
        let answers = survey::survey(self.roots, self.sites, self.bucket, &[]).await?;
        Ok(RootUse::of(&answers))
    }

    /// Seals every key anew under `to` (one of [`KeyAdmin::roots`]) until every copy at every site lies under it, waiting between the rounds for
    /// the proxies, which may have made a key under the root before. Needs every site. Broken off, it is simply done again.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when `to` was in use before another root; [`KeyError::Unsettled`] when a site cannot be asked;
    /// [`KeyError::WrongRoot`] when a copy opens with none of the known roots.
    pub async fn rewrap(&self, to: &str, now: OffsetDateTime, between_rounds: Duration) -> Result<Rewrapped, KeyError> {
        let to = self.roots.find(to).ok_or_else(|| KeyError::Root(format!("no root {to} is known")))?;
        let mut done = Rewrapped::default();
        for round in 0..ROUNDS {
            let found = self.pass(&to, now).await?;
            done.keys = found.keys;
            done.changed += found.changed;
            done.retired = found.retired;
            // The first round may have been in time for a key that a proxy was making.
            if found.changed == 0 && (round > 0 || between_rounds.is_zero()) {
                return Ok(done);
            }
            tokio::time::sleep(between_rounds).await;
        }
        Err(KeyError::Unsettled(format!(
            "new keys go on appearing under another root than {}: some proxy does not know it. Give it to every proxy, then run this again",
            to.fingerprint()
        )))
    }

    /// One round: what is not under the root everywhere is brought there.
    async fn pass(&self, to: &Arc<RootKey>, now: OffsetDateTime) -> Result<Rewrapped, KeyError> {
        let answers = survey::survey(self.roots, self.sites, self.bucket, &[]).await?;
        let seen = RootUse::of(&answers);
        seen.refuse_doubt()?;
        let fingerprint = to.fingerprint();
        let mut past: Vec<String> = longest_past(&answers);
        for root in seen.past.iter().chain(seen.copies.keys().filter(|root| **root != fingerprint)) {
            if !past.contains(root) {
                past.push(root.clone());
            }
        }
        if past.contains(&fingerprint) {
            return Err(KeyError::Root(format!(
                "{fingerprint} was in use before the root that seals now; a root never comes back, because what it once sealed could be opened again"
            )));
        }
        let lagging = lagging(&answers, &fingerprint);
        let settled = settle(answers)?;
        let mut changed = 0;
        for (id, known) in &settled {
            if known.document.root_fingerprint() != fingerprint {
                let missing =
                    self.decide(id, false, |document| Ok(self.under(document, to, &past, now))).await?.missing;
                if let Some((site, why)) = missing.first() {
                    return Err(KeyError::Unsettled(format!(
                        "key {id} is not at site {site} under the new root: {why}"
                    )));
                }
                changed += 1;
            } else if lagging.contains(id) {
                self.spread_everywhere(id, known).await?;
                changed += 1;
            }
        }
        Ok(Rewrapped { keys: settled.len(), changed, retired: past })
    }

    fn under(&self, document: &Document, to: &Arc<RootKey>, past: &[String], now: OffsetDateTime) -> Document {
        let at = now.format(&Rfc3339).unwrap_or_default();
        let what = "sealed under another root".to_owned();
        let mut next = document.next(Changed { at, by: self.by.to_owned(), what });
        next.under = Some(to.clone());
        next.past_roots = past.to_vec();
        next
    }

    async fn spread_everywhere(&self, id: &VaultKeyId, known: &Settled) -> Result<(), KeyError> {
        for site in self.sites.all() {
            copies::bring_up(self.roots, site, self.bucket, id, known).await?;
        }
        Ok(())
    }
}

// === impl RootUse ===

impl RootUse {
    fn of(answers: &[Answer]) -> Self {
        let mut seen = Self::default();
        let mut newest = 0;
        for Answer { site, copies } in answers {
            let site = site.name().to_string();
            let copies = match copies {
                Ok(copies) => copies,
                Err(error) => {
                    seen.silent.push((site, error.to_string()));
                    continue;
                }
            };
            for (id, copy) in copies {
                match copy {
                    Copy::Missing => {}
                    Copy::Closed(_) => seen.closed.push((site.clone(), id.to_string())),
                    Copy::Good { document, .. } => {
                        let root = document.root_fingerprint();
                        if seen.seals.is_none() || document.past_roots.len() > newest {
                            newest = document.past_roots.len();
                            seen.seals = Some(root.clone());
                        }
                        *seen.copies.entry(root).or_default().entry(site.clone()).or_default() += 1;
                        seen.past.extend(document.past_roots.iter().cloned());
                        let shredded = document.shredded_under.clone().map(|under| (id.clone(), under));
                        seen.shredded.extend(shredded);
                    }
                }
            }
        }
        seen
    }

    /// Whether an old copy of all buckets and the roots in use cannot bring a destroyed key back.
    pub fn is_shredded(&self, id: &VaultKeyId) -> bool {
        let known = self.silent.is_empty() && self.closed.is_empty();
        known && self.shredded.get(id).is_some_and(|under| !self.copies.contains_key(under))
    }

    /// Whether everything lies under one root.
    pub fn is_settled(&self) -> bool {
        self.copies.len() <= 1
    }

    /// Sealing anew needs to know everything.
    fn refuse_doubt(&self) -> Result<(), KeyError> {
        if let Some((site, why)) = self.silent.first() {
            return Err(KeyError::Unsettled(format!("every site has to be asked, and {site} cannot be: {why}")));
        }
        if let Some((site, key)) = self.closed.first() {
            return Err(KeyError::Unsettled(format!(
                "the copy of key {key} at site {site} opens with none of the known roots; name the root it was sealed under in other_roots, or find \
                 out who changed it and delete it"
            )));
        }
        Ok(())
    }
}

/// What the newest document remembers of earlier roots.
fn longest_past(answers: &[Answer]) -> Vec<String> {
    let copies = answers.iter().flat_map(|answer| answer.copies.iter().flat_map(BTreeMap::values));
    let pasts = copies.filter_map(|copy| match copy {
        Copy::Good { document, .. } => Some(&document.past_roots),
        _ => None,
    });
    pasts.max_by_key(|past| past.len()).cloned().unwrap_or_default()
}

/// Keys of which some site has no copy under this root.
fn lagging(answers: &[Answer], fingerprint: &str) -> BTreeSet<VaultKeyId> {
    let copies = answers.iter().flat_map(|answer| answer.copies.iter().flatten());
    let behind = copies.filter(|(_, copy)| match copy {
        Copy::Good { document, .. } => document.root_fingerprint() != fingerprint,
        _ => true,
    });
    behind.map(|(id, _)| id.clone()).collect()
}

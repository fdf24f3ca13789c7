//! Which copy counts, and when it is certain enough that there is none to make a key.
use super::KeyError;
use super::copies;
use super::document::Document;
use super::roots::{Roots, Sealing};
use super::survey::{self, Answer, Copy};
use crate::clock;
use crate::s3::BucketName;
use crate::seal::{Entropy, SealError, VaultKeyId};
use crate::site::{Site, Sites};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The copy of a key that counts.
pub(super) struct Settled {
    pub(super) document: Document,
    pub(super) sealed: Bytes,
}

/// A copy that does not open.
pub(super) struct ClosedCopy {
    pub(super) id: VaultKeyId,
    site: String,
    source: SealError,
}

/// Takes, per key, the authentic copy with the highest serial.
///
/// # Errors
/// [`KeyError::WrongRoot`] when copies of a key are there and none opens; [`KeyError::Conflict`] when two of the same
/// serial differ. Missing keys are simply not in the result.
pub(super) fn settle(answers: Vec<Answer>) -> Result<BTreeMap<VaultKeyId, Settled>, KeyError> {
    let (settled, closed) = sift(answers)?;
    for copy in closed {
        if !settled.contains_key(&copy.id) {
            return Err(KeyError::WrongRoot { site: copy.site, source: copy.source });
        }
        copy.tell();
    }
    Ok(settled)
}

/// While a root is missing: as [`settle`], and a key of which any copy does not open is not settled, but among those that come second: what
/// does not open may be newer.
///
/// # Errors
/// [`KeyError::Conflict`].
pub(super) fn settle_certain(
    answers: Vec<Answer>,
) -> Result<(BTreeMap<VaultKeyId, Settled>, BTreeSet<VaultKeyId>), KeyError> {
    let (mut settled, closed) = sift(answers)?;
    let doubtful: BTreeSet<_> = closed.into_iter().map(|copy| copy.id).collect();
    settled.retain(|id, _| !doubtful.contains(id));
    Ok((settled, doubtful))
}

/// The newest copy of each key that opens, and every copy that does not.
///
/// # Errors
/// [`KeyError::Conflict`].
pub(super) fn sift(answers: Vec<Answer>) -> Result<(BTreeMap<VaultKeyId, Settled>, Vec<ClosedCopy>), KeyError> {
    let mut settled: BTreeMap<VaultKeyId, (Settled, String)> = BTreeMap::new();
    let mut closed = Vec::new();
    for Answer { site, copies } in answers {
        let site = site.name().to_string();
        for (id, copy) in copies.unwrap_or_default() {
            match copy {
                Copy::Missing => {}
                Copy::Closed(source) => closed.push(ClosedCopy { id, site: site.clone(), source }),
                Copy::Good { document, sealed, .. } => {
                    take(&mut settled, id, Settled { document: *document, sealed }, &site)?;
                }
            }
        }
    }
    Ok((settled.into_iter().map(|(id, (settled, _))| (id, settled)).collect(), closed))
}

fn take(
    settled: &mut BTreeMap<VaultKeyId, (Settled, String)>,
    id: VaultKeyId,
    found: Settled,
    site: &str,
) -> Result<(), KeyError> {
    if let Some((known, other)) = settled.get(&id) {
        let (ours, theirs) = (known.document.serial, found.document.serial);
        if ours == theirs && !known.document.says_the_same(&found.document) {
            return Err(KeyError::Conflict(format!(
                "key {} has serial {ours} at the sites {other} and {site} with different contents. Objects may be \
                 sealed under either: keep both copies, and ask which site was written to last",
                id.as_str()
            )));
        }
        if theirs <= ours {
            return Ok(());
        }
    }
    settled.insert(id, (found, site.to_owned()));
    Ok(())
}

// === impl ClosedCopy ===

impl ClosedCopy {
    /// Said of a copy that another site's copy makes up for.
    pub(super) fn tell(&self) {
        tracing::error!(
            site = %self.site, key = self.id.as_str(), error = %self.source,
            "this site's copy of the keyring does not open; another site's is used and this one left alone. \
             Find out who changed it, then delete it: it is written anew"
        );
    }
}

/// Everything needed to make a key.
pub(super) struct Maker<'a> {
    pub(super) roots: &'a Roots,
    pub(super) sites: &'a Sites,
    pub(super) bucket: &'a BucketName,
    pub(super) entropy: &'a dyn Entropy,
}

// === impl Maker ===

impl Maker<'_> {
    /// Makes a key that every site has denied having, or takes the one that another proxy makes at this moment: the
    /// primary's conditional write decides. It is at every site, read back and opened, when this returns, so that
    /// nothing is ever sealed under a key that could be lost with one site.
    ///
    /// # Errors
    /// [`KeyError::Unsettled`] when the primary cannot do conditional writes; [`KeyError::Site`].
    pub(super) async fn make(&self, id: &VaultKeyId, sealing: Sealing) -> Result<Settled, KeyError> {
        let primary = &self.sites.primary;
        self.require_conditions(primary).await?;
        let document = Document::create(id, clock::now(), sealing, self.entropy)?;
        let sealed = document.seal(id, self.entropy)?;
        let made = copies::create(primary, self.bucket, id, sealed).await?;
        let settled = self.read_back(primary, id).await?;
        if made && !settled.document.says_the_same(&document) {
            return Err(KeyError::Conflict(format!(
                "site {} does not give back the key {} that was just written to it",
                primary.name(),
                id.as_str()
            )));
        }
        for backup in self.sites.backups.iter() {
            copies::bring_up(self.roots, backup, self.bucket, id, &settled).await?;
            self.read_back(backup, id).await?;
        }
        tracing::info!(key = id.as_str(), made, "a vault key was made and read back from every site");
        Ok(settled)
    }

    async fn read_back(&self, site: &Site, id: &VaultKeyId) -> Result<Settled, KeyError> {
        match survey::copy(self.roots, site, self.bucket, id).await? {
            Copy::Good { document, sealed, .. } => Ok(Settled { document: *document, sealed }),
            Copy::Closed(source) => Err(KeyError::WrongRoot { site: site.name().to_string(), source }),
            Copy::Missing => Err(KeyError::Unsettled(format!(
                "site {} accepted the key {} and does not have it",
                site.name(),
                id.as_str()
            ))),
        }
    }

    /// The capabilities are unknown (all false) before the first probe.
    async fn require_conditions(&self, site: &Site) -> Result<(), KeyError> {
        if site.capabilities().put_if_none_match || site.probe(self.bucket).await?.put_if_none_match {
            return Ok(());
        }
        Err(KeyError::Unsettled(format!(
            "no site has a keyring yet, and site {} ignores conditional writes (If-None-Match), so two proxies that \
             start together could make two different keys. Make another site the primary for the first start",
            site.name()
        )))
    }
}

//! Keys that have sealed for long enough, or enough, get a new version by themselves.
use super::KeyError;
use super::admin::{KeyAdmin, KeyChange};
use super::document::Document;
use super::keyring::Keyring;
use super::state::KeyState;
use super::tally::{Counted, Tally};
use crate::clock;
use crate::seal::{VaultKeyId, VaultKeyRef};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Who rotated it, in a key's record.
const BY_AGE: &str = "strongroom (keys.rotate_after)";
const BY_OBJECTS: &str = "strongroom (keys.rotate_after_objects)";
const BY_BYTES: &str = "strongroom (keys.rotate_after_bytes)";
/// After a version could not be replaced, how long nobody tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the newest version was made so long ago. One that does not say when it was made is old.
pub(super) fn is_old(document: &Document, after: Duration, now: OffsetDateTime) -> bool {
    let made = document.outline().last().and_then(|(.., made)| OffsetDateTime::parse(made, &Rfc3339).ok());
    made.is_none_or(|made| made.saturating_add(after.try_into().unwrap_or(time::Duration::MAX)) <= now)
}

// === impl Keyring ===

impl Keyring {
    /// Adds a version to every enabled key whose newest one is older than it may be, or has sealed nearly as much as it may. Several proxies may do this at
    /// once: what decides is the key as the site that decides has it, so each version is replaced by one of them. Returns how many
    /// were rotated here; what failed is tried again with the next call.
    pub async fn rotate_due(&self, now: OffsetDateTime) -> usize {
        let Some(allowance) = self.meter.as_ref().map(|meter| meter.allowance) else { return 0 };
        if self.withheld().is_some() || self.writable().is_err() {
            return 0;
        }
        let mut rotated = match allowance.after {
            Some(after) => self.rotate_older(after, now).await,
            None => 0,
        };
        for (key, used) in self.in_use() {
            let Some(what) = allowance.due(used) else { continue };
            rotated += usize::from(self.rotate(&key.id, &KeyChange::Succeed(key.version), by(what), now).await);
        }
        rotated
    }

    /// The same for age alone.
    pub async fn rotate_older(&self, after: Duration, now: OffsetDateTime) -> usize {
        let due = |document: &Document| document.state == KeyState::Enabled && is_old(document, after, now);
        let mut rotated = 0;
        let reached = |id: &VaultKeyId| self.refuse_out_of_reach(id).is_ok();
        for id in self.documents(|id, document| (due(document) && reached(id)).then(|| id.clone())) {
            rotated += usize::from(self.rotate(&id, &KeyChange::RotateOlder(after), BY_AGE, now).await);
        }
        rotated
    }

    /// Whether it was rotated, here.
    async fn rotate(&self, id: &VaultKeyId, change: &KeyChange, by: &str, now: OffsetDateTime) -> bool {
        match self.change(id, change, by, now).await {
            Ok(()) => true,
            // Another proxy was faster, or an operator did something else with it.
            Err(KeyError::Refused(..)) => false,
            Err(error) => {
                tracing::warn!(key = id.as_str(), %error, "a key that is due cannot be rotated now");
                false
            }
        }
    }

    async fn change(&self, id: &VaultKeyId, change: &KeyChange, by: &str, now: OffsetDateTime) -> Result<(), KeyError> {
        let nowhere = || KeyError::Refused(id.as_str().to_owned(), "the keyring came from a folder".to_owned());
        let (sites, bucket, entropy) = self.place().ok_or_else(nowhere)?;
        let admin = KeyAdmin { roots: self.roots(), sites, bucket, entropy, by };
        admin.change(id, change, now).await.map(drop)
    }

    /// Replaces a version that has sealed as much as it may, now: one caller does it, the others wait for that. When this returns well, a newer
    /// version seals.
    ///
    /// # Errors
    /// [`KeyError::Spent`] says why there is none.
    pub(super) async fn succeed(&self, spent: &VaultKeyRef, tally: &Tally, what: Counted) -> Result<(), KeyError> {
        let mut trouble = tally.successor.lock().await;
        let is_replaced = || Ok::<_, KeyError>(self.for_sealing(&spent.id)?.reference.version > spent.version);
        if is_replaced()? {
            return Ok(());
        }
        if let Some((_, why)) = trouble.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(KeyError::spent(spent, what, why.as_str()));
        }
        let changed = self.change(&spent.id, &KeyChange::Succeed(spent.version), by(what), clock::now()).await;
        let why = match changed {
            // Refused: another proxy was faster.
            Ok(()) | Err(KeyError::Refused(..)) => match self.fetch(&spent.id, false).await {
                Ok(()) if is_replaced()? => return Ok(()),
                Ok(()) => "no site has a newer version yet".to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        *trouble = Some((Instant::now(), why.clone()));
        Err(KeyError::spent(spent, what, why))
    }
}

const fn by(what: Counted) -> &'static str {
    match what {
        Counted::Objects => BY_OBJECTS,
        Counted::Bytes => BY_BYTES,
    }
}

//! The keyring counts what it is used for: no object is sealed under a version that has sealed as much as it may.
use super::KeyError;
use super::keyring::Keyring;
use super::state::KeyState;
use super::tally::{Allowance, Ledger, Short, Tally, Used};
use crate::seal::{VaultKey, VaultKeyId, VaultKeyRef};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who counts, and how far.
pub(super) struct Meter {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) allowance: Allowance,
}

/// The counts of every version that was ever in memory: a key that changes keeps them.
#[derive(Default)]
pub(super) struct Tallies(Mutex<HashMap<VaultKeyRef, Arc<Tally>>>);

// === impl Tallies ===

impl Tallies {
    pub(super) fn of(&self, key: &VaultKeyRef) -> Arc<Tally> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key.clone()).or_insert_with(|| Arc::new(Tally::new(key.clone()))).clone()
    }

    fn all(&self) -> HashMap<VaultKeyRef, Arc<Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// === impl Keyring ===

impl Keyring {
    /// From now on it is counted what is sealed, and enough is enough. Without this nothing is counted: for what only opens.
    #[must_use]
    pub fn counting(mut self, ledger: Arc<dyn Ledger>, allowance: Allowance) -> Self {
        self.meter = Some(Meter { ledger, allowance });
        self
    }

    /// The newest enabled version, to seal one object under: it is counted. A version that has sealed as much as it may is replaced
    /// first; that is a few requests to the sites, and happens only when the rotation in the background has been in vain until then.
    ///
    /// # Errors
    /// As [`Keyring::for_sealing`]; [`KeyError::Spent`] when it cannot be replaced now; [`KeyError::Uncounted`].
    pub async fn take(&self, id: &VaultKeyId) -> Result<Arc<VaultKey>, KeyError> {
        loop {
            let (key, tally) = self.newest(id)?;
            let Some(meter) = &self.meter else { return Ok(key) };
            match tally.take_object(&*meter.ledger, &meter.allowance).await {
                Ok(()) => return Ok(key),
                Err(Short::Ledger(why)) => return Err(KeyError::Uncounted(why)),
                Err(Short::Spent(what)) => Box::pin(self.succeed(&key.reference, &tally, what)).await?,
            }
        }
    }

    /// Counts bytes of plaintext that are about to be sealed in an object under this version.
    ///
    /// # Errors
    /// As [`Keyring::for_opening`]; [`KeyError::Uncounted`]; [`KeyError::ReadOnly`].
    pub async fn take_bytes(&self, reference: &VaultKeyRef, bytes: u64) -> Result<(), KeyError> {
        self.writable()?;
        let tally = self.tally(reference)?;
        let Some(meter) = &self.meter else { return Ok(()) };
        match tally.take_bytes(bytes, &*meter.ledger, &meter.allowance).await {
            Ok(()) => Ok(()),
            Err(Short::Ledger(why)) => Err(KeyError::Uncounted(why)),
            Err(Short::Spent(what)) => Err(KeyError::spent(reference, what, "it seals an object that is not counted")),
        }
    }

    /// Learns what others have used meanwhile, where the ledger is shared. What cannot be learnt now will be next time.
    pub async fn learn_usage(&self) {
        let Some(meter) = &self.meter else { return };
        let marks: Vec<_> = self.tallies.all().into_values().map(|tally| (tally.mark(), tally)).collect();
        let sums = match meter.ledger.sums().await {
            Ok(sums) => sums,
            Err(error) => {
                tracing::warn!(%error, "what was sealed under the keys cannot be read now");
                return;
            }
        };
        let sums: HashMap<_, _> = sums.into_iter().map(|(name, version, used)| ((name, version), used)).collect();
        for (mark, tally) in marks {
            let key = tally.key();
            let sum = sums.get(&(key.id.as_str().to_owned(), key.version));
            tally.learn(mark, sum.copied().unwrap_or_default());
        }
    }

    /// How much of what it may the newest version of the fullest enabled key has sealed: 1 is all.
    pub fn fullest(&self) -> f64 {
        let Some(meter) = &self.meter else { return 0.0 };
        let shares = self.in_use().into_iter().map(|(_, used)| meter.allowance.share(used));
        shares.fold(0.0, f64::max)
    }

    /// Gives back what was counted ahead. At the end, when nothing is sealed any more.
    pub async fn settle_usage(&self) {
        let Some(meter) = &self.meter else { return };
        for tally in self.tallies.all().into_values() {
            if let Err(error) = tally.settle(&*meter.ledger).await {
                tracing::warn!(key = %tally.key().id, %error, "more stays counted under a key than was sealed");
            }
        }
    }

    /// The newest versions of enabled keys, and what they sealed.
    pub(super) fn in_use(&self) -> Vec<(VaultKeyRef, Used)> {
        let all = self.ring.all();
        let enabled = all.iter().filter(|(id, entry)| {
            entry.settled.document.state == KeyState::Enabled && self.refuse_out_of_reach(id).is_ok()
        });
        let newest = enabled.filter_map(|(_, entry)| entry.sealing.as_ref());
        newest.map(|version| (version.key.reference.clone(), version.tally.used())).collect()
    }
}

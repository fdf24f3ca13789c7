//! The repair of one object that a read found damaged: the same judge and the same copy as for a whole comparison.
use super::Reconcile;
use super::judge::{Judge, Trouble};
use super::merge::Pair;
use crate::recovery::object::{Opener, ReadError};
use crate::recovery::sample::Depth;
use crate::replication::compare;
use crate::replication::{HealError, Healed, Healer};
use crate::site::tee::Tee;
use crate::site::{Location, Site};
use crate::state::State;

/// For the replication worker of a running proxy.
pub struct Physician {
    job: Reconcile,
}

// === impl Physician ===

impl Physician {
    /// Over the proxy's own tee (whose commit locks it takes), keys and journal.
    pub fn new(tee: Tee, opener: Opener, state: State) -> Self {
        let (opener, state) = (Some(opener), Some(state));
        Self { job: Reconcile { tee, opener, state, depth: Depth::All, repair: true, prefer: None, parallel: 1 } }
    }
}

#[async_trait::async_trait]
impl Healer for Physician {
    async fn heal(&self, site: &Site, at: &Location) -> Result<Healed, HealError> {
        let sites = self.job.tee.sites();
        // Deleted since, or being deleted: nothing may come back.
        if compare::version(&sites.primary, at).await?.is_none() {
            return Ok(Healed::Sound);
        }
        let others: Vec<Site> = match site.name() == sites.primary.name() {
            true => sites.backups.to_vec(),
            false => vec![site.clone()],
        };
        // Where the state is shared another proxy may be changing the key: whoever is later has it compared once more.
        let intent = self.job.tee.intent_to_level(at).await.map_err(|error| HealError::Other(error.to_string()))?;
        let healed = self.beside(site, others, at).await;
        intent.settle();
        healed
    }
}

impl Physician {
    async fn beside(&self, site: &Site, others: Vec<Site>, at: &Location) -> Result<Healed, HealError> {
        let mut hopeless = None;
        for backup in others {
            let judge = Judge { all: self.job.clone(), backup };
            let unknown = Pair { key: at.key.to_string(), here: None, there: None };
            let finding = judge.try_look(at, &unknown).await.map_err(HealError::from)?;
            match finding.copied_from {
                Some(from) if from != site.name().0.as_ref() => {
                    let from = self.job.tee.sites().all().find(|site| site.name().0.as_ref() == from);
                    return Ok(Healed::Repaired(from.unwrap_or(&judge.backup).name().clone()));
                }
                // It was the other one that was damaged.
                Some(_) => return Ok(Healed::Sound),
                None if finding.pending => return Err(HealError::Other("a site gets first what it missed".to_owned())),
                None if finding.why.is_none() => return Ok(Healed::Sound),
                None => hopeless = finding.why,
            }
        }
        Ok(Healed::Hopeless(hopeless.unwrap_or_else(|| "there is no other site".to_owned())))
    }
}

// === impl HealError ===

impl From<Trouble> for HealError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Site(error) | Trouble::Read(ReadError::Site(error)) => Self::Site(error),
            other => Self::Other(other.to_string()),
        }
    }
}

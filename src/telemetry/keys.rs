//! Metrics of root and vault keys and of suites.
use super::Metrics;
use super::table::Families;
use crate::s3::Suite;
use prometheus::IntCounter;
use std::collections::BTreeMap;

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteUse {
    /// It was written.
    Sealed,
    /// It was read, or looked at.
    Opened,
}

/// The counters of every suite, resolved once: `[suite][use]`.
pub(super) struct PerSuite([[IntCounter; 2]; Suite::ALL.len()]);

// === impl PerSuite ===

impl PerSuite {
    pub(super) fn new(families: &Families) -> Self {
        let counter =
            |suite: Suite, used: SuiteUse| families.suite_objects.with_label_values(&[suite.name(), used.label()]);
        let of = |suite| [SuiteUse::Sealed, SuiteUse::Opened].map(|used| counter(suite, used));
        Self([of(Suite::Aes256Gcm), of(Suite::Sm4Gcm)])
    }

    fn of(&self, suite: Suite, used: SuiteUse) -> &IntCounter {
        let [aes, sm4] = &self.0;
        let [sealed, opened] = match suite {
            Suite::Aes256Gcm => aes,
            Suite::Sm4Gcm => sm4,
        };
        match used {
            SuiteUse::Sealed => sealed,
            SuiteUse::Opened => opened,
        }
    }
}

// === impl SuiteUse ===

impl SuiteUse {
    const fn label(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Opened => "opened",
        }
    }
}

// === impl Metrics ===

impl Metrics {
    /// An object of this suite was written or read.
    pub fn object_of_suite(&self, suite: Suite, used: SuiteUse) {
        self.suites.of(suite, used).inc();
    }

    /// How many keys are in each state.
    pub fn vault_keys(&self, states: &BTreeMap<&'static str, u64>) {
        for state in ["enabled", "disabled", "pending deletion", "destroyed", "out of reach"] {
            let count = states.get(state).copied().unwrap_or_default();
            self.families.vault_keys.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// How full the fullest key is; 1: it seals no more.
    pub fn fullest_key(&self, ratio: f64) {
        self.families.fullest_key.set(ratio);
    }

    /// The keyring at a site was looked at, at this Unix time.
    pub fn keyring_looked(&self, site: &str, at: f64) {
        self.families.keyring_looked.with_label_values(&[site]).set(at);
    }

    /// Whether nothing can be written because the root is missing.
    pub fn read_only(&self, read_only: bool) {
        self.families.read_only.set(i64::from(read_only));
    }

    /// Which custodians open the root, and for how long none has (seconds).
    pub fn root_custodians(&self, custodians: &[(String, bool)], stale: f64) {
        for (custodian, up) in custodians {
            self.families.root_custodian_up.with_label_values(&[custodian]).set(i64::from(*up));
        }
        self.families.root_stale.set(stale);
    }
}

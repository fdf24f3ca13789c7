//! Metrics of vault keys.
use super::Metrics;
use std::collections::BTreeMap;

impl Metrics {
    /// How many keys are in each state.
    pub fn vault_keys(&self, states: &BTreeMap<&'static str, u64>) {
        for state in ["enabled", "disabled", "pending deletion", "destroyed"] {
            let count = states.get(state).copied().unwrap_or_default();
            self.families.vault_keys.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// The keyring at a site was looked at, at this Unix time.
    pub fn keyring_looked(&self, site: &str, at: f64) {
        self.families.keyring_looked.with_label_values(&[site]).set(at);
    }
}

//! What is sealed under vault keys is added up in the state.
use crate::keys::{Ledger, Used};
use crate::seal::VaultKeyRef;
use crate::state::State;
use async_trait::async_trait;

/// The sums of the state.
pub(super) struct StateLedger(pub(super) State);

// === impl StateLedger ===

#[async_trait]
impl Ledger for StateLedger {
    async fn add(&self, key: &VaultKeyRef, more: Used) -> Result<Used, String> {
        let (objects, bytes) = (signed(more.objects), signed(more.bytes));
        let added = self.0.add_key_usage(key.id.as_str(), key.version, objects, bytes).await;
        added.map(|sum| Used { objects: sum.objects, bytes: sum.bytes }).map_err(|error| error.to_string())
    }

    async fn give_back(&self, key: &VaultKeyRef, less: Used) -> Result<(), String> {
        let (objects, bytes) = (-signed(less.objects), -signed(less.bytes));
        let given = self.0.add_key_usage(key.id.as_str(), key.version, objects, bytes).await;
        given.map(drop).map_err(|error| error.to_string())
    }

    async fn sums(&self) -> Result<Vec<(String, u32, Used)>, String> {
        let sums = self.0.key_usage().await.map_err(|error| error.to_string())?;
        Ok(sums
            .into_iter()
            .map(|sum| (sum.key, sum.version, Used { objects: sum.objects, bytes: sum.bytes }))
            .collect())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! Keys that have sealed for long enough get a new version by themselves.
use super::KeyError;
use super::admin::{KeyAdmin, KeyChange};
use super::document::Document;
use super::keyring::Keyring;
use super::state::KeyState;
use crate::seal::VaultKeyId;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Who rotated it, in a key's record.
const BY: &str = "strongroom (keys.rotate_after)";

/// Whether the newest version was made so long ago. One that does not say when it was made is old.
pub(super) fn is_old(document: &Document, after: Duration, now: OffsetDateTime) -> bool {
    let made = document.outline().last().and_then(|(.., made)| OffsetDateTime::parse(made, &Rfc3339).ok());
    made.is_none_or(|made| made.saturating_add(after.try_into().unwrap_or(time::Duration::MAX)) <= now)
}

// === impl Keyring ===

impl Keyring {
    /// Adds a version to every enabled key whose newest one is older than `after`. Several proxies may do this at once: what decides is the age as
    /// the site that decides has it, so each key is rotated by one of them. Returns how many were rotated here; what failed is tried again
    /// with the next call.
    pub async fn rotate_older(&self, after: Duration, now: OffsetDateTime) -> usize {
        let Some((sites, bucket, entropy)) = self.place() else { return 0 };
        let admin = KeyAdmin { roots: self.roots(), sites, bucket, entropy, by: BY };
        let mut rotated = 0;
        for id in self.old(after, now) {
            match admin.change(&id, &KeyChange::RotateOlder(after), now).await {
                Ok(_) => rotated += 1,
                // Another proxy was faster, or an operator did something else with it.
                Err(KeyError::Refused(..)) => {}
                Err(error) => tracing::warn!(key = id.as_str(), %error, "a key that is due cannot be rotated now"),
            }
        }
        rotated
    }

    fn old(&self, after: Duration, now: OffsetDateTime) -> Vec<VaultKeyId> {
        let due = |document: &Document| document.state == KeyState::Enabled && is_old(document, after, now);
        self.documents(|id, document| due(document).then(|| id.clone()))
    }
}

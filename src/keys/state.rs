//! What a vault key may be used for, and by whom. PURE.
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// The state of a vault key, all its versions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Seals and opens.
    #[default]
    Enabled,
    /// Neither, until it is enabled again.
    Disabled,
    /// Neither; it can be destroyed when its window is over, and given back until then.
    PendingDeletion,
    /// Gone for good. What it sealed cannot be opened; the name stays taken.
    Destroyed,
}

/// What a key is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Sealing new objects.
    Encrypt,
    /// Opening objects.
    Decrypt,
}

/// The names of the credentials that may use a key; `None`: every credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Limits {
    /// Who may seal under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypt: Option<Vec<String>>,
    /// Who may open what it sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decrypt: Option<Vec<String>>,
}

/// Shortest and longest time from the decision to destroy a key to the end of its window, and the usual one
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>).
pub const WINDOW: std::ops::RangeInclusive<u16> = 7..=30;
/// The usual one.
pub const USUAL_WINDOW: u16 = 30;

// === impl KeyState ===

impl KeyState {
    /// As people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "pending deletion",
            Self::Destroyed => "destroyed",
        }
    }
}

impl std::fmt::Display for KeyState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        })
    }
}

// === impl Limits ===

impl Limits {
    /// Whether the credential of this name may.
    pub fn allow(&self, wanted: Use, who: &str) -> bool {
        let names = match wanted {
            Use::Encrypt => &self.encrypt,
            Use::Decrypt => &self.decrypt,
        };
        names.as_ref().is_none_or(|names| names.iter().any(|name| name == who))
    }
}

/// The end of a window that begins now.
pub(super) fn window_end(now: OffsetDateTime, days: u16) -> OffsetDateTime {
    now.saturating_add(Duration::days(i64::from(days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_names_who_may_and_no_limit_is_everybody() {
        let limits = Limits { encrypt: Some(vec!["erp".into()]), decrypt: Some(Vec::new()) };
        assert!(limits.allow(Use::Encrypt, "erp") && !limits.allow(Use::Encrypt, "other"));
        assert!(!limits.allow(Use::Decrypt, "erp"), "nobody");
        assert!(Limits::default().allow(Use::Decrypt, "anybody"));
    }
}

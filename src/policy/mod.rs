//! How is it kept: the first rule that matches a path decides key and replication. PURE.
//!
//! Rules come from `[[rule]]` in the configuration, in the order of the file. The first match wins; a rule
//! named `default` (key `default`, `tee`) stands behind them all, so that every object has a [`Plan`].
mod pattern;
mod rule_set;

pub use pattern::Pattern;
pub use rule_set::{Explanation, RuleProblem, RuleSet};

use std::time::Duration;

/// Name of the rule, and of the vault key, that apply when no other does.
pub const DEFAULT: &str = "default";

/// When a write is acknowledged (turned into `site::tee::Mode` by the gateway).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replication {
    /// Primary; backups recorded when they miss it.
    #[default]
    Tee,
    /// Every site.
    Strict,
    /// Primary; the backups get it later, from the journal.
    Async,
}

/// What a delete does to a backup's copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletes {
    /// It is deleted as well.
    #[default]
    Mirror,
    /// The backup keeps it for so long, then it is deleted.
    Retain(Duration),
}

/// One `[[rule]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in logs and metrics (from the config or `rule-N`).
    pub name: String,
    /// `bucket/prefix/**`: `*` within a segment, `**` across segments.
    pub pattern: Pattern,
    /// Vault key name.
    pub key: String,
    /// Replication mode.
    pub replication: Replication,
    /// What a delete does to the backups.
    pub deletes: Deletes,
}

/// What a rule set decided for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The rule that decided (`default` when none matched).
    pub rule: std::sync::Arc<str>,
    /// Vault key name.
    pub key: std::sync::Arc<str>,
    /// Replication mode.
    pub replication: Replication,
    /// What a delete does to the backups.
    pub deletes: Deletes,
}

/// Why a rule is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PolicyError(pub String);

// === impl Replication ===

impl Replication {
    /// Every mode, for messages that list what is allowed.
    pub const ALL: [Self; 3] = [Self::Tee, Self::Strict, Self::Async];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tee => "tee",
            Self::Strict => "strict",
            Self::Async => "async",
        }
    }

    /// By the word in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl std::fmt::Display for Deletes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mirror => f.write_str("mirrored"),
            Self::Retain(term) => write!(f, "retained by the backups for {} hours", term.as_secs() / 3600),
        }
    }
}

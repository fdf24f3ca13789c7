//! How is it kept: the first rule that matches a path decides key, replication and terms. PURE.
//!
//! A rule may ask for headers, too; then it is for writes with such headers alone. A write goes by the first rule that matches path and
//! headers; whatever else is asked of an object (reading it, deleting it) by the first without conditions that matches its path.
//!
//! Rules come from `[[rule]]` in the configuration, in the order of the file. The first match wins; a rule
//! named `default` (key `default`, `tee`) stands behind them all, so that every object has a [`Plan`].
//!
//! | file | what it holds |
//! |---|---|
//! | [`pattern`], [`glob`] | which paths a rule is for |
//! | [`condition`] | which writes, by their headers |
//! | [`template`] | the key's name, made of what the pattern captured |
//! | [`retention`] | how long objects are kept |
//! | [`terms`] | what a rule asks of objects and requests |
//! | [`suites`] | which suites may be written and read at all |
//! | [`rule_set`] | all rules in order |
//! | [`explain`] | why a rule decided |
//! | [`anonymous`] | requests without a signature |
//! | [`advice`] | rules that contradict each other or do nothing |
//! | [`live`] | the rules in force, which a reload replaces |
mod advice;
mod anonymous;
mod condition;
mod explain;
mod glob;
mod live;
mod pattern;
mod retention;
mod rule_set;
mod suites;
mod template;
mod terms;

pub use advice::{Advice, advise};
pub use anonymous::Anonymous;
pub use condition::{Conditions, DESCRIBING, Headers, Unmet, Wanted, header_name};
pub use explain::{Explanation, PassedOver, Why};
pub use live::{Change, LiveRules};
pub use pattern::Pattern;
pub use retention::Retention;
pub use rule_set::{RuleProblem, RuleSet};
pub use suites::Suites;
pub use template::{KeyTemplate, Unfit};
pub use terms::{MediaRange, Terms, is_word};

use std::sync::Arc;
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

/// What is done with objects that lie in storage as somebody else put them there, not sealed by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsealed {
    /// Reading one is refused.
    #[default]
    Refuse,
    /// Served from the primary, while no site holds a sealed object of the name: a bucket on its way to being sealed.
    Read,
}

/// How user metadata and content headers lie at the sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataForm {
    /// Only sealed.
    #[default]
    Sealed,
    /// Sealed, and in clear beside it for the tools of the sites. Clients are served from the sealed form.
    Clear,
}

/// One `[[rule]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in logs and metrics (from the config or `rule-N`).
    pub name: String,
    /// `bucket/prefix/**`: `*` within a segment, `**` across segments, `{name}` for the key.
    pub pattern: Pattern,
    /// What it asks of the headers of a write; with any, it is for writes alone.
    pub headers: Conditions,
    /// How the vault key's name is made.
    pub key: KeyTemplate,
    /// Everything else.
    pub terms: Terms,
}

/// What a rule set decided for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The rule that decided (`default` when none matched).
    pub rule: Arc<str>,
    /// Vault key name; or why this path makes none: then nothing can be written there.
    pub key: Result<Arc<str>, Unfit>,
    /// Everything else.
    pub terms: Arc<Terms>,
    /// Vault keys that a client may ask for by name, besides.
    pub client_keys: Arc<[Arc<str>]>,
    /// True when headers had a say: who looks at the path later finds another rule.
    pub by_headers: bool,
}

/// Why a rule is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PolicyError(pub String);

/// The words of the configuration for the values of a setting.
macro_rules! words {
    ($($kind:ident { $($value:ident $word:literal),* })*) => {
        $(impl $kind {
            /// Every value, for messages that list what is allowed.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The word in the configuration.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $word),* }
            }
        })*
    };
}

words! {
    Replication { Tee "tee", Strict "strict", Async "async" }
    Unsealed { Refuse "refuse", Read "read" }
    MetadataForm { Sealed "sealed", Clear "clear" }
    Anonymous { Deny "deny", AsGranted "as-granted", AsStorage "as-storage" }
}

impl std::fmt::Display for Deletes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mirror => f.write_str("mirrored"),
            Self::Retain(term) => write!(f, "retained by the backups for {} hours", term.as_secs() / 3600),
        }
    }
}

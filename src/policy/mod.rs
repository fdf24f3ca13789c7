//! How is it kept: the first rule that matches a path decides key, replication, metadata. PURE. CONTRACT SKELETON.
use crate::s3::{BucketName, ObjectKey};

/// When a write is acknowledged (turned into `site::tee::Mode` by the gateway).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replication {
    /// Primary; backups recorded when they miss it.
    #[default]
    Tee,
    /// Every site.
    Strict,
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
}

/// A parsed `match` pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {}

#[allow(unused_variables)]
impl Pattern {
    /// Parses; says what is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        unimplemented!()
    }
    /// Whether `bucket/key` matches.
    pub fn matches(&self, bucket: &str, key: &str) -> bool {
        unimplemented!()
    }
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
}

/// All rules, in order, with a default behind them.
#[derive(Clone, Debug)]
pub struct RuleSet {}

#[allow(unused_variables)]
impl RuleSet {
    /// Rules in order; the default rule (key `default`, tee) is appended.
    pub fn new(rules: Vec<Rule>) -> Result<Self, PolicyError> {
        unimplemented!()
    }
    /// The plan for an object.
    pub fn plan(&self, bucket: &BucketName, key: &ObjectKey) -> Plan {
        unimplemented!()
    }
    /// Every vault key that some rule names.
    pub fn keys(&self) -> Vec<String> {
        unimplemented!()
    }
}

/// Why a rule is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PolicyError(pub String);

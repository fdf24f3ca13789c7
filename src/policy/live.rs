//! The rules in force. A reload replaces them all at once: a request sees the old ones or the new ones, never some of each.
use super::{Headers, Plan, Rule, RuleSet};
use crate::s3::{BucketName, ObjectKey, Suite};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The rules in force.
pub struct LiveRules(ArcSwap<RuleSet>);

/// How one list of rules differs from another, rule by rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `- rule ...` and `+ rule ...` lines, in the order of the new list, removed ones behind them; then the lists of suites.
    pub lines: Vec<String>,
}

// === impl LiveRules ===

impl LiveRules {
    /// Begins with these.
    pub fn new(rules: RuleSet) -> Self {
        Self(ArcSwap::from_pointee(rules))
    }

    /// The plan for an object, for whatever is no write.
    pub fn plan(&self, bucket: &BucketName, key: &ObjectKey) -> Plan {
        self.0.load().plan(bucket, key)
    }

    /// The plan for an object that is being written with these headers.
    pub fn plan_write(&self, bucket: &BucketName, key: &ObjectKey, headers: &dyn Headers) -> Plan {
        self.0.load().plan_write(bucket, key, headers)
    }

    /// Whether objects that are sealed with this suite may be read.
    pub fn may_read(&self, suite: Suite) -> bool {
        self.0.load().suites().may_read(suite)
    }

    /// All of them, as they are now.
    pub fn current(&self) -> Arc<RuleSet> {
        self.0.load_full()
    }

    /// From now on these.
    pub fn replace(&self, rules: RuleSet) -> Change {
        let rules = Arc::new(rules);
        let before = self.0.swap(rules.clone());
        Change::between(&before, &rules)
    }
}

// === impl Change ===

impl Change {
    /// From one list to another.
    pub fn between(before: &RuleSet, after: &RuleSet) -> Self {
        let old: Vec<&Rule> = before.rules().collect();
        let new: Vec<&Rule> = after.rules().collect();
        let mut lines = Vec::new();
        for rule in &new {
            match old.iter().find(|other| other.name == rule.name) {
                Some(other) if other == rule => {}
                Some(other) => lines.extend([format!("- {other}"), format!("+ {rule}")]),
                None => lines.push(format!("+ {rule}")),
            }
        }
        let gone = old.iter().filter(|other| !new.iter().any(|rule| rule.name == other.name));
        lines.extend(gone.map(|other| format!("- {other}")));
        if lines.is_empty() && old != new {
            let order: Vec<&str> = new.iter().map(|rule| rule.name.as_str()).collect();
            lines.push(format!("order: {}", order.join(", ")));
        }
        if before.suites() != after.suites() {
            lines.extend([format!("- {}", before.suites()), format!("+ {}", after.suites())]);
        }
        Self { lines }
    }

    /// True when nothing differs.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Conditions, KeyTemplate, Pattern, Suites, Terms};

    fn rules(list: &[(&str, &str, &str)]) -> RuleSet {
        let rule = |(name, pattern, key): &(&str, &str, &str)| {
            let pattern = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{e}"));
            let key = KeyTemplate::parse(key, &pattern).unwrap_or_else(|e| panic!("{e}"));
            Rule { name: (*name).into(), pattern, headers: Conditions::default(), key, terms: Terms::default() }
        };
        RuleSet::new(list.iter().map(rule).collect(), Suites::default()).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_change_is_told_rule_by_rule() {
        let live = LiveRules::new(rules(&[("a", "b-a/**", "k"), ("b", "b-b/**", "k"), ("c", "b-c/**", "k")]));
        let (bucket, key) = (BucketName::parse("b-b").expect("a name"), ObjectKey::parse("x").expect("a key"));
        assert_eq!(live.plan(&bucket, &key).key.as_deref(), Ok("k"));
        let change = live.replace(rules(&[("a", "b-a/**", "k"), ("b", "b-b/**", "other"), ("d", "b-d/**", "k")]));
        let expected = [
            "- rule b (b-b/**): key k, replication tee",
            "+ rule b (b-b/**): key other, replication tee",
            "+ rule d (b-d/**): key k, replication tee",
            "- rule c (b-c/**): key k, replication tee",
        ];
        assert_eq!(change.lines, expected);
        assert_eq!(live.plan(&bucket, &key).key.as_deref(), Ok("other"));
    }

    #[test]
    fn the_order_is_a_change_and_the_same_is_none() {
        let (one, other) = ([("a", "b/x*", "k"), ("b", "b/*x", "k")], [("b", "b/*x", "k"), ("a", "b/x*", "k")]);
        assert_eq!(Change::between(&rules(&one), &rules(&other)).lines, ["order: b, a"]);
        assert!(Change::between(&rules(&one), &rules(&one)).is_empty());
    }

    #[test]
    fn the_lists_of_suites_are_part_of_the_rules() {
        let live = LiveRules::new(rules(&[]));
        assert!(live.may_read(Suite::Sm4Gcm));
        let aes = vec![Suite::Aes256Gcm];
        let only = RuleSet::new(Vec::new(), Suites::new(aes.clone(), aes).expect("readable")).expect("good");
        let change = live.replace(only);
        let expected = [
            "- suites: written aes-256-gcm, sm4-gcm, read aes-256-gcm, sm4-gcm",
            "+ suites: written aes-256-gcm, read aes-256-gcm",
        ];
        assert_eq!(change.lines, expected);
        assert!(!live.may_read(Suite::Sm4Gcm));
    }
}

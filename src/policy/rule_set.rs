//! All rules in order, with the default behind them; the answer to "which rule applies, and why".
use super::{DEFAULT, Deletes, MetadataForm, Plan, PolicyError, Replication, Rule, Unsealed};
use crate::s3::{BucketName, ObjectKey};
use std::collections::BTreeSet;

/// All rules, in order, with a default behind them. Cheap lookups: a plan is three shared pointers.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<(Rule, Plan)>,
    default: Plan,
}

/// Why an object is kept the way it is: every rule up to the one that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided.
    pub plan: Plan,
    /// The rules that were tried before and did not match: (name, pattern).
    pub passed_over: Vec<(String, String)>,
    /// The pattern that matched; `None` when the default decided.
    pub matched: Option<String>,
}

/// What is wrong with one rule of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// Position in the list, from 0.
    pub index: usize,
    /// The field of `[[rule]]` at fault: `name`, `match` or `key`.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

// === impl RuleSet ===

impl RuleSet {
    /// Rules in order; the default rule (key `default`, tee) is appended.
    ///
    /// # Errors
    /// The first of [`RuleSet::problems`].
    pub fn new(rules: Vec<Rule>) -> Result<Self, PolicyError> {
        if let Some(problem) = Self::problems(&rules).into_iter().next() {
            return Err(PolicyError(format!("rule {}: {}", problem.index + 1, problem.message)));
        }
        let rules = rules.into_iter().map(|rule| {
            let plan = plan(&rule);
            (rule, plan)
        });
        Ok(Self { rules: rules.collect(), default: default_plan() })
    }

    /// Everything wrong with these rules as a list: names that are used twice, unusable names, patterns that
    /// can never be reached.
    pub fn problems(rules: &[Rule]) -> Vec<RuleProblem> {
        let mut problems = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let mut found = |field, message: Result<(), String>| {
                if let Err(message) = message {
                    problems.push(RuleProblem { index, field, message });
                }
            };
            found("name", check_name(rule, &rules[..index]));
            found("match", check_reachable(rule, &rules[..index]));
            found("key", check_label("vault key name", &rule.key));
        }
        problems
    }

    /// The plan for an object.
    pub fn plan(&self, bucket: &BucketName, key: &ObjectKey) -> Plan {
        let decided = self.rules.iter().find(|(rule, _)| rule.pattern.matches(bucket.as_str(), key.as_str()));
        decided.map_or(&self.default, |(_, plan)| plan).clone()
    }

    /// Why an object is kept the way it is.
    pub fn explain(&self, bucket: &BucketName, key: &ObjectKey) -> Explanation {
        let mut passed_over = Vec::new();
        for (rule, plan) in &self.rules {
            if rule.pattern.matches(bucket.as_str(), key.as_str()) {
                return Explanation {
                    plan: plan.clone(),
                    passed_over,
                    matched: Some(rule.pattern.as_str().to_owned()),
                };
            }
            passed_over.push((rule.name.clone(), rule.pattern.as_str().to_owned()));
        }
        Explanation { plan: self.default.clone(), passed_over, matched: None }
    }

    /// Every vault key that some rule names, the default's included; sorted, each once.
    pub fn keys(&self) -> Vec<String> {
        let named = self.rules.iter().map(|(rule, _)| rule.key.clone());
        named.chain([DEFAULT.to_owned()]).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

// === impl Explanation ===

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, pattern) in &self.passed_over {
            writeln!(f, "rule {name} ({pattern}) does not match")?;
        }
        match &self.matched {
            Some(pattern) => write!(f, "rule {} ({pattern}) decides", self.plan.rule)?,
            None => write!(f, "no rule matches, the default decides")?,
        }
        write!(f, ": key {}, replication {}", self.plan.key, self.plan.replication.name())?;
        if self.plan.deletes != Deletes::default() {
            write!(f, ", deletes {}", self.plan.deletes)?;
        }
        if self.plan.metadata != MetadataForm::default() {
            write!(f, ", metadata {}", self.plan.metadata.name())?;
        }
        if self.plan.unsealed != Unsealed::default() {
            write!(f, ", unsealed {}", self.plan.unsealed.name())?;
        }
        Ok(())
    }
}

fn plan(rule: &Rule) -> Plan {
    Plan {
        rule: rule.name.as_str().into(),
        key: rule.key.as_str().into(),
        replication: rule.replication,
        deletes: rule.deletes,
        unsealed: rule.unsealed,
        metadata: rule.metadata,
    }
}

fn default_plan() -> Plan {
    Plan {
        rule: DEFAULT.into(),
        key: DEFAULT.into(),
        replication: Replication::default(),
        deletes: Deletes::default(),
        unsealed: Unsealed::default(),
        metadata: MetadataForm::default(),
    }
}

fn check_name(rule: &Rule, earlier: &[Rule]) -> Result<(), String> {
    check_label("rule name", &rule.name)?;
    if rule.name == DEFAULT {
        return Err("the name `default` belongs to the rule behind all others; choose another".to_owned());
    }
    match earlier.iter().position(|other| other.name == rule.name) {
        Some(at) => Err(format!("the name `{}` is already rule {}'s; choose another", rule.name, at + 1)),
        None => Ok(()),
    }
}

fn check_reachable(rule: &Rule, earlier: &[Rule]) -> Result<(), String> {
    let shadow = earlier.iter().find(|other| other.pattern == rule.pattern || other.pattern.matches_everything());
    match shadow {
        Some(other) => Err(format!(
            "`{}` can never be reached: rule {} (`{}`) stands before it and takes everything it matches; \
             reorder or remove one",
            rule.pattern, other.name, other.pattern
        )),
        None => Ok(()),
    }
}

/// The alphabet shared by rule names (labels of metrics) and vault keys (`seal::VaultKeyId`).
fn check_label(what: &str, label: &str) -> Result<(), String> {
    let ok_byte = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=64).contains(&label.len()) && label.bytes().all(ok_byte) {
        return Ok(());
    }
    Err(format!("the {what} {label:?} is refused: use 1 to 64 of a-z, 0-9, `.`, `_` and `-`"))
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;
    use proptest::prelude::*;

    fn rule(name: &str, pattern: &str, key: &str) -> Rule {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{e}"));
        let (unsealed, metadata) = (Unsealed::default(), MetadataForm::default());
        let (replication, deletes) = (Replication::Strict, Deletes::Mirror);
        Rule { name: name.into(), pattern, key: key.into(), replication, deletes, unsealed, metadata }
    }

    fn set(rules: Vec<Rule>) -> RuleSet {
        RuleSet::new(rules).unwrap_or_else(|e| panic!("{e}"))
    }

    fn object(bucket: &str, key: &str) -> (BucketName, ObjectKey) {
        (BucketName::parse(bucket).expect("a test's bucket"), ObjectKey::parse(key).expect("a test's key"))
    }

    #[test]
    fn the_first_match_wins_and_the_default_stands_behind() {
        let rules = set(vec![rule("one", "bkt/a/**", "k1"), rule("two", "bkt/**", "k2")]);
        let rule_for = |key| {
            let (bucket, key) = object("bkt", key);
            rules.plan(&bucket, &key).rule.to_string()
        };
        assert_eq!(rule_for("a/x"), "one");
        assert_eq!(rule_for("b/x"), "two");
        let (bucket, key) = object("other", "x");
        let plan = rules.plan(&bucket, &key);
        assert_eq!((&*plan.rule, &*plan.key, plan.replication), (DEFAULT, DEFAULT, Replication::Tee));
    }

    #[test]
    fn an_explanation_names_every_rule_up_to_the_one_that_decided() {
        let rules = set(vec![rule("one", "bkt/a/**", "k1"), rule("two", "bkt/**", "k2")]);
        let (bucket, key) = object("bkt", "b/x");
        let why = rules.explain(&bucket, &key);
        assert_eq!(why.passed_over, [("one".to_owned(), "bkt/a/**".to_owned())]);
        assert_eq!(why.matched.as_deref(), Some("bkt/**"));
        assert_eq!(
            why.to_string(),
            "rule one (bkt/a/**) does not match\nrule two (bkt/**) decides: key k2, replication strict"
        );
        let (bucket, key) = object("other", "x");
        assert!(
            rules.explain(&bucket, &key).to_string().ends_with("the default decides: key default, replication tee")
        );
    }

    #[test]
    fn an_explanation_says_what_is_not_as_usual() {
        let legacy = Rule { unsealed: Unsealed::Read, metadata: MetadataForm::Clear, ..rule("old", "bkt/**", "k") };
        let (bucket, key) = object("bkt", "x");
        let why = set(vec![legacy]).explain(&bucket, &key).to_string();
        assert!(why.ends_with("key k, replication strict, metadata clear, unsealed read"), "{why}");
    }

    #[test]
    fn keys_are_listed_once_with_the_default() {
        let rules = set(vec![rule("a", "b-a/**", "z"), rule("b", "b-b/**", "a"), rule("c", "b-c/**", "z")]);
        assert_eq!(rules.keys(), ["a", DEFAULT, "z"]);
        assert_eq!(set(vec![]).keys(), [DEFAULT]);
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused_rule_by_rule() {
        let problems = RuleSet::problems(&[
            rule("same", "b-a/**", "k"),
            rule("same", "b-b/**", "k"),
            rule("default", "b-c/**", "k"),
            rule("twice", "b-a/**", "k"),
            rule("Bad Name", "b-d/**", "Bad Key"),
            rule("all", "**", "k"),
            rule("late", "b-e/**", "k"),
        ]);
        let at: Vec<_> = problems.iter().map(|p| (p.index, p.field)).collect();
        assert_eq!(at, [(1, "name"), (2, "name"), (3, "match"), (4, "name"), (4, "key"), (6, "match")]);
        assert!(problems[5].message.contains("rule all (`**`)"), "{}", problems[5].message);
    }

    #[test]
    fn new_reports_the_position_as_people_count() {
        let error = RuleSet::new(vec![rule("ok", "b-a/**", "k"), rule("default", "b-b/**", "k")]).map(|_| ());
        assert!(error.is_err_and(|e| e.0.starts_with("rule 2: ")));
    }

    proptest! {
        #[test]
        fn explaining_and_planning_agree(
            patterns in proptest::collection::vec("(bkt|\\*)/[ab*]{1,2}(/\\*\\*)?", 0..5),
            key in "[ab/]{1,8}",
        ) {
            let rules = patterns.iter().enumerate().filter_map(|(i, text)| {
                let pattern = Pattern::parse(text).ok()?;
                Some(Rule { pattern, ..rule(&format!("r{i}"), "**", &format!("k{i}")) })
            });
            let Ok(rules) = RuleSet::new(rules.collect()) else { return Ok(()) };
            let (bucket, key) = object("bkt", &key);
            let why = rules.explain(&bucket, &key);
            prop_assert_eq!(&why.plan, &rules.plan(&bucket, &key));
            prop_assert!(rules.keys().iter().any(|k| **k == *why.plan.key));
        }
    }
}

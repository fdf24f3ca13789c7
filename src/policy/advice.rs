//! What is allowed in a list of rules and still worth a second look.
use super::{Rule, RuleSet};

/// One remark about a list of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Paths exist that both match; the first decides there.
    Overlap { first: String, second: String },
    /// A path of the one rule can make the key that the other names.
    SharedKey { maker: String, named: String, key: String },
    /// A vault key that no rule seals under any more. What it sealed stays readable.
    KeyWithoutRule { key: String },
}

/// Every remark about these rules, and about the vault keys that exist. A narrow rule before a wide one is the usual way to
/// write an exception and no overlap.
pub fn advise(rules: &RuleSet, existing: &[String]) -> Vec<Advice> {
    let list: Vec<&Rule> = rules.rules().collect();
    let mut advice = Vec::new();
    for (at, second) in list.iter().enumerate() {
        for first in &list[..at] {
            if first.meets(second) && !second.covers(first) {
                advice.push(Advice::Overlap { first: first.name.clone(), second: second.name.clone() });
            }
        }
    }
    for named in &list {
        let Some(key) = named.key.literal() else { continue };
        for maker in list.iter().filter(|maker| maker.key.literal().is_none() && maker.key.could_make(key)) {
            let (maker, named, key) = (maker.name.clone(), named.name.clone(), key.to_string());
            advice.push(Advice::SharedKey { maker, named, key });
        }
    }
    let unused = existing.iter().filter(|key| !rules.could_use(key));
    advice.extend(unused.map(|key| Advice::KeyWithoutRule { key: key.clone() }));
    advice
}

// === impl Advice ===

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Overlap { first, second } => {
                write!(f, "rules {first} and {second} overlap: where both match, {first} decides, for it stands first")
            }
            Self::SharedKey { maker, named, key } => {
                write!(f, "key {key} of rule {named} can also be made by a path of rule {maker}: they would share it")
            }
            Self::KeyWithoutRule { key } => {
                write!(f, "key {key} has no rule: nothing new is sealed under it, what is stays readable")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Conditions, KeyTemplate, Pattern, Suites, Terms, Wanted};

    fn rule(name: &str, pattern: &str, key: &str) -> Rule {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{e}"));
        let key = KeyTemplate::parse(key, &pattern).unwrap_or_else(|e| panic!("{e}"));
        Rule { name: name.into(), pattern, headers: Conditions::default(), key, terms: Terms::default() }
    }

    fn said(rules: Vec<Rule>, existing: &[&str]) -> Vec<String> {
        let rules = RuleSet::new(rules, Suites::default()).unwrap_or_else(|e| panic!("{e}"));
        let existing: Vec<String> = existing.iter().map(ToString::to_string).collect();
        advise(&rules, &existing).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_exception_before_its_general_rule_is_no_overlap() {
        assert!(said(vec![rule("one", "b/x/**", "k"), rule("rest", "b/**", "k")], &["default", "k"]).is_empty());
        assert!(said(vec![rule("a", "b/x/**", "k"), rule("b", "b/y/**", "k")], &[]).is_empty());
    }

    #[test]
    fn rules_of_which_neither_contains_the_other_overlap() {
        let said = said(vec![rule("pdf", "b/*/*.pdf", "k"), rule("ann", "b/ann/*", "k")], &[]);
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("pdf and ann overlap"), "{}", said[0]);
    }

    #[test]
    fn rules_for_other_headers_are_no_overlap() {
        let asking = |name: &str, pattern: &str, kind: &str| {
            let wanted = Wanted::parse(kind).unwrap_or_else(|e| panic!("{e}"));
            let headers = Conditions::new(vec![("content-type".to_owned(), wanted)]).unwrap_or_else(|e| panic!("{e}"));
            Rule { headers, ..rule(name, pattern, "k") }
        };
        let (pdf, image) = (asking("pdf", "b/*/x", "a*/pdf"), asking("image", "b/ann/*", "image/*"));
        assert!(said(vec![pdf.clone(), image, rule("rest", "b/**", "k")], &[]).is_empty());
        let said = said(vec![pdf, asking("any", "b/ann/*", "a*")], &[]);
        assert!(said.len() == 1 && said[0].contains("pdf and any overlap"), "{said:?}");
    }

    #[test]
    fn keys_that_two_rules_share_by_accident_and_keys_of_no_rule_are_named() {
        let rules = vec![rule("staff", "s/**", "client-staff"), rule("clients", "b/{c}/**", "client-{c}")];
        let said = said(rules, &["default", "client-acme", "old"]);
        assert!(
            said[0].contains("key client-staff of rule staff can also be made by a path of rule clients"),
            "{said:?}"
        );
        assert!(said[1].starts_with("key old has no rule") && said.len() == 2, "{said:?}");
    }
}

//! Requests without a signature: where a rule leaves it to the primary who may do what.
use super::{Pattern, RuleSet};
use crate::s3::{BucketName, ObjectKey};

/// What becomes of requests without a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// They are denied, whatever the storage would let anybody do.
    #[default]
    Deny,
    /// What the primary lets anybody do, by its ACLs and policies, is done for anybody.
    AsStorage,
}

// === impl RuleSet ===

impl RuleSet {
    /// Whether the primary is asked about a request without a signature for this object; for `None`, for the whole bucket (its listings name
    /// every object): then the rule that leaves it to the primary has to be for all of it, and none before it for a part.
    pub fn asks_storage(&self, bucket: &BucketName, key: Option<&ObjectKey>) -> bool {
        if let Some(key) = key {
            return self.plan(bucket, key).terms.anonymous == Anonymous::AsStorage;
        }
        let Ok(whole) = Pattern::parse(&format!("{bucket}/**")) else { return false };
        let mut rules =
            self.rules().filter(|rule| rule.headers.is_empty() && rule.pattern.may_match_in(bucket.as_str()));
        rules
            .find(|rule| rule.terms.anonymous == Anonymous::Deny || rule.pattern.covers(&whole))
            .is_some_and(|rule| rule.terms.anonymous == Anonymous::AsStorage)
    }

    /// Whether it may be asked about some object of the bucket: of a form it is not known yet about which.
    pub fn may_ask_storage(&self, bucket: &BucketName) -> bool {
        self.rules()
            .any(|rule| rule.terms.anonymous == Anonymous::AsStorage && rule.pattern.may_match_in(bucket.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Conditions, KeyTemplate, Rule, Suites, Terms};

    fn rules(of: &[(&str, Anonymous)]) -> RuleSet {
        let rule = |(at, (pattern, anonymous)): (usize, &(&str, Anonymous))| {
            let pattern = Pattern::parse(pattern).expect("a pattern");
            Rule {
                name: format!("r{at}"),
                key: KeyTemplate::parse("k", &pattern).expect("a key"),
                pattern,
                headers: Conditions::default(),
                terms: Terms { anonymous: *anonymous, ..Terms::default() },
            }
        };
        RuleSet::new(of.iter().enumerate().map(rule).collect(), Suites::default()).expect("rules")
    }

    #[test]
    fn an_object_goes_by_its_own_rule_and_a_listing_by_all_of_its_bucket() {
        use Anonymous::{AsStorage, Deny};
        let site = BucketName::parse("site").expect("a bucket");
        let key = |key: &str| ObjectKey::parse(key).expect("a key");
        let all = rules(&[("site/**", AsStorage)]);
        assert!(
            all.asks_storage(&site, Some(&key("a"))) && all.asks_storage(&site, None) && all.may_ask_storage(&site)
        );
        let other = BucketName::parse("other").expect("a bucket");
        assert!(!all.asks_storage(&other, Some(&key("a"))) && !all.asks_storage(&other, None));
        assert!(!all.may_ask_storage(&other));

        let but = rules(&[("site/private/**", Deny), ("site/**", AsStorage)]);
        assert!(but.asks_storage(&site, Some(&key("a"))) && !but.asks_storage(&site, Some(&key("private/a"))));
        assert!(!but.asks_storage(&site, None), "a listing would name what is private");
        let part = rules(&[("site/public/**", AsStorage)]);
        assert!(part.asks_storage(&site, Some(&key("public/a"))) && !part.asks_storage(&site, None));
        assert!(part.may_ask_storage(&site));
        assert!(!rules(&[]).asks_storage(&site, None));
        assert!(rules(&[("**", AsStorage)]).asks_storage(&site, None));
    }
}

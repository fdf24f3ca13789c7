//! Requests without a signature: whether the primary is asked who may do what.
use super::{Pattern, RuleSet};
use crate::s3::{BucketName, ObjectKey};

/// What becomes of requests without a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anonymous {
    /// They are denied, whatever the storage would let anybody do.
    Deny,
    /// What a client with a credential made public through the proxy is done for anybody, as far as the primary lets them.
    #[default]
    AsGranted,
    /// What the primary lets anybody do, by its ACLs and policies, is done for anybody.
    AsStorage,
}

// === impl RuleSet ===

impl RuleSet {
    /// What becomes of a request without a signature for this object; for `None`, for the whole bucket (its listings name every object): the least
    /// that any of its objects has.
    pub fn anonymous(&self, bucket: &BucketName, key: Option<&ObjectKey>) -> Anonymous {
        if let Some(key) = key {
            return self.plan(bucket, key).terms.anonymous;
        }
        self.all_in(bucket).into_iter().min().unwrap_or(Anonymous::Deny)
    }

    /// The most that any object of the bucket has: of a form it is not known yet which it is for.
    pub fn most_anonymous(&self, bucket: &BucketName) -> Anonymous {
        self.all_in(bucket).into_iter().max().unwrap_or(Anonymous::Deny)
    }

    /// What the bucket's objects have, by the rules that decide on reads.
    fn all_in(&self, bucket: &BucketName) -> Vec<Anonymous> {
        let Ok(whole) = Pattern::parse(&format!("{bucket}/**")) else { return Vec::new() };
        let mut all = Vec::new();
        for rule in self.rules().filter(|rule| rule.headers.is_empty() && rule.pattern.may_match_in(bucket.as_str())) {
            all.push(rule.terms.anonymous);
            if rule.pattern.covers(&whole) {
                return all;
            }
        }
        all.push(Anonymous::default());
        all
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
        use Anonymous::{AsGranted, AsStorage, Deny};
        let site = BucketName::parse("site").expect("a bucket");
        let key = |key: &str| ObjectKey::parse(key).expect("a key");
        let all = rules(&[("site/**", AsStorage)]);
        assert_eq!((all.anonymous(&site, Some(&key("a"))), all.anonymous(&site, None)), (AsStorage, AsStorage));
        let other = BucketName::parse("other").expect("a bucket");
        assert_eq!((all.anonymous(&other, Some(&key("a"))), all.anonymous(&other, None)), (AsGranted, AsGranted));

        let but = rules(&[("site/private/**", Deny), ("site/**", AsStorage)]);
        assert_eq!(but.anonymous(&site, Some(&key("a"))), AsStorage);
        assert_eq!(but.anonymous(&site, Some(&key("private/a"))), Deny);
        assert_eq!(but.anonymous(&site, None), Deny, "a listing would name what is private");
        assert_eq!(but.most_anonymous(&site), AsStorage);
        let part = rules(&[("site/public/**", AsStorage)]);
        assert_eq!(
            (part.anonymous(&site, Some(&key("public/a"))), part.anonymous(&site, None)),
            (AsStorage, AsGranted)
        );
        assert_eq!(part.most_anonymous(&site), AsStorage);
        assert_eq!(rules(&[]).anonymous(&site, None), AsGranted);
        let none = rules(&[("**", Deny)]);
        assert_eq!((none.anonymous(&site, None), none.most_anonymous(&site)), (Deny, Deny));
        assert_eq!(rules(&[("**", AsStorage)]).anonymous(&site, None), AsStorage);
    }
}

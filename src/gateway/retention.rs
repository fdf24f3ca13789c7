//! A rule's retention, put together with what the client asks for: whichever keeps longer and more firmly. PURE.
use crate::policy::Retention;
use crate::s3::{Lock, lock};
use time::OffsetDateTime;

/// The client's headers for the sites to keep, and the lock for those of them that have object lock in the bucket.
///
/// A client that asks for a retention of its own gets it at every site or none, with the rule's where that is stricter. Headers that make no
/// retention are left for the sites to refuse.
pub(super) fn with_rule(
    mut kept: Vec<(&'static str, String)>,
    rule: Option<Retention>,
    now: OffsetDateTime,
) -> (Vec<(&'static str, String)>, Option<Lock>) {
    let Some(wanted) = rule.map(|rule| rule.lock(now)) else { return (kept, None) };
    let value = |name| kept.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
    match (value(lock::MODE), value(lock::UNTIL)) {
        (None, None) => (kept, Some(wanted)),
        (mode, until) => {
            if let Some(own) = Lock::parse(mode.unwrap_or_default(), until.unwrap_or_default()) {
                kept.retain(|(name, _)| *name != lock::MODE && *name != lock::UNTIL);
                kept.extend(own.stricter(wanted).headers());
            }
            (kept, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-28 12:00 UTC);

    fn kept(mode: &str, until: &str) -> Vec<(&'static str, String)> {
        vec![("x-amz-acl", "private".to_owned()), (lock::MODE, mode.to_owned()), (lock::UNTIL, until.to_owned())]
    }

    #[test]
    fn the_rule_decides_where_the_client_says_nothing() {
        let rule = Retention::parse("30y").ok();
        let (kept, lock) = with_rule(vec![("x-amz-acl", "private".to_owned())], rule, NOW);
        assert_eq!((kept.len(), lock.map(|lock| lock.until.year())), (1, Some(2056)));
        assert_eq!(with_rule(Vec::new(), None, NOW), (Vec::new(), None));
    }

    #[test]
    fn a_client_may_ask_for_more_and_not_for_less() {
        let rule = Retention::parse("1y").ok();
        let (shorter, _) = with_rule(kept("COMPLIANCE", "2026-12-01T00:00:00Z"), rule, NOW);
        assert_eq!(shorter[1..], kept("COMPLIANCE", "2027-11-28T12:00:00.000Z")[1..]);
        let (longer, lock) = with_rule(kept("GOVERNANCE", "2040-12-01T00:00:00Z"), rule, NOW);
        assert_eq!((longer, lock), (kept("GOVERNANCE", "2040-12-01T00:00:00.000Z"), None));
    }

    #[test]
    fn what_makes_no_retention_is_for_the_site_to_refuse() {
        let rule = Retention::parse("1y").ok();
        let half = vec![(lock::MODE, "GOVERNANCE".to_owned())];
        assert_eq!(with_rule(half.clone(), rule, NOW), (half, None));
        let wrong = kept("FOREVER", "2040-12-01T00:00:00Z");
        assert_eq!(with_rule(wrong.clone(), rule, NOW), (wrong, None));
    }
}

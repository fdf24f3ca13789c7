//! Conditional reads: `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since` on the ETag the
//! client knows (never on the sealed one). PURE.
//!
//! The order of precedence is that of RFC 9110 section 13.2.2, which is also S3's
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, "Conditional request headers").
use crate::s3::PlainETag;
use s3s::dto::{ETag, ETagCondition, Timestamp};
use time::OffsetDateTime;

/// The preconditions of one request. [`Default`] is none at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    /// `If-Match`.
    pub if_match: Option<ETagCondition>,
    /// `If-None-Match`.
    pub if_none_match: Option<ETagCondition>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<Timestamp>,
}

/// What the preconditions say about one version of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Serve it.
    Proceed,
    /// The client has it already: 304 for reads (412 for copies).
    NotModified,
    /// 412.
    Failed,
}

// === impl Conditions ===

impl Conditions {
    /// True when no precondition was sent.
    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none()
            && self.if_none_match.is_none()
            && self.if_modified_since.is_none()
            && self.if_unmodified_since.is_none()
    }

    /// Judges an existing object. The date counts in whole seconds, as HTTP dates do.
    pub(super) fn judge(&self, etag: &PlainETag, last_modified: OffsetDateTime) -> Verdict {
        let modified_since =
            |limit: &Timestamp| OffsetDateTime::from(limit.clone()).unix_timestamp() < last_modified.unix_timestamp();
        let held = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => strong_match(condition, etag),
            (None, Some(limit)) => !modified_since(limit),
            (None, None) => true,
        };
        if !held {
            return Verdict::Failed;
        }
        let stale = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => !weak_match(condition, etag),
            (None, Some(limit)) => modified_since(limit),
            (None, None) => true,
        };
        if stale { Verdict::Proceed } else { Verdict::NotModified }
    }
}

/// Whether an `If-Range` value still names this version: a strong ETag or an exact date (RFC 9110 section 13.1.5).
/// Anything else counts as "no", which answers the whole object: never wrong, at most longer.
pub(super) fn if_range_holds(value: &str, etag: &PlainETag, last_modified: OffsetDateTime) -> bool {
    if value.starts_with('"') {
        return value == etag.quoted();
    }
    Timestamp::parse(s3s::dto::TimestampFormat::HttpDate, value)
        .is_ok_and(|date| OffsetDateTime::from(date).unix_timestamp() == last_modified.unix_timestamp())
}

fn strong_match(condition: &ETagCondition, etag: &PlainETag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => members(tag).split(',').any(|one| one.trim() == etag.quoted()),
    }
}

fn weak_match(condition: &ETagCondition, etag: &PlainETag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => {
            let quoted = etag.quoted();
            members(tag).split(',').map(str::trim).any(|one| one.strip_prefix("W/").unwrap_or(one) == quoted)
        }
    }
}

/// The header as sent. A list such as `"a", "b"` reaches us as one tag whose value is `a", "b`; none of our own
/// tags holds a comma, so the list can be taken apart again.
fn members(tag: &ETag) -> String {
    match tag {
        ETag::Strong(value) => format!("\"{value}\""),
        ETag::Weak(value) => format!("W/\"{value}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: i64 = 1_700_000_000;

    fn tag(text: &str) -> Option<ETagCondition> {
        Some(ETagCondition::parse_http_header(text.as_bytes()).expect("a valid condition"))
    }

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(OffsetDateTime::from_unix_timestamp(seconds).expect("a valid time").into())
    }

    fn judge(conditions: Conditions) -> Verdict {
        // half a second past the full second: HTTP dates cannot say so
        let written = OffsetDateTime::from_unix_timestamp_nanos(i128::from(WRITTEN) * 1_000_000_000 + 500_000_000)
            .expect("a valid time");
        conditions.judge(&PlainETag::from_md5([0xab; 16]), written)
    }

    #[test]
    fn every_row_of_the_precedence_table() {
        use Verdict::{Failed, NotModified, Proceed};
        let same = format!("\"{}\"", "ab".repeat(16));
        let weak = format!("W/\"{}\"", "ab".repeat(16));
        let bare = "ab".repeat(16);
        let other = "\"00\"";
        let list = format!("{other}, {same}");
        let weak_list = format!("{other}, {weak}");
        let (before, exact, after) = (WRITTEN - 1, WRITTEN, WRITTEN + 1);
        type Row<'a> = (Option<&'a str>, Option<i64>, Option<&'a str>, Option<i64>, Verdict);
        // If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since
        let table: &[Row<'_>] = &[
            (None, None, None, None, Proceed),
            (Some(&same), None, None, None, Proceed),
            (Some(&bare), None, None, None, Proceed),
            (Some("*"), None, None, None, Proceed),
            (Some(other), None, None, None, Failed),
            (Some(&weak), None, None, None, Failed),
            (Some(&list), None, None, None, Proceed),
            (Some(&weak_list), None, None, None, Failed),
            (None, None, Some(&list), None, NotModified),
            (None, None, Some(&weak_list), None, NotModified),
            (None, Some(before), None, None, Failed),
            (None, Some(exact), None, None, Proceed),
            (None, Some(after), None, None, Proceed),
            (None, None, Some(&same), None, NotModified),
            (None, None, Some(&weak), None, NotModified),
            (None, None, Some("*"), None, NotModified),
            (None, None, Some(other), None, Proceed),
            (None, None, None, Some(before), Proceed),
            (None, None, None, Some(exact), NotModified),
            (None, None, None, Some(after), NotModified),
            // If-Match true silences a false If-Unmodified-Since; false is final
            (Some(&same), Some(before), None, None, Proceed),
            (Some(other), Some(after), None, None, Failed),
            // If-None-Match silences If-Modified-Since both ways
            (None, None, Some(other), Some(after), Proceed),
            (None, None, Some(&same), Some(before), NotModified),
            // a failed first step wins over the second
            (Some(other), None, Some(&same), None, Failed),
            (None, Some(before), Some(&same), None, Failed),
            (Some(&same), None, Some(&same), None, NotModified),
            (Some(&same), None, Some(other), None, Proceed),
            (None, Some(after), None, Some(after), NotModified),
            (Some(&same), Some(before), None, Some(before), Proceed),
        ];
        for (if_match, unmodified, none_match, modified, expected) in table {
            let conditions = Conditions {
                if_match: if_match.and_then(tag),
                if_unmodified_since: unmodified.and_then(at),
                if_none_match: none_match.and_then(tag),
                if_modified_since: modified.and_then(at),
            };
            assert_eq!(judge(conditions.clone()), *expected, "{conditions:?}");
        }
    }

    #[test]
    fn if_range_wants_exactly_this_version() {
        let etag = PlainETag::from_md5([1; 16]);
        let written = OffsetDateTime::from_unix_timestamp(784_111_777).expect("a valid time");
        assert!(if_range_holds(&etag.quoted(), &etag, written));
        assert!(if_range_holds("Sun, 06 Nov 1994 08:49:37 GMT", &etag, written));
        for no in ["\"00\"", "Sun, 06 Nov 1994 08:49:38 GMT", "nonsense", "", &format!("W/{}", etag.quoted())] {
            assert!(!if_range_holds(no, &etag, written), "{no}");
        }
    }
}

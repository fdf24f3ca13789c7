//! Ranges that S3 reads and `s3s` refuses. PURE; for the front, which sees a request before `s3s` parses it.
//!
//! S3 answers a `Range` that it cannot make out (several ranges, another unit, `bytes=5-2`) with the whole object, as
//! RFC 9110 section 14.2 allows, and one beyond any object with 416; `s3s` 0.17 answers 400 to both, and takes `bytes=-`
//! for the last 0 bytes.
use http::header::RANGE;
use http::{HeaderMap, HeaderValue};
use s3s::dto::Range;

/// The largest position that `s3s` takes; no object is as long.
const FURTHEST: u64 = i64::MAX as u64;

/// What is to stand in place of a request's `Range`, where `s3s` would refuse the one that is there: another one, or
/// none at all.
pub(in crate::gateway) fn mended_range(headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let mut given = headers.get_all(RANGE).iter();
    let (first, others) = (given.next()?, given.next().is_some());
    let text = if others { None } else { first.to_str().ok() };
    let meant = text.and_then(read);
    if meant.is_some() && meant == text.and_then(|text| Range::parse(text).ok()) {
        return None;
    }
    Some(meant.and_then(|range| HeaderValue::from_str(&range.to_header_string()).ok()))
}

/// A single range of bytes; numbers that are too large become the largest that `s3s` takes.
fn read(text: &str) -> Option<Range> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return Some(Range::Suffix { length: number(last)? });
    }
    let first = number(first)?;
    let last = if last.is_empty() { None } else { Some(number(last)?) };
    if last.is_some_and(|last| first > last) {
        return None;
    }
    Some(Range::Int { first: first.min(FURTHEST), last: last.map(|last| last.min(FURTHEST)) })
}

/// The largest there is when it does not fit.
fn number(digits: &str) -> Option<u64> {
    let decimal = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    decimal.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mended(ranges: &[&str]) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        for range in ranges {
            headers.append(RANGE, HeaderValue::from_str(range).expect("a header value"));
        }
        mended_range(&headers).map(|range| range.map(|value| value.to_str().expect("text").to_owned()))
    }

    #[test]
    fn a_range_that_s3s_reads_as_s3_does_stays() {
        assert_eq!(mended(&[]), None);
        for good in ["bytes=0-1", "bytes=5-", "bytes=-5", "bytes=-0", "bytes=0-9223372036854775807"] {
            assert_eq!(mended(&[good]), None, "{good}");
        }
    }

    #[test]
    fn a_range_that_cannot_be_made_out_is_ignored() {
        let bad = "bytes=5-2|bytes=0-1,3-4|lines=1-2|chars=0-1|bytes=|bytes=-|bytes=x-y|bytes=abc|nonsense||bytes=0x1-2\
                   |bytes= 0-1|bytes=+1-2|bytes=1--2|bytes=99999999999999999999-5";
        for bad in bad.split('|') {
            assert_eq!(mended(&[bad]), Some(None), "{bad}");
        }
        assert_eq!(mended(&["bytes=0-1", "bytes=3-4"]), Some(None));
    }

    #[test]
    fn a_range_with_numbers_beyond_any_object_keeps_its_meaning() {
        for (huge, expected) in [
            ("bytes=0-99999999999999999999", "bytes=0-9223372036854775807"),
            ("bytes=99999999999999999999-", "bytes=9223372036854775807-"),
            ("bytes=9223372036854775808-9223372036854775809", "bytes=9223372036854775807-9223372036854775807"),
            ("bytes=-99999999999999999999", "bytes=-18446744073709551615"),
        ] {
            assert_eq!(mended(&[huge]), Some(Some(expected.to_owned())), "{huge}");
        }
    }

    proptest! {
        #[test]
        fn what_takes_the_place_of_a_range_is_always_one_that_s3s_reads(text in "(bytes=)?[0-9a-f,+ -]{0,50}") {
            if let Some(Some(range)) = mended(&[&text]) {
                prop_assert!(Range::parse(&range).is_ok(), "{range}");
            }
        }
    }
}

//! The form of a signature, before `s3s` verifies it: what is wrong with it in S3's words, where `s3s` has one word for everything.
//! PURE.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
use super::super::access::parameters;
use super::{version_four, version_two};
use http::header::{AUTHORIZATION, DATE, HeaderMap};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result};
use time::{Duration, OffsetDateTime};

const AMZ_DATE: &str = "x-amz-date";
/// S3's own.
const MOST_SKEW: Duration = Duration::minutes(15);

/// What an Authorization header says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Two,
    Four,
}

/// # Errors
/// What is wrong with the form or the date of a signature.
pub(super) fn screen(headers: &HeaderMap, query: &str, now: OffsetDateTime) -> S3Result<()> {
    let has = |names: &[&str]| parameters(query).any(|name| names.contains(&&*name));
    let in_query_four = has(&["X-Amz-Signature", "X-Amz-Algorithm"]);
    let in_query_two = has(&["AWSAccessKeyId", "Signature"]);
    let scheme = match headers.get(AUTHORIZATION) {
        None => None,
        Some(value) => Some(scheme(value.to_str().unwrap_or("?"))?),
    };
    if scheme.is_some() && (in_query_four || in_query_two) {
        let message = "Only one auth mechanism allowed: the Authorization header, or a signature in the query.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    if in_query_two || scheme == Some(Scheme::Two) {
        version_two::refuse_uncovered(query)?;
    }
    if in_query_two {
        version_two::refuse_bad_expiry(query)?;
    }
    if in_query_four {
        version_four::refuse_incomplete(query)?;
    }
    match scheme {
        None => Ok(()),
        Some(Scheme::Two) => about_now(date(headers, true), now),
        Some(Scheme::Four) => about_now(date(headers, false), now),
    }
}

fn scheme(authorization: &str) -> S3Result<Scheme> {
    let malformed = |code, message: &str| Err(S3Error::with_message(code, message.to_owned()));
    match authorization.split_once(' ').map_or(authorization, |(name, _)| name) {
        "" => Err(S3Error::new(S3ErrorCode::AccessDenied)),
        "AWS" if authorization.contains(':') => Ok(Scheme::Two),
        "AWS" => malformed(
            S3ErrorCode::InvalidArgument,
            "AWS authorization header is invalid: expected AWS AccessKeyId:signature",
        ),
        version_four::ALGORITHM => version_four::refuse_malformed(authorization).map(|()| Scheme::Four),
        _ => malformed(S3ErrorCode::InvalidArgument, "Unsupported Authorization Type"),
    }
}

fn about_now(date: S3Result<OffsetDateTime>, now: OffsetDateTime) -> S3Result<()> {
    if (now - date?).abs() <= MOST_SKEW { Ok(()) } else { Err(S3Error::new(S3ErrorCode::RequestTimeTooSkewed)) }
}

/// Of `x-amz-date`; of `Date` where there is none and it may be (version 2).
fn date(headers: &HeaderMap, or_date: bool) -> S3Result<OffsetDateTime> {
    let given = headers.get(AMZ_DATE).or_else(|| headers.get(DATE).filter(|_| or_date));
    let found = given.and_then(|value| value.to_str().ok()).and_then(|text| parse(text, or_date));
    found.filter(|date| *date >= OffsetDateTime::UNIX_EPOCH).ok_or_else(|| {
        let message = if given.is_none() && headers.contains_key(DATE) {
            "Sign x-amz-date; a Date header alone is not supported."
        } else {
            "AWS authentication requires a valid Date or x-amz-date header"
        };
        S3Error::with_message(S3ErrorCode::AccessDenied, message)
    })
}

fn parse(text: &str, or_http: bool) -> Option<OffsetDateTime> {
    let compact = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let found = time::PrimitiveDateTime::parse(text, compact).ok().map(time::PrimitiveDateTime::assume_utc);
    let http = || Timestamp::parse(TimestampFormat::HttpDate, text).map(OffsetDateTime::from).ok();
    found.or_else(|| if or_http { http() } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    /// 2013-05-24 00:00:00.
    const NOW: i64 = 1_369_353_600;
    const FOUR: (&str, &str) = (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
    );
    const TWO: (&str, &str) = ("authorization", "AWS AKIDEXAMPLE:c2lnbmF0dXJl");

    fn refused(headers: &[(&'static str, &str)], query: &str) -> Option<String> {
        let pairs = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
        });
        let now = OffsetDateTime::from_unix_timestamp(NOW).expect("a time");
        screen(&pairs.collect(), query, now).err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn a_signature_needs_a_date_about_now() {
        for (date, code) in [
            ("20130524T001459Z", None),
            ("20130523T234501Z", None),
            ("20130523T230000Z", Some("RequestTimeTooSkewed")),
            ("99990707T215304Z", Some("RequestTimeTooSkewed")),
            ("19500707T215304Z", Some("AccessDenied")),
            ("Bad Date", Some("AccessDenied")),
            ("", Some("AccessDenied")),
        ] {
            for signed in [TWO, FOUR] {
                assert_eq!(refused(&[signed, ("x-amz-date", date)], "").as_deref(), code, "{date}");
            }
        }
        assert_eq!(refused(&[FOUR], "").as_deref(), Some("AccessDenied"));
        assert_eq!(refused(&[TWO], "").as_deref(), Some("AccessDenied"));
    }

    #[test]
    fn only_version_2_takes_a_date_of_http() {
        let date = ("date", "Fri, 24 May 2013 00:00:00 GMT");
        assert_eq!(refused(&[TWO, date], ""), None);
        assert_eq!(refused(&[FOUR, date], "").as_deref(), Some("AccessDenied"));
        assert_eq!(refused(&[FOUR, ("date", "whenever"), ("x-amz-date", "20130524T000000Z")], ""), None);
    }

    #[test]
    fn a_header_that_is_no_signature_says_what_it_lacks() {
        for (value, code) in [
            ("", "AccessDenied"),
            ("hahaha", "InvalidArgument"),
            ("AWS HAHAHA", "InvalidArgument"),
            ("AWS4 HAHAHA", "InvalidArgument"),
            ("Bearer abc", "InvalidArgument"),
            ("AWS4-HMAC-SHA256 Credential=HAHAHA", "AuthorizationHeaderMalformed"),
            ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
        ] {
            assert_eq!(refused(&[("authorization", value)], "").as_deref(), Some(code), "{value}");
        }
    }

    #[test]
    fn there_is_one_signature() {
        let dated = [FOUR, ("x-amz-date", "20130524T000000Z")];
        assert_eq!(
            refused(&dated, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0").as_deref(),
            Some("InvalidArgument")
        );
        assert_eq!(refused(&dated, "AWSAccessKeyId=a&Signature=b").as_deref(), Some("InvalidArgument"));
        assert_eq!(refused(&[], "AWSAccessKeyId=a&Signature=b&Expires=1&retention").as_deref(), Some("AccessDenied"));
        assert_eq!(refused(&[], "AWSAccessKeyId=a&Signature=b&Expires=soon").as_deref(), Some("AccessDenied"));
        assert_eq!(refused(&dated, "prefix=Signature"), None);
    }
}

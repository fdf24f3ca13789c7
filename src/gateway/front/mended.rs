//! What of a read's head `s3s` would refuse although S3 does not, and what stands in its place. PURE.
//!
//! | part | S3 | `s3s` 0.17 |
//! |---|---|---|
//! | `Range` that cannot be made out | the whole object | 400 |
//! | a condition's date that is none | is ignored, as RFC 9110 section 13.1.3 wants it; the two older forms are read | 400 |
//! | `response-expires` that is no date, or not quite one | the header as it was asked for | 400 |
use super::super::access::parameters;
use super::super::get::lenient::mended_range;
use http::header::{EXPIRES, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use s3s::HttpResponse;
use s3s::dto::{Timestamp, TimestampFormat};

/// The parameter.
pub(super) const RESPONSE_EXPIRES: &str = "response-expires";

/// What is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mended {
    /// Headers that get another value, or none.
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// The `Expires` of a good answer; the parameter goes.
    expires: Option<HeaderValue>,
}

// === impl Mended ===

impl Mended {
    /// `None`: nothing is.
    pub(super) fn of(head: &Parts) -> Option<Self> {
        let range = mended_range(&head.headers).map(|range| (RANGE, range));
        let dates =
            [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE].into_iter().filter_map(|name| mended_date(&head.headers, name));
        let headers: Vec<_> = range.into_iter().chain(dates).collect();
        let mended = Self { headers, expires: odd_expires(head.uri.query().unwrap_or_default()) };
        (mended != Self::default()).then_some(mended)
    }

    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.remove(name);
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }

    /// Whether a parameter is not to be read the second time.
    pub(super) fn takes_out(&self, name: &str) -> bool {
        self.expires.is_some() && name == RESPONSE_EXPIRES
    }

    pub(super) fn answer(&self, response: &mut HttpResponse) {
        if let (Some(expires), true) = (&self.expires, response.status().is_success()) {
            response.headers_mut().insert(EXPIRES, expires.clone());
        }
    }
}

fn is_date(text: &str) -> bool {
    Timestamp::parse(TimestampFormat::HttpDate, text).is_ok()
}

fn mended_date(headers: &HeaderMap, name: HeaderName) -> Option<(HeaderName, Option<HeaderValue>)> {
    let mut given = headers.get_all(&name).iter();
    let (first, others) = (given.next()?, given.next().is_some());
    let text = if others { "" } else { first.to_str().unwrap_or_default() };
    if is_date(text) {
        return None;
    }
    let date = of_rfc_850(text).or_else(|| of_asctime(text)).filter(|date| is_date(date));
    Some((name, date.and_then(|date| HeaderValue::from_str(&date).ok())))
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`. Two digits of a year mean the one within fifty years (RFC 9110, section 5.6.7).
fn of_rfc_850(text: &str) -> Option<String> {
    let (weekday, rest) = text.split_once(", ")?;
    let mut words = rest.split(['-', ' ']);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let year: u32 = year.parse().ok().filter(|_| year.len() == 2)?;
    let century = if year < 70 { 2000 } else { 1900 };
    Some(format!("{}, {day} {month} {} {time} GMT", weekday.get(..3)?, century + year))
}

/// `Sun Nov  6 08:49:37 1994`.
fn of_asctime(text: &str) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    let (weekday, month, day) = (words.next()?, words.next()?, words.next()?);
    let (time, year) = (words.next()?, words.next()?);
    Some(format!("{weekday}, {day:0>2} {month} {year} {time} GMT"))
}

/// Whether `s3s`, which reads a date and writes it again, gives back what it was given: a wrong weekday it puts right.
fn is_written_as_read(text: &str) -> bool {
    let mut written = Vec::new();
    let read = Timestamp::parse(TimestampFormat::HttpDate, text);
    read.is_ok_and(|date| date.format(TimestampFormat::HttpDate, &mut written).is_ok()) && written == text.as_bytes()
}

/// The value of `response-expires`, when `s3s` would answer another one, or none.
fn odd_expires(query: &str) -> Option<HeaderValue> {
    parameters(query).any(|name| name == RESPONSE_EXPIRES).then_some(())?;
    let value = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        percent_decode_str(name).eq(RESPONSE_EXPIRES.bytes()).then_some(value)
    })?;
    let text = value.replace('+', " ");
    let text = percent_decode_str(&text).decode_utf8().ok()?;
    if is_written_as_read(&text) { None } else { HeaderValue::from_str(&text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn mended(uri: &str, headers: &[(&str, &str)]) -> Option<Mended> {
        let request =
            headers.iter().fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
        Mended::of(&request.body(()).expect("a valid request").into_parts().0)
    }

    fn date(value: &str) -> Option<Option<String>> {
        let mended = mended("/b/k", &[("if-modified-since", value)])?;
        let (_, value) = mended.headers.into_iter().next().expect("a header");
        Some(value.map(|value| value.to_str().expect("text").to_owned()))
    }

    #[test]
    fn what_s3s_reads_as_s3_does_stays() {
        assert_eq!(
            mended("/b/k?response-expires=Sun,%2006%20Nov%201994%2008:49:37%20GMT", &[("range", "bytes=0-1")]),
            None
        );
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), None);
    }

    #[test]
    fn a_date_with_another_weekday_is_answered_as_it_was_asked_for() {
        let mended = mended("/b/k?response-expires=Mon,%2006%20Nov%201994%2008:49:37%20GMT", &[]).expect("mended");
        assert_eq!(mended.expires.expect("a header"), "Mon, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn dates_of_older_forms_are_read_and_others_are_ignored() {
        let same = Some(Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()));
        assert_eq!(date("Sunday, 06-Nov-94 08:49:37 GMT"), same);
        assert_eq!(date("Sun Nov  6 08:49:37 1994"), same);
        for none in ["yesterday", "", "Sunday, 99-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z", "0"] {
            assert_eq!(date(none), Some(None), "{none}");
        }
    }

    #[test]
    fn any_text_may_be_asked_for_as_expires() {
        let mended = mended("/b/k?a=b&response%2Dexpires=12+3", &[]).expect("mended");
        assert!(mended.takes_out(RESPONSE_EXPIRES) && !mended.takes_out("a"));
        let mut response = HttpResponse::new(s3s::Body::empty());
        mended.answer(&mut response);
        assert_eq!(response.headers().get(EXPIRES).map(HeaderValue::as_bytes), Some(&b"12 3"[..]));
        let mut refused = HttpResponse::new(s3s::Body::empty());
        *refused.status_mut() = http::StatusCode::NOT_FOUND;
        mended.answer(&mut refused);
        assert!(refused.headers().is_empty());
    }
}

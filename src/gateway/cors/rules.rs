//! A bucket's CORS rules, and what one of them grants. PURE.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>: the first rule that allows the origin, the method and
//! every header asked for counts, and no other.
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto::{CORSConfiguration, CORSRule};
use s3s::xml::{Deserialize as _, Deserializer};

/// The answer depends on these headers of the request; caches have to know (RFC 9110, section 12.5.5).
const VARIES: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method");

/// One rule of a bucket's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    max_age: Option<i32>,
}

/// What a browser asks for, on behalf of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// Where the page is from.
    pub(super) origin: String,
    /// What it is about to do.
    pub(super) method: String,
    /// Names of the headers that it is about to send; lower case.
    pub(super) headers: Vec<String>,
}

/// The rules in a bucket's configuration, in their order; `None` when it is none.
pub(super) fn parse(xml: &[u8]) -> Option<Vec<Rule>> {
    let configuration = CORSConfiguration::deserialize(&mut Deserializer::new(xml)).ok()?;
    Some(configuration.cors_rules.into_iter().map(Rule::from).collect())
}

/// The headers that the answer to `wish` gets; `None` when no rule allows it.
pub(super) fn grant(rules: &[Rule], wish: &Wish) -> Option<HeaderMap> {
    rules.iter().find(|rule| rule.allows(wish)).map(|rule| rule.granted(wish))
}

// === impl Rule ===

impl From<CORSRule> for Rule {
    fn from(rule: CORSRule) -> Self {
        Self {
            origins: rule.allowed_origins,
            methods: rule.allowed_methods,
            headers: rule.allowed_headers.unwrap_or_default().iter().map(|name| name.to_ascii_lowercase()).collect(),
            exposed: rule.expose_headers.unwrap_or_default(),
            max_age: rule.max_age_seconds,
        }
    }
}

impl Rule {
    fn allows(&self, wish: &Wish) -> bool {
        let header = |name: &String| self.headers.iter().any(|pattern| matches(pattern, name));
        self.origins.iter().any(|pattern| matches(pattern, &wish.origin))
            && self.methods.contains(&wish.method)
            && wish.headers.iter().all(header)
    }

    fn granted(&self, wish: &Wish) -> HeaderMap {
        let anyone = self.origins.iter().any(|pattern| pattern == "*");
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            // A configuration may hold what no header can.
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        };
        put(ACCESS_CONTROL_ALLOW_ORIGIN, if anyone { "*" } else { &wish.origin });
        put(ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(", "));
        put(ACCESS_CONTROL_ALLOW_HEADERS, &wish.headers.join(", "));
        put(ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed.join(", "));
        if let Some(seconds) = self.max_age {
            put(ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        if !anyone {
            put(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        headers.insert(VARY, VARIES);
        headers
    }
}

/// A pattern has one `*` at most, which stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &[u8] = br#"<?xml version="1.0"?><CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <CORSRule><AllowedOrigin>https://app.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
        <AllowedMethod>GET</AllowedMethod><AllowedHeader>X-Amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>
        <ExposeHeader>x-amz-meta-a</ExposeHeader><MaxAgeSeconds>300</MaxAgeSeconds></CORSRule>
        <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>"#;

    fn granted(origin: &str, method: &str, headers: &[&str]) -> Option<Vec<(String, String)>> {
        let wish = Wish {
            origin: origin.to_owned(),
            method: method.to_owned(),
            headers: headers.iter().map(|name| (*name).to_owned()).collect(),
        };
        let headers = grant(&parse(XML).expect("a configuration"), &wish)?;
        let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
        let mut pairs: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        pairs.retain(|(name, _)| name != "vary");
        pairs.sort_unstable();
        Some(pairs)
    }

    #[test]
    fn the_rule_that_allows_it_all_is_answered() {
        let expected = [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "x-amz-date, x-amz-meta-a"),
            ("access-control-allow-methods", "PUT, GET"),
            ("access-control-allow-origin", "https://app.example.com"),
            ("access-control-expose-headers", "ETag, x-amz-meta-a"),
            ("access-control-max-age", "300"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = granted("https://app.example.com", "GET", &["x-amz-date", "x-amz-meta-a"]);
        assert_eq!(found.as_deref(), Some(&expected[..]));
    }

    #[test]
    fn anyone_gets_no_credentials() {
        let expected = [("access-control-allow-methods", "HEAD"), ("access-control-allow-origin", "*")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(granted("http://somewhere", "HEAD", &[]).as_deref(), Some(&expected[..]));
    }

    #[test]
    fn what_no_single_rule_allows_is_not_granted() {
        assert_eq!(granted("https://app.example.com", "DELETE", &[]), None, "the method");
        assert_eq!(granted("https://app.example.com.evil.org", "GET", &[]), None, "the origin");
        assert_eq!(granted("https://app.example.com", "GET", &["authorization"]), None, "a header");
        assert_eq!(granted("http://somewhere", "HEAD", &["x-amz-date"]), None, "a header of another rule");
    }

    #[test]
    fn a_star_stands_for_anything_between() {
        for (pattern, text) in [("*", ""), ("*suffix", "foo.suffix"), ("start*end", "startend"), ("prefix*", "prefix")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("aba*aba", "aba"), ("start*end", "0start1end"), ("a", "ab"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_configuration_has_no_rules() {
        for bad in [&b""[..], b"<CORS", b"<Other/>", b"{}"] {
            assert_eq!(parse(bad), None, "{}", bad.escape_ascii());
        }
    }
}

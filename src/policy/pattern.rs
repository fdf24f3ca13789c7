//! Path patterns: `*` within one segment, `**` across any number of segments, `{name}` for what a key is made of.
use super::PolicyError;
use super::glob::{self, wildcard};

/// Characters other languages give a meaning to. Refused, so that nobody believes they work here.
const RESERVED: [char; 4] = ['?', '[', ']', '\\'];

/// A parsed `match` pattern over `bucket/key`, segment by segment.
///
/// - A segment is what stands between two `/`. Keys may hold empty segments (`a//b`); `*` matches them.
/// - `*` stands for any characters of one segment, none included; several may stand in one segment.
/// - `**` stands alone in its segment, for any number of whole segments, none included:
///   `b/logs/**` matches `b/logs`, `b/logs/x` and `b/logs/x/y`, not `b/logs2`.
/// - `{name}` stands for any characters of one segment, as `*` does, and what it stood for can be asked for
///   ([`Pattern::capture`]). One a segment, without `*` beside it, and never behind `**`: so there is one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    captures: Vec<Capture>,
}

/// A `{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Capture {
    name: String,
    /// Which segment; no `**` stands before it, so it has the same place in every path.
    segment: usize,
    before: String,
    after: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// `**`.
    AnyDepth,
    /// Characters and `*`.
    Glob(Vec<char>),
}

// === impl Pattern ===

impl Pattern {
    /// Parses; says what is wrong and how to write it instead.
    ///
    /// # Errors
    /// When the pattern is empty, has an empty segment, names only a bucket, holds a reserved character, puts
    /// `**` beside other characters, or could never match because its bucket part is no bucket name.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        check_shape(text)?;
        let mut segments = Vec::new();
        let mut captures: Vec<Capture> = Vec::new();
        for (index, part) in text.split('/').enumerate() {
            let Some(capture) = Capture::parse(text, part, index)? else {
                segments.push(Segment::parse(text, part, index)?);
                continue;
            };
            if segments.contains(&Segment::AnyDepth) {
                let why = format!("`{part}` stands behind `**`, so it could stand for several things; move it before");
                return refuse(text, why);
            }
            if captures.iter().any(|other| other.name == capture.name) {
                return refuse(text, format!("`{{{}}}` stands there twice; give each its own name", capture.name));
            }
            segments.push(Segment::parse(text, &format!("{}*{}", capture.before, capture.after), index)?);
            captures.push(capture);
        }
        Ok(Self { text: text.to_owned(), segments, captures })
    }

    /// Whether `bucket/key` matches.
    pub fn matches(&self, bucket: &str, key: &str) -> bool {
        let path: Vec<&str> = std::iter::once(bucket).chain(key.split('/')).collect();
        wildcard(&self.segments, &path, |s| *s == Segment::AnyDepth, |s, part| s.matches(part))
    }

    /// Whether anything in this bucket can match.
    pub fn may_match_in(&self, bucket: &str) -> bool {
        self.segments.first().is_some_and(|first| *first == Segment::AnyDepth || first.matches(bucket))
    }

    /// What `{name}` stands for in a path that matches; it may be empty.
    pub fn capture<'p>(&self, name: &str, bucket: &'p str, key: &'p str) -> Option<&'p str> {
        let capture = self.captures.iter().find(|capture| capture.name == name)?;
        let segment = std::iter::once(bucket).chain(key.split('/')).nth(capture.segment)?;
        segment.strip_prefix(capture.before.as_str())?.strip_suffix(capture.after.as_str())
    }

    /// The names of its captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(|capture| capture.name.as_str())
    }

    /// True when this takes everything that `other` matches. (Never true when it does not; rarely false although it does.)
    pub fn covers(&self, other: &Self) -> bool {
        self.matches_everything()
            || wildcard(&self.segments, &other.segments, |s| *s == Segment::AnyDepth, Segment::covers)
    }

    /// True when some path matches both.
    pub fn meets(&self, other: &Self) -> bool {
        glob::meet(&self.segments, &other.segments, |s| *s == Segment::AnyDepth, Segment::meets)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True when every object matches: no rule behind it can be reached.
    pub fn matches_everything(&self) -> bool {
        let star = |s: &Segment| matches!(s, Segment::Glob(g) if !g.is_empty() && g.iter().all(|c| *c == '*'));
        let any_depth = self.segments.contains(&Segment::AnyDepth);
        let single = self.segments.iter().filter(|s| star(s)).count();
        any_depth && self.segments.iter().all(|s| *s == Segment::AnyDepth || star(s)) && single <= 2
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl Segment ===

impl Segment {
    fn parse(whole: &str, part: &str, index: usize) -> Result<Self, PolicyError> {
        if part == "**" {
            return Ok(Self::AnyDepth);
        }
        if part.contains("**") {
            return refuse(whole, format!("`**` stands alone between slashes, not inside `{part}`; use `*` there"));
        }
        let bucket_byte = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '*');
        if index == 0 && !part.chars().all(bucket_byte) {
            return refuse(whole, format!("`{part}` is no bucket name (a-z, 0-9, `.`, `-`), so nothing could match"));
        }
        Ok(Self::Glob(part.chars().collect()))
    }

    fn matches(&self, part: &str) -> bool {
        match self {
            Self::AnyDepth => false,
            Self::Glob(glob) => {
                let text: Vec<char> = part.chars().collect();
                wildcard(glob, &text, |c| *c == '*', |c, d| c == d)
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Glob(one), Self::Glob(other)) => wildcard(one, other, |c| *c == '*', |c, d| c == d && *d != '*'),
            _ => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Glob(one), Self::Glob(other)) => glob::meet(one, other, |c| *c == '*', |c, d| c == d),
            _ => true,
        }
    }
}

// === impl Capture ===

impl Capture {
    /// `before{name}after`, or nothing of the kind.
    fn parse(whole: &str, part: &str, segment: usize) -> Result<Option<Self>, PolicyError> {
        if !part.contains(['{', '}']) {
            return Ok(None);
        }
        let inside = part.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
        let Some((before, (name, after))) = inside else {
            return refuse(whole, format!("the braces of `{part}` do not match; write `{{name}}`"));
        };
        if [before, after].iter().any(|text| text.contains(['{', '}', '*'])) {
            return refuse(whole, format!("`{part}` has another wildcard beside `{{{name}}}`; use one a segment"));
        }
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(legal) {
            return refuse(whole, format!("`{{{name}}}` has no usable name; use 1 to 32 of a-z, 0-9 and `_`"));
        }
        Ok(Some(Self { name: name.to_owned(), segment, before: before.to_owned(), after: after.to_owned() }))
    }
}

fn check_shape(text: &str) -> Result<(), PolicyError> {
    if text.is_empty() {
        return refuse(text, "it is empty; write `bucket/**` for a bucket or `**` for everything".to_owned());
    }
    if let Some(c) = text.chars().find(|c| RESERVED.contains(c) || c.is_control()) {
        return refuse(text, format!("{c:?} has no meaning here; the wildcards are `*` and `**`"));
    }
    if text.starts_with('/') {
        return refuse(text, format!("it starts with `/`; write `{}`", text.trim_start_matches('/')));
    }
    if text.ends_with('/') {
        return refuse(text, format!("it ends with `/`; write `{text}**` for everything below"));
    }
    if text.contains("//") {
        return refuse(text, "it has an empty segment (`//`); use `*` for one that may be empty".to_owned());
    }
    if !text.contains('/') && text != "**" {
        return refuse(text, format!("it names a bucket but no object; write `{text}/**`"));
    }
    Ok(())
}

fn refuse<T>(pattern: &str, why: String) -> Result<T, PolicyError> {
    Err(PolicyError(format!("the pattern `{pattern}` is refused: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, bucket: &str, key: &str) -> bool {
        Pattern::parse(pattern).map(|p| p.matches(bucket, key)).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn one_star_stays_within_its_segment() {
        assert!(matches("b/*.pdf", "b", "a.pdf"));
        assert!(matches("b/*.pdf", "b", ".pdf"));
        assert!(!matches("b/*.pdf", "b", "x/a.pdf"));
        assert!(matches("b/20*-*/x", "b", "2026-11/x"));
        assert!(matches("b/a/*/c", "b", "a//c"), "an empty segment is a segment");
        assert!(matches("b-*/x", "b-1", "x"));
        assert!(!matches("b-*/x", "c-1", "x"));
    }

    #[test]
    fn two_stars_cross_segments_and_may_stand_for_none() {
        for key in ["logs", "logs/x", "logs/x/y", "logs/", "logs//"] {
            assert!(matches("b/logs/**", "b", key), "{key}");
        }
        for key in ["logs2", "log", "x/logs"] {
            assert!(!matches("b/logs/**", "b", key), "{key}");
        }
        assert!(matches("b/**/last", "b", "last"));
        assert!(matches("b/**/last", "b", "a/last/last"));
        assert!(!matches("b/**/last", "b", "a/last/x"));
        assert!(matches("**/x", "any", "a/x"));
        assert!(matches("**", "any", "thing/at/all"));
    }

    #[test]
    fn a_pattern_that_could_not_mean_what_it_says_is_refused_with_the_fix() {
        for (bad, hint) in [
            ("", "bucket/**"),
            ("bucket", "`bucket/**`"),
            ("*", "`*/**`"),
            ("/bucket/x", "`bucket/x`"),
            ("bucket/x/", "`bucket/x/**`"),
            ("bucket//x", "empty segment"),
            ("bucket/a**", "stands alone"),
            ("bucket/***", "stands alone"),
            ("clients/{client/**", "do not match"),
            ("clients/}client{/**", "do not match"),
            ("clients/{a}{b}/**", "one a segment"),
            ("clients/{a}*/**", "one a segment"),
            ("clients/{}/**", "no usable name"),
            ("clients/{Client}/**", "no usable name"),
            ("clients/**/{client}", "behind `**`"),
            ("{a}/{a}/**", "twice"),
            ("bucket/a?c", "'?'"),
            ("bucket/[ab]", "'['"),
            ("bucket/a\\*", "'\\\\'"),
            ("bucket/a\nb", "'\\n'"),
            ("Bucket/x", "`Bucket` is no bucket name"),
            ("my_bucket/x", "no bucket name"),
        ] {
            let error = Pattern::parse(bad).map(|_| String::new()).unwrap_or_else(|e| e.0);
            assert!(error.contains(hint), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_capture_says_what_it_stood_for() {
        let pattern = Pattern::parse("ledgers/clients/{client}/y{year}.d/**").unwrap_or_else(|e| panic!("{e}"));
        assert!(pattern.matches("ledgers", "clients/acme/y2026.d/a/b"));
        assert!(!pattern.matches("ledgers", "clients/acme/2026.d/a"));
        assert_eq!(pattern.captures().collect::<Vec<_>>(), ["client", "year"]);
        let of = |name, key| pattern.capture(name, "ledgers", key);
        assert_eq!(of("client", "clients/acme/y2026.d/x"), Some("acme"));
        assert_eq!(of("year", "clients/acme/y2026.d/x"), Some("2026"));
        assert_eq!(of("client", "clients//y.d/x"), Some(""), "it may be empty: whoever uses it decides");
        assert_eq!(of("other", "clients/acme/y2026.d/x"), None);
        let tenant = Pattern::parse("{tenant}/**").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(tenant.capture("tenant", "acme", "x/y"), Some("acme"));
    }

    #[test]
    fn a_bucket_is_in_reach_of_a_pattern_or_not() {
        let reaches = |pattern: &str, bucket| Pattern::parse(pattern).is_ok_and(|p| p.may_match_in(bucket));
        assert!(reaches("docs/a/**", "docs") && reaches("**", "docs") && reaches("d*/x", "docs"));
        assert!(!reaches("docs/a/**", "other"));
    }

    #[test]
    fn one_pattern_covers_or_meets_another() {
        let pair = |one: &str, other: &str| {
            let parse = |text| Pattern::parse(text).unwrap_or_else(|e| panic!("{e}"));
            (parse(one).covers(&parse(other)), parse(one).meets(&parse(other)))
        };
        assert_eq!(pair("b/**", "b/x/*.pdf"), (true, true));
        assert_eq!(pair("b/{c}/**", "b/acme/**"), (true, true));
        assert_eq!(pair("b/acme/**", "b/{c}/**"), (false, true));
        assert_eq!(pair("b/*.pdf", "b/x*"), (false, true));
        assert_eq!(pair("b/x/**", "b/y/**"), (false, false));
        assert_eq!(pair("b/**/z", "b/a/*"), (false, true));
        assert_eq!(pair("b/*", "b/**"), (false, true), "`**` goes deeper");
        assert_eq!(pair("b/a*", "b/*"), (false, true), "a star is no letter");
    }

    #[test]
    fn catch_alls_are_recognised() {
        for all in ["**", "*/**", "**/*", "**/**", "*/**/*", "{bucket}/**"] {
            assert!(Pattern::parse(all).is_ok_and(|p| p.matches_everything()), "{all}");
        }
        for some in ["*/*", "b/**", "**/x", "*/*/**/*", "*/*/*/**"] {
            assert!(Pattern::parse(some).is_ok_and(|p| !p.matches_everything()), "{some}");
        }
    }

    #[test]
    fn a_hostile_key_costs_no_more_than_its_length_allows() {
        let pattern = format!("b/**/{}", "*a".repeat(200));
        let key = "a/".repeat(200) + &"a".repeat(600) + "b";
        assert!(!matches(&pattern, "b", &key));
    }

    /// The definition, word for word; exponential, so only for small inputs.
    fn by_definition(pattern: &[&str], path: &[&str]) -> bool {
        fn glob(p: &[u8], t: &[u8]) -> bool {
            match p.first() {
                None => t.is_empty(),
                Some(b'*') => (0..=t.len()).any(|n| glob(&p[1..], &t[n..])),
                Some(c) => t.first() == Some(c) && glob(&p[1..], &t[1..]),
            }
        }
        match pattern.first() {
            None => path.is_empty(),
            Some(&"**") => (0..=path.len()).any(|n| by_definition(&pattern[1..], &path[n..])),
            Some(p) => {
                !path.is_empty() && glob(p.as_bytes(), path[0].as_bytes()) && by_definition(&pattern[1..], &path[1..])
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn matching_agrees_with_the_definition(
            pattern in proptest::collection::vec(prop_oneof![Just("**".to_owned()), "(a|b|\\*a|a\\*|\\*){1,2}".prop_filter("no **", |s| !s.contains("**"))], 2..5),
            path in proptest::collection::vec("[ab]{0,3}", 2..6),
        ) {
            let text = pattern.join("/");
            let parsed = Pattern::parse(&text).map_err(|e| TestCaseError::fail(e.0))?;
            let refs: Vec<&str> = path.iter().map(String::as_str).collect();
            let parts: Vec<&str> = pattern.iter().map(String::as_str).collect();
            prop_assert_eq!(parsed.matches(refs[0], &refs[1..].join("/")), by_definition(&parts, &refs));
        }

        #[test]
        fn covering_and_meeting_never_contradict_matching(
            one in proptest::collection::vec(prop_oneof![Just("**".to_owned()), "(a|b|a\\*|\\*b|\\*)"], 2..4),
            other in proptest::collection::vec(prop_oneof![Just("**".to_owned()), "(a|b|a\\*|\\*b|\\*)"], 2..4),
            path in proptest::collection::vec("[ab]{0,2}", 2..5),
        ) {
            let parse = |parts: &[String]| Pattern::parse(&parts.join("/")).map_err(|e| TestCaseError::fail(e.0));
            let (one, other) = (parse(&one)?, parse(&other)?);
            let rest = path[1..].join("/");
            let (in_one, in_other) = (one.matches(&path[0], &rest), other.matches(&path[0], &rest));
            prop_assert!(!one.covers(&other) || !in_other || in_one, "{} does not cover {}", one, other);
            prop_assert!(!(in_one && in_other) || one.meets(&other), "{} meets {}", one, other);
            prop_assert_eq!(one.meets(&other), other.meets(&one));
        }

        #[test]
        fn parsing_and_matching_never_panic(text in ".{0,40}", bucket in ".{0,10}", key in ".{0,60}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                let _ = pattern.matches(&bucket, &key);
                prop_assert_eq!(pattern.as_str(), text);
            }
        }

        #[test]
        fn a_literal_pattern_matches_itself_and_nothing_else(key in "[a-z/]{1,20}", other in "[a-z/]{1,20}") {
            let key = key.trim_matches('/').replace("//", "/x/");
            prop_assume!(!key.is_empty() && !key.contains("//"));
            let pattern = Pattern::parse(&format!("bucket/{key}")).map_err(|e| TestCaseError::fail(e.0))?;
            prop_assert!(pattern.matches("bucket", &key));
            prop_assert_eq!(pattern.matches("bucket", &other), key == other);
        }

        #[test]
        fn what_matches_everything_matches_anything(depth in 1usize..4, key in "[a-z/]{0,20}") {
            let pattern = Pattern::parse(&vec!["**"; depth].join("/")).map_err(|e| TestCaseError::fail(e.0))?;
            prop_assert!(pattern.matches_everything() && pattern.matches("bucket", &key));
        }
    }
}

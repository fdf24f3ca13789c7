//! Path patterns: `*` within one segment, `**` across any number of segments.
use super::PolicyError;

/// Characters other languages give a meaning to. Refused, so that nobody believes they work here.
const RESERVED: [char; 6] = ['?', '[', ']', '{', '}', '\\'];

/// A parsed `match` pattern over `bucket/key`, segment by segment.
///
/// - A segment is what stands between two `/`. Keys may hold empty segments (`a//b`); `*` matches them.
/// - `*` stands for any characters of one segment, none included; several may stand in one segment.
/// - `**` stands alone in its segment, for any number of whole segments, none included:
///   `b/logs/**` matches `b/logs`, `b/logs/x` and `b/logs/x/y`, not `b/logs2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
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
        let segments = text
            .split('/')
            .enumerate()
            .map(|(i, part)| Segment::parse(text, part, i))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Whether `bucket/key` matches.
    pub fn matches(&self, bucket: &str, key: &str) -> bool {
        let path: Vec<&str> = std::iter::once(bucket).chain(key.split('/')).collect();
        wildcard(&self.segments, &path, |s| *s == Segment::AnyDepth, |s, part| s.matches(part))
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

/// The classic wildcard match: after a mismatch only the last star seen needs to take one more, so the cost is
/// at most `pattern.len() * items.len()` whatever a client puts into a key.
fn wildcard<P, T>(pattern: &[P], items: &[T], is_star: impl Fn(&P) -> bool, one: impl Fn(&P, &T) -> bool) -> bool {
    let (mut p, mut i) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while i < items.len() {
        match pattern.get(p) {
            Some(s) if is_star(s) => {
                last_star = Some((p, i));
                p += 1;
            }
            Some(s) if one(s, &items[i]) => {
                p += 1;
                i += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    p = star + 1;
                    i = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(is_star)
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
            ("clients/{client}/**", "'{'"),
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
    fn catch_alls_are_recognised() {
        for all in ["**", "*/**", "**/*", "**/**", "*/**/*"] {
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

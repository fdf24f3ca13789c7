//! The name of a vault key, made of what a rule's pattern captured: `client-{client}`.
use super::{Pattern, PolicyError};
use std::sync::Arc;

/// Longest name of a vault key, and its alphabet, as `seal::VaultKeyId` has them.
const LONGEST: usize = 64;

/// A key's name with `{name}` where a capture's value goes.
///
/// Two values never make the same name: what is not of a key's alphabet is refused, not changed, and of several captures
/// each but the last is refused when it holds the text that divides it from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Arc<str>),
    Capture(Arc<str>),
}

/// A path whose captures make no key's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: what stands for `{{{capture}}}` makes no key: {why}")]
pub struct Unfit {
    /// The rule.
    pub rule: Arc<str>,
    /// The capture.
    pub capture: Arc<str>,
    /// What is wrong with its value.
    pub why: &'static str,
}

// === impl KeyTemplate ===

impl KeyTemplate {
    /// Parses `text` for a rule with this pattern.
    ///
    /// # Errors
    /// When it makes no key's name whatever the captures are, names a capture that the pattern lacks, or could make one
    /// name of two different paths.
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Self, PolicyError> {
        let refuse = |why: String| Err(PolicyError(format!("the vault key name {text:?} is refused: {why}")));
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, behind) = rest.split_once('{').unwrap_or((rest, ""));
            if !literal.bytes().all(is_legal) {
                return refuse("use 1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit".into());
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.into()));
            }
            if literal.len() == rest.len() {
                break;
            }
            let Some((name, after)) = behind.split_once('}') else {
                return refuse("a `{` has no `}`; write for example client-{client}".into());
            };
            if !pattern.captures().any(|known| known == name) {
                return refuse(format!("`{{{name}}}` does not stand in `{pattern}`; write it there, too"));
            }
            if matches!(parts.last(), Some(Part::Capture(_))) {
                return refuse("two captures stand side by side; put a `.` between them".into());
            }
            parts.push(Part::Capture(name.into()));
            rest = after;
        }
        let literal: usize = parts.iter().map(|part| if let Part::Literal(text) = part { text.len() } else { 1 }).sum();
        let begins_well = match parts.first() {
            Some(Part::Literal(first)) => first.bytes().next().is_some_and(begins_well),
            first => first.is_some(),
        };
        if literal > LONGEST || !begins_well {
            return refuse("use 1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit".into());
        }
        if matches!(parts[..], [Part::Capture(_)]) {
            return refuse("a path could choose any key, `default` too; put a word of its own before it".into());
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// A name without captures; for rules that are made by programs.
    ///
    /// # Errors
    /// As [`KeyTemplate::parse`].
    pub fn fixed(name: &str) -> Result<Self, PolicyError> {
        Self::parse(name, &Pattern::parse("**")?)
    }

    /// The name, when no path has a say in it.
    pub fn literal(&self) -> Option<&Arc<str>> {
        match &self.parts[..] {
            [Part::Literal(name)] => Some(name),
            _ => None,
        }
    }

    /// Whether some path could make this name.
    pub fn could_make(&self, name: &str) -> bool {
        let chars = |part: &Part| match part {
            Part::Literal(text) => text.chars().collect(),
            Part::Capture(_) => vec!['*'],
        };
        let pattern: Vec<char> = self.parts.iter().flat_map(chars).collect();
        super::glob::wildcard(&pattern, &name.chars().collect::<Vec<_>>(), |c| *c == '*', |c, d| c == d)
    }

    /// The name for a path that matches the pattern.
    pub(super) fn expand(
        &self,
        rule: &Arc<str>,
        pattern: &Pattern,
        bucket: &str,
        key: &str,
    ) -> Result<Arc<str>, Unfit> {
        if let Some(name) = self.literal() {
            return Ok(name.clone());
        }
        let mut name = String::new();
        for (at, part) in self.parts.iter().enumerate() {
            let capture = match part {
                Part::Literal(text) => {
                    name += text;
                    continue;
                }
                Part::Capture(capture) => capture,
            };
            let unfit = |why| Unfit { rule: rule.clone(), capture: capture.clone(), why };
            let value = pattern.capture(capture, bucket, key).unwrap_or_default();
            if value.is_empty() {
                return Err(unfit("nothing stands there"));
            }
            if !value.bytes().all(is_legal) {
                return Err(unfit("it may hold a-z, 0-9, `.`, `_` and `-` only"));
            }
            if at == 0 && !value.bytes().next().is_some_and(begins_well) {
                return Err(unfit("it has to begin with a letter or digit"));
            }
            if let [Part::Literal(divider), Part::Capture(_), ..] = &self.parts[at + 1..]
                && format!("{value}{divider}").find(&**divider) != Some(value.len())
            {
                return Err(unfit("it holds the text that divides it from the next part of the key's name"));
            }
            name += value;
            if name.len() > LONGEST {
                return Err(unfit("the key's name would be longer than 64"));
            }
        }
        if name.len() > LONGEST {
            let capture = self.parts.iter().find_map(|p| if let Part::Capture(c) = p { Some(c.clone()) } else { None });
            let why = "the key's name would be longer than 64";
            return Err(Unfit { rule: rule.clone(), capture: capture.unwrap_or_else(|| "".into()), why });
        }
        Ok(name.into())
    }
}

impl std::fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_legal(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

fn begins_well(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(template: &str, pattern: &str, bucket: &str, key: &str) -> Result<String, String> {
        let pattern = Pattern::parse(pattern).map_err(|e| e.0)?;
        let template = KeyTemplate::parse(template, &pattern).map_err(|e| e.0)?;
        assert!(pattern.matches(bucket, key), "{pattern} is for {bucket}/{key}");
        template.expand(&"r".into(), &pattern, bucket, key).map(|name| name.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_captured_client_becomes_a_key_of_its_own() {
        let client = |key| made("client-{client}", "ledgers/clients/{client}/**", "ledgers", key);
        assert_eq!(client("clients/acme/2026/a.pdf").as_deref(), Ok("client-acme"));
        assert_eq!(client("clients/4711/x").as_deref(), Ok("client-4711"));
        assert_eq!(made("fixed", "b/**", "b", "x").as_deref(), Ok("fixed"));
        assert_eq!(made("t-{a}.{b}", "{a}/{b}/**", "one", "two/x").as_deref(), Ok("t-one.two"));
    }

    #[test]
    fn a_client_that_is_no_name_is_refused_and_never_becomes_another_key() {
        for unfit in ["ACME", "acme corp", "\u{4e00}", "", "a+b", "a%2fb", &"x".repeat(58)] {
            let error = made("client-{client}", "b/{client}/**", "b", &format!("{unfit}/x")).expect_err(unfit);
            assert!(error.contains("`{client}` makes no key") && error.starts_with("rule r"), "{error}");
        }
        assert!(made("client-{client}", "b/{client}/**", "b", &format!("{}/x", "x".repeat(57))).is_ok());
        assert!(made("{c}-x", "b/{c}/**", "b", "-c/x").is_err(), "a name begins with a letter or digit");
        assert!(made("{c}-{d}x", "b/{c}/{d}", "b", "a/b").is_ok());
    }

    #[test]
    fn a_template_that_could_mix_keys_up_is_refused() {
        for (template, hint) in [
            ("{client}", "any key"),
            ("{client}{year}", "side by side"),
            ("k-{other}", "does not stand in"),
            ("k-{client", "no `}`"),
            ("K-{client}", "a-z"),
            ("-{client}", "beginning"),
            ("", "1 to 64"),
            (&"k".repeat(65), "1 to 64"),
        ] {
            let error = made(template, "b/{client}/{year}/**", "b", "a/b/c").expect_err(template);
            assert!(error.contains(hint), "{template}: {error}");
        }
    }

    proptest! {
        #[test]
        fn two_paths_with_other_captures_never_share_a_key(
            one in ("[ab.-]{1,4}", "[ab.-]{1,4}"), other in ("[ab.-]{1,4}", "[ab.-]{1,4}"),
        ) {
            for template in ["k{a}-.{b}", "k{a}--{b}", "k{a}.{b}"] {
                let make = |(a, b): &(String, String)| made(template, "b/{a}/{b}", "b", &format!("{a}/{b}"));
                if let (Ok(first), Ok(second)) = (make(&one), make(&other)) {
                    prop_assert_eq!(first == second, one == other);
                }
            }
        }
    }
}

//! What a rule asks of the headers of a write. PURE.
//!
//! Headers describe an object that is being written, so a rule with conditions is for writes alone. What is conditioned on is the object
//! as it will be, not the request's bytes: the metadata that a copy takes over from its source counts, `aws-chunked` does not.
use super::PolicyError;
use super::glob::{self, wildcard};

/// What a write says of the object that it makes, by the names of S3's headers in lower case.
pub trait Headers {
    /// The value, as it was sent; `None` when the object is made without.
    fn value(&self, name: &str) -> Option<&str>;
}

/// All that a rule asks of headers; all of it has to hold. Empty: nothing is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    name: String,
    wanted: Wanted,
}

/// What the value of a header is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// There is none.
    Absent,
    /// There is one, and it matches: `*` stands for any characters, none included.
    Like(Vec<char>),
}

/// Why conditions do not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The header.
    pub name: String,
    /// What it is instead; `None`: it is not there.
    pub value: Option<String>,
}

/// Every header that may be named, besides `x-amz-meta-*`.
pub const DESCRIBING: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-acl",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];

/// What user metadata begins with.
const USER: &str = "x-amz-meta-";
/// User metadata that clients cannot send.
const OURS: &str = "x-amz-meta-strongroom";

// === impl Conditions ===

impl Conditions {
    /// Of headers whose names are good, each once.
    ///
    /// # Errors
    /// When a name stands there twice.
    pub fn new(conditions: Vec<(String, Wanted)>) -> Result<Self, PolicyError> {
        let mut conditions: Vec<_> = conditions.into_iter().map(|(name, wanted)| Condition { name, wanted }).collect();
        conditions.sort_by(|one, other| one.name.cmp(&other.name));
        match conditions.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(PolicyError(format!("the header `{}` stands there twice; keep one", pair[0].name))),
            None => Ok(Self(conditions)),
        }
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first condition that does not hold for a write.
    pub fn unmet(&self, headers: &dyn Headers) -> Option<Unmet> {
        let fails = |condition: &&Condition| !condition.wanted.takes(headers.value(&condition.name));
        let Condition { name, .. } = self.0.iter().find(fails)?;
        Some(Unmet { name: name.clone(), value: headers.value(name).map(str::to_owned) })
    }

    /// True when whatever meets `other` meets this. (Never true when it does not; rarely false although it does.)
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().all(|ours| other.of(&ours.name).is_some_and(|theirs| ours.wanted.covers(theirs)))
    }

    /// True when some write can meet both.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().all(|ours| other.of(&ours.name).is_none_or(|theirs| ours.wanted.meets(theirs)))
    }

    fn of(&self, name: &str) -> Option<&Wanted> {
        self.0.iter().find(|condition| condition.name == name).map(|condition| &condition.wanted)
    }
}

impl std::fmt::Display for Conditions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, Condition { name, wanted }) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            match wanted {
                Wanted::Absent => write!(f, "no {name}")?,
                Wanted::Like(glob) => write!(f, "{name} = {:?}", glob.iter().collect::<String>())?,
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Unmet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value:?}", self.name),
            None => write!(f, "there is no {}", self.name),
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// Any value at all.
    pub fn any() -> Self {
        Self::Like(vec!['*'])
    }

    /// A value with `*` for any characters.
    ///
    /// # Errors
    /// For what no header could have, and for braces, which somebody may take for a capture.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let refuse = |why: &str| Err(PolicyError(format!("the value {text:?} is refused: {why}")));
        if text.is_empty() {
            return refuse("it is empty; write false for a header that is not there, \"*\" for any value");
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return refuse("no header's value begins or ends with a space or has a line break; take them out");
        }
        if text.contains(['{', '}']) {
            return refuse("a key is made of the path, never of a header; write `*` for what varies");
        }
        Ok(Self::Like(text.chars().collect()))
    }

    fn takes(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::Absent, value) => value.is_none(),
            (Self::Like(_), None) => false,
            (Self::Like(glob), Some(value)) => {
                wildcard(glob, &value.chars().collect::<Vec<_>>(), |c| *c == '*', |c, d| c == d)
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Like(one), Self::Like(other)) => wildcard(one, other, |c| *c == '*', |c, d| c == d && *d != '*'),
            _ => self == other,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Like(one), Self::Like(other)) => glob::meet(one, other, |c| *c == '*', |c, d| c == d),
            _ => self == other,
        }
    }
}

/// The name of a header that a rule may ask for, in lower case.
///
/// # Errors
/// For a header that says nothing of the object: credentials and signatures, keys, what is about the request alone.
pub fn header_name(text: &str) -> Result<String, PolicyError> {
    let name = text.to_ascii_lowercase();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let is_user = name.len() > USER.len() && name.starts_with(USER) && name.bytes().all(token);
    if name.starts_with(OURS) {
        return Err(PolicyError(format!("`{text}` is a name of the proxy's own, which no client can send; remove it")));
    }
    if is_user || DESCRIBING.contains(&name.as_str()) {
        return Ok(name);
    }
    let fix = format!("name x-amz-meta-* or one of {}", DESCRIBING.join(", "));
    let secret = ["authorization", "cookie", "token", "signature", "credential", "-key"];
    let why = if secret.iter().any(|part| name.contains(part)) {
        "is about who asks or holds a secret, and rules never look at that"
    } else {
        match name.as_str() {
            "content-length" | "x-amz-decoded-content-length" => {
                return Err(PolicyError(format!("`{text}` is no header that describes the object; use max_size")));
            }
            _ => "is no header that describes the object",
        }
    };
    Err(PolicyError(format!("`{text}` {why}; {fix}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Headers for BTreeMap<&str, String> {
        fn value(&self, name: &str) -> Option<&str> {
            self.get(name).map(String::as_str)
        }
    }

    fn conditions(list: &[(&str, Option<&str>)]) -> Conditions {
        let one = |(name, value): &(&str, Option<&str>)| {
            let wanted = value.map_or(Ok(Wanted::Absent), Wanted::parse).unwrap_or_else(|e| panic!("{e}"));
            (header_name(name).unwrap_or_else(|e| panic!("{e}")), wanted)
        };
        Conditions::new(list.iter().map(one).collect()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn holds(asked: &[(&str, Option<&str>)], sent: &[(&'static str, &str)]) -> bool {
        let sent: BTreeMap<&str, String> = sent.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        conditions(asked).unmet(&sent).is_none()
    }

    #[test]
    fn all_that_is_asked_has_to_hold_as_it_was_sent() {
        let pdf = [("content-type", "application/pdf"), ("x-amz-meta-class", "secret-2")];
        assert!(holds(&[("Content-Type", Some("application/pdf"))], &pdf));
        assert!(holds(&[("content-type", Some("*/pdf")), ("x-amz-meta-class", Some("secret*"))], &pdf));
        assert!(!holds(&[("content-type", Some("application/PDF"))], &pdf), "as sent");
        assert!(!holds(&[("content-type", Some("*")), ("x-amz-meta-class", Some("secret"))], &pdf));
        assert!(!holds(&[("x-amz-meta-other", Some("*"))], &pdf), "a header that is not there has no value");
        assert!(holds(&[("x-amz-meta-other", None)], &pdf) && !holds(&[("content-type", None)], &pdf));
        assert!(holds(&[("x-amz-meta-e", Some("*"))], &[("x-amz-meta-e", "")]), "an empty one has");
        assert!(holds(&[], &[]));
    }

    #[test]
    fn only_headers_that_describe_the_object_can_be_named() {
        for good in ["Content-Type", "x-amz-meta-CLASS", "x-amz-storage-class", "x-amz-server-side-encryption"] {
            assert_eq!(header_name(good), Ok(good.to_ascii_lowercase()));
        }
        for secret in [
            "Authorization",
            "x-amz-security-token",
            "X-Amz-Signature",
            "x-amz-credential",
            "x-amz-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key-md5",
            "x-amz-copy-source-server-side-encryption-customer-key",
            "Cookie",
        ] {
            assert!(header_name(secret).is_err_and(|e| e.0.contains("a secret")), "{secret}");
        }
        for other in [
            "",
            "host",
            "date",
            "x-amz-meta-",
            "x-amz-meta-a b",
            "x-amz-meta-a:b",
            "if-none-match",
            "range",
            "content-md5",
        ] {
            assert!(header_name(other).is_err_and(|e| e.0.contains("name x-amz-meta-* or one of")), "{other}");
        }
        assert!(header_name("Content-Length").is_err_and(|e| e.0.ends_with("use max_size")));
        assert!(header_name("x-amz-meta-strongroom-x").is_err_and(|e| e.0.contains("no client can send")));
    }

    #[test]
    fn a_value_that_could_not_mean_what_it_says_is_refused() {
        for (bad, hint) in [("", "false"), ("a\n", "line break"), (" a", "space"), ("{client}", "never of a header")] {
            assert!(Wanted::parse(bad).is_err_and(|e| e.0.contains(hint)), "{bad:?}");
        }
        let twice = vec![("expires".to_owned(), Wanted::Absent), ("expires".to_owned(), Wanted::any())];
        assert!(Conditions::new(twice).is_err_and(|e| e.0.contains("twice")));
    }

    #[test]
    fn they_say_what_they_are_and_what_is_missing() {
        let asked = conditions(&[("x-amz-meta-a", None), ("content-type", Some("text/*"))]);
        assert_eq!(asked.to_string(), "content-type = \"text/*\", no x-amz-meta-a");
        let none = BTreeMap::new();
        assert_eq!(asked.unmet(&none).map(|u| u.to_string()).as_deref(), Some("there is no content-type"));
        let both = BTreeMap::from([("content-type", "text/csv".to_owned()), ("x-amz-meta-a", "1".to_owned())]);
        assert_eq!(asked.unmet(&both).map(|u| u.to_string()).as_deref(), Some("x-amz-meta-a is \"1\""));
    }

    #[test]
    fn less_that_is_asked_covers_more() {
        let pair = |one: &[(&str, Option<&str>)], other: &[(&str, Option<&str>)]| {
            let (one, other) = (conditions(one), conditions(other));
            (one.covers(&other), one.meets(&other))
        };
        let pdf = ("content-type", Some("application/pdf"));
        assert_eq!(pair(&[], &[pdf]), (true, true));
        assert_eq!(pair(&[pdf], &[]), (false, true));
        assert_eq!(pair(&[("content-type", Some("*/pdf"))], &[pdf]), (true, true));
        assert_eq!(pair(&[pdf], &[("content-type", Some("image/*"))]), (false, false));
        assert_eq!(pair(&[pdf], &[("content-type", None)]), (false, false));
        assert_eq!(pair(&[pdf], &[("x-amz-meta-a", Some("*"))]), (false, true));
    }

    fn some_conditions() -> impl Strategy<Value = Conditions> {
        let wanted = proptest::option::of("[ab*]{1,3}");
        let named = proptest::collection::btree_map("x-amz-meta-[kl]", wanted, 0..3);
        named.prop_map(|map| {
            let one = |(name, value): (String, Option<String>)| {
                (name, value.map_or(Wanted::Absent, |text| Wanted::Like(text.chars().collect())))
            };
            Conditions::new(map.into_iter().map(one).collect()).expect("each once")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn covering_and_meeting_never_contradict_what_holds(
            one in some_conditions(), other in some_conditions(),
            k in proptest::option::of("[ab]{0,3}"), l in proptest::option::of("[ab]{0,3}"),
        ) {
            let sent: BTreeMap<&str, String> =
                [("x-amz-meta-k", k), ("x-amz-meta-l", l)].into_iter().filter_map(|(n, v)| Some((n, v?))).collect();
            let (in_one, in_other) = (one.unmet(&sent).is_none(), other.unmet(&sent).is_none());
            prop_assert!(!one.covers(&other) || !in_other || in_one, "{} does not cover {}", one, other);
            prop_assert!(!(in_one && in_other) || one.meets(&other), "{} meets {}", one, other);
            prop_assert_eq!(one.meets(&other), other.meets(&one));
            prop_assert!(one.covers(&one));
        }

        #[test]
        fn names_and_values_never_panic(name in ".{0,40}", value in ".{0,40}") {
            if let Ok(name) = header_name(&name) {
                prop_assert!(name.starts_with(USER) || DESCRIBING.contains(&name.as_str()));
            }
            if let Ok(wanted) = Wanted::parse(&value) {
                prop_assert!(wanted.takes(Some(&value)), "a value matches itself");
            }
        }
    }
}

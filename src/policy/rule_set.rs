//! All rules in order, with the default behind them; the answer to "which rule applies, and why".
use super::{
    Anonymous, DEFAULT, Deletes, Explanation, Headers, KeyTemplate, MetadataForm, PassedOver, Plan, PolicyError, Rule,
    Suites, Terms, Unsealed, Why,
};
use crate::s3::{BucketName, ObjectKey, Suite};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All rules, in order, with a default behind them. Cheap lookups: a plan is a few shared pointers.
#[derive(Clone, Debug)]
pub struct RuleSet {
    entries: Vec<Entry>,
    default: Plan,
    suites: Suites,
    version: String,
}

/// A rule and what its plans share.
#[derive(Clone, Debug)]
struct Entry {
    rule: Rule,
    name: Arc<str>,
    terms: Arc<Terms>,
}

/// What is wrong with one rule of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// Position in the list, from 0.
    pub index: usize,
    /// The field of `[[rule]]` at fault.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

// === impl RuleSet ===

impl RuleSet {
    /// Rules in order; the default rule (key `default`, tee, the usual suite) is appended.
    ///
    /// # Errors
    /// The first of [`RuleSet::problems`].
    pub fn new(rules: Vec<Rule>, suites: Suites) -> Result<Self, PolicyError> {
        if let Some(problem) = Self::problems(&rules, &suites).into_iter().next() {
            return Err(PolicyError(format!("rule {}: {}", problem.index + 1, problem.message)));
        }
        let version = version(&rules, &suites);
        let entries = rules.into_iter().map(Entry::of).collect();
        Ok(Self { entries, default: default_plan(suites.usual()), suites, version })
    }

    /// Everything wrong with these rules as a list: names that are used twice, unusable names, patterns that
    /// can never be reached, suites that may not be written, terms that have no sense beside conditions on headers.
    pub fn problems(rules: &[Rule], suites: &Suites) -> Vec<RuleProblem> {
        let mut problems = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let mut found = |field, message: Result<(), String>| {
                if let Err(message) = message {
                    problems.push(RuleProblem { index, field, message });
                }
            };
            found("name", check_name(rule, &rules[..index]));
            found("match", check_reachable(rule, &rules[..index]));
            found("suite", check_suite(rule, suites));
            for (field, given) in needed_without_headers(&rule.terms) {
                found(field, check_needs_no_headers(rule, field, given));
            }
        }
        problems
    }

    /// The plan for an object, for whatever is no write: rules that ask for headers have no say.
    pub fn plan(&self, bucket: &BucketName, key: &ObjectKey) -> Plan {
        self.decide(bucket, key, None)
    }

    /// The plan for an object that is being written with these headers.
    pub fn plan_write(&self, bucket: &BucketName, key: &ObjectKey, headers: &dyn Headers) -> Plan {
        self.decide(bucket, key, Some(headers))
    }

    fn decide(&self, bucket: &BucketName, key: &ObjectKey, headers: Option<&dyn Headers>) -> Plan {
        let (bucket, key) = (bucket.as_str(), key.as_str());
        let decides = self.entries.iter().find(|entry| entry.rule.passes(bucket, key, headers).is_none());
        decides.map_or_else(|| self.default.clone(), |entry| entry.plan(bucket, key))
    }

    /// Whether a write there may go by another rule than the path alone says.
    pub fn asks_for_headers(&self, bucket: &BucketName, key: &ObjectKey) -> bool {
        let asks = |rule: &Rule| !rule.headers.is_empty() && rule.pattern.matches(bucket.as_str(), key.as_str());
        self.entries.iter().any(|entry| asks(&entry.rule))
    }

    /// Why an object is kept the way it is: one that is written with these headers; `None`: whatever is no write.
    pub fn explain(&self, bucket: &BucketName, key: &ObjectKey, headers: Option<&dyn Headers>) -> Explanation {
        let (bucket, key) = (bucket.as_str(), key.as_str());
        let mut passed_over = Vec::new();
        for entry in &self.entries {
            let place = entry.rule.place();
            match entry.rule.passes(bucket, key, headers) {
                None => return Explanation { plan: entry.plan(bucket, key), passed_over, matched: Some(place) },
                Some(why) => passed_over.push(PassedOver { name: entry.rule.name.clone(), place, why }),
            }
        }
        Explanation { plan: self.default.clone(), passed_over, matched: None }
    }

    /// Every vault key that some rule names, whatever the path, and the default's; sorted, each once.
    pub fn keys(&self) -> Vec<String> {
        let named = self.entries.iter().filter_map(|entry| entry.rule.key.literal()).map(|name| name.to_string());
        named.chain([DEFAULT.to_owned()]).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether some rule could seal under this key, or lets a client ask for it.
    pub fn could_use(&self, key: &str) -> bool {
        let makes = |template: &KeyTemplate| template.could_make(key);
        key == DEFAULT || self.entries.iter().any(|e| makes(&e.rule.key) || e.rule.terms.client_keys.iter().any(makes))
    }

    /// Whether plain HTTP is denied for some object of this bucket, and with it for the bucket's listings.
    pub fn bucket_requires_tls(&self, bucket: &BucketName) -> bool {
        self.entries.iter().any(|e| e.terms.require_tls && e.rule.pattern.may_match_in(bucket.as_str()))
    }

    /// Which suites may be written and read.
    pub fn suites(&self) -> &Suites {
        &self.suites
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.entries.iter().map(|entry| &entry.rule)
    }

    /// 12 hex digits that name exactly these rules: the first 6 bytes of the SHA-256 of their [`Rule`] lines, and of the lists of
    /// suites where those are not as usual.
    pub fn version(&self) -> &str {
        &self.version
    }
}

// === impl Entry ===

impl Entry {
    fn of(rule: Rule) -> Self {
        Self { name: rule.name.as_str().into(), terms: Arc::new(rule.terms.clone()), rule }
    }

    fn plan(&self, bucket: &str, key: &str) -> Plan {
        let expand = |template: &KeyTemplate| template.expand(&self.name, &self.rule.pattern, bucket, key);
        Plan {
            rule: self.name.clone(),
            key: expand(&self.rule.key),
            terms: self.terms.clone(),
            // What a path makes no key of, nobody can ask for.
            client_keys: self.terms.client_keys.iter().filter_map(|template| expand(template).ok()).collect(),
            by_headers: !self.rule.headers.is_empty(),
        }
    }
}

// === impl Rule ===

impl Rule {
    /// Why it does not decide there; `None` when it does. `headers`: of a write.
    fn passes(&self, bucket: &str, key: &str, headers: Option<&dyn Headers>) -> Option<Why> {
        if !self.pattern.matches(bucket, key) {
            return Some(Why::Path);
        }
        match headers {
            _ if self.headers.is_empty() => None,
            None => Some(Why::NoWrite),
            Some(headers) => self.headers.unmet(headers).map(Why::Headers),
        }
    }

    /// True when this takes everything that `other` is for.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.pattern.covers(&other.pattern) && self.headers.covers(&other.headers)
    }

    /// True when both are for some write or path.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.pattern.meets(&other.pattern) && self.headers.meets(&other.headers)
    }

    /// What it is for, for people.
    fn place(&self) -> String {
        if self.headers.is_empty() { self.pattern.to_string() } else { format!("{}, {}", self.pattern, self.headers) }
    }
}

/// One line that says all of it.
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule {} ({}): key {}, ", self.name, self.place(), self.key)?;
        if self.terms.suite != Suite::default() {
            write!(f, "suite {}, ", self.terms.suite)?;
        }
        write!(f, "{}", self.terms)
    }
}

// === impl Terms ===

/// The replication mode, and whatever else is not as usual; without the suite.
impl std::fmt::Display for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "replication {}", self.replication.name())?;
        if self.deletes != Deletes::default() {
            write!(f, ", deletes {}", self.deletes)?;
        }
        if let Some(class) = self.retention {
            write!(f, ", kept {class}")?;
        }
        if self.metadata != MetadataForm::default() {
            write!(f, ", metadata {}", self.metadata.name())?;
        }
        if self.unsealed != Unsealed::default() {
            write!(f, ", unsealed {}", self.unsealed.name())?;
        }
        if let Some(word) = &self.classification {
            write!(f, ", classification {word}")?;
        }
        if let Some(bytes) = self.max_size {
            write!(f, ", at most {bytes} bytes")?;
        }
        if self.require_tls {
            write!(f, ", TLS only")?;
        }
        if self.anonymous != Anonymous::default() {
            write!(f, ", anonymous requests {}", self.anonymous.name())?;
        }
        for (at, range) in self.content_types.iter().enumerate() {
            write!(f, "{}{range}", if at == 0 { ", content types " } else { " " })?;
        }
        for (at, key) in self.client_keys.iter().enumerate() {
            write!(f, "{}{key}", if at == 0 { ", clients may ask for key " } else { " " })?;
        }
        Ok(())
    }
}

fn version(rules: &[Rule], suites: &Suites) -> String {
    let mut lines = rules.iter().fold(Sha256::new(), |hash, rule| hash.chain_update(format!("{rule}\n")));
    if *suites != Suites::default() {
        lines.update(format!("{suites}\n"));
    }
    lines.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn default_plan(suite: Suite) -> Plan {
    let terms = Arc::new(Terms { suite, ..Terms::default() });
    Plan { rule: DEFAULT.into(), key: Ok(DEFAULT.into()), terms, client_keys: Arc::new([]), by_headers: false }
}

fn check_name(rule: &Rule, earlier: &[Rule]) -> Result<(), String> {
    check_label(&rule.name)?;
    if rule.name == DEFAULT {
        return Err("the name `default` belongs to the rule behind all others; choose another".to_owned());
    }
    match earlier.iter().position(|other| other.name == rule.name) {
        Some(at) => Err(format!("the name `{}` is already rule {}'s; choose another", rule.name, at + 1)),
        None => Ok(()),
    }
}

fn check_reachable(rule: &Rule, earlier: &[Rule]) -> Result<(), String> {
    match earlier.iter().find(|other| other.covers(rule)) {
        Some(other) => Err(format!(
            "`{}` can never be reached: rule {} (`{}`) stands before it and takes everything it matches; \
             reorder or remove one",
            rule.place(),
            other.name,
            other.place()
        )),
        None => Ok(()),
    }
}

/// The terms that a read, a delete or a listing asks for, when nobody knows the headers of the write any more; and whether they are set.
fn needed_without_headers(terms: &Terms) -> [(&'static str, bool); 4] {
    [
        ("deletes", terms.deletes != Deletes::default()),
        ("unsealed", terms.unsealed != Unsealed::default()),
        ("require_tls", terms.require_tls),
        ("anonymous", terms.anonymous != Anonymous::default()),
    ]
}

fn check_needs_no_headers(rule: &Rule, term: &str, given: bool) -> Result<(), String> {
    if !given || rule.headers.is_empty() {
        return Ok(());
    }
    Err(format!(
        "`{term}` is about what has no such headers (reads, deletes, listings), and this rule is for writes with headers alone; \
         put it into a rule for `{}` without headers",
        rule.pattern
    ))
}

fn check_suite(rule: &Rule, suites: &Suites) -> Result<(), String> {
    let suite = rule.terms.suite;
    if suites.may_write(suite) {
        return Ok(());
    }
    let written = suites.written();
    Err(format!(
        "new objects may not be sealed with {suite}; choose from the list for writing ({written}), or add it there"
    ))
}

/// The alphabet of rule names (labels of metrics).
fn check_label(label: &str) -> Result<(), String> {
    let ok_byte = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=64).contains(&label.len()) && label.bytes().all(ok_byte) {
        return Ok(());
    }
    Err(format!("the rule name {label:?} is refused: use 1 to 64 of a-z, 0-9, `.`, `_` and `-`"))
}

#[cfg(test)]
mod tests {
    use super::super::{Conditions, MediaRange, Pattern, Replication, Wanted, header_name};
    use super::*;
    use proptest::prelude::*;

    fn rule(name: &str, pattern: &str, key: &str) -> Rule {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{e}"));
        let key = KeyTemplate::parse(key, &pattern).unwrap_or_else(|e| panic!("{e}"));
        let terms = Terms { replication: Replication::Strict, ..Terms::default() };
        Rule { name: name.into(), pattern, headers: Conditions::default(), key, terms }
    }

    fn set(rules: Vec<Rule>) -> RuleSet {
        RuleSet::new(rules, Suites::default()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn object(bucket: &str, key: &str) -> (BucketName, ObjectKey) {
        (BucketName::parse(bucket).expect("a test's bucket"), ObjectKey::parse(key).expect("a test's key"))
    }

    #[test]
    fn the_first_match_wins_and_the_default_stands_behind() {
        let rules = set(vec![rule("one", "bkt/a/**", "k1"), rule("two", "bkt/**", "k2")]);
        let rule_for = |key| {
            let (bucket, key) = object("bkt", key);
            rules.plan(&bucket, &key).rule.to_string()
        };
        assert_eq!(rule_for("a/x"), "one");
        assert_eq!(rule_for("b/x"), "two");
        let (bucket, key) = object("other", "x");
        let plan = rules.plan(&bucket, &key);
        assert_eq!((&*plan.rule, plan.key.as_deref()), (DEFAULT, Ok(DEFAULT)));
        assert_eq!(*plan.terms, Terms::default());
    }

    #[test]
    fn a_client_in_the_path_has_its_own_key_and_an_unfit_one_has_none() {
        let rules =
            set(vec![rule("clients", "bkt/clients/{client}/**", "client-{client}"), rule("rest", "**", "rest")]);
        let key_of = |path| {
            let (bucket, key) = object("bkt", path);
            rules.plan(&bucket, &key).key.map(|key| key.to_string())
        };
        assert_eq!(key_of("clients/acme/2026/a"), Ok("client-acme".to_owned()));
        assert_eq!(key_of("other/acme"), Ok("rest".to_owned()));
        let unfit = key_of("clients/ACME/a").expect_err("never the next rule's key");
        assert_eq!((&*unfit.rule, &*unfit.capture), ("clients", "client"));
        let (bucket, key) = object("bkt", "clients/ACME/a");
        assert!(rules.explain(&bucket, &key, None).to_string().contains("nothing can be written there"));
        assert_eq!(rules.keys(), [DEFAULT, "rest"], "those that no path has a say in");
        assert!(rules.could_use("client-x") && !rules.could_use("clients-x") && rules.could_use(DEFAULT));
    }

    #[test]
    fn a_bucket_with_a_rule_that_requires_tls_requires_it() {
        let mut private = rule("private", "bkt/private/**", "k");
        private.terms.require_tls = true;
        let rules = set(vec![private]);
        assert!(rules.bucket_requires_tls(&object("bkt", "x").0));
        assert!(!rules.bucket_requires_tls(&object("other", "x").0));
    }

    #[test]
    fn a_version_names_exactly_these_rules() {
        let rules = || vec![rule("a", "b-a/**", "k"), rule("b", "b-b/**", "k")];
        assert_eq!(set(rules()).version(), set(rules()).version());
        let mut others = rules();
        others[1].terms.max_size = Some(1);
        assert_ne!(set(rules()).version(), set(others).version());
        assert_ne!(set(rules()).version(), set(rules().into_iter().rev().collect()).version(), "the order counts");
    }

    #[test]
    fn an_explanation_names_every_rule_up_to_the_one_that_decided() {
        let rules = set(vec![rule("one", "bkt/a/**", "k1"), rule("two", "bkt/**", "k2")]);
        let (bucket, key) = object("bkt", "b/x");
        let why = rules.explain(&bucket, &key, None);
        let passed = PassedOver { name: "one".to_owned(), place: "bkt/a/**".to_owned(), why: Why::Path };
        assert_eq!(why.passed_over, [passed]);
        assert_eq!(why.matched.as_deref(), Some("bkt/**"));
        assert_eq!(
            why.to_string(),
            "rule one (bkt/a/**) does not match\nrule two (bkt/**) decides: key k2, suite aes-256-gcm, replication strict"
        );
        let (bucket, key) = object("other", "x");
        assert!(
            rules
                .explain(&bucket, &key, None)
                .to_string()
                .ends_with("the default decides: key default, suite aes-256-gcm, replication tee")
        );
    }

    #[test]
    fn an_explanation_says_what_is_not_as_usual() {
        let mut legacy = rule("old", "bkt/**", "k");
        legacy.terms = Terms { unsealed: Unsealed::Read, metadata: MetadataForm::Clear, ..legacy.terms };
        let (bucket, key) = object("bkt", "x");
        let why = set(vec![legacy]).explain(&bucket, &key, None).to_string();
        assert!(why.ends_with("key k, suite aes-256-gcm, replication strict, metadata clear, unsealed read"), "{why}");
        let mut all = rule("all", "bkt/**", "k");
        all.terms = Terms {
            suite: Suite::Sm4Gcm,
            classification: Some("secret".into()),
            max_size: Some(5),
            retention: super::super::Retention::parse("30y").ok(),
            require_tls: true,
            content_types: ["image/*", "text/csv"].iter().filter_map(|t| MediaRange::parse(t).ok()).collect(),
            client_keys: KeyTemplate::fixed("hr").into_iter().collect(),
            ..Terms::default()
        };
        let why = set(vec![all]).explain(&bucket, &key, None).to_string();
        let tail = "key k, suite sm4-gcm, replication tee, kept 30y (governance), classification secret, at most 5 bytes, TLS only, \
                    content types image/* text/csv, clients may ask for key hr";
        assert!(why.ends_with(tail), "{why}");
    }

    #[test]
    fn keys_are_listed_once_with_the_default() {
        let rules = set(vec![rule("a", "b-a/**", "z"), rule("b", "b-b/**", "a"), rule("c", "b-c/**", "z")]);
        assert_eq!(rules.keys(), ["a", DEFAULT, "z"]);
        assert_eq!(set(vec![]).keys(), [DEFAULT]);
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused_rule_by_rule() {
        let problems = RuleSet::problems(
            &[
                rule("same", "b-a/**", "k"),
                rule("same", "b-b/**", "k"),
                rule("default", "b-c/**", "k"),
                rule("twice", "b-a/**", "k"),
                rule("Bad Name", "b-d/**", "k"),
                rule("all", "**", "k"),
                rule("late", "b-e/**", "k"),
            ],
            &Suites::default(),
        );
        let at: Vec<_> = problems.iter().map(|p| (p.index, p.field)).collect();
        assert_eq!(at, [(1, "name"), (2, "name"), (3, "match"), (4, "name"), (6, "match")]);
        assert!(problems[4].message.contains("rule all (`**`)"), "{}", problems[4].message);
        let hidden =
            RuleSet::problems(&[rule("wide", "b/**", "k"), rule("narrow", "b/x/{client}/**", "k")], &Suites::default());
        assert_eq!(hidden.first().map(|p| (p.index, p.field)), Some((1, "match")), "nothing is left for it");
    }

    #[test]
    fn new_reports_the_position_as_people_count() {
        let error = RuleSet::new(vec![rule("ok", "b-a/**", "k"), rule("default", "b-b/**", "k")], Suites::default())
            .map(|_| ());
        assert!(error.is_err_and(|e| e.0.starts_with("rule 2: ")));
    }

    #[test]
    fn a_rule_may_not_seal_with_a_suite_that_is_not_written_and_one_that_names_none_has_the_first() {
        let national = Suites::new(vec![Suite::Sm4Gcm], Suite::ALL.to_vec()).expect("readable");
        let problems = RuleSet::problems(&[rule("aes", "b-a/**", "k")], &national);
        assert_eq!(problems.first().map(|p| p.field), Some("suite"));
        assert!(
            problems[0].message.starts_with("new objects may not be sealed with aes-256-gcm; choose"),
            "{problems:?}"
        );
        let usual = RuleSet::new(Vec::new(), Suites::default()).expect("good");
        let rules = RuleSet::new(Vec::new(), national).expect("good");
        let (bucket, key) = object("bkt", "x");
        assert_eq!(rules.plan(&bucket, &key).terms.suite, Suite::Sm4Gcm);
        assert!(rules.explain(&bucket, &key, None).to_string().contains("key default, suite sm4-gcm, replication tee"));
        assert_ne!(rules.version(), usual.version());
    }

    fn asking(rule: Rule, headers: &[(&str, Option<&str>)]) -> Rule {
        let one = |(name, value): &(&str, Option<&str>)| {
            let wanted = value.map_or(Ok(Wanted::Absent), Wanted::parse).unwrap_or_else(|e| panic!("{e}"));
            (header_name(name).unwrap_or_else(|e| panic!("{e}")), wanted)
        };
        let headers = Conditions::new(headers.iter().map(one).collect()).unwrap_or_else(|e| panic!("{e}"));
        Rule { headers, ..rule }
    }

    const PDF: (&str, Option<&str>) = ("content-type", Some("application/pdf"));

    /// One header.
    struct Typed(&'static str);

    impl Headers for Typed {
        fn value(&self, name: &str) -> Option<&str> {
            (name == "content-type").then_some(self.0)
        }
    }

    #[test]
    fn a_rule_that_asks_for_headers_is_for_such_writes_and_for_nothing_else() {
        let rules =
            set(vec![asking(rule("pdf", "bkt/{client}/**", "pdf-{client}"), &[PDF]), rule("rest", "bkt/**", "rest")]);
        let (bucket, key) = object("bkt", "acme/x");
        let write = |kind| rules.plan_write(&bucket, &key, &Typed(kind));
        let (pdf, csv, other) = (write("application/pdf"), write("text/csv"), rules.plan(&bucket, &key));
        assert_eq!((pdf.key.as_deref(), pdf.by_headers), (Ok("pdf-acme"), true));
        assert_eq!((csv.key.as_deref(), csv.by_headers), (Ok("rest"), false));
        assert_eq!(other, csv, "what is no write goes by the path");
        assert!(rules.asks_for_headers(&bucket, &key));
        let (elsewhere, key) = object("other", "acme/x");
        assert!(!rules.asks_for_headers(&elsewhere, &key));
        assert!(rules.could_use("pdf-acme"));
    }

    #[test]
    fn an_explanation_says_which_header_was_missed_and_which_rules_writes_would_go_by() {
        let rules = set(vec![asking(rule("pdf", "bkt/**", "k1"), &[PDF]), rule("rest", "bkt/**", "k2")]);
        let (bucket, key) = object("bkt", "x");
        let said = |headers: Option<&dyn Headers>| rules.explain(&bucket, &key, headers).to_string();
        let pdf = "rule pdf (bkt/**, content-type = \"application/pdf\")";
        assert!(said(Some(&Typed("application/pdf"))).starts_with(&format!("{pdf} decides: key k1")));
        let missed = said(Some(&Typed("text/csv")));
        assert!(
            missed.starts_with(&format!("{pdf} does not match: content-type is \"text/csv\"\nrule rest")),
            "{missed}"
        );
        let read = said(None);
        assert!(read.starts_with(&format!("{pdf} decides for writes with these headers only\nrule rest")), "{read}");
    }

    #[test]
    fn a_rule_with_conditions_hides_only_what_asks_for_as_much() {
        let hidden = |first: &[(&str, Option<&str>)], second: &[(&str, Option<&str>)]| {
            let rules = [asking(rule("one", "b/**", "k"), first), asking(rule("two", "b/x/**", "k"), second)];
            let problems = RuleSet::problems(&rules, &Suites::default());
            problems.first().map(|p| (p.index, p.field)) == Some((1, "match"))
        };
        let more = [PDF, ("x-amz-meta-a", None)];
        assert!(!hidden(&[PDF], &[]), "reads go on to the second");
        assert!(hidden(&[], &[PDF]) && hidden(&[PDF], &[PDF]) && hidden(&[PDF], &more));
        assert!(!hidden(&more, &[PDF]) && !hidden(&[PDF], &[("content-type", Some("image/*"))]));
        let same = "is for writes";
        for (term, terms) in [
            ("deletes", Terms { deletes: Deletes::Retain(std::time::Duration::from_secs(3600)), ..Terms::default() }),
            ("unsealed", Terms { unsealed: Unsealed::Read, ..Terms::default() }),
            ("require_tls", Terms { require_tls: true, ..Terms::default() }),
        ] {
            let asks = asking(Rule { terms: terms.clone(), ..rule("one", "b/**", "k") }, &[PDF]);
            let problems = RuleSet::problems(&[asks], &Suites::default());
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].field == term && problems[0].message.contains(same), "{problems:?}");
            let plain = Rule { terms, ..rule("one", "b/**", "k") };
            assert!(RuleSet::problems(&[plain], &Suites::default()).is_empty());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_without_conditions_met_goes_by_the_path(
            asks in proptest::collection::vec(proptest::option::of("[ab*]{1,2}"), 0..5),
            kind in "[ab]{1,2}",
        ) {
            let one = |(i, ask): (usize, &Option<String>)| {
                let headers: Vec<_> = ask.iter().map(|ask| ("content-type", Some(ask.as_str()))).collect();
                asking(rule(&format!("r{i}"), &format!("bkt/{}**", "*/".repeat(4 - i)), &format!("k{i}")), &headers)
            };
            let list: Vec<Rule> = asks.iter().enumerate().map(one).collect();
            let plain = set(list.iter().filter(|rule| rule.headers.is_empty()).cloned().collect());
            let rules = set(list);
            let (bucket, key) = object("bkt", "a/b/c/d");
            let typed = Typed(String::leak(kind));
            prop_assert_eq!(rules.plan(&bucket, &key), plain.plan(&bucket, &key));
            let written = rules.plan_write(&bucket, &key, &typed);
            prop_assert_eq!(&rules.explain(&bucket, &key, Some(&typed)).plan, &written);
            if !written.by_headers {
                prop_assert_eq!(written, rules.plan(&bucket, &key));
            }
        }

        #[test]
        fn explaining_and_planning_agree(
            patterns in proptest::collection::vec("(bkt|\\*)/[ab*]{1,2}(/\\*\\*)?", 0..5),
            key in "[ab/]{1,8}",
        ) {
            let rules = patterns.iter().enumerate().filter_map(|(i, text)| {
                let pattern = Pattern::parse(text).ok()?;
                Some(Rule { pattern, ..rule(&format!("r{i}"), "**", &format!("k{i}")) })
            });
            let Ok(rules) = RuleSet::new(rules.collect(), Suites::default()) else { return Ok(()) };
            let (bucket, key) = object("bkt", &key);
            let why = rules.explain(&bucket, &key, None);
            prop_assert_eq!(&why.plan, &rules.plan(&bucket, &key));
            prop_assert!(rules.keys().iter().any(|k| Ok(&**k) == why.plan.key.as_deref()));
        }
    }
}

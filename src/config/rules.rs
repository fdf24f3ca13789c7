//! `[[rule]]`: patterns, keys and modes, checked one by one and as a list.
use super::raw::{Field, RawConfig, RawRule, RawWanted};
use super::suites::words;
use super::value::Reader;
use crate::policy::{
    Anonymous, Conditions, DEFAULT, Deletes, KeyTemplate, MediaRange, MetadataForm, Pattern, PolicyError, Replication,
    Retention, Rule, RuleSet, Suites, Terms, Unsealed, Wanted, header_name, is_word,
};
use crate::s3::{LockMode, Suite};
use std::time::Duration;
use toml::Spanned;

/// The rules that are sound by themselves; problems of the list are reported too.
pub(super) fn rules(reader: &mut Reader<'_, '_>, raw: &RawConfig, suites: &Suites) -> Vec<Rule> {
    let mut sound: Vec<(usize, Rule)> = Vec::new();
    for (index, raw) in raw.rule.iter().enumerate() {
        if let Some(rule) = rule(reader, raw, index, suites) {
            sound.push((index, rule));
        }
    }
    let (places, rules): (Vec<usize>, Vec<Rule>) = sound.into_iter().unzip();
    for problem in RuleSet::problems(&rules, suites) {
        let index = places[problem.index];
        let field = format!("rule[{}].{}", index + 1, problem.field);
        let (what, fix) = problem.message.rsplit_once("; ").unwrap_or((&problem.message, "see the example file"));
        reader.problems.add(Some(place(&raw.rule[index], problem.field)), field, what, fix);
    }
    rules
}

fn rule(reader: &mut Reader<'_, '_>, raw: &Spanned<RawRule>, index: usize, suites: &Suites) -> Option<Rule> {
    let (at, raw) = (raw.span().start, raw.get_ref());
    let field = |name: &str| format!("rule[{}].{name}", index + 1);
    let suite = match &raw.suite {
        None => Some(suites.usual()),
        given => reader.choice(given, &field("suite"), &words()),
    };
    let terms = terms(reader, raw, &field);
    let headers = headers(reader, raw, &field);
    let text = reader.required(&raw.r#match, &field("match"), Some(at), "match = \"bucket/prefix/**\"")?;
    let given = raw.r#match.as_ref()?;
    let pattern =
        taken(reader, given, &field("match"), Pattern::parse(&text), "write for example \"bucket/prefix/**\"")?;
    let key = match &raw.key {
        None => KeyTemplate::fixed(DEFAULT).ok(),
        Some(given) => {
            let parsed = KeyTemplate::parse(given.get_ref(), &pattern);
            taken(reader, given, &field("key"), parsed, "write for example \"ledgers\" or \"client-{client}\"")
        }
    };
    let mut terms = Terms { suite: suite?, ..terms? };
    for given in raw.client_keys.iter().flatten() {
        let parsed = KeyTemplate::parse(given.get_ref(), &pattern);
        let fix = "write names of vault keys, for example [\"hr\", \"client-{client}\"]";
        terms.client_keys.push(taken(reader, given, &field("client_keys"), parsed, fix)?);
    }
    let name = raw.name.as_ref().map_or_else(|| format!("rule-{}", index + 1), |name| name.get_ref().clone());
    Some(Rule { name, pattern, headers: headers?, key: key?, terms })
}

/// `headers`: each name and value at fault is reported.
fn headers(reader: &mut Reader<'_, '_>, raw: &RawRule, field: &impl Fn(&str) -> String) -> Option<Conditions> {
    let Some(given) = &raw.headers else { return Some(Conditions::default()) };
    if given.get_ref().is_empty() {
        reader.wrong(given, &field("headers"), "no header is named", "name one, or remove headers");
        return None;
    }
    let mut conditions = Vec::new();
    for (name, wanted) in given.get_ref() {
        let field = field(&format!("headers.{name}"));
        let name = taken(reader, wanted, &field, header_name(name), "see the example file");
        let parsed = match wanted.get_ref() {
            RawWanted::Is(text) => Wanted::parse(text),
            RawWanted::There(true) => Ok(Wanted::any()),
            RawWanted::There(false) => Ok(Wanted::Absent),
            RawWanted::Other => Err(PolicyError(
                "it is no value of a header; write text in quotes, true for any value, or false for a header that is not there"
                    .to_owned(),
            )),
        };
        conditions.push(name.zip(taken(reader, wanted, &field, parsed, "see the example file")));
    }
    let conditions = Conditions::new(conditions.into_iter().collect::<Option<_>>()?);
    taken(reader, given, &field("headers"), conditions, "see the example file")
}

/// Everything but name, pattern, keys and suite.
fn terms(reader: &mut Reader<'_, '_>, raw: &RawRule, field: &impl Fn(&str) -> String) -> Option<Terms> {
    let modes: Vec<_> = Replication::ALL.iter().map(|mode| (mode.name(), *mode)).collect();
    let replication = choice(reader, &raw.replication, &field("replication"), &modes);
    let deletes = deletes(reader, raw, field);
    let kinds: Vec<_> = Unsealed::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
    let unsealed = choice(reader, &raw.unsealed, &field("unsealed"), &kinds);
    let words: Vec<_> = Anonymous::ALL.iter().map(|word| (word.name(), *word)).collect();
    let anonymous = choice(reader, &raw.anonymous, &field("anonymous"), &words);
    let forms: Vec<_> = MetadataForm::ALL.iter().map(|form| (form.name(), *form)).collect();
    let metadata = choice(reader, &raw.metadata, &field("metadata"), &forms);
    if let Some(given) = raw.content_types.as_ref().filter(|given| given.get_ref().is_empty()) {
        reader.wrong(given, &field("content_types"), "no content type is named", "name one, or remove content_types");
    }
    let most = 50 * (1 << 40);
    let max_size = reader.size(&raw.max_size, &field("max_size"), most, 0..=most);
    let mut content_types = Vec::new();
    for given in raw.content_types.iter().flat_map(|given| given.get_ref()) {
        let parsed = MediaRange::parse(given.get_ref());
        content_types.extend(taken(reader, given, &field("content_types"), parsed, "see the example file"));
    }
    let classification = raw.classification.as_ref().map(|given| {
        if !is_word(given.get_ref()) {
            let what = format!("{:?} is no classification", given.get_ref());
            reader.wrong(given, &field("classification"), what, "use 1 to 32 of a-z, 0-9, `.`, `_` and `-`");
        }
        given.get_ref().clone()
    });
    Some(Terms {
        suite: Suite::default(),
        replication: replication?,
        deletes,
        retention: retention(reader, raw, field),
        unsealed: unsealed?,
        metadata: metadata?,
        classification,
        max_size: raw.max_size.as_ref().map(|_| max_size as u64),
        require_tls: raw.require_tls.as_ref().is_some_and(|given| *given.get_ref()),
        anonymous: anonymous?,
        content_types,
        client_keys: Vec::new(),
    })
}

/// What was parsed; a refusal is reported, with the part behind its last `; ` as the fix.
fn taken<T, V>(
    reader: &mut Reader<'_, '_>,
    given: &Spanned<V>,
    field: &str,
    parsed: Result<T, PolicyError>,
    fix: &str,
) -> Option<T> {
    match parsed {
        Ok(parsed) => Some(parsed),
        Err(why) => {
            let (what, fix) = why.0.rsplit_once("; ").unwrap_or((&why.0, fix));
            reader.wrong(given, field, what, fix);
            None
        }
    }
}

/// `deletes` and `retain_for`, which belongs to `"retain"` only.
fn deletes(reader: &mut Reader<'_, '_>, raw: &RawRule, field: &impl Fn(&str) -> String) -> Deletes {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let term = reader.duration(&raw.retain_for, &field("retain_for"), 30 * DAY, DAY / 24..=36_600 * DAY);
    let retain = reader.choice(&raw.deletes, &field("deletes"), &[("mirror", false), ("retain", true)]);
    match (retain, &raw.retain_for) {
        (Some(true), _) => Deletes::Retain(term),
        (_, Some(given)) => {
            let fix = "add deletes = \"retain\" to this rule, or remove retain_for";
            reader.wrong(given, &field("retain_for"), "deletes of this rule are not retained", fix);
            Deletes::Mirror
        }
        _ => Deletes::Mirror,
    }
}

/// `retention` and `retention_mode`, which says nothing without it.
fn retention(reader: &mut Reader<'_, '_>, raw: &RawRule, field: &impl Fn(&str) -> String) -> Option<Retention> {
    let words: Vec<_> = LockMode::ALL.iter().map(|mode| (mode.name(), *mode)).collect();
    let mode = choice(reader, &raw.retention_mode, &field("retention_mode"), &words);
    let Some(given) = &raw.retention else {
        if let Some(given) = &raw.retention_mode {
            let fix = "add for example retention = \"30y\" to this rule, or remove retention_mode";
            reader.wrong(given, &field("retention_mode"), "this rule has no retention", fix);
        }
        return None;
    };
    let class = Retention::parse(given.get_ref());
    let class = taken(reader, given, &field("retention"), class, "write for example \"90d\" or \"30y\"")?;
    Some(class.with_mode(mode?))
}

/// One of some words; the default when nothing is said.
fn choice<T: Copy + Default>(
    reader: &mut Reader<'_, '_>,
    given: &Field<String>,
    field: &str,
    words: &[(&str, T)],
) -> Option<T> {
    if given.is_none() { Some(T::default()) } else { reader.choice(given, field, words) }
}

fn place(rule: &Spanned<RawRule>, field: &str) -> usize {
    let raw = rule.get_ref();
    if let ("require_tls", Some(given)) = (field, &raw.require_tls) {
        return given.span().start;
    }
    let value = match field {
        "name" => &raw.name,
        "suite" => &raw.suite,
        "deletes" => &raw.deletes,
        "unsealed" => &raw.unsealed,
        "anonymous" => &raw.anonymous,
        _ => &raw.r#match,
    };
    value.as_ref().map_or(rule.span().start, |v| v.span().start)
}

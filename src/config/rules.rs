//! `[[rule]]`: patterns, keys and modes, checked one by one and as a list.
use super::raw::{Field, RawConfig, RawRule};
use super::value::Reader;
use crate::policy::{DEFAULT, Deletes, MetadataForm, Pattern, Replication, Rule, RuleSet, Unsealed};
use std::time::Duration;
use toml::Spanned;

/// The rules that are sound by themselves; problems of the list are reported too.
pub(super) fn rules(reader: &mut Reader<'_, '_>, raw: &RawConfig) -> Vec<Rule> {
    let mut sound: Vec<(usize, Rule)> = Vec::new();
    for (index, raw) in raw.rule.iter().enumerate() {
        if let Some(rule) = rule(reader, raw, index) {
            sound.push((index, rule));
        }
    }
    let (places, rules): (Vec<usize>, Vec<Rule>) = sound.into_iter().unzip();
    for problem in RuleSet::problems(&rules) {
        let index = places[problem.index];
        let field = format!("rule[{}].{}", index + 1, problem.field);
        let (what, fix) = problem.message.rsplit_once("; ").unwrap_or((&problem.message, "see the example file"));
        reader.problems.add(Some(place(&raw.rule[index], problem.field)), field, what, fix);
    }
    rules
}

fn rule(reader: &mut Reader<'_, '_>, raw: &Spanned<RawRule>, index: usize) -> Option<Rule> {
    let (at, raw) = (raw.span().start, raw.get_ref());
    let field = |name: &str| format!("rule[{}].{name}", index + 1);
    let modes: Vec<_> = Replication::ALL.iter().map(|mode| (mode.name(), *mode)).collect();
    let replication = choice(reader, &raw.replication, &field("replication"), &modes);
    let deletes = deletes(reader, raw, &field);
    let kinds: Vec<_> = Unsealed::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
    let unsealed = choice(reader, &raw.unsealed, &field("unsealed"), &kinds);
    let forms: Vec<_> = MetadataForm::ALL.iter().map(|form| (form.name(), *form)).collect();
    let metadata = choice(reader, &raw.metadata, &field("metadata"), &forms);
    let text = reader.required(&raw.r#match, &field("match"), Some(at), "match = \"bucket/prefix/**\"")?;
    let pattern = match Pattern::parse(&text) {
        Ok(pattern) => pattern,
        Err(why) => {
            let at = raw.r#match.as_ref().map(|m| m.span().start);
            let (what, fix) = why.0.rsplit_once("; ").unwrap_or((&why.0, "write for example \"bucket/prefix/**\""));
            reader.problems.add(at, field("match"), what, fix);
            return None;
        }
    };
    let text_or = |value: &Option<Spanned<String>>, default: &str| {
        value.as_ref().map_or_else(|| default.to_owned(), |text| text.get_ref().clone())
    };
    Some(Rule {
        name: text_or(&raw.name, &format!("rule-{}", index + 1)),
        pattern,
        key: text_or(&raw.key, DEFAULT),
        replication: replication?,
        deletes,
        unsealed: unsealed?,
        metadata: metadata?,
    })
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
    let value = match field {
        "name" => &raw.name,
        "key" => &raw.key,
        _ => &raw.r#match,
    };
    value.as_ref().map_or(rule.span().start, |v| v.span().start)
}

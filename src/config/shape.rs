//! Text -> raw tables, reporting every fault of shape at once.
//!
//! serde stops at the first fault. So each fault is reported, its entry is taken out, and the rest is read
//! again until nothing is left to report.
use super::problem::Problems;
use super::raw::RawConfig;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// Settings that are lists of words; every other list is one of tables.
const LISTS: [&str; 4] = ["client_keys", "content_types", "read", "write"];
/// More faults than anybody mends at once; also the bound of the loop.
const MAX_FAULTS: usize = 100;

/// Reads the text. What could be read is returned even when problems were added, so that the validation can
/// go on and say everything that is wrong in one run.
pub(super) fn read(text: &str, problems: &mut Problems<'_>) -> Option<RawConfig> {
    let (mut table, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        let at = fault.span().map(|s| s.start);
        problems.add(at, "", format!("this is not TOML: {}", fault.message()), "mend the syntax of this line");
    }
    if !faults.is_empty() {
        // What follows a syntax fault may be read wrongly: further complaints would mislead.
        return None;
    }
    for _ in 0..MAX_FAULTS {
        match RawConfig::deserialize(Deserializer::from(table.clone())) {
            Ok(raw) => return Some(raw),
            Err(fault) => {
                let span = fault.span();
                let removed = span.as_ref().and_then(|span| take_out(table.get_mut(), span, ""));
                let at = span.map(|s| s.start);
                let field = removed.clone().unwrap_or_default();
                let (what, fix) = explain(&field, fault.message());
                problems.add(at, field, what, fix);
                removed?;
            }
        }
    }
    None
}

/// Removes the entry whose key or value has exactly this span; returns its path.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>, path: &str) -> Option<String> {
    let hit = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some(key) = hit.map(|(key, _)| key.clone()) {
        table.remove(&key);
        return Some(join(path, key.get_ref()));
    }
    table.iter_mut().find_map(|(key, value)| descend(value, span, &join(path, key.get_ref())))
}

fn descend(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, path: &str) -> Option<String> {
    match value.get_mut() {
        DeValue::Table(table) => take_out(table, span, path),
        DeValue::Array(array) => {
            // An item that should be a table becomes an empty one: the others keep their numbers.
            let wrong = |item: &Spanned<DeValue<'_>>| item.span() == *span && !item.get_ref().is_table();
            if let Some((i, item)) = array.iter_mut().enumerate().find(|(_, item)| wrong(item)) {
                *item.get_mut() = DeValue::Table(DeTable::default());
                return Some(format!("{path}[{}]", i + 1));
            }
            let mut items = array.iter_mut().enumerate();
            items.find_map(|(i, item)| descend(item, span, &format!("{path}[{}]", i + 1)))
        }
        _ => None,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Turns serde's message into what and fix.
fn explain(field: &str, message: &str) -> (String, String) {
    let key = field.rsplit('.').next().unwrap_or(field);
    if key == "secret_access_key" {
        let fix = "put it into a private file and name that with secret_access_key_file, or into an environment \
                   variable and name that with secret_access_key_env; then change the secret";
        return ("a secret does not belong into this file".to_owned(), fix.to_owned());
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let allowed: Vec<&str> = rest.split('`').skip(3).step_by(2).collect();
        let list = allowed.join(", ");
        let fix = match nearest(key, &allowed) {
            Some(near) => format!("did you mean `{near}`? Known here: {list}"),
            None => format!("remove it; known here: {list}"),
        };
        return (format!("there is no setting `{key}` here"), fix);
    }
    // "invalid type: integer `5`, expected a string": the value found is not repeated, it may be a secret.
    let expected = message.split("expected ").nth(1).unwrap_or("something else");
    let expected = match expected {
        "a string" => "text in quotes",
        "i64" => "a whole number",
        "a boolean" => "true or false",
        other if other.contains("sequence") && LISTS.contains(&key) => {
            "a list in square brackets, for example [\"a\", \"b\"]"
        }
        other if other.contains("sequence") => "a table in double brackets, for example [[site]]",
        other if other.contains("map") => "a table, for example { name = \"value\" }",
        other if other.contains("struct") => "a table",
        other => other,
    };
    ("the value is of the wrong kind".to_owned(), format!("write {expected}"))
}

/// The allowed name at most two edits away.
fn nearest<'a>(key: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let best = allowed.iter().map(|name| (edits(key, name), *name)).min()?;
    (best.0 <= 2 && best.0 < key.chars().count()).then_some(best.1)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn faults(text: &str) -> String {
        let mut problems = Problems::new(text);
        let _ = read(text, &mut problems);
        problems.into_result(Path::new("f")).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn every_fault_of_shape_is_reported_in_one_run() {
        let text = "regoin = 'x'\n[listen]\naddress = 5\nbogus = 1\n[[site]]\nname = 'a'\nendpont = 'x'\n[[site]]\nrole = true\n";
        let report = faults(text);
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines.len(), 5, "{report}");
        assert!(lines[0].starts_with("f:1: regoin: ") && lines[0].contains("did you mean `region`?"), "{report}");
        assert!(
            lines[1].starts_with("f:3: listen.address: ") && lines[1].ends_with("write text in quotes"),
            "{report}"
        );
        assert!(lines[2].starts_with("f:4: listen.bogus: ") && lines[2].contains("address, admin"), "{report}");
        assert!(lines[3].starts_with("f:7: site[1].endpont: ") && lines[3].contains("`endpoint`"), "{report}");
        assert!(lines[4].starts_with("f:9: site[2].role: "), "{report}");
    }

    #[test]
    fn a_single_table_where_several_may_stand_is_explained() {
        let report = faults("[site]\nname = 'a'\n");
        assert!(report.starts_with("f:1: site: ") && report.contains("[[site]]"), "{report}");
    }

    #[test]
    fn broken_syntax_names_its_line() {
        let report = faults("region = 'x'\n[listen\naddress = 'a'\n");
        assert!(report.starts_with("f:2: this is not TOML"), "{report}");
    }

    #[test]
    fn an_inline_secret_is_refused_and_not_repeated() {
        let report = faults("[[site]]\nsecret_access_key = 'hunter2'\n");
        assert!(report.contains("secret_access_key_file") && !report.contains("hunter2"), "{report}");
        let report = faults("[[site]]\naccess_key_id = 31337\n");
        assert!(report.contains("text in quotes") && !report.contains("31337"), "{report}");
    }

    #[test]
    fn edits_are_counted_as_levenshtein_does() {
        for (a, b, n) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("endpont", "endpoint", 1)] {
            assert_eq!(edits(a, b), n, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-z_]{1,8}|\\[\\[?site\\]?\\]|\\[listen\\]|=|'x'|5|true|\\{|\\}|\\.|\n| |ü){0,30}") {
            faults(&text);
        }
    }
}

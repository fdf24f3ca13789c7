//! `[suites]`: what may be written, what may be read.
use super::raw::{Field, RawSuites};
use super::value::Reader;
use crate::policy::Suites;
use crate::s3::Suite;
use toml::Spanned;

pub(super) fn suites(reader: &mut Reader<'_, '_>, raw: &RawSuites) -> Suites {
    let read = list(reader, &raw.read, "suites.read").unwrap_or_else(|| Suite::ALL.to_vec());
    let write = list(reader, &raw.write, "suites.write").unwrap_or_else(|| read.clone());
    let given = raw.write.as_ref().or(raw.read.as_ref());
    match (Suites::new(write, read), given) {
        (Ok(suites), _) => suites,
        (Err(why), given) => {
            let (what, fix) = why.0.split_once("; ").unwrap_or((&why.0, "see the example file"));
            let field = if raw.write.is_some() { "suites.write" } else { "suites.read" };
            reader.problems.add(given.map(|given| given.span().start), field, what, fix);
            Suites::default()
        }
    }
}

/// The suites of a list, each once; `None` when there is no list.
fn list(reader: &mut Reader<'_, '_>, given: &Field<Vec<Spanned<String>>>, field: &str) -> Option<Vec<Suite>> {
    let mut suites = Vec::new();
    for name in given.as_ref()?.get_ref() {
        let suite = reader.choice(&Some(name.clone()), field, &words());
        suites.extend(suite.filter(|suite| !suites.contains(suite)));
    }
    // An unknown name is reported already; the empty list would be a second complaint about it.
    let unknown = suites.is_empty() && !given.as_ref()?.get_ref().is_empty();
    (!unknown).then_some(suites)
}

/// Every suite by its name.
pub(super) fn words() -> Vec<(&'static str, Suite)> {
    Suite::ALL.iter().map(|suite| (suite.name(), *suite)).collect()
}

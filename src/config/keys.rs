//! `[keys]`: where roots come from, and when keys are replaced.
use super::custodians::custodians;
use super::quantity;
use super::raw::{Field, RawKeys, RawRoot};
use super::settings::Keys;
use super::value::Reader;
use crate::keys::{Allowance, CustodianKind, CustodianSettings, Patience, RootSource};
use std::time::Duration;
use toml::Spanned;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// `None` when a problem was reported.
pub(super) fn keys(reader: &mut Reader<'_, '_>, raw: &RawKeys) -> Option<Keys> {
    let root = root(reader, &raw.root);
    let other_roots = other_roots(reader, raw);
    let allowance = allowance(reader, raw);
    let patience = Patience {
        recheck: reader.duration(&raw.recheck, "keys.recheck", HOUR / 4, SECOND..=24 * HOUR),
        stale_for: reader.duration(&raw.stale_for, "keys.stale_for", 24 * HOUR, SECOND..=720 * HOUR),
    };
    let custodians = custodians(reader, raw);
    let wrapped = |source: &RootSource| matches!(source, RootSource::Envelope(_));
    let opens = |custodian: &CustodianSettings| !matches!(custodian.kind, CustodianKind::Recipient(_));
    if root.iter().chain(&other_roots).any(wrapped) && !custodians.iter().any(opens) && reader.problems.is_empty() {
        let fix = "add a [[keys.custodian]] of another kind than \"recipient\", which opens offline only";
        reader.problems.add(
            raw.root.as_ref().map(|root| root.span().start),
            "keys.custodian",
            "nobody could open the envelope",
            fix,
        );
    }
    Some(Keys { root: root?, other_roots, allowance, custodians, patience })
}

/// Without a word of the operator's a version seals what the suites let it.
fn allowance(reader: &mut Reader<'_, '_>, raw: &RawKeys) -> Allowance {
    let after = raw.rotate_after.as_ref().map(|_| {
        reader.duration(&raw.rotate_after, "keys.rotate_after", 365 * 24 * HOUR, 10 * SECOND..=876_000 * HOUR)
    });
    let mut allowance = Allowance { after, ..Allowance::default() };
    if let Some(objects) = &raw.rotate_after_objects {
        match u64::try_from(*objects.get_ref()) {
            Ok(given) if (1..=Allowance::MOST_OBJECTS).contains(&given) => allowance.objects = given,
            _ => {
                let fix = format!("choose 1 to {} (2^48, what the suites allow)", Allowance::MOST_OBJECTS);
                reader.wrong(objects, "keys.rotate_after_objects", "it is out of bounds", fix);
            }
        }
    }
    if let Some(bytes) = &raw.rotate_after_bytes {
        match quantity::size(bytes.get_ref()) {
            Ok(given) if given > 0 => allowance.bytes = Some(given),
            given => {
                let what = given.err().unwrap_or_else(|| "it is out of bounds".to_owned());
                reader.wrong(bytes, "keys.rotate_after_bytes", what, "write for example \"10TiB\"");
            }
        }
    }
    allowance
}

fn root(reader: &mut Reader<'_, '_>, raw: &Field<RawRoot>) -> Option<RootSource> {
    const FIX: &str = "write root = { file = \"root.key\" }, root = { environment = \"STRONGROOM_ROOT_KEY\" } or \
                       root = { envelope = \"root.envelope\" } in [keys]";
    let Some(root) = raw else {
        reader.problems.add(None, "keys.root", "it is missing", FIX);
        return None;
    };
    let source = source(reader, root);
    match &source {
        None => reader.wrong(root, "keys.root", "it needs exactly one of file, environment and envelope", FIX),
        Some(RootSource::File(_)) => {
            if let Some(file) = &root.get_ref().file {
                let fix = "make one with `strongroom init`, or bring back the one that sealed the data";
                reader.existing_file(file, "keys.root.file", fix);
            }
        }
        Some(RootSource::Environment(name)) => {
            if let (None, Some(variable)) = ((reader.environment)(name), &root.get_ref().environment) {
                let what = format!("the environment variable {name:?} is not set");
                reader.wrong(variable, "keys.root.environment", what, "set it to the root key (64 hex digits)");
            }
        }
        // It may have to be made with this very configuration.
        Some(RootSource::Envelope(_)) => {}
    }
    source
}

/// They may not be there: the next root is made when it is needed.
fn other_roots(reader: &mut Reader<'_, '_>, raw: &RawKeys) -> Vec<RootSource> {
    let mut sources = Vec::new();
    for other in &raw.other_roots {
        let source = source(reader, other);
        if source.is_none() {
            let fix = "write other_roots = [{ file = \"root-2.key\" }]";
            let what = "one of them needs exactly one of file, environment and envelope";
            reader.wrong(other, "keys.other_roots", what, fix);
        }
        sources.extend(source);
    }
    sources
}

fn source(reader: &Reader<'_, '_>, raw: &Spanned<RawRoot>) -> Option<RootSource> {
    let RawRoot { file, environment, envelope } = raw.get_ref();
    match (file, environment, envelope) {
        (Some(file), None, None) => Some(RootSource::File(reader.path(file.get_ref()))),
        (None, Some(variable), None) => Some(RootSource::Environment(variable.get_ref().clone())),
        (None, None, Some(file)) => Some(RootSource::Envelope(reader.path(file.get_ref()))),
        _ => None,
    }
}

//! `[keys]`: where roots come from, and `[[keys.custodian]]`: who opens those that are wrapped.
use super::quantity;
use super::raw::{Field, RawCustodian, RawKeys, RawRoot};
use super::settings::Keys;
use super::sites;
use super::value::{Reader, SecretPlace};
use crate::keys::{
    Allowance, AwsKmsSettings, CustodianKind, CustodianSettings, Patience, RootSource, SHORTEST_PASSPHRASE,
    is_recipient,
};
use std::time::Duration;
use toml::Spanned;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The kinds of custodians.
const KINDS: [(&str, Kind); 3] =
    [("passphrase", Kind::Passphrase), ("aws-kms", Kind::AwsKms), ("recipient", Kind::Recipient)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passphrase,
    AwsKms,
    Recipient,
}

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
        let fix = "add a [[keys.custodian]] of kind \"passphrase\" or \"aws-kms\"; a recipient opens offline only";
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

fn custodians(reader: &mut Reader<'_, '_>, raw: &RawKeys) -> Vec<CustodianSettings> {
    let mut known: Vec<CustodianSettings> = Vec::new();
    for (index, raw) in raw.custodian.iter().enumerate() {
        let path = format!("keys.custodian[{}]", index + 1);
        let Some(custodian) = custodian(reader, raw, &path) else { continue };
        if known.iter().any(|other| other.name == custodian.name) {
            let what = format!("the name {:?} is taken by an earlier custodian", custodian.name);
            reader.wrong(raw, &format!("{path}.name"), what, "choose another");
        }
        known.push(custodian);
    }
    known
}

fn custodian(reader: &mut Reader<'_, '_>, raw: &Spanned<RawCustodian>, path: &str) -> Option<CustodianSettings> {
    let (at, raw) = (raw.span().start, raw.get_ref());
    let field = |name: &str| format!("{path}.{name}");
    let name = sites::name(reader, &raw.name, &field("name"), at, "name = \"kms-frankfurt\"");
    if raw.kind.is_none() {
        let fix = "add kind = \"passphrase\", \"aws-kms\" or \"recipient\"";
        reader.problems.add(Some(at), field("kind"), "it is missing", fix);
    }
    let kind = reader.choice(&raw.kind, &field("kind"), &KINDS)?;
    foreign(reader, raw, kind, path);
    let kind = match kind {
        Kind::Passphrase => passphrase(reader, raw, path, at),
        Kind::AwsKms => aws_kms(reader, raw, path, at),
        Kind::Recipient => recipient(reader, raw, path, at),
    };
    Some(CustodianSettings { name: name?, kind: kind? })
}

/// A setting that the kind does not have was meant for something.
fn foreign(reader: &mut Reader<'_, '_>, raw: &RawCustodian, kind: Kind, path: &str) {
    let texts = [
        (Kind::Passphrase, "passphrase_file", &raw.passphrase_file),
        (Kind::Passphrase, "passphrase_env", &raw.passphrase_env),
        (Kind::Recipient, "recipient", &raw.recipient),
        (Kind::AwsKms, "key_id", &raw.key_id),
        (Kind::AwsKms, "region", &raw.region),
        (Kind::AwsKms, "endpoint", &raw.endpoint),
        (Kind::AwsKms, "access_key_id", &raw.access_key_id),
        (Kind::AwsKms, "secret_access_key_file", &raw.secret_access_key_file),
        (Kind::AwsKms, "secret_access_key_env", &raw.secret_access_key_env),
        (Kind::AwsKms, "ca_file", &raw.ca_file),
    ];
    for (of, name, value) in texts {
        if let (true, Some(value)) = (of != kind, value) {
            reader.wrong(value, &format!("{path}.{name}"), "a custodian of this kind has no such setting", "remove it");
        }
    }
}

fn passphrase(reader: &mut Reader<'_, '_>, raw: &RawCustodian, path: &str, at: usize) -> Option<CustodianKind> {
    let field = format!("{path}.passphrase");
    let place =
        SecretPlace { file: &raw.passphrase_file, variable: &raw.passphrase_env, field: &field, what: "passphrase" };
    let passphrase = reader.required_secret(&place, at)?;
    if passphrase.expose().chars().count() < SHORTEST_PASSPHRASE {
        let fix = format!("use {SHORTEST_PASSPHRASE} characters or more, for example six random words");
        reader.problems.add(Some(at), format!("{field}_file"), "the passphrase is too short", fix);
        return None;
    }
    Some(CustodianKind::Passphrase(passphrase))
}

fn recipient(reader: &mut Reader<'_, '_>, raw: &RawCustodian, path: &str, at: usize) -> Option<CustodianKind> {
    let field = format!("{path}.recipient");
    let text = reader.required(&raw.recipient, &field, Some(at), "recipient = \"age1...\"")?;
    if let (false, Some(value)) = (is_recipient(&text), &raw.recipient) {
        let fix = "write the public key that `age-keygen` shows (age1...); the private one stays offline";
        reader.wrong(value, &field, "this is no X25519 recipient", fix);
        return None;
    }
    Some(CustodianKind::Recipient(text))
}

fn aws_kms(reader: &mut Reader<'_, '_>, raw: &RawCustodian, path: &str, at: usize) -> Option<CustodianKind> {
    let field = |name: &str| format!("{path}.{name}");
    let key_id = reader.required(&raw.key_id, &field("key_id"), Some(at), "key_id = \"alias/strongroom\"");
    let region = reader.required(&raw.region, &field("region"), Some(at), "region = \"eu-central-1\"");
    let endpoint = match &raw.endpoint {
        None => Some(None),
        given => sites::endpoint(reader, given, &raw.allow_plain_http, &field("endpoint")).map(Some),
    };
    let (access_key_id, secret) =
        reader.access_key((path, at), &raw.access_key_id, &raw.secret_access_key_file, &raw.secret_access_key_env);
    let ca_pem = reader.authorities(&raw.ca_file, &field("ca_file"));
    Some(CustodianKind::AwsKms(AwsKmsSettings {
        key_id: key_id?,
        region: region?,
        endpoint: endpoint?,
        access_key_id: access_key_id?,
        secret_access_key: secret?,
        ca_pem: ca_pem?,
    }))
}

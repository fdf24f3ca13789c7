//! `[[keys.custodian]]`: who opens the roots that are wrapped.
use super::raw::{Field, RawCustodian, RawKeys};
use super::sites;
use super::value::{Reader, SecretPlace};
use crate::keys::{
    AwsKmsSettings, CustodianKind, CustodianSettings, Pkcs11Settings, SHORTEST_PASSPHRASE, SecretSource, VaultLogin,
    VaultTransitSettings, is_recipient,
};
use toml::Spanned;

/// The kinds of custodians.
const KINDS: [(&str, Kind); 5] = [
    ("passphrase", Kind::Passphrase),
    ("aws-kms", Kind::AwsKms),
    ("vault-transit", Kind::VaultTransit),
    ("pkcs11", Kind::Pkcs11),
    ("recipient", Kind::Recipient),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passphrase,
    AwsKms,
    VaultTransit,
    Pkcs11,
    Recipient,
}

pub(super) fn custodians(reader: &mut Reader<'_, '_>, raw: &RawKeys) -> Vec<CustodianSettings> {
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
        let fix = "add kind = \"passphrase\", \"aws-kms\", \"vault-transit\", \"pkcs11\" or \"recipient\"";
        reader.problems.add(Some(at), field("kind"), "it is missing", fix);
    }
    let kind = reader.choice(&raw.kind, &field("kind"), &KINDS)?;
    foreign(reader, raw, kind, path);
    let kind = match kind {
        Kind::Passphrase => passphrase(reader, raw, path, at),
        Kind::AwsKms => aws_kms(reader, raw, path, at),
        Kind::VaultTransit => vault_transit(reader, raw, path, at),
        Kind::Pkcs11 => pkcs11(reader, raw, path, at),
        Kind::Recipient => recipient(reader, raw, path, at),
    };
    Some(CustodianSettings { name: name?, kind: kind? })
}

/// A setting that the kind does not have was meant for something.
fn foreign(reader: &mut Reader<'_, '_>, raw: &RawCustodian, kind: Kind, path: &str) {
    let texts: [(&[Kind], &str, &Field<String>); 26] = [
        (&[Kind::Passphrase], "passphrase_file", &raw.passphrase_file),
        (&[Kind::Passphrase], "passphrase_env", &raw.passphrase_env),
        (&[Kind::Recipient], "recipient", &raw.recipient),
        (&[Kind::AwsKms, Kind::Pkcs11], "key_id", &raw.key_id),
        (&[Kind::AwsKms], "region", &raw.region),
        (&[Kind::AwsKms], "endpoint", &raw.endpoint),
        (&[Kind::AwsKms], "access_key_id", &raw.access_key_id),
        (&[Kind::AwsKms], "secret_access_key_file", &raw.secret_access_key_file),
        (&[Kind::AwsKms], "secret_access_key_env", &raw.secret_access_key_env),
        (&[Kind::AwsKms, Kind::VaultTransit], "ca_file", &raw.ca_file),
        (&[Kind::VaultTransit], "address", &raw.address),
        (&[Kind::VaultTransit], "namespace", &raw.namespace),
        (&[Kind::VaultTransit], "mount", &raw.mount),
        (&[Kind::VaultTransit], "key", &raw.key),
        (&[Kind::VaultTransit], "token_file", &raw.token_file),
        (&[Kind::VaultTransit], "token_env", &raw.token_env),
        (&[Kind::VaultTransit], "approle_mount", &raw.approle_mount),
        (&[Kind::VaultTransit], "role_id", &raw.role_id),
        (&[Kind::VaultTransit], "secret_id_file", &raw.secret_id_file),
        (&[Kind::VaultTransit], "secret_id_env", &raw.secret_id_env),
        (&[Kind::Pkcs11], "module", &raw.module),
        (&[Kind::Pkcs11], "token_label", &raw.token_label),
        (&[Kind::Pkcs11], "token_serial", &raw.token_serial),
        (&[Kind::Pkcs11], "key_label", &raw.key_label),
        (&[Kind::Pkcs11], "pin_file", &raw.pin_file),
        (&[Kind::Pkcs11], "pin_env", &raw.pin_env),
    ];
    let (what, fix) = ("a custodian of this kind has no such setting", "remove it");
    for (of, name, value) in texts {
        if let (false, Some(value)) = (of.contains(&kind), value) {
            reader.wrong(value, &format!("{path}.{name}"), what, fix);
        }
    }
    if let (false, Some(value)) = (kind == Kind::AwsKms, &raw.allow_plain_http) {
        reader.wrong(value, &format!("{path}.allow_plain_http"), what, fix);
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

/// The root itself travels to Vault, and a token: plain HTTP goes to this machine only, whatever anybody allows.
fn vault_transit(reader: &mut Reader<'_, '_>, raw: &RawCustodian, path: &str, at: usize) -> Option<CustodianKind> {
    let field = |name: &str| format!("{path}.{name}");
    let example = "address = \"https://vault.example.com:8200\"";
    let address = reader
        .required(&raw.address, &field("address"), Some(at), example)
        .and_then(|_| sites::private_endpoint(reader, &raw.address, &field("address")));
    let key = reader
        .required(&raw.key, &field("key"), Some(at), "key = \"strongroom\"")
        .and_then(|_| place(reader, &raw.key, &field("key"), false));
    let mount = match &raw.mount {
        None => Some("transit".to_owned()),
        given => place(reader, given, &field("mount"), true),
    };
    let namespace = match &raw.namespace {
        None => Some(None),
        given => place(reader, given, &field("namespace"), true).map(Some),
    };
    let login = vault_login(reader, raw, path, at);
    let ca_pem = reader.authorities(&raw.ca_file, &field("ca_file"));
    Some(CustodianKind::VaultTransit(VaultTransitSettings {
        address: address?,
        mount: mount?,
        key: key?,
        namespace: namespace?,
        login: login?,
        ca_pem: ca_pem?,
    }))
}

/// A token, or a role and its secret id.
fn vault_login(reader: &mut Reader<'_, '_>, raw: &RawCustodian, path: &str, at: usize) -> Option<VaultLogin> {
    let field = |name: &str| format!("{path}.{name}");
    let of_role = [&raw.role_id, &raw.secret_id_file, &raw.secret_id_env, &raw.approle_mount];
    let token = [&raw.token_file, &raw.token_env].into_iter().flatten().next();
    if of_role.into_iter().all(Option::is_none) {
        if token.is_none() {
            let fix = "give token_file or token_env, or role_id and secret_id_file of an AppRole";
            reader.problems.add(Some(at), field("token_file"), "it is missing", fix);
            return None;
        }
        let at_field = field("token");
        let place = SecretPlace { file: &raw.token_file, variable: &raw.token_env, field: &at_field, what: "token" };
        return source(reader, &place, at).map(VaultLogin::Token);
    }
    if let Some(token) = token {
        let what = "both a token and an AppRole are given";
        reader.wrong(token, &field("token_file"), what, "give one of them");
    }
    let role_id = reader.required(&raw.role_id, &field("role_id"), Some(at), "role_id = \"...\"");
    let mount = match &raw.approle_mount {
        None => Some("approle".to_owned()),
        given => place(reader, given, &field("approle_mount"), true),
    };
    let at_field = field("secret_id");
    let secret =
        SecretPlace { file: &raw.secret_id_file, variable: &raw.secret_id_env, field: &at_field, what: "secret id" };
    let secret_id = source(reader, &secret, at);
    Some(VaultLogin::AppRole { mount: mount?, role_id: role_id?, secret_id: secret_id? })
}

/// A secret that has to be there now. One in a file is read again at each use.
fn source(reader: &mut Reader<'_, '_>, place: &SecretPlace<'_>, at: usize) -> Option<SecretSource> {
    let secret = reader.required_secret(place, at)?;
    Some(match place.file {
        Some(file) => SecretSource::File(reader.path(file.get_ref())),
        None => SecretSource::Given(secret),
    })
}

/// A name in a path of Vault's API, or with `nested` several with `/` between them.
fn place(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str, nested: bool) -> Option<String> {
    let value = value.as_ref()?;
    let text = value.get_ref().trim_matches('/');
    let named = |name: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        edge(name.chars().next()) && edge(name.chars().last()) && name.chars().all(inner)
    };
    let fine = if nested { text.split('/').all(named) } else { named(text) };
    if !fine {
        let what = format!("{:?} is no name in Vault", value.get_ref());
        let fix = "use a-z, A-Z, 0-9, `_`, and `-` and `.` in between; mounts and namespaces may have `/` too";
        reader.wrong(value, field, what, fix);
    }
    fine.then(|| text.to_owned())
}

/// One of label and serial names the token, one of label and id the key; both of both are fine.
fn pkcs11(reader: &mut Reader<'_, '_>, raw: &RawCustodian, path: &str, at: usize) -> Option<CustodianKind> {
    let field = |name: &str| format!("{path}.{name}");
    let example = "module = \"/usr/lib/softhsm/libsofthsm2.so\"";
    reader.required(&raw.module, &field("module"), Some(at), example)?;
    let fix = "name the PKCS#11 library (.so) that the HSM's vendor gives";
    let module = raw.module.as_ref().map(|module| reader.existing_file(module, &field("module"), fix));
    let token_label = given(reader, &raw.token_label, &field("token_label"));
    let token_serial = given(reader, &raw.token_serial, &field("token_serial"));
    let key_label = given(reader, &raw.key_label, &field("key_label"));
    let key_id = key_id(reader, &raw.key_id, &field("key_id"));
    if raw.token_label.is_none() && raw.token_serial.is_none() {
        let fix = "give token_label or token_serial (`pkcs11-tool --module MODULE --list-slots` shows both)";
        reader.problems.add(Some(at), field("token_label"), "it is missing", fix);
    }
    if raw.key_label.is_none() && raw.key_id.is_none() {
        reader.problems.add(Some(at), field("key_label"), "it is missing", "give key_label or key_id");
    }
    let at_field = field("pin");
    let place = SecretPlace { file: &raw.pin_file, variable: &raw.pin_env, field: &at_field, what: "PIN" };
    let pin = source(reader, &place, at)?;
    Some(CustodianKind::Pkcs11(Pkcs11Settings { module: module?, token_label, token_serial, key_label, key_id, pin }))
}

/// A text that may be left out, and is not empty when it is there.
fn given(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str) -> Option<String> {
    let text = value.as_ref()?.get_ref();
    reader.required(value, field, None, "what the token calls it")?;
    Some(text.trim().to_owned())
}

fn key_id(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str) -> Option<Vec<u8>> {
    let value = value.as_ref()?;
    let id = hex::decode(value.get_ref()).ok().filter(|id| !id.is_empty());
    if id.is_none() {
        reader.wrong(
            value,
            field,
            "it is no hex digits",
            "write key_id = \"01\", as `pkcs11-tool --list-objects` shows it",
        );
    }
    id
}

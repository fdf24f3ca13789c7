//! The vectors in `tests/vectors/`: one entry per rule of the format, named for what it breaks.
//!
//! `vectors_are_what_the_generator_makes` makes them all again and compares; with `STRONGROOM_WRITE_VECTORS=1` it
//! writes them instead. `every_vector_has_its_outcome` only reads the files, as any other implementation would.
mod seal_support;
mod seal_vectors_make;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use seal_support::{Name, decode_whole, decode_whole_for, forge, plaintext};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use strongroom::s3::PlainLen;
use strongroom::s3::SealedLen;
use strongroom::seal::*;
use strongroom::secret::SecretBytes;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Every vector of every file, by group and name.
fn checked_in() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for file in std::fs::read_dir(folder()).expect("tests/vectors is checked in") {
        let path = file.expect("readable").path();
        if path.extension().is_some_and(|ext| ext == "json") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let group: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            all.extend(group.into_iter().map(|(vector, value)| (format!("{name}_{vector}"), value)));
        }
    }
    all
}

fn write(made: &BTreeMap<String, Value>) {
    let mut groups: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for (name, vector) in made {
        let (group, name) = name.split_once('_').expect("group_name");
        groups.entry(group).or_default().insert(name, vector);
    }
    for (group, vectors) in groups {
        let text = serde_json::to_string_pretty(&vectors).expect("JSON") + "\n";
        std::fs::write(folder().join(format!("{group}.json")), text).expect("writable");
    }
}

#[test]
fn vectors_are_what_the_generator_makes() {
    let made = seal_vectors_make::all();
    if std::env::var_os("STRONGROOM_WRITE_VECTORS").is_some() {
        write(&made);
    }
    let found = checked_in();
    let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&made));
    for (name, vector) in made {
        assert!(found[&name] == vector, "{name} differs from what the generator makes");
    }
}

#[test]
fn every_vector_has_its_outcome() {
    let all = checked_in();
    let refused = all.values().filter(|vector| vector["expect"] != "ok").count();
    assert!(all.len() >= 60 && refused >= 45, "{} vectors, {refused} of them invalid", all.len());
    let mut wrong = Vec::new();
    for (name, vector) in all {
        let result = match text(&vector, "kind") {
            "object" => object(&vector),
            "metadata" => metadata(&vector),
            "blob" => blob(&vector),
            "lengths" => lengths(&vector),
            other => panic!("{name}: kind {other}"),
        };
        let outcome = result.as_ref().map_or_else(kind, |()| "ok");
        if outcome != text(&vector, "expect") {
            wrong.push(format!("{name}: {}: {result:?}, expected {}", vector["what"], vector["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn kind(error: &SealError) -> &'static str {
    match error {
        SealError::NotSealed(_) => "not_sealed",
        SealError::Unsupported(_) => "unsupported",
        SealError::Authentication(_) => "authentication",
        SealError::Malformed(_) => "malformed",
        SealError::BadKey(_) => "bad_key",
        SealError::TooLarge(_) => "too_large",
        SealError::CustomerKey(_) => "customer_key",
        _ => "other",
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("a text field {field}"))
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("a number field {field}"))
}

fn array<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    hex::decode(text(value, field)).expect("hex").try_into().expect("its length")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn vault(vector: &Value) -> VaultKey {
    let vault = &vector["vault"];
    let version = u32::try_from(number(vault, "version")).expect("u32");
    seal_support::vault_named(text(vault, "id"), version, array(vault, "key"))
}

/// The sealed bytes: given, or the body made by its recipe and the footer given.
fn sealed(vector: &Value) -> Bytes {
    let Some(recipe) = vector.get("body") else {
        return BASE64_STANDARD.decode(text(vector, "sealed")).expect("base64").into();
    };
    // Many vectors share a body; making 5 MiB of it is what takes time.
    static BODIES: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut bodies = BODIES.lock().expect("no vector panicked");
    let mut sealed = bodies.entry(recipe.to_string()).or_insert_with(|| body(recipe)).clone();
    sealed.extend(BASE64_STANDARD.decode(text(vector, "footer")).expect("base64"));
    assert_eq!(sha256(&sealed), text(vector, "sealed_sha256"));
    sealed.into()
}

fn body(recipe: &Value) -> Vec<u8> {
    let mut sealed = Vec::new();
    for part in recipe["parts"].as_array().expect("parts") {
        let plain = plaintext(number(part, "seed"), number(part, "length") as usize);
        let (dek, id, salt) = (array(recipe, "dek"), array(recipe, "object_id"), array(part, "salt"));
        sealed.extend(forge::message(number(recipe, "suite") as u8, &dek, &id, &salt, &plain));
    }
    sealed
}

fn object(vector: &Value) -> Result<(), SealError> {
    let name = Name::new(text(vector, "bucket"), text(vector, "key"));
    let customer = vector.get("customer_key").map(|_| seal_support::customer_key(array(vector, "customer_key")));
    let (plain, object) = decode_whole_for(customer.as_ref(), &sealed(vector), &vault(vector), &name.get())?;
    if vector["expect"] == "ok" {
        assert_eq!(plain.len() as u64, number(vector, "plain_length"));
        assert_eq!(sha256(&plain), text(vector, "plain_sha256"));
        assert_eq!(object.etag().as_str(), text(vector, "etag"));
        assert_eq!(u64::from(object.part_count()), number(vector, "parts"));
        assert_eq!(object.content().written_at, number(vector, "written_at"));
    }
    if let Some(metadata) = vector.get("metadata") {
        let value = text(metadata, "value");
        assert_eq!(object.open_metadata(value)?, text(metadata, "plain").as_bytes());
    }
    Ok(())
}

fn metadata(vector: &Value) -> Result<(), SealError> {
    let name = Name::new(text(vector, "bucket"), text(vector, "key"));
    let (_, object) = decode_whole(&sealed(vector), &vault(vector), &name.get()).expect("a good object");
    let plain = object.open_metadata(text(vector, "value"))?;
    assert_eq!(plain, text(vector, "plain").as_bytes());
    Ok(())
}

fn blob(vector: &Value) -> Result<(), SealError> {
    let root = SecretBytes::new(array(vector, "root_key"));
    let plain = open_blob(&root, text(vector, "label"), &sealed(vector))?;
    assert_eq!(plain.as_slice(), text(vector, "plain").as_bytes());
    Ok(())
}

fn lengths(vector: &Value) -> Result<(), SealError> {
    for pair in vector["canonical"].as_array().expect("pairs") {
        let (plain, sealed) = (number(pair, "plain"), number(pair, "sealed"));
        assert_eq!(sealed_len(PlainLen(plain))?.0, sealed);
        assert_eq!(plain_len(SealedLen(sealed)), Some(PlainLen(plain)));
    }
    for length in vector["not_canonical"].as_array().expect("numbers") {
        assert_eq!(plain_len(SealedLen(length.as_u64().expect("u64"))), None, "{length}");
    }
    Ok(())
}

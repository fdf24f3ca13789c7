//! Makes every vector, always the same bytes. The schema is in `tests/vectors/README.md`.
mod customer;
mod damaged;
mod forged;
mod good;
mod multipart;
mod others;
mod sm4;

use super::seal_support::{Fixed, Name, forge};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use strongroom::seal::{Entropy, Suite};

/// Vectors by name.
pub type Vectors = BTreeMap<String, Value>;

/// All of them.
pub fn all() -> Vectors {
    let mut all = Vectors::new();
    good::add(&mut all);
    damaged::add(&mut all);
    forged::add(&mut all);
    multipart::add(&mut all);
    others::add(&mut all);
    sm4::add(&mut all);
    customer::add(&mut all);
    all
}

/// The vault key that every vector uses unless it says otherwise.
pub const VAULT: [u8; 32] = [0x42; 32];
/// The suite of every vector whose name does not begin with `sm4`.
pub const AES: Suite = Suite::Aes256Gcm;
/// The DEK of forged objects.
pub const DEK: [u8; 32] = [0xd1; 32];
/// The object id of forged objects.
pub const ID: [u8; 16] = [0x1d; 16];

fn put(all: &mut Vectors, name: &str, vector: Value) {
    assert!(all.insert(name.to_owned(), vector).is_none(), "two vectors are called {name}");
}

fn vault_json() -> Value {
    vault_named_json("default", 1, VAULT)
}

fn vault_named_json(id: &str, version: u32, key: [u8; 32]) -> Value {
    json!({ "id": id, "version": version, "key": hex::encode(key) })
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn object(what: &str, sealed: &[u8], expect: &str) -> Value {
    json!({
        "kind": "object", "what": what, "expect": expect, "vault": vault_json(),
        "bucket": "photos", "key": "2026/a.jpg", "sealed": base64(sealed),
    })
}

fn set(mut vector: Value, field: &str, value: impl Into<Value>) -> Value {
    vector[field] = value.into();
    vector
}

fn part(number: u16, salt: u8, plain: Vec<u8>) -> forge::Part {
    forge::Part { number, salt: [salt; 24], plain, md5: [number as u8; 16], checksum: [0; 34] }
}

fn name() -> Name {
    super::seal_support::name()
}

/// Fixed bytes, another stream for every name, and for every suite.
fn entropy_of(suite: Suite, name: &str) -> Fixed {
    if suite == AES { entropy(name) } else { entropy(&format!("{suite} {name}")) }
}

fn entropy(name: &str) -> Fixed {
    let seed = Sha256::digest(name);
    Fixed::new(u64::from_be_bytes(*seed.first_chunk().expect("32 bytes")))
}

fn random<const N: usize>(name: &str) -> [u8; N] {
    let mut bytes = [0; N];
    entropy(name).fill(&mut bytes).expect("fixed bytes never run out");
    bytes
}

//! Metadata values, blobs, lengths.
use super::super::seal_support::*;
use super::{AES, Vectors, base64, entropy, object, put, random, set};
use serde_json::{Value, json};
use strongroom::seal::*;
use strongroom::secret::SecretBytes;

pub fn add(all: &mut Vectors) {
    metadata(all);
    blobs(all);
    put(all, "lengths_canonical", lengths());
}

fn metadata(all: &mut Vectors) {
    let entropy = entropy("metadata vectors");
    let sealer = ObjectSealer::generate(AES, &vault(), &entropy).expect("fixed");
    let plain = "{\"m\":{\"title\":\"ключ\"}}";
    let older = sealer.seal_metadata(b"{}", &entropy).expect("short").value;
    let sealed = sealer.seal_metadata(plain.as_bytes(), &entropy).expect("short");
    let foreign = ObjectSealer::generate(AES, &vault(), &entropy).expect("fixed");
    let foreign = foreign.seal_metadata(plain.as_bytes(), &entropy).expect("short").value;
    let content = ContentInfo { metadata_tag: Some(sealed.tag), ..content(false) };
    let bytes = seal_parts_with(&sealer, &[b"x".to_vec()], &content, &name(), &entropy);
    let value = sealed.value;
    // The value's first character is 'A' (version 1 is 000000 01); 'C' makes it version 9.
    let version = format!("C{}", &value[1..]);
    let bit = value.replacen(&value[60..61], if &value[60..61] == "A" { "B" } else { "A" }, 1);
    for (name, what, value, expect) in [
        ("ok_metadata", "the value that belongs to the object", value.clone(), "ok"),
        ("metadata_older", "an older value of the same object", older, "authentication"),
        ("metadata_foreign", "another object's value", foreign, "authentication"),
        ("metadata_changed", "one character changed", bit, "authentication"),
        ("metadata_version", "version 9", version, "unsupported"),
        ("metadata_padded", "base64 with padding", format!("{value}="), "authentication"),
        ("metadata_short", "shorter than salt and tag", value[..40].to_owned(), "authentication"),
        (
            "metadata_not_base64",
            "a character outside base64url",
            format!("{}+", &value[..value.len() - 1]),
            "authentication",
        ),
        ("metadata_empty", "an empty value", String::new(), "unsupported"),
    ] {
        let vector = set(object(what, &bytes, expect), "kind", "metadata");
        put(all, name, set(set(vector, "value", value), "plain", plain));
    }
}

fn blob(what: &str, root: [u8; 32], label: &str, sealed: &[u8], expect: &str) -> Value {
    json!({
        "kind": "blob", "what": what, "expect": expect, "root_key": hex::encode(root), "label": label,
        "sealed": base64(sealed), "plain": "the keyring",
    })
}

fn blobs(all: &mut Vectors) {
    let root: [u8; 32] = random("root");
    let sealed =
        seal_blob(&SecretBytes::new(root), "keyring/v1/default", b"the keyring", &entropy("blob")).expect("short");
    let flip = |at: usize| {
        let mut changed = sealed.clone();
        changed[at] ^= 2;
        changed
    };
    let last = sealed.len() - 1;
    put(all, "ok_blob", blob("a sealed blob", root, "keyring/v1/default", &sealed, "ok"));
    for (name, what, sealed, expect) in [
        ("magic", "another magic", flip(0), "not_sealed"),
        ("version", "version 3", flip(6), "not_sealed"),
        ("reserved", "the byte behind the version is set", flip(7), "not_sealed"),
        ("salt", "a bit of the salt", flip(8), "authentication"),
        ("text", "a bit of the ciphertext", flip(40), "authentication"),
        ("tag", "a bit of the tag", flip(last), "authentication"),
        ("cut", "the last byte is missing", sealed[..last].to_vec(), "authentication"),
        ("short", "shorter than magic and salt", sealed[..31].to_vec(), "not_sealed"),
        ("appended", "a byte more", [&sealed[..], &[0]].concat(), "authentication"),
    ] {
        put(all, &format!("blob_{name}"), blob(what, root, "keyring/v1/default", &sealed, expect));
    }
    put(all, "blob_wrong_label", blob("another label", root, "keyring/v1/other", &sealed, "authentication"));
    put(all, "blob_wrong_root", blob("another root key", [9; 32], "keyring/v1/default", &sealed, "authentication"));
    put(all, "blob_zero_root", blob("the all-zero root key", [0; 32], "keyring/v1/default", &sealed, "bad_key"));
}

fn lengths() -> Value {
    let pairs = [
        (0u64, 700u64),
        (1, 701),
        (16_383, 17_083),
        (16_384, 17_100),
        (16_385, 17_101),
        (5_242_879, 5_248_683),
        (5_242_880, 5_248_860),
        (5_242_881, 5_248_861),
        (5_368_709_120, 5_374_116_540),
        (5_497_558_138_880, 5_503_094_620_860),
    ];
    let pairs: Vec<Value> = pairs.iter().map(|(p, c)| json!({ "plain": p, "sealed": c })).collect();
    json!({
        "kind": "lengths", "what": "C(P), its inverse, and lengths that no object has", "expect": "ok",
        "canonical": pairs,
        "not_canonical": [0, 528, 699, 17_084, 17_099, 5_248_684, 5_248_859, 5_503_094_620_861u64, u64::MAX],
    })
}

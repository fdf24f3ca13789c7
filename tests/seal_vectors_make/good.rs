//! Objects that open, made by the real writer from fixed randomness.
use super::super::seal_support::*;
use super::{AES, Vectors, base64, entropy, entropy_of, object, put, set, sha256, vault_named_json};
use serde_json::{Value, json};
use strongroom::seal::*;

pub fn add(all: &mut Vectors) {
    for (name, len) in
        [("empty", 0), ("one_byte", 1), ("chunk_less_one", 16_383), ("chunk_exact", 16_384), ("chunk_and_one", 16_385)]
    {
        let what = format!("a plain PUT of {len} bytes");
        put(all, &format!("ok_{name}"), plain_put(AES, name, &what, len));
    }
    put(all, "ok_checksum_and_metadata", with_metadata(AES));
    put(all, "ok_multipart_of_one_part", one_part_upload());
    put(all, "ok_longest_names", longest_names());
    put(all, "ok_copied_under_another_name_and_key", copied(AES));
}

/// What a reader must find.
pub fn expect_ok(vector: Value, plain: &[u8], etag: &str, parts: u32) -> Value {
    let vector = set(vector, "plain_length", plain.len() as u64);
    let vector = set(vector, "plain_sha256", sha256(plain));
    let vector = set(set(vector, "etag", etag), "parts", parts);
    set(vector, "written_at", 1_790_000_000u64)
}

fn md5_etag() -> String {
    "6d".repeat(16)
}

pub fn plain_put(suite: Suite, name: &str, what: &str, len: usize) -> Value {
    let plain = plaintext(len as u64, len);
    let sealed = seal(suite, &plain, &entropy_of(suite, name));
    expect_ok(object(what, &sealed, "ok"), &plain, &md5_etag(), 1)
}

pub fn with_metadata(suite: Suite) -> Value {
    let entropy = entropy_of(suite, "metadata");
    let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
    let metadata = sealer.seal_metadata(br#"{"t":"image/jpeg"}"#, &entropy).expect("short");
    let checksum = ChecksumValue::new(ChecksumAlgorithm::Sha256, &[0xc5; 32]).expect("32 bytes");
    let content = ContentInfo {
        checksum: Some((checksum, ChecksumType::FullObject)),
        metadata_tag: Some(metadata.tag),
        ..content(false)
    };
    let plain = plaintext(6, 100);
    let sealed = seal_parts_with(&sealer, std::slice::from_ref(&plain), &content, &name(), &entropy);
    let vector = object("a SHA-256 checksum of the whole object, and a metadata value", &sealed, "ok");
    let vector = set(vector, "metadata", json!({ "value": metadata.value, "plain": r#"{"t":"image/jpeg"}"# }));
    expect_ok(vector, &plain, &md5_etag(), 1)
}

fn one_part_upload() -> Value {
    let entropy = entropy("one part");
    let sealer = ObjectSealer::generate(AES, &vault(), &entropy).expect("fixed");
    let plain = plaintext(7, 100);
    let mut out = bytes::BytesMut::new();
    let checksum = ChecksumValue::new(ChecksumAlgorithm::Crc32c, &[1, 2, 3, 4]).expect("4 bytes");
    let part = PartEntry { checksum: Some(checksum), ..entry(7, message(&sealer, &plain, 9, &entropy, &mut out)) };
    let content = ContentInfo { checksum: Some((checksum, ChecksumType::Composite)), ..content(true) };
    out.extend_from_slice(&sealer.footer(&name().get(), &[part], &content, &entropy).expect("good"));
    let vector = object("a multipart upload of one part, number 7: its ETag ends in -1", &out, "ok");
    expect_ok(vector, &plain, &format!("{}-1", md5_etag()), 1)
}

fn longest_names() -> Value {
    let entropy = entropy("longest names");
    let (id, bucket, key) = ("k".repeat(64), "b".repeat(63), "字".repeat(341) + "x");
    let vault = vault_named(&id, u32::MAX, [0x4c; 32]);
    let sealer = ObjectSealer::generate(AES, &vault, &entropy).expect("fixed");
    let plain = plaintext(9, 100);
    let named = Name::new(&bucket, &key);
    let sealed = seal_parts_with(&sealer, std::slice::from_ref(&plain), &content(false), &named, &entropy);
    let vector = object("bucket of 63 bytes, key of 1,024, vault key name of 64, version 2^32 - 1", &sealed, "ok");
    let vector = set(set(vector, "bucket", bucket), "key", key);
    let vector = set(vector, "vault", vault_named_json(&id, u32::MAX, [0x4c; 32]));
    expect_ok(vector, &plain, &md5_etag(), 1)
}

pub fn copied(suite: Suite) -> Value {
    let entropy = entropy_of(suite, "copied");
    let plain = plaintext(10, 100);
    let sealed = seal(suite, &plain, &entropy);
    let (_, object_open) = decode_whole(&sealed, &vault(), &name().get()).expect("good");
    let other = vault_named("other", 2, [0x07; 32]);
    let sealer = ObjectSealer::rewrap(&object_open, &other, &entropy).expect("fixed");
    let named = Name::new("archive", "copy");
    let layout = object_open.layout_single().expect("one part");
    let footer = sealer.footer(&named.get(), layout.parts(), object_open.content(), &entropy).expect("good");
    let (start, _) = object_open.footer_span();
    let copy = [&sealed[..start as usize], &footer].concat();
    let vector = object("the body of one object under a new footer: another name, another vault key", &copy, "ok");
    let vector = set(set(vector, "bucket", "archive"), "key", "copy");
    let vector = set(vector, "vault", vault_named_json("other", 2, [0x07; 32]));
    let vector = set(vector, "original", base64(&sealed));
    expect_ok(vector, &plain, &md5_etag(), 1)
}

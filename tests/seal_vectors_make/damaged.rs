//! Good objects that were damaged, or opened with the wrong key or name.
use super::super::seal_support::*;
use super::{AES, Vectors, entropy, object, put, set, vault_named_json};
use serde_json::Value;

const LEN: usize = 100;
/// Where the trailer of an object of [`LEN`] bytes starts: after 172 bytes of body and 100 of padding.
pub const TRAILER: usize = 272;

pub fn add(all: &mut Vectors) {
    let sealed = seal(AES, &plaintext(11, LEN), &entropy("damaged")).to_vec();
    flips(all, &sealed);
    lengths(all, &sealed);
    keys_and_names(all, &sealed);
    swaps(all, &sealed);
}

/// A bit of each field that both suites keep at the same place: name, what it is, where.
pub const FIELDS: [(&str, &str, usize); 12] = [
    ("object_id", "a bit of the object id", TRAILER + 4),
    ("trailer_salt", "a bit of the trailer's salt", TRAILER + 44),
    ("commitment", "a bit of the trailer's key commitment", TRAILER + 68),
    ("wrap_nonce", "a bit of the wrap's nonce", TRAILER + 169),
    ("wrapped_dek", "a bit of the wrapped DEK", TRAILER + 181),
    ("wrap_tag", "a bit of the wrap's tag", TRAILER + 228),
    ("sealed_part", "a bit of the sealed part", TRAILER + 352),
    ("trailer_tag", "a bit of the trailer's tag", TRAILER + 519),
    ("message_salt", "a bit of the message's salt", 0),
    ("message_commitment", "a bit of the message's commitment", 24),
    ("chunk", "a bit of a chunk's ciphertext", 56),
    ("chunk_tag", "a bit of a chunk's tag", 171),
];

fn flips(all: &mut Vectors, sealed: &[u8]) {
    let fields = FIELDS.map(|(name, what, at)| (name, what, at, "authentication"));
    let others = [
        ("magic", "the magic's last bit", TRAILER + 527, "not_sealed"),
        ("version", "format version 0", TRAILER, "unsupported"),
        ("suite", "suite 0", TRAILER + 1, "unsupported"),
        ("flags", "the multipart flag", TRAILER + 2, "authentication"),
        ("plain_length", "the plain length, now 101: the object's length is not C(101)", TRAILER + 27, "malformed"),
        ("padding", "a bit of the padding", 172, "authentication"),
        ("padding_end", "the last bit of the padding", TRAILER - 1, "authentication"),
    ];
    for (name, what, at, expect) in others.into_iter().chain(fields) {
        let mut changed = sealed.to_vec();
        changed[at] ^= 1;
        put(all, &format!("flip_{name}"), object(&format!("changed: {what}"), &changed, expect));
    }
}

fn lengths(all: &mut Vectors, sealed: &[u8]) {
    let longer = [sealed, &[0]].concat();
    let gone = [&sealed[..TRAILER - 1], &sealed[TRAILER..]].concat();
    let mut more = sealed.to_vec();
    more.insert(172, 0);
    for (name, what, bytes, expect) in [
        ("empty_file", "no bytes at all", &sealed[..0], "not_sealed"),
        ("trailer_cut", "527 bytes: shorter than a trailer", &sealed[sealed.len() - 527..], "not_sealed"),
        ("trailer_alone", "the trailer without body and padding", &sealed[TRAILER..], "authentication"),
        ("cut_at_end", "the last byte is missing", &sealed[..sealed.len() - 1], "not_sealed"),
        ("cut_at_start", "the first byte is missing", &sealed[1..], "authentication"),
        ("byte_appended", "a zero byte after the end", &longer, "not_sealed"),
        ("padding_short", "a byte of the padding is missing", &gone, "authentication"),
        ("padding_long", "a zero byte more of padding", &more, "authentication"),
    ] {
        put(all, &format!("length_{name}"), object(what, bytes, expect));
    }
}

fn keys_and_names(all: &mut Vectors, sealed: &[u8]) {
    let good = |what: &str| object(what, sealed, "authentication");
    let vault = |what: &str, id, version, key| set(good(what), "vault", vault_named_json(id, version, key));
    put(all, "wrong_vault_key", vault("the right name and version, another key", "default", 1, [0x43; 32]));
    put(all, "wrong_vault_version", vault("the right key under another version", "default", 2, [0x42; 32]));
    put(all, "wrong_vault_name", vault("the right key under another name", "defaulu", 1, [0x42; 32]));
    put(all, "wrong_bucket", set(good("another bucket"), "bucket", "photot"));
    put(all, "wrong_key", set(good("another key"), "key", "2026/a.jpf"));
    let moved = set(set(good("bucket and key cut elsewhere"), "bucket", "photos2"), "key", "026/a.jpg");
    put(all, "wrong_boundary_of_bucket_and_key", moved);
}

fn swaps(all: &mut Vectors, sealed: &[u8]) {
    let other = seal(AES, &plaintext(12, LEN), &entropy("another object"));
    let body: Vec<u8> = [&other[..TRAILER], &sealed[TRAILER..]].concat();
    put(all, "swapped_body", object("the body of another object of the same length", &body, "authentication"));
    put(all, "swapped_chunks", swapped_chunks());
}

fn swapped_chunks() -> Value {
    let sealed = seal(AES, &plaintext(13, 32_769), &entropy("chunks"));
    let (header, rest) = sealed.split_at(56);
    let swapped = [header, &rest[16_400..32_800], &rest[..16_400], &rest[32_800..]].concat();
    object("chunks 0 and 1 of a message changed places", &swapped, "authentication")
}

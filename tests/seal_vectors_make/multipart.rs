//! Objects of several parts. A part but the last has 5 MiB, so the body is a recipe and only the footer is bytes.
use super::super::seal_support::forge::{Forge, Part};
use super::super::seal_support::plaintext;
use super::good::expect_ok;
use super::{AES, DEK, ID, VAULT, Vectors, base64, name, part, put, sha256, vault_json};
use serde_json::{Value, json};
use strongroom::seal::Suite;

pub const FIVE: usize = 5 << 20;

/// Seed, length and salt of every part.
pub type Recipe = Vec<(u64, usize, u8)>;

pub fn parts(recipe: &Recipe) -> Vec<Part> {
    let make = |(i, (seed, len, salt)): (usize, &(u64, usize, u8))| part(i as u16 + 1, *salt, plaintext(*seed, *len));
    recipe.iter().enumerate().map(make).collect()
}

pub fn forge_of(suite: Suite, recipe: &Recipe) -> Forge {
    Forge::new(suite.number(), DEK, ID, &parts(recipe), &VAULT, &name())
}

fn forge(recipe: &Recipe) -> Forge {
    forge_of(AES, recipe)
}

/// `body` names the messages in the order in which they lie, whatever the footer says.
pub fn vector(what: &str, expect: &str, body: &Recipe, forge: &Forge) -> Value {
    let parts: Vec<Value> = body
        .iter()
        .map(|(seed, length, salt)| json!({ "seed": seed, "length": length, "salt": hex::encode([*salt; 24]) }))
        .collect();
    json!({
        "kind": "object", "what": what, "expect": expect, "vault": vault_json(),
        "bucket": "photos", "key": "2026/a.jpg",
        "body": { "suite": forge.suite, "dek": hex::encode(DEK), "object_id": hex::encode(ID), "parts": parts },
        "footer": base64(&forge.footer()), "sealed_sha256": sha256(&forge.seal()),
    })
}

pub fn add(all: &mut Vectors) {
    good(all);
    let recipe: Recipe = vec![(31, FIVE, 0x61), (32, 1_000, 0x62)];
    index(all, &recipe);
    trailer(all, &recipe);
    body_length(all);
    swapped(all);
}

fn good(all: &mut Vectors) {
    for (name, what, recipe) in [
        ("two_parts", "two parts", vec![(31, FIVE, 0x61), (32, 1_000, 0x62)]),
        (
            "last_part_empty",
            "three uneven parts, the last one empty",
            vec![(33, FIVE + 5, 0x63), (34, FIVE, 0x64), (35, 0, 0x65)],
        ),
        ("five_mib_in_one_part", "one part of 5 MiB: 160 bytes more of padding", vec![(36, FIVE, 0x66)]),
    ] {
        let forge = forge(&recipe);
        let plain: Vec<u8> = parts(&recipe).into_iter().flat_map(|part| part.plain).collect();
        let md5 = "6d".repeat(16);
        let etag = if recipe.len() > 1 { format!("{md5}-{}", recipe.len()) } else { md5 };
        let vector = expect_ok(vector(what, "ok", &recipe, &forge), &plain, &etag, recipe.len() as u32);
        put(all, &format!("ok_{name}"), vector);
    }
}

fn index(all: &mut Vectors, recipe: &Recipe) {
    let good = forge(recipe);
    let mut case = |name: &str, what: &str, expect: &str, change: &dyn Fn(&mut Forge)| {
        let mut forge = good.clone();
        change(&mut forge);
        put(all, &format!("index_{name}"), vector(what, expect, recipe, &forge));
    };
    let len_of_2 = 84..84 + 8;
    case("length", "the lengths do not add up to the object's", "malformed", &|f| f.index[84 + 7] ^= 1);
    case("length_huge", "lengths that overflow when added", "too_large", &|f| f.index[len_of_2.clone()].fill(0xff));
    case("part_small", "a part but the last of 5 MiB - 1, the total right", "malformed", &|f| {
        f.index[..8].copy_from_slice(&(FIVE as u64 - 1).to_be_bytes());
        f.index[len_of_2.clone()].copy_from_slice(&1_001u64.to_be_bytes());
    });
    case("numbers_equal", "two parts of one number", "malformed", &|f| f.index[84 + 49] = 1);
    case("numbers_descending", "part numbers descend", "malformed", &|f| f.index[49] = 3);
    case("number_zero", "part number 0", "malformed", &|f| f.index[49] = 0);
    case("number_high", "part number 10,001", "malformed", &|f| {
        f.index[84 + 48..84 + 50].copy_from_slice(&10_001u16.to_be_bytes());
    });
    case("reserved", "an entry's reserved byte is set", "malformed", &|f| f.index[51] = 1);
    case("checksum", "an entry with checksum algorithm 9", "unsupported", &|f| f.index[50] = 9);
    case("salt", "another salt for part 2: its message is another", "authentication", &|f| f.index[84 + 8] ^= 1);
    case("first_salt", "index and trailer disagree on message 1", "malformed", &|f| f.index[8] ^= 1);
}

/// The same total and the same first salt, but one chunk more: the messages would not end where the footer starts.
fn body_length(all: &mut Vectors) {
    let recipe: Recipe = vec![(40, FIVE + 16_000, 0x6a), (41, 1_000, 0x6b)];
    let mut forge = forge(&recipe);
    forge.index[..8].copy_from_slice(&(FIVE as u64 + 16_384).to_be_bytes());
    forge.index[84..92].copy_from_slice(&616u64.to_be_bytes());
    let what = "the total is right, but messages of these lengths do not fill the body";
    put(all, "index_body_length", vector(what, "malformed", &recipe, &forge));
}

fn trailer(all: &mut Vectors, recipe: &Recipe) {
    let good = forge(recipe);
    let mut case = |name: &str, what: &str, expect: &str, change: &dyn Fn(&mut Forge)| {
        let mut forge = good.clone();
        change(&mut forge);
        put(all, &format!("parts_{name}"), vector(what, expect, recipe, &forge));
    };
    case("not_multipart", "two parts, but the multipart flag is not set", "malformed", &|f| f.head[2] = 0);
    case("padding", "the padding between index and trailer is not zero", "authentication", &|f| f.padding[0] = 1);
    case("index_length", "the index length does not fit the part count", "malformed", &|f| f.index_len -= 84);
    case("body_length", "the index starts a byte early", "authentication", &|f| f.body_len -= 1);
}

fn swapped(all: &mut Vectors) {
    let recipe: Recipe = vec![(37, FIVE, 0x67), (38, FIVE, 0x68), (39, 10, 0x69)];
    let order: Recipe = vec![recipe[1], recipe[0], recipe[2]];
    let mut swapped = forge(&recipe);
    swapped.body = forge(&order).body;
    put(
        all,
        "parts_swapped",
        vector("parts 1 and 2, of equal length, changed places", "authentication", &order, &swapped),
    );

    let mut foreign = forge(&recipe);
    let own = foreign.footer();
    foreign.trailer_salt = [0x99; 24];
    let other = foreign.footer();
    let index_len = foreign.index_len as usize;
    let footer = [&other[..index_len], &own[index_len..]].concat();
    let what = "the index of another trailer of the same object";
    let mut made = vector(what, "authentication", &recipe, &foreign);
    made["footer"] = base64(&footer).into();
    made["sealed_sha256"] = sha256(&[&foreign.body[..], &footer].concat()).into();
    put(all, "index_of_another_trailer", made);
}

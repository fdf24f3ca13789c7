//! Suite 2, SM4-GCM with HKDF-SM3: what opens, by the real and by the second writer, and what mixes the suites up.
use super::super::seal_support::forge::{self, Forge};
use super::super::seal_support::*;
use super::damaged::{FIELDS, TRAILER};
use super::good::{copied, expect_ok, plain_put, with_metadata};
use super::multipart::{self, FIVE, Recipe};
use super::{AES, DEK, ID, VAULT, Vectors, object, part, put};
use strongroom::seal::Suite;

const SM4: Suite = Suite::Sm4Gcm;

pub fn add(all: &mut Vectors) {
    good(all);
    flips(all);
    mixed(all);
    parts(all);
}

fn good(all: &mut Vectors) {
    for (name, len) in [("empty", 0), ("one_byte", 1), ("chunk_exact", 16_384), ("chunk_and_one", 16_385)] {
        put(all, &format!("sm4_ok_{name}"), plain_put(SM4, name, &format!("a plain PUT of {len} bytes"), len));
    }
    put(all, "sm4_ok_checksum_and_metadata", with_metadata(SM4));
    put(all, "sm4_ok_copied_under_another_name_and_key", copied(SM4));
    let vector = object("by the second writer", &forged(|_| {}), "ok");
    put(all, "sm4_ok_forged", expect_ok(vector, &plaintext(20, 100), &"6d".repeat(16), 1));
}

fn forged(change: impl FnOnce(&mut Forge)) -> Vec<u8> {
    let mut forge = Forge::new(SM4.number(), DEK, ID, &[part(1, 0x51, plaintext(20, 100))], &VAULT, &super::name());
    change(&mut forge);
    forge.seal()
}

fn flips(all: &mut Vectors) {
    let sealed = forged(|_| {});
    let suite = ("suite", "suite 3", TRAILER + 1, "unsupported");
    let fields = FIELDS.map(|(name, what, at)| (name, what, at, "authentication"));
    for (name, what, at, expect) in std::iter::once(suite).chain(fields) {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        put(all, &format!("sm4_flip_{name}"), object(&format!("changed: {what}"), &changed, expect));
    }
}

/// Everything of an object is of its suite: nothing of the other one takes its place.
fn mixed(all: &mut Vectors) {
    let mut case = |name: &str, what: &str, change: &dyn Fn(&mut Forge)| {
        put(all, &format!("sm4_mixed_{name}"), object(what, &forged(change), "authentication"));
    };
    case("says_suite_1", "made by suite 2, it says it is of suite 1", &|f| f.head[1] = 1);
    case("wrap", "the DEK is wrapped by suite 1", &|f| {
        f.wraps = forge::wrap(AES.number(), &VAULT, (b"default", 1), &ID, &DEK);
    });
    case("message", "the message is of suite 1", &|f| {
        f.body = forge::message(AES.number(), &DEK, &ID, &[0x51; 24], &plaintext(20, 100));
    });
    case("footer", "the footer is of suite 1, and says 2", &|f| f.suite = AES.number());
}

fn parts(all: &mut Vectors) {
    let recipe: Recipe = vec![(31, FIVE, 0x61), (32, 1_000, 0x62)];
    let good = multipart::forge_of(SM4, &recipe);
    let plain: Vec<u8> = multipart::parts(&recipe).into_iter().flat_map(|part| part.plain).collect();
    let vector = multipart::vector("two parts", "ok", &recipe, &good);
    put(all, "sm4_ok_two_parts", expect_ok(vector, &plain, &format!("{}-2", "6d".repeat(16)), 2));
    let mut salt = good.clone();
    salt.index[84 + 8] ^= 1;
    let vector = multipart::vector("another salt for part 2: its message is another", "authentication", &recipe, &salt);
    put(all, "sm4_index_salt", vector);
}

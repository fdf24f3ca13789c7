//! Objects with a key of the customer's own, by the real and by the second writer, and what breaks their rules.
use super::super::seal_support::forge::{self, Forge};
use super::super::seal_support::*;
use super::good::expect_ok;
use super::multipart::{self, FIVE, Recipe};
use super::{AES, DEK, ID, VAULT, Vectors, entropy_of, object, part, put, set};
use serde_json::Value;
use strongroom::seal::{ObjectSealer, Suite};

const KEY: [u8; 32] = [0xc7; 32];

pub fn add(all: &mut Vectors) {
    for (name, suite) in [("aes", AES), ("sm4", Suite::Sm4Gcm)] {
        put(all, &format!("customer_ok_{name}"), by_the_writer(suite));
        put(all, &format!("customer_ok_{name}_forged"), good("by the second writer", &forged(suite, |_| {})));
        put(all, &format!("customer_ok_{name}_two_parts"), two_parts(suite));
    }
    keys(all);
    rules(all);
}

fn with_key(vector: Value, key: [u8; 32]) -> Value {
    set(vector, "customer_key", hex::encode(key))
}

fn plain() -> Vec<u8> {
    plaintext(50, 20_000)
}

fn good(what: &str, sealed: &[u8]) -> Value {
    expect_ok(with_key(object(what, sealed, "ok"), KEY), &plain(), &"6d".repeat(16), 1)
}

fn by_the_writer(suite: Suite) -> Value {
    let (entropy, key) = (entropy_of(suite, "customer"), customer_key(KEY));
    let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
    let sealer = sealer.with_customer_key(Some(&key)).expect("a usable key");
    let sealed = seal_parts_for(Some(&key), &sealer, &[plain()], &content(false), &name(), &entropy);
    good("a plain PUT with a customer's key", &sealed)
}

fn forged(suite: Suite, change: impl FnOnce(&mut Forge)) -> Vec<u8> {
    let parts = [part(1, 0x51, plain())];
    let mut forge = Forge::new(suite.number(), DEK, ID, &parts, &VAULT, &super::name()).for_customer(&KEY, &parts);
    change(&mut forge);
    forge.seal()
}

/// The messages are those of another object under the content key in place of the DEK.
fn two_parts(suite: Suite) -> Value {
    let recipe: Recipe = vec![(51, FIVE + 5, 0x71), (52, 1_000, 0x72)];
    let parts = multipart::parts(&recipe);
    let forge = multipart::forge_of(suite, &recipe).for_customer(&KEY, &parts);
    let mut vector = multipart::vector("two parts with a customer's key", "ok", &recipe, &forge);
    vector["body"]["dek"] = hex::encode(forge::content_key(suite.number(), &DEK, &ID, &KEY)).into();
    let plain: Vec<u8> = parts.into_iter().flat_map(|part| part.plain).collect();
    expect_ok(with_key(vector, KEY), &plain, &format!("{}-2", "6d".repeat(16)), 2)
}

fn keys(all: &mut Vectors) {
    let sealed = forged(AES, |_| {});
    put(all, "customer_missing", object("no customer's key for an object that has one", &sealed, "customer_key"));
    let mut other = KEY;
    other[31] ^= 1;
    let vector = object("another customer's key", &sealed, "customer_key");
    put(all, "customer_wrong", with_key(vector, other));
    let none = seal(AES, &plain(), &entropy_of(AES, "customer, not used"));
    let vector = object("a customer's key for an object that has none", &none, "customer_key");
    put(all, "customer_not_used", with_key(vector, KEY));
}

fn rules(all: &mut Vectors) {
    let mut case = |name: &str, what: &str, expect: &str, change: &dyn Fn(&mut Forge)| {
        let vector = object(what, &forged(AES, change), expect);
        put(all, &format!("customer_{name}"), with_key(vector, KEY));
    };
    case("flag_alone", "the flag without a check", "malformed", &|f| f.secret[116..148].fill(0));
    case("check_alone", "a check without the flag", "unsupported", &|f| f.head[2] = 0);
    case("reserved", "the last reserved byte behind the check", "unsupported", &|f| f.secret[151] = 1);
    case("reserved_first", "the first reserved byte behind the check", "unsupported", &|f| f.secret[148] = 1);
    case("check", "the check of another key", "customer_key", &|f| f.secret[147] ^= 1);
    case("message_under_the_dek", "the message lies under the DEK", "authentication", &|f| {
        f.body = forge::message(AES.number(), &DEK, &ID, &[0x51; 24], &plain());
    });
    case("message_under_the_key", "the message lies under the customer's key itself", "authentication", &|f| {
        f.body = forge::message(AES.number(), &KEY, &ID, &[0x51; 24], &plain());
    });
    case("of_another_object", "the content key of another object id", "authentication", &|f| {
        let key = forge::content_key(AES.number(), &DEK, &[0x1e; 16], &KEY);
        f.body = forge::message(AES.number(), &key, &ID, &[0x51; 24], &plain());
    });
}

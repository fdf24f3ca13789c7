//! One-part objects whose every tag is right and that still break a rule.
use super::super::seal_support::forge::{Forge, wrap};
use super::super::seal_support::{Name, plaintext};
use super::{AES, DEK, ID, VAULT, Vectors, name, object, part, put};

pub fn add(all: &mut Vectors) {
    put_ok(all);
    clear_fields(all);
    wraps(all);
    content(all);
    body(all);
}

fn forged(change: impl FnOnce(&mut Forge)) -> Vec<u8> {
    let mut forge = Forge::new(AES.number(), DEK, ID, &[part(1, 0x51, plaintext(20, 100))], &VAULT, &name());
    change(&mut forge);
    forge.seal()
}

fn case(all: &mut Vectors, name: &str, what: &str, expect: &str, change: impl FnOnce(&mut Forge)) {
    put(all, &format!("forged_{name}"), object(what, &forged(change), expect));
}

fn put_ok(all: &mut Vectors) {
    let vector = object("what the forged vectors are made from: nothing wrong with it", &forged(|_| {}), "ok");
    let plain = plaintext(20, 100);
    put(all, "ok_forged", super::good::expect_ok(vector, &plain, &"6d".repeat(16), 1));
}

fn clear_fields(all: &mut Vectors) {
    case(all, "flags", "an unknown flag is set", "unsupported", |f| f.head[2] = 8);
    case(all, "version_2", "format version 2", "unsupported", |f| f.head[0] = 2);
    case(all, "suite_2", "made by suite 1, it says it is of suite 2", "authentication", |f| f.head[1] = 2);
    case(all, "suite_3", "suite 3, which this version does not have", "unsupported", |f| f.head[1] = 3);
    case(all, "magic", "another magic", "not_sealed", |f| f.magic[6] = 2);
    case(all, "commitment", "the commitment of another key", "authentication", |f| f.commitment = Some([7; 32]));
    case(all, "part_count_zero", "no parts", "malformed", |f| f.part_count = 0);
    case(all, "part_count_two", "two parts in 100 bytes", "malformed", |f| (f.part_count, f.index_len) = (2, 184));
    case(all, "part_count_huge", "2^32 - 1 parts", "malformed", |f| f.part_count = u32::MAX);
    case(all, "index_of_one_part", "an index length beside one part", "malformed", |f| f.index_len = 100);
    case(all, "body_long", "the body takes a byte of the footer", "malformed", |f| f.body_len += 1);
    case(all, "body_short", "the body leaves a byte to the footer", "malformed", |f| f.body_len -= 1);
    case(all, "body_huge", "a body of 2^64 - 1 bytes", "malformed", |f| f.body_len = u64::MAX);
    case(all, "plain_length_huge", "a plain length of 2^64 - 1", "too_large", |f| f.plain_len = u64::MAX);
    case(all, "reserved", "a reserved byte is set", "unsupported", |f| f.reserved[2] = 1);
    case(all, "name_length", "the name is longer than its room", "malformed", |f| f.name_len = 65);
    case(all, "name_tail", "a byte behind the key's name", "malformed", |f| f.key_name = b"default\0x".to_vec());
    case(all, "name_empty", "a vault key without a name", "malformed", |f| f.name_len = 0);
    case(all, "name_letters", "a capital in a vault key's name", "malformed", |f| f.key_name = b"Default".to_vec());
    case(all, "version_zero", "vault key version 0", "malformed", |f| f.key_version = 0);
}

fn wraps(all: &mut Vectors) {
    case(all, "wrap_count_zero", "no wrap", "malformed", |f| (f.head[3], f.wraps) = (0, vec![]));
    case(all, "wrap_count_high", "four wraps", "malformed", |f| f.head[3] = 4);
    case(all, "wrap_unused", "an unused wrap is not zero", "malformed", |f| {
        f.wraps.resize(180, 0);
        f.wraps[179] = 1;
    });
    case(all, "wrap_of_another_object", "the wrap was made for another object id", "authentication", |f| {
        f.wraps = wrap(AES.number(), &VAULT, (b"default", 1), &[0x1e; 16], &DEK);
    });
    case(all, "wrap_of_another_version", "the wrap was made for another key version", "authentication", |f| {
        f.wraps = wrap(AES.number(), &VAULT, (b"default", 2), &ID, &DEK);
    });
    case(all, "dek_zero", "the DEK is all zero, and everything is sealed under it", "bad_key", |f| {
        let plain = part(1, 0x51, plaintext(20, 100));
        *f = Forge::new(AES.number(), [0; 32], ID, &[plain], &VAULT, &name());
    });
}

fn content(all: &mut Vectors) {
    case(all, "checksum_type", "checksum type 3", "unsupported", |f| (f.secret[16], f.secret[17]) = (1, 3));
    case(all, "checksum_algorithm", "checksum algorithm 6", "unsupported", |f| (f.secret[16], f.secret[17]) = (6, 1));
    case(all, "checksum_type_alone", "a checksum type without a checksum", "malformed", |f| f.secret[17] = 1);
    case(all, "checksum_alone", "a checksum without a type", "malformed", |f| f.secret[16] = 1);
    case(all, "checksum_long", "a CRC-32 of five bytes", "malformed", |f| {
        (f.secret[16], f.secret[17], f.secret[22]) = (1, 1, 1);
    });
    case(all, "checksum_none_with_value", "no checksum, but a value", "malformed", |f| f.secret[18] = 1);
    case(all, "metadata_tag", "a metadata tag without its flag", "malformed", |f| f.secret[82] = 1);
    case(all, "sole_part_zero", "the sole part has number 0", "malformed", |f| f.secret[115] = 0);
    case(all, "sole_part_high", "the sole part has number 10,001", "malformed", |f| {
        f.secret[114..116].copy_from_slice(&10_001u16.to_be_bytes());
    });
    case(all, "secret_reserved", "a reserved byte of the sealed part is set", "unsupported", |f| f.secret[151] = 1);
}

fn body(all: &mut Vectors) {
    case(all, "another_salt", "the trailer names another message salt", "authentication", |f| f.secret[50] ^= 1);
    case(all, "message_of_another_object", "the message was made for another object id", "authentication", |f| {
        f.body = super::forge::message(AES.number(), &DEK, &[0x1e; 16], &[0x51; 24], &plaintext(20, 100));
    });
    case(all, "padding", "the padding is not zero", "authentication", |f| f.padding[50] = 1);
    case(all, "name", "authentic under another name", "authentication", |f| {
        f.key = Name::new("photos", "2026/b.jpg").key.as_str().to_owned();
    });
}

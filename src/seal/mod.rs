//! The sealed-object format, version 1. Pure: bytes in, bytes out; no I/O, no async, no config, no clock.
//! `docs/FORMAT.md` says the same for people who write a decoder.
//!
//! ```text
//! object  := message(1) || ... || message(N) || footer      one message per client part; N = 1 for a plain PUT
//! message := salt[24] || commitment[32] || chunk(0) || ... || chunk(k)
//! footer  := index || padding || trailer[528]                index only when N > 1
//! ```
//!
//! | file | holds |
//! |---|---|
//! | [`length`] | `C(P)`, its inverse, the constants |
//! | [`limits`] | how much may be sealed under one key |
//! | [`derive`] | every label and derivation |
//! | [`aead`] | AES-256-GCM and SM4-GCM, behind one trait |
//! | [`vault_key`] | names of keys, wrapping |
//! | [`customer`] | keys that clients bring |
//! | [`message`] | Cobblestone-256, or its twin over SM4 |
//! | [`part`] | index entries, checksums, content facts |
//! | [`trailer`] | the 528 bytes |
//! | [`object`] | an object being written; an object opened |
//! | [`reader`] | layout, spans, verified plaintext |
//! | [`whole`] | a whole object from its first byte to its last |
//! | [`metadata`], [`blob`] | sealed metadata; the keyring's files |
//! | [`age`] | a small secret for somebody's safe, in a format of others |
mod aead;
mod age;
mod blob;
mod customer;
mod derive;
mod error;
mod length;
mod limits;
mod message;
mod metadata;
mod object;
mod part;
mod reader;
mod trailer;
mod vault_key;
mod whole;

#[cfg(test)]
mod public_vectors;
#[cfg(test)]
mod reference;

pub use crate::s3::Suite;
pub use age::{AgeIdentity, AgeRecipient};
pub use blob::{open_blob, seal_blob};
pub use customer::{CustomerKey, CustomerKeyFault};
pub use error::{Entropy, SealError};
pub use length::{CHUNK, MAX_OBJECT, MAX_PARTS, MIN_PART, TRAILER_LEN, message_len, plain_len, sealed_len};
pub use limits::OBJECTS_PER_VERSION;
pub use message::{MessageSealer, MessageSummary};
pub use metadata::SealedMetadata;
pub use object::{ObjectSealer, OpenObject};
pub use part::{ChecksumAlgorithm, ChecksumType, ChecksumValue, ContentInfo, PartEntry};
pub use reader::{Layout, SpanReader};
pub use trailer::{ObjectName, Trailer};
pub use vault_key::{VaultKey, VaultKeyId, VaultKeyRef};
pub use whole::WholeReader;

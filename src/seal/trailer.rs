//! The trailer: the last 528 bytes of every sealed object, big-endian.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 1 | format version: 1 | clear |
//! | 1 | 1 | suite: 1 AES-256-GCM with HKDF-SHA-512, 2 SM4-GCM with HKDF-SM3 | clear |
//! | 2 | 1 | flags: bit 0 multipart ETag, bit 1 has metadata, bit 2 customer key; the rest zero | clear |
//! | 3 | 1 | number of wraps, 1-3 | clear |
//! | 4 | 16 | object id | clear |
//! | 20 | 8 | plain length | clear |
//! | 28 | 4 | part count, 1-10000 | clear |
//! | 32 | 4 | index length: 84 * parts + 16, or 0 for one part | clear |
//! | 36 | 8 | body length: all messages | clear |
//! | 44 | 24 | trailer salt | clear |
//! | 68 | 32 | key commitment | clear |
//! | 100 | 1 | length of the vault key's name | clear |
//! | 101 | 64 | vault key's name, zero-filled | clear |
//! | 165 | 4 | vault key's version | clear |
//! | 169 | 180 | three wraps of 60 bytes: nonce, wrapped DEK, tag; unused ones zero | clear |
//! | 349 | 3 | zero | clear |
//! | 352 | 168 | 152 bytes under the suite's AEAD, and the tag | sealed |
//! | 520 | 8 | magic `SRSEAL\x01\x00` | clear |
//!
//! The AAD is bytes 0-351, then bucket and key, each after its length in two bytes. The sealed part:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 16 | content MD5 |
//! | 16 | 1 | checksum algorithm |
//! | 17 | 1 | checksum type: 0 none, 1 full object, 2 composite |
//! | 18 | 32 | checksum value |
//! | 50 | 24 | salt of message 1 |
//! | 74 | 8 | time written, Unix seconds |
//! | 82 | 16 | tag of the sealed metadata, or zero |
//! | 98 | 16 | MD5 of part 1 |
//! | 114 | 2 | part number of part 1 |
//! | 116 | 32 | the customer's check, or zero |
//! | 148 | 4 | zero |
use super::aead::{Aead, Fast, TAG};
use super::customer::CustomerCheck;
use super::derive::{COMMITMENT, Expander, Identity, SALT, TRAILER};
use super::error::SealError;
use super::length::{ENTRY, MAX_PARTS, TRAILER_LEN, message_len, sealed_len};
use super::message::check_commitment;
use super::object::OpenObject;
use super::part::{ChecksumType, ChecksumValue, ContentInfo, Fields, PartEntry, part_number};
use super::vault_key::{VaultKey, VaultKeyId, VaultKeyRef, WRAPPED};
use crate::s3::{Aliases, BucketName, ObjectKey, PlainLen, SealedLen, Suite};

pub(super) const MAGIC: [u8; 8] = *b"SRSEAL\x01\x00";
const VERSION: u8 = 1;
const CLEAR: usize = 352;
const SECRET: usize = 152;
const MAX_WRAPS: usize = 3;
const FLAG_MULTIPART: u8 = 1;
const FLAG_METADATA: u8 = 2;
const FLAG_CUSTOMER: u8 = 4;

/// The logical name that the trailer is bound to (as the client says it, not the backend's bucket).
#[derive(Clone, Copy, Debug)]
pub struct ObjectName<'a> {
    /// Bucket.
    pub bucket: &'a BucketName,
    /// Key.
    pub key: &'a ObjectKey,
}

/// A parsed, not yet authenticated trailer: enough to know which key to bring.
#[derive(Clone, Debug)]
pub struct Trailer {
    clear: Clear,
    bytes: [u8; TRAILER_LEN as usize],
    sealed: SealedLen,
}

/// The clear fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clear {
    pub(super) multipart: bool,
    pub(super) has_metadata: bool,
    pub(super) has_customer_key: bool,
    pub(super) identity: Identity,
    pub(super) plain_len: PlainLen,
    pub(super) parts: u32,
    pub(super) index_len: u32,
    pub(super) body_len: u64,
    pub(super) salt: [u8; SALT],
    pub(super) commitment: [u8; COMMITMENT],
    pub(super) key: VaultKeyRef,
    pub(super) wraps: Vec<[u8; WRAPPED]>,
}

/// The sealed fields.
pub(super) struct Secret {
    pub(super) content: ContentInfo,
    pub(super) first: PartEntry,
    pub(super) customer: Option<CustomerCheck>,
}

// === impl Trailer ===

impl Trailer {
    /// Parses the last [`TRAILER_LEN`] bytes of an object of `sealed` bytes in all; checks that `sealed` is the canonical
    /// length of the plain length it claims.
    ///
    /// # Errors
    /// `NotSealed` without the magic, `Unsupported` for another version or suite, `Malformed` for a contradiction.
    pub fn parse(last_bytes: &[u8], sealed: SealedLen) -> Result<Self, SealError> {
        let bytes = last_bytes.last_chunk().ok_or(SealError::NotSealed("shorter than a trailer"))?;
        if !bytes.ends_with(&MAGIC) {
            return Err(SealError::NotSealed("no magic at its end"));
        }
        let clear = Clear::decode(&bytes[..CLEAR])?;
        if sealed_len(clear.plain_len)? != sealed {
            return Err(SealError::Authentication("the length is not the one it was sealed with"));
        }
        Ok(Self { clear, bytes: *bytes, sealed })
    }

    /// Which vault key version unwraps it.
    pub fn key_ref(&self) -> &VaultKeyRef {
        &self.clear.key
    }

    /// The suite that it says it is sealed with: like everything here not proven before it opens.
    pub fn suite(&self) -> Suite {
        self.clear.identity.suite()
    }

    /// Unwraps, derives, authenticates. After this everything the trailer says is proven.
    ///
    /// # Errors
    /// `Authentication` for another key, another name, or a changed trailer.
    pub fn open(&self, vault: &VaultKey, name: &ObjectName<'_>) -> Result<OpenObject, SealError> {
        if vault.reference != self.clear.key {
            return Err(SealError::Authentication("the object's key is another one"));
        }
        let identity = self.clear.identity;
        let opened = self.clear.wraps.iter().find_map(|wrap| vault.unwrap(&identity, wrap).ok());
        let dek = opened.ok_or(SealError::Authentication("the object's key does not unwrap"))?;
        let expander = Expander::new(identity.suite(), &dek)?;
        let derived = expander.derive(&[TRAILER, identity.bytes(), &self.clear.salt])?;
        check_commitment(&derived.commitment, &self.clear.commitment)?;
        let mut secret = [0u8; SECRET + TAG];
        secret.copy_from_slice(&self.bytes[CLEAR..CLEAR + SECRET + TAG]);
        let cipher = Fast::new(&derived.key)?;
        let plain = cipher.open(derived.nonce, &aad(&self.bytes[..CLEAR], name), &mut secret);
        let plain = plain.map_err(|_| SealError::Authentication("the trailer, for this bucket and key"))?;
        let secret = Secret::decode(plain, &self.clear)?;
        OpenObject::new(self.clear.clone(), secret, self.sealed, dek, expander)
    }

    /// As [`Trailer::open`], also under the names that the object may have had before its bucket was renamed or copied.
    ///
    /// # Errors
    /// As [`Trailer::open`], for the object's own name.
    pub fn open_aliased(
        &self,
        vault: &VaultKey,
        name: &ObjectName<'_>,
        aliases: &Aliases,
    ) -> Result<OpenObject, SealError> {
        let refused = match self.open(vault, name) {
            Err(error @ SealError::Authentication(_)) => error,
            other => return other,
        };
        let mut others = aliases.others(name.bucket, name.key);
        let opened = others.find_map(|(bucket, key)| self.open(vault, &ObjectName { bucket: &bucket, key: &key }).ok());
        opened.ok_or(refused)
    }
}

/// Seals a trailer.
pub(super) fn seal(
    clear: &Clear,
    secret: &Secret,
    expander: &Expander,
    name: &ObjectName<'_>,
) -> Result<Vec<u8>, SealError> {
    let derived = expander.derive(&[TRAILER, clear.identity.bytes(), &clear.salt])?;
    let mut clear = clear.clone();
    clear.commitment = derived.commitment;
    let mut out = clear.encode()?;
    let mut text = secret.encode();
    let tag = Fast::new(&derived.key)?.seal(derived.nonce, &aad(&out, name), &mut text)?;
    out.extend_from_slice(&text);
    out.extend_from_slice(&tag);
    out.extend_from_slice(&MAGIC);
    Ok(out)
}

fn aad(clear: &[u8], name: &ObjectName<'_>) -> Vec<u8> {
    let (bucket, key) = (name.bucket.as_str().as_bytes(), name.key.as_str().as_bytes());
    let mut aad = Vec::with_capacity(clear.len() + 4 + bucket.len() + key.len());
    aad.extend_from_slice(clear);
    for text in [bucket, key] {
        // Names are at most 1,024 bytes by construction, so their length always fits.
        aad.extend_from_slice(&(text.len() as u16).to_be_bytes());
        aad.extend_from_slice(text);
    }
    aad
}

// === impl Clear ===

impl Clear {
    fn encode(&self) -> Result<Vec<u8>, SealError> {
        let name = self.key.id.as_str().as_bytes();
        let wraps = u8::try_from(self.wraps.len()).ok().filter(|n| (1..=MAX_WRAPS as u8).contains(n));
        let flags = [
            (self.multipart, FLAG_MULTIPART),
            (self.has_metadata, FLAG_METADATA),
            (self.has_customer_key, FLAG_CUSTOMER),
        ];
        let flags = flags.iter().filter(|(set, _)| *set).fold(0, |flags, (_, flag)| flags | flag);
        let mut out = Vec::with_capacity(TRAILER_LEN as usize);
        out.extend_from_slice(&[
            VERSION,
            self.identity.suite().number(),
            flags,
            wraps.ok_or(SealError::Malformed("wraps"))?,
        ]);
        out.extend_from_slice(&self.identity.object_id());
        out.extend_from_slice(&self.plain_len.0.to_be_bytes());
        out.extend_from_slice(&self.parts.to_be_bytes());
        out.extend_from_slice(&self.index_len.to_be_bytes());
        out.extend_from_slice(&self.body_len.to_be_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.commitment);
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        out.resize(165, 0);
        out.extend_from_slice(&self.key.version.to_be_bytes());
        self.wraps.iter().for_each(|wrap| out.extend_from_slice(wrap));
        out.resize(CLEAR, 0);
        Ok(out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, SealError> {
        let mut fields = Fields(bytes);
        let [version, suite, flags, wraps] = fields.take()?;
        if version != VERSION {
            return Err(SealError::Unsupported("format version"));
        }
        let suite = Suite::from_number(suite).ok_or(SealError::Unsupported("suite"))?;
        if flags & !(FLAG_MULTIPART | FLAG_METADATA | FLAG_CUSTOMER) != 0 {
            return Err(SealError::Unsupported("flags"));
        }
        let clear = Self {
            multipart: flags & FLAG_MULTIPART != 0,
            has_metadata: flags & FLAG_METADATA != 0,
            has_customer_key: flags & FLAG_CUSTOMER != 0,
            identity: Identity::new(suite, fields.take()?),
            plain_len: PlainLen(u64::from_be_bytes(fields.take()?)),
            parts: u32::from_be_bytes(fields.take()?),
            index_len: u32::from_be_bytes(fields.take()?),
            body_len: u64::from_be_bytes(fields.take()?),
            salt: fields.take()?,
            commitment: fields.take()?,
            key: decode_key(&mut fields)?,
            wraps: decode_wraps(fields.slice(WRAPPED * MAX_WRAPS)?, wraps)?,
        };
        reserved(fields.0)?;
        clear.check()?;
        Ok(clear)
    }

    /// The clear lengths must agree with each other before anything is computed from them.
    fn check(&self) -> Result<(), SealError> {
        let parts = u64::from(self.parts);
        let index = if self.parts > 1 { parts * ENTRY + TAG as u64 } else { 0 };
        let total = sealed_len(self.plain_len)?.0;
        let fits = self.body_len.checked_add(index + TRAILER_LEN).is_some_and(|sum| sum <= total);
        if self.parts == 0 || self.parts as usize > MAX_PARTS || u64::from(self.index_len) != index || !fits {
            return Err(SealError::Malformed("lengths contradict each other"));
        }
        if self.parts > 1 && !self.multipart {
            return Err(SealError::Malformed("several parts without a multipart ETag"));
        }
        if self.parts == 1 && self.body_len != message_len(self.plain_len).0 {
            return Err(SealError::Malformed("body length"));
        }
        Ok(())
    }
}

fn decode_key(fields: &mut Fields<'_>) -> Result<VaultKeyRef, SealError> {
    let [length] = fields.take()?;
    let (name, zeros) =
        fields.slice(VaultKeyId::MAX)?.split_at_checked(usize::from(length)).ok_or(SealError::Malformed("key name"))?;
    if zeros.iter().any(|b| *b != 0) {
        return Err(SealError::Malformed("key name"));
    }
    let name = std::str::from_utf8(name).map_err(|_| SealError::Malformed("key name"))?;
    let id = VaultKeyId::parse(name).map_err(|_| SealError::Malformed("key name"))?;
    let version = u32::from_be_bytes(fields.take()?);
    if version == 0 { Err(SealError::Malformed("key version")) } else { Ok(VaultKeyRef { id, version }) }
}

fn decode_wraps(slots: &[u8], count: u8) -> Result<Vec<[u8; WRAPPED]>, SealError> {
    let (used, unused) = slots.as_chunks::<WRAPPED>().0.split_at_checked(usize::from(count)).unwrap_or_default();
    if used.is_empty() || unused.as_flattened().iter().any(|b| *b != 0) {
        return Err(SealError::Malformed("number of wraps"));
    }
    Ok(used.to_vec())
}

/// What no version-1 writer sets: a later writer may mean something by it.
fn reserved(bytes: &[u8]) -> Result<(), SealError> {
    if bytes.iter().all(|b| *b == 0) { Ok(()) } else { Err(SealError::Unsupported("reserved bytes")) }
}

// === impl Secret ===

impl Secret {
    fn encode(&self) -> [u8; SECRET] {
        let content = &self.content;
        let (code, value) = ChecksumValue::encode(content.checksum.as_ref().map(|(value, _)| value));
        let kind = match content.checksum {
            None => 0,
            Some((_, ChecksumType::FullObject)) => 1,
            Some((_, ChecksumType::Composite)) => 2,
        };
        let mut out = [0; SECRET];
        out[..16].copy_from_slice(&content.md5);
        out[16] = code;
        out[17] = kind;
        out[18..50].copy_from_slice(&value);
        out[50..74].copy_from_slice(&self.first.salt);
        out[74..82].copy_from_slice(&content.written_at.to_be_bytes());
        out[82..98].copy_from_slice(&content.metadata_tag.unwrap_or_default());
        out[98..114].copy_from_slice(&self.first.md5);
        out[114..116].copy_from_slice(&self.first.part_number.to_be_bytes());
        out[116..148].copy_from_slice(&self.customer.unwrap_or_default());
        out
    }

    fn decode(bytes: &[u8], clear: &Clear) -> Result<Self, SealError> {
        let mut fields = Fields(bytes);
        let md5 = fields.take()?;
        let [code, kind] = fields.take()?;
        let value = ChecksumValue::decode(code, fields.take()?)?;
        let checksum = match (value, kind) {
            (None, 0) => None,
            (Some(value), 1) => Some((value, ChecksumType::FullObject)),
            (Some(value), 2) => Some((value, ChecksumType::Composite)),
            (_, 3..) => return Err(SealError::Unsupported("checksum type")),
            _ => return Err(SealError::Malformed("checksum type")),
        };
        let salt = fields.take()?;
        let written_at = u64::from_be_bytes(fields.take()?);
        let tag = fields.take()?;
        let first = PartEntry { part_number: 0, plain_len: clear.plain_len, salt, md5: fields.take()?, checksum: None };
        let first = PartEntry { part_number: part_number(fields.take()?)?, ..first };
        let customer = decode_customer(fields.take()?, clear.has_customer_key)?;
        reserved(fields.0)?;
        if !clear.has_metadata && tag != [0; 16] {
            return Err(SealError::Malformed("a metadata tag without the flag"));
        }
        let metadata_tag = clear.has_metadata.then_some(tag);
        let content = ContentInfo { md5, multipart: clear.multipart, checksum, written_at, metadata_tag };
        Ok(Self { content, first, customer })
    }
}

/// The check, exactly where the flag says that there is one.
fn decode_customer(check: CustomerCheck, flag: bool) -> Result<Option<CustomerCheck>, SealError> {
    match (flag, check == [0; 32]) {
        (false, true) => Ok(None),
        (false, false) => Err(SealError::Unsupported("reserved bytes")),
        (true, false) => Ok(Some(check)),
        (true, true) => Err(SealError::Malformed("a customer's key without its check")),
    }
}

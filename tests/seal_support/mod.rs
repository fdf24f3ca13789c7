//! What the tests of the sealed-object format share: fixed randomness, keys, names, and sealing in one call.
#![allow(dead_code, reason = "every test binary uses its own part")]
pub mod forge;
use bytes::{Bytes, BytesMut};
use std::sync::Mutex;
use strongroom::s3::{BucketName, ObjectKey, PlainLen, PlainSpan, SealedLen};
use strongroom::seal::*;
use strongroom::secret::SecretBytes;

/// A repeatable stream of bytes: SplitMix64 (Steele, Lea, Flood 2014) from a seed. Not random at all.
pub struct Fixed(Mutex<u64>);

impl Fixed {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().expect("no other test holds it");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Entropy for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

/// Plaintext by recipe: the big-endian SplitMix64 stream of `seed`, cut to `len` bytes.
pub fn plaintext(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    Fixed::new(seed).fill(&mut out).expect("fixed bytes never run out");
    out
}

pub fn key_ref(id: &str, version: u32) -> VaultKeyRef {
    VaultKeyRef { id: VaultKeyId::parse(id).expect("a good name"), version }
}

pub fn vault_named(id: &str, version: u32, secret: [u8; 32]) -> VaultKey {
    VaultKey::new(key_ref(id, version), SecretBytes::new(secret)).expect("a usable key")
}

pub fn vault() -> VaultKey {
    vault_named("default", 1, [0x42; 32])
}

pub fn customer_key(bytes: [u8; 32]) -> CustomerKey {
    CustomerKey::new(&bytes).expect("a usable key")
}

/// An owned logical name.
pub struct Name {
    pub bucket: BucketName,
    pub key: ObjectKey,
}

impl Name {
    pub fn new(bucket: &str, key: &str) -> Self {
        let bucket = BucketName::parse(bucket).expect("a good bucket");
        Self { bucket, key: ObjectKey::parse(key).expect("a good key") }
    }

    pub fn get(&self) -> ObjectName<'_> {
        ObjectName { bucket: &self.bucket, key: &self.key }
    }
}

pub fn name() -> Name {
    Name::new("photos", "2026/a.jpg")
}

/// A plain PUT's content facts.
pub fn content(multipart: bool) -> ContentInfo {
    ContentInfo { md5: [0x6d; 16], multipart, checksum: None, written_at: 1_790_000_000, metadata_tag: None }
}

/// Seals one message, pushing `plain` in pieces of `piece` bytes.
pub fn message(
    sealer: &ObjectSealer,
    plain: &[u8],
    piece: usize,
    entropy: &dyn Entropy,
    out: &mut BytesMut,
) -> MessageSummary {
    message_for(None, sealer, plain, piece, entropy, out)
}

pub fn message_for(
    customer: Option<&CustomerKey>,
    sealer: &ObjectSealer,
    plain: &[u8],
    piece: usize,
    entropy: &dyn Entropy,
    out: &mut BytesMut,
) -> MessageSummary {
    let mut message = sealer.message_with(customer, entropy).expect("fixed entropy");
    for piece in plain.chunks(piece) {
        message.update(piece, out).expect("small enough");
    }
    message.finish(out).expect("no update failed")
}

pub fn entry(number: u16, summary: MessageSummary) -> PartEntry {
    PartEntry {
        part_number: number,
        plain_len: summary.plain_len,
        salt: summary.salt,
        md5: [number as u8; 16],
        checksum: None,
    }
}

/// Seals an object of these parts under [`vault`] and [`name`].
pub fn seal_parts(suite: Suite, parts: &[Vec<u8>], multipart: bool, entropy: &dyn Entropy) -> Bytes {
    let sealer = ObjectSealer::generate(suite, &vault(), entropy).expect("fixed entropy");
    seal_parts_with(&sealer, parts, &content(multipart), &name(), entropy)
}

pub fn seal_parts_with(
    sealer: &ObjectSealer,
    parts: &[Vec<u8>],
    content: &ContentInfo,
    name: &Name,
    entropy: &dyn Entropy,
) -> Bytes {
    seal_parts_for(None, sealer, parts, content, name, entropy)
}

pub fn seal_parts_for(
    customer: Option<&CustomerKey>,
    sealer: &ObjectSealer,
    parts: &[Vec<u8>],
    content: &ContentInfo,
    name: &Name,
    entropy: &dyn Entropy,
) -> Bytes {
    let mut out = BytesMut::new();
    let mut entries = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let summary = message_for(customer, sealer, part, 1 << 20, entropy, &mut out);
        entries.push(entry(i as u16 + 1, summary));
    }
    let footer = sealer.footer(&name.get(), &entries, content, entropy).expect("a good object");
    out.extend_from_slice(&footer);
    out.freeze()
}

/// A plain PUT of `plain`.
pub fn seal(suite: Suite, plain: &[u8], entropy: &dyn Entropy) -> Bytes {
    seal_parts(suite, &[plain.to_vec()], false, entropy)
}

pub fn open(sealed: &Bytes) -> Result<Bytes, SealError> {
    decode_whole(sealed, &vault(), &name().get()).map(|(plain, _)| plain)
}

pub fn canonical(plain: usize) -> usize {
    sealed_len(PlainLen(plain as u64)).expect("small").0 as usize
}

/// Reads all of an object as a careful reader does: trailer, footer, index, every chunk.
pub fn decode_whole(sealed: &Bytes, vault: &VaultKey, name: &ObjectName<'_>) -> Result<(Bytes, OpenObject), SealError> {
    decode_whole_for(None, sealed, vault, name)
}

/// The same with a key of the customer's.
pub fn decode_whole_for(
    customer: Option<&CustomerKey>,
    sealed: &Bytes,
    vault: &VaultKey,
    name: &ObjectName<'_>,
) -> Result<(Bytes, OpenObject), SealError> {
    let object = Trailer::parse(sealed, SealedLen(sealed.len() as u64))?.open(vault, name)?;
    let layout = layout_of(sealed, &object)?;
    let (start, _) = object.footer_span();
    object.check_footer(&sealed[start as usize..])?;
    let mut reader = object.reader_with(customer, &layout, PlainSpan::whole(object.plain_len()))?;
    let (start, length) = reader.sealed_span();
    let mut plain = BytesMut::new();
    reader.push(sealed.slice(start as usize..(start + length) as usize), &mut plain)?;
    reader.finish()?;
    Ok((plain.freeze(), object))
}

/// Where the parts lie.
pub fn layout_of(sealed: &Bytes, object: &OpenObject) -> Result<Layout, SealError> {
    match object.index_span() {
        Some((start, length)) => object.layout_from_index(&sealed[start as usize..][..length as usize]),
        None => object.layout_single(),
    }
}

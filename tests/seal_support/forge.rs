//! A second writer of the format, made from `docs/FORMAT.md` and sharing no code with `seal`: it makes objects that
//! are authentic and yet break a rule, which the real writer cannot. Of both suites; SM4 here is RustCrypto's.
#![allow(dead_code, reason = "every test binary uses its own part")]
use super::Name;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::cipher::consts::U12;
use hkdf::hmac::{Hmac, Mac};

/// One part: its message's salt and plaintext, and the index's other facts about it.
#[derive(Clone)]
pub struct Part {
    pub number: u16,
    pub salt: [u8; 24],
    pub plain: Vec<u8>,
    pub md5: [u8; 16],
    /// Algorithm, a zero, the value.
    pub checksum: [u8; 34],
}

/// Every field of an object, open to change before [`Forge::seal`] makes it authentic.
#[derive(Clone)]
pub struct Forge {
    /// The suite that everything is made with, whatever `head` says.
    pub suite: u8,
    pub dek: [u8; 32],
    /// Version, suite, flags, number of wraps.
    pub head: [u8; 4],
    pub object_id: [u8; 16],
    pub plain_len: u64,
    pub part_count: u32,
    pub index_len: u32,
    pub body_len: u64,
    pub trailer_salt: [u8; 24],
    pub commitment: Option<[u8; 32]>,
    pub name_len: u8,
    /// The room for the vault key's name; filled with zeros.
    pub key_name: Vec<u8>,
    pub key_version: u32,
    /// The wraps' room as it is; short of 180 bytes it is filled with zeros.
    pub wraps: Vec<u8>,
    pub reserved: [u8; 3],
    /// The 152 bytes before sealing.
    pub secret: Vec<u8>,
    pub magic: [u8; 8],
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The index before sealing; empty for none.
    pub index: Vec<u8>,
    pub padding: Vec<u8>,
    pub bucket: String,
    pub key: String,
}

/// Bytes of a suite's AEAD key.
fn key_len(suite: u8) -> usize {
    if suite == 2 { 16 } else { 32 }
}

/// `HMAC(key, pieces)` of a suite.
fn hmac(suite: u8, key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    if suite == 2 {
        let mut mac = <Hmac<sm3::Sm3> as hkdf::hmac::KeyInit>::new_from_slice(key).expect("any length");
        pieces.iter().for_each(|piece| mac.update(piece));
        return mac.finalize().into_bytes().to_vec();
    }
    let mut mac = <Hmac<sha2::Sha512> as hkdf::hmac::KeyInit>::new_from_slice(key).expect("any length");
    pieces.iter().for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes().to_vec()
}

/// `Expand(key, info, n)` of FORMAT.md.
pub fn expand(suite: u8, key: &[u8], info: &[u8], n: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut last = Vec::new();
    for i in 1.. {
        if out.len() >= n {
            break;
        }
        last = hmac(suite, key, &[&last[..], info, &[i]]);
        out.extend_from_slice(&last);
    }
    out.truncate(n);
    out
}

/// The suite's AEAD under `key[K] || nonce[12]`.
fn gcm(suite: u8, okm: &[u8], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let (key, nonce) = okm.split_at(key_len(suite));
    let nonce = nonce[..12].try_into().expect("12 bytes");
    let payload = Payload { msg: plain, aad };
    let sealed = match suite {
        2 => aes_gcm::AesGcm::<sm4::Sm4, U12>::new_from_slice(key).expect("16 bytes").encrypt(nonce, payload),
        _ => aes_gcm::Aes256Gcm::new_from_slice(key).expect("32 bytes").encrypt(nonce, payload),
    };
    sealed.expect("short")
}

/// `label || suite || object id || salt`.
fn info(suite: u8, label: &str, id: &[u8; 16], salt: &[u8]) -> Vec<u8> {
    [label.as_bytes(), &[suite], id, salt].concat()
}

/// A wrap of `dek`, for a vault key of any name.
pub fn wrap(suite: u8, vault: &[u8; 32], (name, version): (&[u8], u32), id: &[u8; 16], dek: &[u8; 32]) -> Vec<u8> {
    let nonce = [0x76; 12];
    let key = expand(suite, vault, &info(suite, "strongroom.v1.wrap", id, &[]), key_len(suite));
    let aad = [&[name.len() as u8][..], name, &version.to_be_bytes()].concat();
    [&nonce[..], &gcm(suite, &[&key[..], &nonce].concat(), &aad, dek)].concat()
}

/// What the messages lie under when there is a customer's key.
pub fn content_key(suite: u8, dek: &[u8; 32], id: &[u8; 16], customer: &[u8; 32]) -> [u8; 32] {
    customer_derived(suite, "strongroom.v1.customer", dek, id, customer)
}

fn customer_derived(suite: u8, label: &str, dek: &[u8; 32], id: &[u8; 16], customer: &[u8; 32]) -> [u8; 32] {
    expand(suite, dek, &info(suite, label, id, customer), 32).try_into().expect("32 bytes")
}

/// A Cobblestone-256 message, or its twin of suite 2.
pub fn message(suite: u8, dek: &[u8; 32], id: &[u8; 16], salt: &[u8; 24], plain: &[u8]) -> Vec<u8> {
    let context = info(suite, "strongroom.v1.message", id, &[]);
    let aead = if suite == 2 { "AEAD_SM4_GCM" } else { "AEAD_AES_256_GCM" };
    let label = format!("c2sp.org/chunked-encryption@v1+{aead}\0");
    let info = [label.as_bytes(), &salt[..], &context].concat();
    let nonce_end = key_len(suite) + 12;
    let okm = expand(suite, dek, &info, nonce_end + 32);
    let mut out = [&salt[..], &okm[nonce_end..]].concat();
    for i in 0..=plain.len() / 16_384 {
        let chunk = &plain[i * 16_384..plain.len().min((i + 1) * 16_384)];
        let mut key = okm[..nonce_end].to_vec();
        for (byte, count) in key[nonce_end - 8..].iter_mut().zip((i as u64).to_be_bytes()) {
            *byte ^= count;
        }
        out.extend(gcm(suite, &key, &[], chunk));
    }
    out
}

/// One index entry.
pub fn entry(part: &Part) -> Vec<u8> {
    let len = (part.plain.len() as u64).to_be_bytes();
    [&len[..], &part.salt, &part.md5, &part.number.to_be_bytes(), &part.checksum].concat()
}

impl Forge {
    /// A correct object of `parts`, wrapped under `vault`, version 1 of `default`; written at 1,790,000,000 with the MD5
    /// `6d 6d ...`.
    pub fn new(suite: u8, dek: [u8; 32], object_id: [u8; 16], parts: &[Part], vault: &[u8; 32], name: &Name) -> Self {
        let body: Vec<u8> = parts.iter().flat_map(|p| message(suite, &dek, &object_id, &p.salt, &p.plain)).collect();
        let plain_len: u64 = parts.iter().map(|p| p.plain.len() as u64).sum();
        let sealed = plain_len + 16 * (plain_len / 16_384 + 1) + 684 + 160 * (plain_len / (5 << 20));
        let index: Vec<u8> = if parts.len() > 1 { parts.iter().flat_map(entry).collect() } else { Vec::new() };
        let index_len = if index.is_empty() { 0 } else { index.len() as u32 + 16 };
        let mut secret = [0x6d; 16].to_vec();
        secret.extend([0; 34]);
        secret.extend(parts[0].salt);
        secret.extend(1_790_000_000u64.to_be_bytes());
        secret.extend([0; 16]);
        secret.extend(parts[0].md5);
        secret.extend(parts[0].number.to_be_bytes());
        secret.resize(152, 0);
        Self {
            suite,
            dek,
            head: [1, suite, u8::from(parts.len() > 1), 1],
            object_id,
            plain_len,
            part_count: parts.len() as u32,
            index_len,
            body_len: body.len() as u64,
            trailer_salt: [0x75; 24],
            commitment: None,
            name_len: 7,
            key_name: b"default".to_vec(),
            key_version: 1,
            wraps: wrap(suite, vault, (b"default", 1), &object_id, &dek),
            reserved: [0; 3],
            secret,
            magic: *b"SRSEAL\x01\x00",
            padding: vec![0; sealed as usize - body.len() - index_len as usize - 528],
            body,
            index,
            bucket: name.bucket.as_str().to_owned(),
            key: name.key.as_str().to_owned(),
        }
    }

    /// The same object with a key of the customer's.
    pub fn for_customer(mut self, customer: &[u8; 32], parts: &[Part]) -> Self {
        let key = content_key(self.suite, &self.dek, &self.object_id, customer);
        let id = &self.object_id;
        self.body = parts.iter().flat_map(|p| message(self.suite, &key, id, &p.salt, &p.plain)).collect();
        self.head[2] |= 4;
        let check = customer_derived(self.suite, "strongroom.v1.customer-check", &self.dek, id, customer);
        self.secret[116..148].copy_from_slice(&check);
        self
    }

    /// The sealed footer.
    pub fn footer(&self) -> Vec<u8> {
        let derive = |label| {
            let info = info(self.suite, label, &self.object_id, &self.trailer_salt);
            expand(self.suite, &self.dek, &info, key_len(self.suite) + 44)
        };
        let okm = derive("strongroom.v1.trailer");
        let mut trailer = [&self.head[..], &self.object_id, &self.plain_len.to_be_bytes()].concat();
        trailer.extend(self.part_count.to_be_bytes());
        trailer.extend(self.index_len.to_be_bytes());
        trailer.extend(self.body_len.to_be_bytes());
        trailer.extend(self.trailer_salt);
        trailer.extend(self.commitment.unwrap_or(*okm.last_chunk().expect("32 bytes")));
        trailer.push(self.name_len);
        trailer.extend(&self.key_name);
        trailer.resize(165, 0);
        trailer.extend(self.key_version.to_be_bytes());
        trailer.extend(&self.wraps);
        trailer.resize(349, 0);
        trailer.extend(self.reserved);
        let mut aad = trailer.clone();
        for name in [&self.bucket, &self.key] {
            aad.extend((name.len() as u16).to_be_bytes());
            aad.extend(name.as_bytes());
        }
        trailer.extend(gcm(self.suite, &okm, &aad, &self.secret));
        trailer.extend(self.magic);
        let mut out = Vec::new();
        if !self.index.is_empty() {
            out.extend(gcm(self.suite, &derive("strongroom.v1.index"), &[], &self.index));
        }
        out.extend(&self.padding);
        out.extend(trailer);
        out
    }

    /// The whole object.
    pub fn seal(&self) -> Vec<u8> {
        [&self.body[..], &self.footer()].concat()
    }
}

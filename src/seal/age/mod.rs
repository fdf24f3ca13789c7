//! A small secret for somebody's safe: the `age` format, version 1 (<https://c2sp.org/age>), with one X25519 recipient and one chunk, in ASCII armor.
//! Whoever has the private key opens it with the `age` tool, without us.
//!
//! ```text
//! age-encryption.org/v1
//! -> X25519 BASE64(ephemeral share)
//! BASE64(ChaCha20-Poly1305(HKDF(X25519(...), share || recipient, "age-encryption.org/v1/X25519"), 0, file key))
//! --- BASE64(HMAC-SHA-256(HKDF(file key, "", "header"), all of the above and "---"))
//! nonce[16] || ChaCha20-Poly1305(HKDF(file key, nonce, "payload"), 0^11 || 1, secret)
//! ```
//!
//! Written here because the library for it brings 75 crates, with a second set of ciphers and an early version of ML-KEM, for these few lines.
mod bech32;

use super::error::{Entropy, SealError, random};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: &str = "age-encryption.org/v1";
const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
/// Characters of a line of the armor.
const COLUMNS: usize = 64;
/// Bytes of one chunk; we write no second one.
const CHUNK: usize = 64 * 1024;
const FILE_KEY: usize = 16;
const NONCE: usize = 16;
const TAG: usize = 16;
/// The nonce of a key that is used once.
const ONCE: [u8; 12] = [0; 12];
/// The nonce of the first chunk, which is the last.
const LAST: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

const DAMAGED: SealError = SealError::Malformed("this is no age file with one X25519 recipient");
const MISMATCH: SealError = SealError::Authentication("another identity, or damage");

/// A public key, `age1...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRecipient([u8; 32]);

/// A private key, `AGE-SECRET-KEY-1...`.
pub struct AgeIdentity(Zeroizing<[u8; 32]>);

/// A header, taken apart.
struct Header<'f> {
    share: [u8; 32],
    body: [u8; FILE_KEY + TAG],
    /// What the MAC covers.
    covered: &'f str,
    mac: [u8; 32],
}

// === impl AgeRecipient ===

impl AgeRecipient {
    /// Reads `age1...`; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        bech32::decode("age", text).filter(|_| !text.contains(char::is_uppercase)).map(|key| Self(*key))
    }

    /// Encrypts a secret of up to 64 KiB.
    ///
    /// # Errors
    /// `TooLarge`, `NoEntropy`, and `BadKey` for a recipient that no private key can have.
    pub fn encrypt(&self, secret: &[u8], entropy: &dyn Entropy) -> Result<String, SealError> {
        if secret.is_empty() || secret.len() > CHUNK {
            return Err(SealError::TooLarge("an age file of ours has 1 byte to 64 KiB"));
        }
        let ephemeral = AgeIdentity(Zeroizing::new(random(entropy)?));
        let file_key = Zeroizing::new(random::<FILE_KEY>(entropy)?);
        let share = ephemeral.public()?;
        // Room for everything first, so that no copy is left behind by a reallocation.
        let mut body = Vec::with_capacity(FILE_KEY + TAG);
        body.extend_from_slice(&*file_key);
        seal(&*ephemeral.wrap_key(&self.0, &share, &self.0)?, ONCE, &mut body)?;
        let header =
            format!("{VERSION}\n-> X25519 {}\n{}\n---", STANDARD_NO_PAD.encode(share), STANDARD_NO_PAD.encode(body));
        let mac = hmac::sign(&mac_key(&*file_key)?, header.as_bytes());
        let mut file = format!("{header} {}\n", STANDARD_NO_PAD.encode(mac)).into_bytes();
        let nonce = random::<NONCE>(entropy)?;
        file.extend_from_slice(&nonce);
        let mut payload = Vec::with_capacity(secret.len() + TAG);
        payload.extend_from_slice(secret);
        seal(&*derive(&nonce, &*file_key, b"payload")?, LAST, &mut payload)?;
        file.extend_from_slice(&payload);
        Ok(armored(&file))
    }
}

// === impl AgeIdentity ===

impl AgeIdentity {
    /// Reads `AGE-SECRET-KEY-1...`; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        bech32::decode("age-secret-key-", text).filter(|_| !text.contains(char::is_lowercase)).map(Self)
    }

    /// Decrypts what [`AgeRecipient::encrypt`] made, or the `age` tool for one such recipient.
    ///
    /// # Errors
    /// `Malformed` for anything else, `Authentication` for another identity, or damage.
    pub fn decrypt(&self, armor: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let file = unarmored(armor).ok_or(DAMAGED)?;
        let (header, payload) = Header::parse(&file).ok_or(DAMAGED)?;
        let mut body = Zeroizing::new(header.body);
        let own = self.public()?;
        open(&*self.wrap_key(&header.share, &header.share, &own)?, ONCE, &mut *body)?;
        let file_key = Zeroizing::new(*body.first_chunk::<FILE_KEY>().ok_or(DAMAGED)?);
        hmac::verify(&mac_key(&*file_key)?, header.covered.as_bytes(), &header.mac).map_err(|_| MISMATCH)?;
        let (nonce, payload) = payload.split_first_chunk::<NONCE>().ok_or(DAMAGED)?;
        if payload.len() <= TAG || payload.len() > CHUNK + TAG {
            return Err(DAMAGED);
        }
        let mut payload = Zeroizing::new(payload.to_vec());
        open(&*derive(nonce, &*file_key, b"payload")?, LAST, &mut payload)?;
        let length = payload.len() - TAG;
        payload.truncate(length);
        Ok(payload)
    }

    fn key(&self) -> Result<PrivateKey, SealError> {
        PrivateKey::from_private_key(&X25519, &*self.0).map_err(|_| SealError::BadKey("no X25519 key"))
    }

    fn public(&self) -> Result<[u8; 32], SealError> {
        let public = self.key()?.compute_public_key().map_err(|_| SealError::BadKey("no X25519 key"))?;
        public.as_ref().try_into().map_err(|_| SealError::BadKey("length"))
    }

    /// The key that wraps the file key: agreed with `peer`, bound to both ends.
    fn wrap_key(
        &self,
        peer: &[u8; 32],
        share: &[u8; 32],
        recipient: &[u8; 32],
    ) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let salt = [*share, *recipient].concat();
        // A peer whose secret would be zero is refused by the library.
        let refused = SealError::BadKey("a public key that agrees on nothing");
        agree(&self.key()?, UnparsedPublicKey::new(&X25519, peer), refused, |shared| {
            derive(&salt, shared, b"age-encryption.org/v1/X25519")
        })
    }
}

// === impl Header ===

impl<'f> Header<'f> {
    /// The header and what follows it.
    fn parse(file: &'f [u8]) -> Option<(Self, &'f [u8])> {
        let mac_line = file.windows(4).position(|w| w == b"\n---")? + 1;
        let end = mac_line + file[mac_line..].iter().position(|b| *b == b'\n')?;
        let text = std::str::from_utf8(&file[..end]).ok()?;
        let mut lines = text.split('\n');
        let (version, stanza, body, mac) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        if version != VERSION || lines.next().is_some() {
            return None;
        }
        let header = Self {
            share: exactly(stanza.strip_prefix("-> X25519 ")?)?,
            body: exactly(body)?,
            covered: &text[..mac_line + 3],
            mac: exactly(mac.strip_prefix("--- ")?)?,
        };
        Some((header, &file[end + 1..]))
    }
}

/// Canonical base64 of `N` bytes, without padding.
fn exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut key = Zeroizing::new([0u8; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, key.as_mut()).map_err(|_| SealError::BadKey("derivation"))?;
    Ok(key)
}

fn mac_key(file_key: &[u8]) -> Result<hmac::Key, SealError> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*derive(&[], file_key, b"header")?))
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&CHACHA20_POLY1305, key)
        .map(LessSafeKey::new)
        .map_err(|_| SealError::BadKey("refused by the cipher"))
}

/// In place; the tag is appended.
fn seal(key: &[u8; 32], nonce: [u8; 12], data: &mut Vec<u8>) -> Result<(), SealError> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher(key)?.seal_in_place_append_tag(nonce, Aad::empty(), data).map_err(|_| SealError::TooLarge("one chunk"))
}

/// In place; the tag's bytes stay behind what was opened.
fn open(key: &[u8; 32], nonce: [u8; 12], data: &mut [u8]) -> Result<(), SealError> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher(key)?.open_in_place(nonce, Aad::empty(), data).map(drop).map_err(|_| MISMATCH)
}

fn armored(file: &[u8]) -> String {
    let text = STANDARD.encode(file);
    let mut out = format!("{BEGIN}\n");
    for line in text.as_bytes().chunks(COLUMNS) {
        out.extend(line.iter().map(|b| char::from(*b)));
        out.push('\n');
    }
    out + END + "\n"
}

fn unarmored(armor: &str) -> Option<Vec<u8>> {
    let inside = armor.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let text: String = inside.lines().map(str::trim).collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Public test vector `armor` of C2SP's CCTV: what is inside is `age`.
    const IDENTITY: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
    const FILE: &str = "-----BEGIN AGE ENCRYPTED FILE-----\n\
        YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBURWlGMHlwcXIrYnB2Y3FY\n\
        TnlDVkpwTDdPdXdQZFZ3UEw3S1FFYkZET0NjCmhqYWJHWHdTTFE5YzNTNkx3Mmkr\n\
        UzJUdTJmaXdRSEhzbGJCTjZCNDFGTEUKLS0tIFd5SnA5Ri85Rk9aaDdnSmRoZXEy\n\
        V0lKY3dIZ1ljOE5JVmgzZGR3aHJjTmcK7s9ix86RtDMnTmjU8vkTTLdMW/73vqpS\n\
        yPC8DpksHoMx+2Y=\n\
        -----END AGE ENCRYPTED FILE-----\n";

    struct Os;

    impl Entropy for Os {
        fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
            aws_lc_rs::rand::fill(out).map_err(|_| SealError::NoEntropy)
        }
    }

    fn identity() -> AgeIdentity {
        AgeIdentity::parse(IDENTITY).expect("an identity")
    }

    fn recipient() -> AgeRecipient {
        AgeRecipient(identity().public().expect("a public key"))
    }

    #[test]
    fn the_public_vector_opens() {
        assert_eq!(identity().decrypt(FILE).map(|plain| plain.to_vec()), Ok(b"age".to_vec()));
    }

    #[test]
    fn what_is_encrypted_opens_for_its_recipient_alone() {
        let secret = [7u8; 65];
        let (one, two) = (recipient().encrypt(&secret, &Os), recipient().encrypt(&secret, &Os));
        let (one, two) = (one.expect("a file"), two.expect("a file"));
        assert_ne!(one, two);
        assert_eq!(identity().decrypt(&one).map(|plain| plain.to_vec()), Ok(secret.to_vec()));
        assert!(one.lines().all(|line| line.len() <= COLUMNS));
        let other = AgeIdentity(Zeroizing::new([9; 32]));
        assert_eq!(other.decrypt(&one).map(drop), Err(MISMATCH));
        for length in [0, CHUNK + 1] {
            assert!(matches!(recipient().encrypt(&vec![1; length], &Os), Err(SealError::TooLarge(_))), "{length}");
        }
        let full = recipient().encrypt(&vec![1; CHUNK], &Os).expect("a file");
        assert_eq!(identity().decrypt(&full).map(|plain| plain.len()), Ok(CHUNK));
    }

    #[test]
    fn every_bit_matters() {
        let file = unarmored(FILE).expect("armored");
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(identity().decrypt(&armored(&changed)).is_err(), "byte {at}");
        }
        for length in 0..file.len() {
            assert!(identity().decrypt(&armored(&file[..length])).is_err(), "{length} bytes");
        }
        assert!(identity().decrypt(&armored(&[&file[..], b"x"].concat())).is_err());
    }

    #[test]
    fn a_recipient_that_agrees_on_nothing_is_refused() {
        assert!(matches!(AgeRecipient([0; 32]).encrypt(b"x", &Os), Err(SealError::BadKey(_))));
    }

    #[test]
    fn keys_are_read_as_age_writes_them() {
        let public = bech32::encode("age", &recipient().0);
        assert_eq!(AgeRecipient::parse(&public), Some(recipient()));
        assert!(AgeRecipient::parse(&public.to_uppercase()).is_none() && AgeRecipient::parse(IDENTITY).is_none());
        assert!(AgeIdentity::parse(&IDENTITY.to_lowercase()).is_none() && AgeIdentity::parse(&public).is_none());
    }
}

//! Small sealed blobs: the keyring's files, under the root key.
//!
//! ```text
//! blob := "SRBLOB\x01\x00" || salt[24] || AES-256-GCM(key, nonce, AAD = label, plain) || tag[16]
//! ```
//!
//! They are of suite 1, whatever the objects are that their keys seal.
use super::aead::{Aead, Fast, TAG};
use super::derive::{BLOB, Expander, SALT};
use super::error::{Entropy, SealError, random};
use crate::s3::Suite;
use crate::secret::SecretBytes;
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"SRBLOB\x01\x00";

/// Seals a small blob under a root key, bound to `label` (its name).
///
/// # Errors
/// `BadKey` for the zero key, `NoEntropy` without randomness.
pub fn seal_blob(
    root: &SecretBytes<32>,
    label: &str,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let salt = random::<SALT>(entropy)?;
    let derived = Expander::new(Suite::Aes256Gcm, root)?.derive(&[BLOB, &salt])?;
    // Room for everything first, so that no copy of the plaintext is left behind by a reallocation.
    let mut out = Vec::with_capacity(MAGIC.len() + SALT + plain.len() + TAG);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&salt);
    out.extend_from_slice(plain);
    let tag = Fast::new(&derived.key)?.seal(derived.nonce, label.as_bytes(), &mut out[MAGIC.len() + SALT..])?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// Opens what [`seal_blob`] made. The result is zeroised on drop.
///
/// # Errors
/// `NotSealed` for something else, `Authentication` for another root key or label, or damage.
pub fn open_blob(root: &SecretBytes<32>, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let rest = sealed.strip_prefix(&MAGIC).ok_or(SealError::NotSealed("no blob magic"))?;
    let (salt, text) = rest.split_first_chunk::<SALT>().ok_or(SealError::NotSealed("short blob"))?;
    let derived = Expander::new(Suite::Aes256Gcm, root)?.derive(&[BLOB, salt])?;
    let mut text = Zeroizing::new(text.to_vec());
    let plain = Fast::new(&derived.key)?.open(derived.nonce, label.as_bytes(), &mut text);
    let plain = plain.map_err(|_| SealError::Authentication("the blob, under this root key and name"))?.len();
    text.truncate(plain);
    Ok(text)
}

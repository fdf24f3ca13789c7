//! Custodians: each can open a root envelope alone. A passphrase, a key in a KMS, in Vault or in an HSM, the recipient of an escrow.
//!
//! | file | custodian |
//! |---|---|
//! | [`passphrase`] | Argon2id over a passphrase |
//! | [`aws_kms`] | a symmetric key in AWS KMS, or what speaks its protocol |
//! | [`vault_transit`] | a key of the Transit engine of Vault or OpenBao |
//! | [`pkcs11`] | an AES key in a PKCS#11 token: an HSM |
//! | [`recipient`] | an X25519 recipient of `age`: wraps online, opens offline only |
//! | [`source`] | where a custodian's own secret lies |
//! | [`set`] | all of a configuration: opening an envelope, making one, changing one |
mod aws_kms;
mod passphrase;
mod pkcs11;
mod recipient;
mod set;
mod source;
mod vault_transit;

pub use aws_kms::AwsKmsSettings;
pub use passphrase::{Cost, SHORTEST as SHORTEST_PASSPHRASE};
pub use pkcs11::Pkcs11Settings;
pub use recipient::{is_recipient, recover};
pub use set::{Answer, Custodians, WrapChange};
pub use source::SecretSource;
pub use vault_transit::{VaultLogin, VaultTransitSettings};

use super::RootKey;
use super::envelope::Wrapped;
use crate::secret::{SecretBytes, SecretText};
use async_trait::async_trait;

/// A custodian's name from the configuration: label of metrics and logs, and what finds its part of an envelope.
pub type CustodianName = String;

/// A custodian, as configured. Holds secrets: no `Debug`.
pub struct CustodianSettings {
    /// Name.
    pub name: CustodianName,
    /// What it is.
    pub kind: CustodianKind,
}

/// What a custodian is.
pub enum CustodianKind {
    /// Whoever knows the passphrase.
    Passphrase(SecretText),
    /// A key in AWS KMS.
    AwsKms(AwsKmsSettings),
    /// A key of the Transit engine of Vault or OpenBao.
    VaultTransit(VaultTransitSettings),
    /// An AES key in a PKCS#11 token.
    Pkcs11(Pkcs11Settings),
    /// Whoever has the identity (a private key) of this `age` recipient (`age1...`).
    Recipient(String),
}

/// Why a custodian does not open (or wrap) a root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CustodianError {
    /// It cannot be asked now; that says nothing about whether it would.
    #[error("cannot be asked: {0}")]
    Silent(String),
    /// It was asked, and will not.
    #[error("refuses: {0}")]
    Refused(String),
    /// What the envelope holds for it is not for it, or damaged.
    #[error("cannot open its part: {0}")]
    Unusable(String),
    /// The proxy cannot open it by itself, and is not meant to.
    #[error("opens offline only, with `strongroom root recover`")]
    Offline,
    /// The envelope was not wrapped for it.
    #[error("has no part in the envelope; run `strongroom root rewrap`")]
    NotWrapped,
}

/// Somebody or something that keeps a root.
#[async_trait]
trait Custodian: Send + Sync {
    /// Wraps a root for this custodian alone.
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, CustodianError>;

    /// Opens what [`Custodian::wrap`] made. `fingerprint` is the one that the root is said to have; what was wrapped for another root
    /// does not open.
    async fn unwrap(&self, fingerprint: &str, wrapped: &Wrapped) -> Result<RootKey, CustodianError>;

    /// Whether it can be asked at all without somebody's private key.
    fn is_online(&self) -> bool {
        true
    }
}

/// What a wrapped root is bound to, where the custodian can bind it to anything.
fn label(kind: &str, fingerprint: &str) -> String {
    format!("root-envelope/v1/{kind}/{fingerprint}")
}

/// The root that came out of a custodian.
fn root_of(plain: &[u8]) -> Result<RootKey, CustodianError> {
    let no_root = || CustodianError::Unusable("what came out is no root key".to_owned());
    let root: &[u8; 32] = plain.as_array().ok_or_else(no_root)?;
    Ok(RootKey(SecretBytes::new(*root)))
}

// === impl CustodianError ===

impl CustodianError {
    /// Whether it says nothing about the root: the custodian did not speak.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Silent(_))
    }

    fn other_kind() -> Self {
        Self::Unusable("it was wrapped for a custodian of another kind; run `strongroom root rewrap`".to_owned())
    }
}

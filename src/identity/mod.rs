//! Who is asking: an access key id becomes a [`Principal`]. CONTRACT SKELETON.
use crate::secret::SecretText;
use std::sync::Arc;

/// One long-term credential.
pub struct Credential {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretText,
    /// A human name for logs.
    pub name: String,
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Access key id.
    pub access_key_id: Arc<str>,
    /// Name of the credential.
    pub name: Arc<str>,
}

/// Every credential known. No `Debug`.
pub struct Credentials {}

#[allow(unused_variables)]
impl Credentials {
    /// Refuses duplicates, empty lists, short secrets (under 16 characters).
    pub fn new(list: Vec<Credential>) -> Result<Self, IdentityError> {
        unimplemented!()
    }
    /// By access key id.
    pub fn principal(&self, access_key_id: &str) -> Option<Principal> {
        unimplemented!()
    }
    /// The secret behind an access key id, for signature checks.
    pub fn secret(&self, access_key_id: &str) -> Option<&SecretText> {
        unimplemented!()
    }
}

/// Why a set of credentials is refused.
#[derive(Debug, thiserror::Error)]
#[error("credentials: {0}")]
pub struct IdentityError(pub String);

//! A key of the customer's own (S3's SSE-C): without it nobody opens what the object holds.
//!
//! The DEK, which a vault key wraps, opens everything *about* such an object as about any other: trailer, index, sealed metadata. Its messages lie
//! under another key, which takes the DEK and the customer's key:
//!
//! ```text
//! content key[32]    = Expand(DEK, CUSTOMER || id || customer key[32])
//! customer check[32] = Expand(DEK, CUSTOMER_CHECK || id || customer key[32])      kept in the trailer's sealed part
//! ```
//!
//! The check tells a wrong key from damage before a byte of the body is fetched.
use super::derive::{CUSTOMER, CUSTOMER_CHECK, Expander, Identity};
use super::error::SealError;
use crate::secret::SecretBytes;
use std::sync::Arc;

/// What the trailer remembers of a customer's key.
pub(super) type CustomerCheck = [u8; 32];

/// A key that a client brings with every request and that is kept nowhere. No `Debug`.
pub struct CustomerKey(SecretBytes<32>);

/// Why an object is not opened, or written, with the customer's key that was brought, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerKeyFault {
    /// There is such a key, and none was brought.
    #[error("it needs the customer's key")]
    Missing,
    /// It is another one.
    #[error("it is sealed with another customer's key")]
    Wrong,
    /// There is no such key.
    #[error("it is not sealed with a customer's key")]
    NotUsed,
}

// === impl CustomerKey ===

impl CustomerKey {
    /// From the 32 bytes that the client sent; the caller's copy is the caller's to wipe.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for the all-zero key.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let mut secret = SecretBytes::new([0; 32]);
        secret.expose_mut().copy_from_slice(bytes);
        if secret.is_zero() { Err(SealError::BadKey("all bytes are zero")) } else { Ok(Self(secret)) }
    }

    /// Whether both are one key; compared in constant time.
    pub fn is(&self, other: &Self) -> bool {
        same(self.0.expose(), other.0.expose())
    }

    /// What an object remembers of it.
    pub(super) fn check(&self, expander: &Expander, identity: &Identity) -> Result<CustomerCheck, SealError> {
        let mut check = [0; 32];
        expander.expand(&[CUSTOMER_CHECK, identity.bytes(), self.0.expose()], &mut check)?;
        if check == [0; 32] { Err(SealError::BadKey("a check of zeros")) } else { Ok(check) }
    }

    fn content(&self, expander: &Expander, identity: &Identity) -> Result<Expander, SealError> {
        let mut content = SecretBytes::new([0; 32]);
        expander.expand(&[CUSTOMER, identity.bytes(), self.0.expose()], content.expose_mut())?;
        Expander::new(identity.suite(), &content)
    }
}

/// Whether the key that was brought, or none, is what an object with this check asks for.
pub(super) fn check(
    expander: &Expander,
    identity: &Identity,
    remembered: Option<&CustomerCheck>,
    brought: Option<&CustomerKey>,
) -> Result<(), SealError> {
    match (remembered, brought) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(CustomerKeyFault::Missing.into()),
        (None, Some(_)) => Err(CustomerKeyFault::NotUsed.into()),
        (Some(remembered), Some(key)) if same(remembered, &key.check(expander, identity)?) => Ok(()),
        (Some(_), Some(_)) => Err(CustomerKeyFault::Wrong.into()),
    }
}

/// What the messages are under: the DEK, or with a customer's key the content key. Checks the key first.
pub(super) fn content(
    dek: &Arc<Expander>,
    identity: &Identity,
    remembered: Option<&CustomerCheck>,
    brought: Option<&CustomerKey>,
) -> Result<Arc<Expander>, SealError> {
    check(dek, identity, remembered, brought)?;
    match brought {
        None => Ok(Arc::clone(dek)),
        Some(key) => key.content(dek, identity).map(Arc::new),
    }
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    use subtle::ConstantTimeEq;
    a.as_slice().ct_eq(b).into()
}

//! Everything that can be wrong with sealed bytes or a key.
use super::customer::CustomerKeyFault;

/// Why bytes were refused. Never carries bytes of either side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The bytes are not a sealed object (wrong magic, too short, impossible length).
    #[error("not a sealed object: {0}")]
    NotSealed(&'static str),
    /// The object says it was sealed in a way this build does not know.
    #[error("unsupported sealed object: {0}")]
    Unsupported(&'static str),
    /// Authentication failed: damaged, swapped, truncated, or the wrong key or name.
    #[error("authentication failed: {0}")]
    Authentication(&'static str),
    /// The structure contradicts itself.
    #[error("malformed sealed object: {0}")]
    Malformed(&'static str),
    /// A zero or otherwise unusable key.
    #[error("unusable key: {0}")]
    BadKey(&'static str),
    /// More plaintext, parts or metadata than the format holds.
    #[error("too large for the format: {0}")]
    TooLarge(&'static str),
    /// The customer's key: missing, another one, or brought for an object that has none.
    #[error("{0}")]
    CustomerKey(#[from] CustomerKeyFault),
    /// No randomness to be had.
    #[error("no randomness available")]
    NoEntropy,
}

/// Where random bytes come from; tests bring fixed ones.
pub trait Entropy: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    ///
    /// # Errors
    /// [`SealError::NoEntropy`] when there is none: nothing may be sealed then.
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError>;
}

/// `N` fresh random bytes.
pub(super) fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], SealError> {
    let mut out = [0; N];
    entropy.fill(&mut out)?;
    Ok(out)
}

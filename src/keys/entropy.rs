//! Randomness for sealing.
use crate::seal::{Entropy, SealError};

/// Randomness from the operating system.
pub struct OsEntropy;

// === impl OsEntropy ===

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
        crate::clock::random(out).map_err(|_| SealError::NoEntropy)
    }
}

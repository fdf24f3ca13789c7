//! Secrets that cannot be printed and do not outlive their use.
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes, zeroised on drop. No `Debug`, no `Display`, no `Clone` by accident.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes<const N: usize>(Box<[u8; N]>);

/// A secret text (a password, a secret access key), zeroised on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

// === impl SecretBytes ===

impl<const N: usize> SecretBytes<N> {
    /// Takes ownership of `bytes`; the caller's copy is the caller's to wipe.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(Box::new(bytes))
    }

    /// The bytes. The name is long so that a reviewer finds every use.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, to be filled in.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// True when every byte is zero: such a "key" is a bug and is refused everywhere.
    pub fn is_zero(&self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.as_slice().ct_eq(&[0u8; N]).into()
    }

    /// A second copy, for the rare place that needs one.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

// === impl SecretText ===

impl SecretText {
    /// Takes ownership of the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

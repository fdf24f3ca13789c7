//! Secrets that cannot be printed and do not outlive their use.
mod locked;

pub use locked::is_locked;
use locked::{SLOT, Slot};
use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// `N` secret bytes (64 at most), zeroised on drop, in memory that is not swapped out where that is to be had. No `Debug`, no `Display`, no
/// `Clone` by accident.
pub struct SecretBytes<const N: usize>(Place<N>);

enum Place<const N: usize> {
    Locked(Slot),
    Heap(Box<Zeroizing<[u8; N]>>),
}

/// A secret text (a password, a secret access key), zeroised on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

// === impl SecretBytes ===

impl<const N: usize> SecretBytes<N> {
    /// Takes ownership of `bytes`; the caller's copy is the caller's to wipe.
    pub fn new(bytes: [u8; N]) -> Self {
        const { assert!(N <= SLOT) };
        let mut bytes = Zeroizing::new(bytes);
        if let Some(mut slot) = Slot::take()
            && let Some(place) = slot.bytes_mut().and_then(|slot| slot.first_chunk_mut())
        {
            std::mem::swap(place, &mut *bytes);
            return Self(Place::Locked(slot));
        }
        let mut heap = Box::new(Zeroizing::new([0; N]));
        std::mem::swap(&mut **heap, &mut *bytes);
        Self(Place::Heap(heap))
    }

    /// The bytes. The name is long so that a reviewer finds every use.
    pub fn expose(&self) -> &[u8; N] {
        match &self.0 {
            Place::Locked(slot) => slot.bytes().and_then(|slot| slot.first_chunk()).expect("a slot holds N bytes"),
            Place::Heap(bytes) => bytes,
        }
    }

    /// The bytes, to be filled in.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        match &mut self.0 {
            Place::Locked(slot) => {
                slot.bytes_mut().and_then(|slot| slot.first_chunk_mut()).expect("a slot holds N bytes")
            }
            Place::Heap(bytes) => bytes,
        }
    }

    /// True when every byte is zero: such a "key" is a bug and is refused everywhere.
    pub fn is_zero(&self) -> bool {
        use subtle::ConstantTimeEq;
        self.expose().as_slice().ct_eq(&[0u8; N]).into()
    }

    /// A second copy, for the rare place that needs one.
    pub fn duplicate(&self) -> Self {
        Self::new(*self.expose())
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

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

//! GHASH (NIST SP 800-38D section 6.4) of associated data, text and their lengths.
//!
//! By the `ghash` crate, which is constant-time everywhere and uses PCLMULQDQ or PMULL where there is one; with AVX-512 by `x86::ghash`.
use crate::backend::Available;
#[cfg(target_arch = "x86_64")]
use crate::x86::ghash as wide;
use core::marker::PhantomData;
use ghash::universal_hash::UniversalHash;

/// The hash key, ready for use; zeroised on drop. No `Debug`.
#[derive(Clone)]
pub(crate) enum HashKey {
    Library(ghash::GHash),
    #[cfg(target_arch = "x86_64")]
    Wide(wide::Powers),
}

/// A hash being computed. Pieces of text are whole blocks, all but the last.
pub(crate) struct Ghash<'k> {
    state: State<'k>,
    aad: u64,
    text: u64,
}

enum State<'k> {
    Library(ghash::GHash, PhantomData<&'k HashKey>),
    #[cfg(target_arch = "x86_64")]
    Wide(wide::Wide<'k>),
}

// === impl HashKey ===

impl HashKey {
    /// From the encryption of the zero block.
    pub(crate) fn new(key: &[u8; 16], backend: Available) -> Self {
        match backend {
            #[cfg(target_arch = "x86_64")]
            Available::Avx512Gfni(machine) => Self::Wide(wide::Powers::new(key, machine)),
            _ => Self::Library(ghash::GHash::new(&(*key).into())),
        }
    }
}

// === impl Ghash ===

impl<'k> Ghash<'k> {
    pub(crate) fn new(key: &'k HashKey, aad: &[u8]) -> Self {
        let state = match key {
            HashKey::Library(hash) => State::Library(hash.clone(), PhantomData),
            #[cfg(target_arch = "x86_64")]
            HashKey::Wide(powers) => State::Wide(wide::Wide::new(powers)),
        };
        let mut hash = Self { state, aad: aad.len() as u64, text: 0 };
        hash.absorb(aad);
        hash
    }

    /// The next piece of text; only the last may end inside a block.
    pub(crate) fn update(&mut self, text: &[u8]) {
        self.text += text.len() as u64;
        self.absorb(text);
    }

    /// With both lengths in bits, as the last block.
    pub(crate) fn finish(mut self) -> [u8; 16] {
        let mut lengths = [0; 16];
        lengths[..8].copy_from_slice(&(self.aad * 8).to_be_bytes());
        lengths[8..].copy_from_slice(&(self.text * 8).to_be_bytes());
        self.absorb(&lengths);
        match self.state {
            State::Library(hash, _) => hash.finalize().into(),
            #[cfg(target_arch = "x86_64")]
            State::Wide(wide) => wide.finish(),
        }
    }

    /// Filled up with zeros to a whole block.
    fn absorb(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Library(hash, _) => hash.update_padded(bytes),
            #[cfg(target_arch = "x86_64")]
            State::Wide(wide) => wide.update_padded(bytes),
        }
    }
}

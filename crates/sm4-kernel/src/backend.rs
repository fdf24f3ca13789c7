//! The back ends, and which of them this machine has.
use crate::portable::Portable;
#[cfg(target_arch = "x86_64")]
use crate::x86;
use std::sync::OnceLock;

/// One way to compute SM4. All give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// 512-bit vectors, the S-box by GFNI, GHASH by VPCLMULQDQ.
    Avx512Gfni,
    /// 256-bit vectors, the S-box by GFNI.
    Avx2Gfni,
    /// 256-bit vectors, the S-box by a 256-bit AES instruction.
    Avx2Vaes,
    /// 256-bit vectors, the S-box by AES-NI.
    Avx2AesNi,
    /// Bit-sliced words; no instructions of any particular machine.
    Portable,
}

/// A back end that this machine has been found to have: the vector ones carry the proof.
#[derive(Clone, Copy)]
pub(crate) enum Available {
    #[cfg(target_arch = "x86_64")]
    Avx512Gfni(x86::Avx512Gfni),
    #[cfg(target_arch = "x86_64")]
    Avx2Gfni(x86::Avx2Gfni),
    #[cfg(target_arch = "x86_64")]
    Avx2Vaes(x86::Avx2Vaes),
    #[cfg(target_arch = "x86_64")]
    Avx2AesNi(x86::Avx2AesNi),
    Portable(Portable),
}

// === impl Backend ===

impl Backend {
    /// Every back end, the fastest first.
    pub const ALL: [Self; 5] = [Self::Avx512Gfni, Self::Avx2Gfni, Self::Avx2Vaes, Self::Avx2AesNi, Self::Portable];

    /// Whether this machine has the instructions (and the operating system saves the registers) that it needs.
    #[must_use]
    pub fn is_available(self) -> bool {
        Available::check(self).is_some()
    }

    /// The fastest one here. What the machine has is asked once for the whole process.
    #[must_use]
    pub fn best() -> Self {
        Available::best().1
    }

    /// Its name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512Gfni => "avx512-gfni",
            Self::Avx2Gfni => "avx2-gfni",
            Self::Avx2Vaes => "avx2-vaes",
            Self::Avx2AesNi => "avx2-aesni",
            Self::Portable => "portable",
        }
    }
}

// === impl Available ===

impl Available {
    pub(crate) fn check(backend: Backend) -> Option<Self> {
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512Gfni => x86::Avx512Gfni::detect().map(Self::Avx512Gfni),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2Gfni => x86::Avx2Gfni::detect().map(Self::Avx2Gfni),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2Vaes => x86::Avx2Vaes::detect().map(Self::Avx2Vaes),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2AesNi => x86::Avx2AesNi::detect().map(Self::Avx2AesNi),
            Backend::Portable => Some(Self::Portable(Portable)),
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }

    /// The fastest, and its name: asked once for the whole process.
    pub(crate) fn best() -> (Self, Backend) {
        static BEST: OnceLock<(Available, Backend)> = OnceLock::new();
        let found = || Backend::ALL.into_iter().find_map(|backend| Some((Self::check(backend)?, backend)));
        *BEST.get_or_init(|| found().unwrap_or((Self::Portable(Portable), Backend::Portable)))
    }
}

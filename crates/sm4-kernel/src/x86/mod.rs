//! The vector back ends for x86-64. All `unsafe` code is here, of two kinds only:
//!
//! * a call into a function compiled for instructions the machine may lack: allowed by a token ([`Avx512Gfni`] and so on), which only
//!   detection hands out;
//! * loads from and stores to byte arrays of exactly a vector's size.
//!
//! | file | holds |
//! |---|---|
//! | [`engine`] | the rounds, over vectors of any width, as a macro |
//! | [`avx512`], [`avx2`] | one step of a round with the instructions at hand |
//! | [`ghash`] | GHASH, sixteen blocks at a time |
mod avx2;
mod avx512;
mod engine;
pub(crate) mod ghash;

/// A type whose value proves that this machine has some instructions: its only constructor looks for them.
macro_rules! token {
    ($(#[$doc:meta])* $name:ident: $($feature:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            pub(crate) fn detect() -> Option<Self> {
                (true $(&& std::arch::is_x86_feature_detected!($feature))*).then_some(Self(()))
            }
        }
    };
}

token! {
    /// AVX-512 (F and BW), GFNI, VPCLMULQDQ, and PCLMULQDQ for single products.
    Avx512Gfni: "avx512f" "avx512bw" "gfni" "vpclmulqdq" "pclmulqdq"
}
token! {
    /// AVX2 and GFNI.
    Avx2Gfni: "avx2" "gfni"
}
token! {
    /// AVX2 and VAES.
    Avx2Vaes: "avx2" "vaes"
}
token! {
    /// AVX2 and AES-NI.
    Avx2AesNi: "avx2" "aes"
}

//! SM4-GCM (GB/T 32907-2016, RFC 8998, NIST SP 800-38D) in constant time and at the speed of the machine.
//!
//! ```
//! let cipher = sm4_kernel::Sm4Gcm::new(&[7; 16]);
//! let mut text = *b"one chunk";
//! let tag = cipher.seal_in_place(&[0; 12], b"a header", &mut text)?;
//! cipher.open_in_place(&[0; 12], b"a header", &mut text, &tag)?;
//! assert_eq!(&text, b"one chunk");
//! # Ok::<(), sm4_kernel::Error>(())
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `field` | GF(2^8) at compile time: every matrix is computed from the fields' definitions |
//! | `tower` | the S-box as a circuit of XOR, AND and NOT |
//! | `schedule` | round keys |
//! | `portable` | the bit-sliced back end, for any machine |
//! | `x86` | the vector back ends; **all `unsafe` code of the repository is in that folder** |
//! | `backend` | which there are, which this machine has |
//! | `block` | blocks and counter mode over any back end |
//! | `ghash` | the authentication |
//! | `gcm` | the two together |
//!
//! Nothing here looks up a table at, or branches on, anything secret: keys, plaintext, the S-box's values. Lengths, counters and the answer "does not
//! authenticate" are public. Keys are zeroised on drop and have no `Debug`.
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![cfg_attr(not(target_arch = "x86_64"), forbid(unsafe_code))]

mod backend;
mod block;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "most of it is for the vector back ends"))]
mod field;
mod gcm;
mod ghash;
mod portable;
mod schedule;
mod tower;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use backend::Backend;
pub use block::Sm4;
pub use gcm::{Error, Sm4Gcm, TAG};

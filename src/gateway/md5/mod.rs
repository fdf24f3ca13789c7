//! MD5 of many uploads at once.
//!
//! MD5 is what an S3 ETag is made of, and one MD5 cannot go faster than its chain of 64 dependent steps: about
//! 0.65 GB/s a core, most of the time of a PUT. Independent uploads can share the vector unit, though: eight (AVX2) or
//! sixteen (AVX-512) MD5s side by side cost little more than one. [`kernel`] is that arithmetic, [`lanes`] brings the
//! bytes into lanes; [`pool`] is a thread that takes whatever uploads have bytes waiting and hashes them in step,
//! [`queue`] says when; [`stream`] is one running MD5.
mod kernel;
mod lanes;
mod pool;
mod queue;
mod stream;

pub use pool::{Md5Pool, PooledMd5};

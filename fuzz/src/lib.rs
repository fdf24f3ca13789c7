//! The pure rooms of the product, and what the fuzz targets do with them.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "the product uses the rest")]
extern crate self as strongroom;

pub mod bodies;
#[path = "../../src/s3/mod.rs"]
pub mod s3;
#[path = "../../src/seal/mod.rs"]
pub mod seal;
#[path = "../../tests/seal_support/mod.rs"]
pub mod seal_support;
#[path = "../../src/secret/mod.rs"]
pub mod secret;

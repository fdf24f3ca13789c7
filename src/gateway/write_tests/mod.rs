//! Writes, over two embedded sites, asked over `s3s` and read back through the read path.
mod client;
mod multipart;
mod put;

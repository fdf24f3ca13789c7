//! Writes, over two embedded sites, asked over `s3s` and read back through the read path.
mod attributes;
mod checksums;
mod client;
mod copy;
mod customer_keys;
mod hang_up;
mod listings;
mod multipart;
mod outage;
mod put;
mod reuse;
mod rewrap;
mod sweep;
mod unsealed;

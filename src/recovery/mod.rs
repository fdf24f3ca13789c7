//! Work over whole buckets without the proxy. For now [`unseal`]: a folder of sealed files back to plain ones.
pub mod unseal;

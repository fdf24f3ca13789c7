//! Work over whole buckets without the proxy. For now [`unseal`]: a folder of sealed files back to plain ones, and
//! [`system_copy`]: the keyring's bucket as a folder.
pub mod system_copy;
pub mod unseal;

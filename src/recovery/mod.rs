//! Work over whole buckets without the proxy: `unseal`. CONTRACT SKELETON.

//! How to reach a site.
use crate::secret::SecretText;
use std::sync::Arc;
use std::time::Duration;

/// A site's name from the configuration, for example `primary`. Label of metrics and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteName(pub Arc<str>);

/// How to reach a site. No `Debug`: it holds a secret.
pub struct SiteConfig {
    /// Name.
    pub name: SiteName,
    /// For example `https://s3.example.com:9000`. Path-style addressing is used.
    pub endpoint: String,
    /// SigV4 region.
    pub region: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretText,
    /// PEM bundle of extra certificate authorities.
    pub ca_pem: Option<Vec<u8>>,
    /// Prefix put before every bucket name at this site (empty: none).
    pub bucket_prefix: String,
    /// Time to connect, TLS handshake included.
    pub connect_timeout: Duration,
    /// Longest silence of a body or before a response head.
    pub stall_timeout: Duration,
    /// Idle connections kept per site.
    pub max_idle_connections: usize,
}

/// Who somebody is at a site. No `Debug`.
pub struct SiteCredential {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretText,
}

// === impl SiteName ===

impl std::fmt::Display for SiteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

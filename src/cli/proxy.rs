//! The running proxy, for jobs that work as its clients.
use super::Usage;
use crate::identity;
use crate::secret::SecretText;
use crate::site::{Site, SiteConfig, SiteName, Unobserved};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A copy of 5 GiB answers when it is done, not before.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Where it is, and as whom it is asked.
#[derive(clap::Args)]
pub(super) struct ProxyAt {
    /// The proxy's configuration file: where it listens, and its credentials.
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Where the proxy is reached, if not at its own listening address.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// A PEM file with the authority that signed the proxy's certificate.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Whose credential to use (needed when the credentials file holds several).
    #[arg(long, value_name = "ID")]
    access_key_id: Option<String>,
}

// === impl ProxyAt ===

impl ProxyAt {
    /// The proxy, as any client reaches it; for so many requests at once.
    pub(super) fn proxy(&self, parallel: usize) -> anyhow::Result<Site> {
        let config = super::load(&self.config)?;
        let credentials = identity::load(&config.credentials_file)?;
        let mut all = credentials
            .iter()
            .filter(|(who, _)| self.access_key_id.as_ref().is_none_or(|id| *id == *who.access_key_id));
        let (who, secret) = match (all.next(), all.next()) {
            (Some(only), None) => only,
            (None, _) => {
                return Err(Usage("no such credential in the credentials file; see --access-key-id".into()).into());
            }
            (Some(_), Some(_)) => {
                return Err(Usage("the credentials file holds several; say which with --access-key-id".into()).into());
            }
        };
        let ca_pem = self
            .ca_file
            .as_ref()
            .map(|path| std::fs::read(path).map_err(|e| Usage(format!("{}: {e}; name a PEM file", path.display()))));
        let site = SiteConfig {
            name: SiteName("proxy".into()),
            endpoint: self
                .endpoint
                .clone()
                .unwrap_or_else(|| endpoint(config.listen.address, config.listen.tls.is_some())),
            region: config.region.clone(),
            access_key_id: who.access_key_id.to_string(),
            secret_access_key: SecretText::new(secret.expose().to_owned()),
            ca_pem: ca_pem.transpose()?,
            bucket_prefix: String::new(),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: PATIENCE,
            max_idle_connections: parallel + 1,
        };
        Ok(Site::new(site, Arc::new(Unobserved))?)
    }
}

/// Where the proxy listens, as somebody on the same machine reaches it.
fn endpoint(mut listen: SocketAddr, tls: bool) -> String {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("{}://{listen}", if tls { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_reached_where_it_listens() {
        let at = |text: &str, tls| endpoint(text.parse().expect("an address"), tls);
        assert_eq!(at("127.0.0.1:9000", false), "http://127.0.0.1:9000");
        assert_eq!(at("0.0.0.0:9000", true), "https://127.0.0.1:9000");
        assert_eq!(at("[::]:9000", true), "https://[::1]:9000");
    }
}

//! In-process S3 sites for `strongroom demo`: `s3s-fs` on a loopback port, its gaps closed by a wrapper.

/// A running embedded site.
pub struct EmbeddedSite {
    /// Where it listens.
    pub address: std::net::SocketAddr,
}

#[allow(unused_variables)]
impl EmbeddedSite {
    /// Serves `folder` (created when missing) on 127.0.0.1:`port` (0: any) for one credential.
    pub async fn start(
        folder: &std::path::Path,
        port: u16,
        access_key_id: &str,
        secret: &crate::secret::SecretText,
    ) -> std::io::Result<Self> {
        unimplemented!()
    }
    /// Stops accepting and waits for what is in flight.
    pub async fn stop(self) {
        unimplemented!()
    }
}

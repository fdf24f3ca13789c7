//! TLS of the S3 listener: certificate and key from PEM files, exchanged while the proxy runs when the files change.
//! A pair that cannot be used leaves the one before in use.
use super::certificate::expires;
use crate::gateway::front::TlsFacts;
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The label of the certificate's metric.
const LISTENER: &str = "s3";

/// Certificate chain and private key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("TLS: {path} cannot be read: {source}")]
    File { path: PathBuf, source: pem::Error },
    /// No certificate in the file.
    #[error("TLS: {0} holds no certificate")]
    Empty(PathBuf),
    /// They do not belong together, or are of a kind that cannot be used.
    #[error("TLS: certificate and key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// The acceptor and what stands behind it.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: TlsFiles,
    seen: Mutex<Seen>,
    provider: Arc<CryptoProvider>,
    metrics: Arc<Metrics>,
}

/// The pair in use. `Debug` shows nothing.
struct Current(ArcSwap<CertifiedKey>);

/// What both files looked like when they were last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen([Option<(SystemTime, u64, u64)>; 2]);

// === impl Tls ===

impl Tls {
    /// # Errors
    /// When certificate and key cannot be used.
    pub(super) fn load(files: TlsFiles, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let seen = Seen::of(&files);
        let pair = read(&files, &provider)?;
        report(&pair, &metrics);
        let current = Arc::new(Current(ArcSwap::from_pointee(pair)));
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, current, files, seen: Mutex::new(seen), provider, metrics })
    }

    /// The handshake.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, TlsFacts)> {
        let stream = self.acceptor.accept(stream).await?;
        let connection = stream.get_ref().1;
        let version = connection.protocol_version().and_then(|version| version.as_str());
        let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let facts = TlsFacts { version: version_name(version).into(), cipher: cipher_name(cipher).into() };
        Ok((stream, facts))
    }

    /// Reads both files again if one changed.
    pub(super) fn follow(&self) {
        let now = Seen::of(&self.files);
        if now != *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            self.reload();
        }
    }

    /// Reads both files again.
    pub(super) fn reload(&self) {
        // Noted before reading: what changes while we read is read again.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::of(&self.files);
        match read(&self.files, &self.provider) {
            Ok(pair) => {
                report(&pair, &self.metrics);
                self.current.0.store(Arc::new(pair));
                tracing::info!("new TLS certificate in use");
            }
            Err(error) => {
                self.metrics.certificate_refused();
                tracing::error!(%error, "the new TLS certificate or key cannot be used; the old pair stays in use");
            }
        }
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(fail(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(files.certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(fail(&files.key))?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

fn report(pair: &CertifiedKey, metrics: &Metrics) {
    if let Some(expires) = pair.cert.first().and_then(|leaf| expires(leaf)) {
        metrics.certificate(LISTENER, expires.unix_timestamp());
        if expires < crate::clock::now() {
            tracing::error!(%expires, "the TLS certificate has expired");
        }
    }
}

/// As S3's log writes it: `TLSv1.3`.
fn version_name(name: Option<&'static str>) -> &'static str {
    match name {
        Some("TLSv1_3") => "TLSv1.3",
        Some("TLSv1_2") => "TLSv1.2",
        Some(other) => other,
        None => "-",
    }
}

/// IANA's name; rustls puts the version into those of TLS 1.3.
fn cipher_name(name: Option<&'static str>) -> String {
    name.unwrap_or("-").replacen("TLS13_", "TLS_", 1)
}

// === impl Current ===

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

// === impl Seen ===

impl Seen {
    fn of(files: &TlsFiles) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let look = |path: &Path| {
            let metadata = path.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        };
        Self([look(&files.certificate), look(&files.key)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write_pair(files: &TlsFiles, name: &str) {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        fs::write(&files.certificate, pair.cert.pem()).expect("written");
        fs::write(&files.key, pair.signing_key.serialize_pem()).expect("written");
    }

    fn loaded(folder: &Path) -> (Tls, TlsFiles) {
        let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        write_pair(&files, "one.test");
        (Tls::load(files.clone(), Metrics::new()).expect("a good pair"), files)
    }

    fn leaf(tls: &Tls) -> Vec<u8> {
        tls.current.0.load().cert[0].to_vec()
    }

    #[test]
    fn a_renewed_pair_is_taken_up_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (tls, files) = loaded(folder.path());
        let first = leaf(&tls);
        tls.follow();
        assert_eq!(leaf(&tls), first, "nothing changed");

        fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nbroken\n").expect("written");
        tls.follow();
        assert_eq!(leaf(&tls), first, "the old pair stays");

        write_pair(&files, "two.test");
        tls.follow();
        let second = leaf(&tls);
        assert_ne!(second, first);

        let other = rcgen::generate_simple_self_signed(["three.test".to_owned()]).expect("a certificate");
        fs::write(&files.key, other.signing_key.serialize_pem()).expect("written");
        tls.follow();
        assert_eq!(leaf(&tls), second, "a key that does not belong to the certificate is refused");
        let refused = "strongroom_tls_reload_failures_total 2";
        assert!(tls.metrics.render().lines().any(|line| line == refused));
    }

    #[test]
    fn a_pair_that_cannot_be_used_refuses_to_start_and_says_which_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (_, files) = loaded(folder.path());
        let load = |files: &TlsFiles| Tls::load(files.clone(), Metrics::new()).err().map(|e| e.to_string());
        let missing = TlsFiles { key: folder.path().join("none.pem"), ..files.clone() };
        assert!(load(&missing).is_some_and(|text| text.contains("none.pem")));
        let swapped = TlsFiles { certificate: files.key.clone(), key: files.key };
        assert!(load(&swapped).is_some_and(|text| text.contains("holds no certificate")));
    }

    #[test]
    fn names_are_those_of_s3s_log() {
        assert_eq!(version_name(Some("TLSv1_3")), "TLSv1.3");
        assert_eq!(cipher_name(Some("TLS13_AES_128_GCM_SHA256")), "TLS_AES_128_GCM_SHA256");
    }
}

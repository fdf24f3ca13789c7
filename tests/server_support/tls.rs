//! TLS for tests: a fresh certificate, and a client that trusts it.
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use strongroom::server::TlsFiles;
use tokio_rustls::TlsConnector;

/// Writes a new certificate for `localhost`; the certificate.
pub fn certificate(files: &TlsFiles) -> CertificateDer<'static> {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).expect("written");
    std::fs::write(&files.certificate, pair.cert.pem()).expect("written");
    pair.cert.der().clone()
}

pub fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

/// A client that trusts one certificate.
pub fn trusting(certificate: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

pub fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

//! The server's side of TLS.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key that rustls does not take.
    #[error("the serving certificate and key cannot be used: {0}")]
    Serving(#[source] rustls::Error),
    /// A client CA that rustls does not take.
    #[error("the client certificate authority cannot be used: {0}")]
    ClientCa(String),
}

/// HTTP/2 and HTTP/1.1 over TLS 1.2 and 1.3 with this certificate chain. Client certificates are asked for, may be
/// left out, and must be signed by one of `client_cas` if sent.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_cas: Vec<CertificateDer<'static>>,
) -> Result<Arc<rustls::ServerConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::Serving)?;
    let builder = if client_cas.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        for ca in client_cas {
            roots.add(ca).map_err(|error| Error::ClientCa(error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| Error::ClientCa(error.to_string()))?;
        builder.with_client_cert_verifier(verifier)
    };
    let mut config = builder.with_single_cert(chain, key).map_err(Error::Serving)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Small tickets, no early data: a session resumes but is never replayed.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

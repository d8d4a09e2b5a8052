//! Whom we believe: the authorities of a `caBundle`, else those of the system.

use std::sync::Arc;

use base64::Engine;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Where systems keep the authorities that they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities of `ca_bundle` (base64 of PEM), or the system's if it is empty. The error's words are upstream's.
pub fn roots(ca_bundle: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if ca_bundle.is_empty() {
        let pem = SYSTEM.iter().find_map(|path| std::fs::read(path).ok()).unwrap_or_default();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        return Ok(roots);
    }
    let unusable = |error: &dyn std::fmt::Display| format!("unable to load root certificates: {error}");
    let pem = base64::engine::general_purpose::STANDARD.decode(ca_bundle).map_err(|error| error.to_string())?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"unable to parse bytes as PEM block"));
    }
    Ok(roots)
}

/// A TLS configuration that trusts `ca_bundle`, as [`roots`] reads it.
pub(crate) fn config(ca_bundle: &str) -> Result<Arc<ClientConfig>, String> {
    let roots = roots(ca_bundle)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    // As upstream for services: with HTTP/2 all calls would go to one backend.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

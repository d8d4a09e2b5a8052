//! The server's side of TLS.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use crate::serving_certificate::ServingCertificate;

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

/// HTTP/2 and HTTP/1.1 over TLS 1.2 and 1.3 with this certificate. Where there are `client_cas`, client certificates are asked
/// for, those of these authorities by name (none: any), and may be left out. A client has to have the key of the one it shows; whether the certificate is good
/// is found out with its requests ([`crate::authentication`]).
pub fn server_config(
    certificate: Arc<ServingCertificate>,
    client_cas: Option<Vec<CertificateDer<'static>>>,
) -> Result<Arc<rustls::ServerConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::Serving)?;
    let builder = match client_cas {
        None => builder.with_no_client_auth(),
        Some(client_cas) => {
            let mut roots = RootCertStore::empty();
            for ca in client_cas {
                roots.add(ca).map_err(|error| Error::ClientCa(error.to_string()))?;
            }
            builder.with_client_cert_verifier(Arc::new(AnyCertificate { subjects: roots.subjects(), provider }))
        }
    };
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Small tickets, no early data: a session resumes but is never replayed.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Takes any certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate {
    subjects: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

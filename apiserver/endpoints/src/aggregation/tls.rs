//! How another server is spoken to: whom it must prove to be, and the certificate by which it believes us.

use std::sync::Arc;

use admission::outbound::trust;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

/// Whom a server must prove to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Somebody whom these authorities (base64 of PEM) vouch for, by the name it is asked under; the system's if empty.
    Authorities(String),
    /// Nobody: `insecureSkipTLSVerify`.
    Anybody,
}

/// A client's configuration without protocols. `certificate` is what we prove to be. The error's words are upstream's.
pub fn client_config(trust: &Trust, certificate: Option<Arc<dyn ResolvesClientCert>>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let schemes = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match trust {
        Trust::Authorities(bundle) => builder.dangerous().with_custom_certificate_verifier(trust::verifier(bundle)?),
        Trust::Anybody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Believes(schemes))),
    };
    Ok(match certificate {
        Some(certificate) => builder.with_client_cert_resolver(certificate),
        None => builder.with_no_client_auth(),
    })
}

/// Believes whatever certificate is shown, but not that somebody has it who does not.
#[derive(Debug)]
struct Believes(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Believes {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

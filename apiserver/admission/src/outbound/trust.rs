//! Whom we believe: the authorities of a `caBundle`, else those of the system.

use std::sync::Arc;

use base64::Engine;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Where systems keep the authorities that they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What believes servers that the authorities of `ca_bundle` (base64 of PEM; the system's if it is empty) vouch for, and those
/// that show a certificate which is itself in it, as Go does.
///
/// # Errors
/// The bundle cannot be used; the words are upstream's.
pub fn verifier(ca_bundle: &str) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if ca_bundle.is_empty() {
        let mut roots = RootCertStore::empty();
        let pem = SYSTEM.iter().find_map(|path| std::fs::read(path).ok()).unwrap_or_default();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        return Verifier::over(roots, Vec::new());
    }
    let unusable = |error: &dyn std::fmt::Display| format!("unable to load root certificates: {error}");
    let pem = base64::engine::general_purpose::STANDARD.decode(ca_bundle).map_err(|error| error.to_string())?;
    let listed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let listed = listed.map_err(|error| unusable(&error))?;
    if listed.is_empty() {
        return Err(unusable(&"unable to parse bytes as PEM block"));
    }
    verifier_of(listed).map_err(|error| unusable(&error))
}

/// What believes servers that these certificates vouch for, or that show one of them.
///
/// # Errors
/// One of them is none.
pub fn verifier_of(listed: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in &listed {
        roots.add(certificate.clone()).map_err(|error| error.to_string())?;
    }
    Verifier::over(roots, listed)
}

/// A TLS configuration that trusts `ca_bundle`, as [`verifier`] reads it.
pub(crate) fn config(ca_bundle: &str) -> Result<Arc<ClientConfig>, String> {
    let verifier = verifier(ca_bundle)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    // As upstream for services: with HTTP/2 all calls would go to one backend.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Verifier {
    /// Verifies chains to authorities; `None` if there are none.
    chains: Option<Arc<WebPkiServerVerifier>>,
    /// What is believed without a chain.
    listed: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn over(roots: RootCertStore, listed: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chains = match roots.is_empty() {
            true => None,
            false => {
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
                Some(builder.build().map_err(|error| error.to_string())?)
            }
        };
        Ok(Arc::new(Self { chains, listed, provider }))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chains) = &self.chains else { return Err(CertificateError::UnknownIssuer.into()) };
        match chains.verify_server_cert(shown, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(_)) if self.listed.iter().any(|listed| listed.as_ref() == shown.as_ref()) => {
                verify_listed(shown, name, now)
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate that needs nobody to vouch for it: it must be valid now, for servers, and for this name.
fn verify_listed(
    shown: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let (_, parsed) = x509_parser::parse_x509_certificate(shown).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    let usage = parsed.extended_key_usage().map_err(|_| CertificateError::BadEncoding)?;
    if usage.is_some_and(|usage| !usage.value.server_auth && !usage.value.any) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
    Ok(ServerCertVerified::assertion())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    fn bundle(certificates: &[&CertificateDer<'_>]) -> String {
        let pem: String = certificates.iter().map(|der| jose::pem::encode("CERTIFICATE", der)).collect();
        base64::engine::general_purpose::STANDARD.encode(pem)
    }

    #[test]
    fn who_is_vouched_for_or_listed_is_believed() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf = |change: fn(&mut CertificateParams)| {
            let mut params = CertificateParams::new(vec!["hook.example".to_owned()]).unwrap();
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            change(&mut params);
            params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone()
        };
        let good = leaf(|_| {});
        let other = leaf(|_| {});
        let old = leaf(|params| params.not_after = date_time_ymd(2001, 1, 1));
        let early = leaf(|params| params.not_before = date_time_ymd(4000, 1, 1));
        let client = leaf(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
        let any = leaf(|params| params.extended_key_usages = Vec::new());
        let believes = |listed: &CertificateDer<'_>, shown: &CertificateDer<'_>, name: &str| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let verdict =
                verifier(&bundle(&[listed])).unwrap().verify_server_cert(shown, &[], &name, &[], UnixTime::now());
            verdict.map(drop).map_err(|error| error.to_string())
        };
        let authority = authority.der();
        assert_eq!(believes(authority, &good, "hook.example"), Ok(()), "by its authority");
        assert_eq!(believes(&good, &good, "hook.example"), Ok(()), "by itself");
        assert_eq!(believes(&any, &any, "hook.example"), Ok(()), "for any use");
        for (listed, shown, name) in [
            (&good, &other, "hook.example"),
            (&good, &good, "elsewhere.example"),
            (&old, &old, "hook.example"),
            (&early, &early, "hook.example"),
            (&client, &client, "hook.example"),
            (authority, &good, "elsewhere.example"),
            (authority, &old, "hook.example"),
        ] {
            assert!(believes(listed, shown, name).is_err(), "{name}");
        }
    }
}

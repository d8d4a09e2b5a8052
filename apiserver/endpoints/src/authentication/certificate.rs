//! Client certificates: verified against authorities after the handshake, which only shows that the client has the key. So a
//! certificate that is not good is answered 401, not by a connection that breaks.

use std::fmt;
use std::sync::Arc;

use apimachinery::user::UserInfo;
use arc_swap::ArcSwapOption;
use authentication::certificate;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::certificate::X509Certificate;

use super::authenticated;
use crate::tls;

/// Authorities whose certificates are taken.
pub struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
    /// The first of them is no authority any more after that.
    until: u64,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").field("certificates", &self.certificates.len()).finish_non_exhaustive()
    }
}

impl Authorities {
    /// The authorities of these certificates, of which there is one at least.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, tls::Error> {
        let verifier = verifier(&certificates)?;
        let until = certificates.iter().map(not_after).min().unwrap_or(u64::MAX);
        Ok(Self { certificates, verifier, until })
    }

    /// Their certificates.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Checks that a chain leads to an authority, that it may be shown by a client, and that all of it is good now.
    fn verify(&self, chain: &[CertificateDer<'static>], now: UnixTime) -> Result<(), String> {
        let Some((leaf, others)) = chain.split_first() else { return Err("no certificate".to_owned()) };
        let fresh;
        let verifier = if now.as_secs() <= self.until {
            &self.verifier
        } else {
            let good = |of: &&CertificateDer<'static>| now.as_secs() <= not_after(of);
            let good: Vec<_> = self.certificates.iter().filter(good).cloned().collect();
            fresh = verifier(&good).map_err(|error| error.to_string())?;
            &fresh
        };
        verifier.verify_client_cert(leaf, others, now).map(drop).map_err(|error| error.to_string())
    }
}

fn verifier(certificates: &[CertificateDer<'static>]) -> Result<Arc<dyn ClientCertVerifier>, tls::Error> {
    let refused = |error: &dyn fmt::Display| tls::Error::ClientCa(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|error| refused(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| refused(&error))
}

/// When a certificate ends, in seconds since 1970; one that cannot be read has ended.
fn not_after(certificate: &CertificateDer<'static>) -> u64 {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.ok().and_then(|(_, parsed)| parsed.validity().not_after.timestamp().try_into().ok()).unwrap_or(0)
}

/// What was found of a chain: against whom, until when that holds, and what it says.
struct Found<T> {
    by: Arc<Authorities>,
    until: u64,
    what: T,
}

/// The certificates that a client has shown, the possession of whose key the handshake has proved; and what was found of
/// them, so that it is found once a connection.
#[derive(Default)]
pub struct Peer {
    chain: Vec<CertificateDer<'static>>,
    user: ArcSwapOption<Found<Option<Arc<UserInfo>>>>,
    proxy: ArcSwapOption<Found<String>>,
    /// A user that needs no certificate.
    assumed: Option<Arc<UserInfo>>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Peer {
    /// Who has shown this chain, the leaf first; it may be empty.
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, ..Self::default() }
    }

    /// One that is known to be this user, whatever it shows.
    pub fn assumed(user: UserInfo) -> Self {
        Self { assumed: Some(Arc::new(user)), ..Self::default() }
    }

    /// The user of the certificate, with `system:authenticated`; `None` if none was shown, nobody is there to verify it, or it
    /// names no user.
    ///
    /// # Errors
    /// Why the certificate is not good.
    pub(super) fn user(&self, authorities: Option<Arc<Authorities>>) -> Result<Option<Arc<UserInfo>>, String> {
        if let Some(user) = &self.assumed {
            return Ok(Some(user.clone()));
        }
        let Some(authorities) = authorities.filter(|_| !self.chain.is_empty()) else { return Ok(None) };
        let found = self.find(&self.user, authorities, |leaf| {
            certificate::user(leaf).map(|user| user.map(|user| Arc::new(authenticated(user))))
        })?;
        Ok(found.what.clone())
    }

    /// The common name of the certificate; `None` if none was shown.
    ///
    /// # Errors
    /// Why the certificate is not good.
    pub(super) fn common_name(&self, authorities: &Arc<Authorities>) -> Result<Option<String>, String> {
        if self.chain.is_empty() {
            return Ok(None);
        }
        let found = self.find(&self.proxy, authorities.clone(), |leaf| certificate::common_name(leaf))?;
        Ok(Some(found.what.clone()))
    }

    /// What `read` finds in the leaf of a chain that is verified, or was and still is.
    fn find<T>(
        &self,
        known: &ArcSwapOption<Found<T>>,
        authorities: Arc<Authorities>,
        read: impl FnOnce(&CertificateDer<'static>) -> Result<T, String>,
    ) -> Result<Arc<Found<T>>, String> {
        let now = UnixTime::now();
        if let Some(found) = known.load_full()
            && Arc::ptr_eq(&found.by, &authorities)
            && now.as_secs() <= found.until
        {
            return Ok(found);
        }
        let refused = |error: String| format!("verifying certificate {} failed: {error}", self.identifier());
        authorities.verify(&self.chain, now).map_err(refused)?;
        let what = read(self.chain.first().ok_or("no certificate")?)?;
        let ends = self.chain.iter().map(not_after).min().unwrap_or(0);
        // After that the answer may be another one.
        let until = if now.as_secs() <= authorities.until { ends.min(authorities.until) } else { ends };
        let found = Arc::new(Found { by: authorities, until, what });
        known.store(Some(found.clone()));
        Ok(found)
    }

    /// The certificate in words for the log.
    fn identifier(&self) -> String {
        let leaf = self.chain.first().map(|leaf| x509_parser::parse_x509_certificate(leaf));
        match leaf {
            Some(Ok((_, leaf))) => format!("SN={}", serial(&leaf)),
            _ => "that cannot be read".to_owned(),
        }
    }
}

/// The serial number; of one that is longer than it may be, the beginning.
fn serial(certificate: &X509Certificate<'_>) -> String {
    let bytes = certificate.raw_serial();
    bytes.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        date_time_ymd,
    };

    use super::*;

    struct Authority(Issuer<'static, KeyPair>, CertificateDer<'static>);

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority(Issuer::new(params, key), certificate.der().clone())
    }

    impl Authority {
        fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::OrganizationName, "dev");
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            change(&mut params);
            let key = KeyPair::generate().unwrap();
            params.signed_by(&key, &self.0).unwrap().der().clone()
        }

        fn alone(&self) -> Arc<Authorities> {
            Arc::new(Authorities::new(vec![self.1.clone()]).unwrap())
        }
    }

    #[test]
    fn a_certificate_is_its_subjects_and_only_of_a_known_authority() {
        let (ours, theirs) = (authority(), authority());
        let peer = Peer::new(vec![ours.sign(|_| {})]);
        let user = peer.user(Some(ours.alone())).unwrap().unwrap();
        assert_eq!(
            (user.name.as_str(), &user.groups[..]),
            ("alice", &["dev".into(), "system:authenticated".into()][..])
        );
        assert!(user.extra["authentication.kubernetes.io/credential-id"][0].starts_with("X509SHA256="));
        let refused = peer.user(Some(theirs.alone())).unwrap_err();
        assert!(refused.starts_with("verifying certificate SN="), "{refused}");
        assert!(peer.user(Some(ours.alone())).unwrap().is_some(), "what was found of others does not stay");
        assert_eq!(peer.user(None), Ok(None));
        assert_eq!(Peer::default().user(Some(ours.alone())), Ok(None));
    }

    #[test]
    fn certificates_that_have_ended_not_begun_or_are_for_servers_are_refused() {
        let ours = authority();
        let ended = ours.sign(|params| params.not_after = date_time_ymd(2001, 1, 1));
        let later = ours.sign(|params| params.not_before = date_time_ymd(4000, 1, 1));
        let server = ours.sign(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
        for (certificate, words) in [(ended, "expired"), (later, "not valid yet"), (server, "")] {
            let refused = Peer::new(vec![certificate]).user(Some(ours.alone())).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn a_subject_without_a_name_is_nobody_and_one_with_a_uid_has_it() {
        let ours = authority();
        let uid = |value: &'static str| {
            move |params: &mut CertificateParams| {
                let oid = vec![1, 3, 6, 1, 4, 1, 57683, 2];
                params.distinguished_name.push(DnType::CustomDnType(oid), DnValue::Utf8String(value.into()));
            }
        };
        let nameless = ours.sign(|params| params.distinguished_name = rcgen::DistinguishedName::new());
        assert_eq!(Peer::new(vec![nameless]).user(Some(ours.alone())), Ok(None));
        let named = Peer::new(vec![ours.sign(uid("some-uid"))]).user(Some(ours.alone())).unwrap().unwrap();
        assert_eq!(named.uid, "some-uid");
        let refused = Peer::new(vec![ours.sign(uid(""))]).user(Some(ours.alone())).unwrap_err();
        assert_eq!(refused, "UID cannot be an empty string");
    }
}

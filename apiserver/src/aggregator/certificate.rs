//! The certificate by which other servers know that requests come from here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{info, warn};

use crate::error::Error;
use crate::files;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// A certificate and key in files, which may be replaced while the server runs.
#[derive(Debug)]
pub struct ProxyCertificate {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    pem: (String, String),
    key: Arc<CertifiedKey>,
}

impl ProxyCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or do not hold a chain and its key.
    pub fn open(certificate: PathBuf, key: PathBuf) -> Result<Arc<Self>, Error> {
        let pem = (files::read(&certificate)?, files::read(&key)?);
        let problem = |problem: String| Error::Pem { file: certificate.display().to_string(), problem };
        let loaded = load(pem).map_err(problem)?;
        Ok(Arc::new(Self { certificate, key, current: ArcSwap::from_pointee(loaded) }))
    }

    /// Follows the files. What cannot be used leaves what was used before.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    fn look(&self) {
        let read = || Ok::<_, files::FileError>((files::read(&self.certificate)?, files::read(&self.key)?));
        let file = self.certificate.display();
        match read() {
            Ok(pem) if pem == self.current.load().pem => {}
            Ok(pem) => match load(pem) {
                Ok(loaded) => {
                    info!(%file, "the certificate towards aggregated servers was replaced");
                    self.current.store(Arc::new(loaded));
                }
                // One of the two may be on its way.
                Err(problem) => warn!(%file, problem, "the certificate towards aggregated servers cannot be used"),
            },
            Err(error) => warn!(%error, "the certificate towards aggregated servers cannot be read"),
        }
    }
}

fn load(pem: (String, String)) -> Result<Loaded, String> {
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(pem.0.as_bytes()).collect();
    let chain = chain.map_err(|error| error.to_string())?;
    if chain.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(pem.1.as_bytes()).map_err(|error| error.to_string())?;
    let key = any_supported_type(&key).map_err(|error| error.to_string())?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|error| error.to_string())?;
    Ok(Loaded { pem, key: Arc::new(certified) })
}

impl ResolvesClientCert for ProxyCertificate {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Authority, Leaf};

    #[test]
    fn replaced_files_are_used_and_half_replaced_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let client = |user| Leaf::Client { user, groups: &[] };
        for name in ["first", "second"] {
            authority.leaf(name, &client(name)).unwrap();
        }
        let file = |name: &str| dir.path().join(name);
        let copy = |from: &str, to: &str| std::fs::copy(file(from), file(to)).map(drop).unwrap();
        copy("first.crt", "used.crt");
        copy("first.key", "used.key");
        let certificate = ProxyCertificate::open(file("used.crt"), file("used.key")).unwrap();
        let shown = || certificate.resolve(&[], &[]).unwrap().end_entity_cert().unwrap().to_vec();
        let first = shown();
        copy("second.crt", "used.crt");
        certificate.look();
        assert_eq!(shown(), first, "a certificate without its key");
        copy("second.key", "used.key");
        certificate.look();
        assert_ne!(shown(), first);
        std::fs::remove_file(file("used.key")).unwrap();
        certificate.look();
        assert_ne!(shown(), first, "what was there before stays in use");
        assert!(ProxyCertificate::open(file("first.crt"), file("second.key")).is_err());
    }
}

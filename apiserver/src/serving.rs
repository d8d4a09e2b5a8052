//! The serving certificate: given in files, or signed by the server's own authority. Files that change are read again, and a
//! certificate of its own is renewed before it ends, while the server runs.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use endpoints::serving_certificate::{self, LOOPBACK_NAME, ServingCertificate};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::error::Error;
use crate::files;
use crate::pki::{Authority, Leaf, Pair};

/// Names under which clients inside and outside a cluster reach a server.
const NAMES: [&str; 7] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
];
/// How often the pair is looked at (upstream's, of files).
const LOOK: Duration = Duration::from_secs(60);

/// Where the pair that is shown comes from.
enum Source {
    /// Files of the caller's.
    Files { certificate: PathBuf, key: PathBuf },
    /// The server's own authority, for these names.
    Own { authority: Arc<Authority>, names: Vec<String> },
}

/// The serving certificate and where it comes from.
pub struct Serving {
    source: Source,
    /// The PEM of what is shown.
    shown: Pair,
    certificate: Arc<ServingCertificate>,
}

impl Serving {
    /// Reads or makes the certificate for a server at `host`, which is also called by the names of `more`.
    ///
    /// # Errors
    /// A file cannot be read, or its content not be used.
    pub fn open(config: &Config, authority: &Arc<Authority>, host: IpAddr, more: &[String]) -> Result<Self, Error> {
        let options = config.options();
        let own = |names: Vec<String>| Source::Own { authority: authority.clone(), names };
        let (source, loopback) = match (&options.tls_cert_file, &options.tls_private_key_file) {
            (Some(certificate), Some(key)) => {
                let loopback = Source::Own { authority: authority.clone(), names: vec![LOOPBACK_NAME.to_owned()] };
                (Source::Files { certificate: certificate.clone(), key: key.clone() }, Some(loopback))
            }
            _ => {
                let names = NAMES.iter().map(|name| (*name).to_owned());
                let given = options.tls_san.iter().chain(more).cloned();
                let mut names: Vec<String> = names.chain([host.to_string()]).chain(given).collect();
                names.dedup();
                (own(names), None)
            }
        };
        let shown = source.read("apiserver")?;
        let loopback = loopback.map(|loopback| loopback.parse(&loopback.read("loopback")?)).transpose()?;
        let certificate = ServingCertificate::new(source.parse(&shown)?, loopback);
        Ok(Self { source, shown, certificate })
    }

    /// What TLS shows.
    pub fn certificate(&self) -> Arc<ServingCertificate> {
        self.certificate.clone()
    }

    /// The name that the server's own clients have to ask for, where a certificate of another authority is shown.
    pub fn loopback_name(&self) -> Option<&'static str> {
        matches!(self.source, Source::Files { .. }).then_some(LOOPBACK_NAME)
    }

    /// Follows the source until `stop`. What cannot be used is logged, and what was shown stays.
    pub async fn follow(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let read = self.source.read("apiserver");
            match read.and_then(|pair| {
                if pair == self.shown { Ok(None) } else { self.source.parse(&pair).map(|p| Some((pair, p))) }
            }) {
                Ok(None) => {}
                Ok(Some((pair, parsed))) => {
                    info!("another serving certificate is shown");
                    self.certificate.replace(parsed);
                    self.shown = pair;
                }
                Err(error) => warn!(%error, "the serving certificate cannot be read again"),
            }
        }
    }
}

impl Source {
    /// The pair; one of the server's own is kept as `<file>.crt` and `<file>.key`, and renewed when it nears its end.
    fn read(&self, file: &str) -> Result<Pair, Error> {
        match self {
            Self::Files { certificate, key } => {
                Ok(Pair { certificate: files::read(certificate)?, key: files::read(key)? })
            }
            Self::Own { authority, names } => {
                let leaf = Leaf::Server { name: "apiserver", names };
                Ok(authority.successor()?.as_ref().unwrap_or(authority).leaf(file, &leaf)?)
            }
        }
    }

    fn parse(&self, pair: &Pair) -> Result<serving_certificate::Pair, Error> {
        let (certificate, key) = match self {
            Self::Files { certificate, key } => (certificate.as_path(), key.as_path()),
            Self::Own { .. } => (Path::new("apiserver.crt"), Path::new("apiserver.key")),
        };
        let chain = certificates(&pair.certificate, &certificate.display().to_string())?;
        Ok(serving_certificate::pair(chain, private_key(&pair.key, &key.display().to_string())?)?)
    }
}

/// The certificates of a PEM, of which there is one at least; `file` is where it comes from.
///
/// # Errors
/// There is none, or one cannot be read.
pub fn certificates(pem: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let problem = |problem: String| Error::Pem { file: file.to_owned(), problem };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(problem("holds no certificate".into())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(problem(error.to_string())),
    }
}

fn private_key(pem: &str, file: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| Error::Pem { file: file.to_owned(), problem: error.to_string() })
}

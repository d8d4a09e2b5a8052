//! The certificate a server shows, which may be replaced while it runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::Error;

/// The name by which the server's own clients ask for the certificate of its own authority, also where another one is shown to
/// everybody else (upstream's).
pub const LOOPBACK_NAME: &str = "apiserver-loopback-client";

/// A chain and its key, as rustls signs with them.
pub type Pair = Arc<CertifiedKey>;

/// What is shown to whom.
#[derive(Debug)]
pub struct ServingCertificate {
    shown: ArcSwap<CertifiedKey>,
    loopback: Option<Pair>,
}

/// Reads a chain and its key.
///
/// # Errors
/// They cannot be used, or do not belong together.
pub fn pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Pair, Error> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map(Arc::new).map_err(Error::Serving)
}

impl ServingCertificate {
    /// Shows `pair` to all, but `loopback` to those who ask for [`LOOPBACK_NAME`].
    pub fn new(pair: Pair, loopback: Option<Pair>) -> Arc<Self> {
        Arc::new(Self { shown: ArcSwap::new(pair), loopback })
    }

    /// Shows `pair` from now on. Connections that there are stay as they are.
    pub fn replace(&self, pair: Pair) {
        self.shown.store(pair);
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Pair> {
        match &self.loopback {
            Some(loopback) if hello.server_name() == Some(LOOPBACK_NAME) => Some(loopback.clone()),
            _ => Some(self.shown.load_full()),
        }
    }
}

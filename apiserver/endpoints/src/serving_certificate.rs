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

#[cfg(test)]
mod tests {
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    /// A pair that vouches for itself, for these names.
    fn made(names: &[&str]) -> (CertificateDer<'static>, Pair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
        (cert.der().clone(), pair(vec![cert.der().clone()], key).unwrap())
    }

    /// Connects, trusting one certificate alone; the server's side echoes.
    async fn connect(
        acceptor: &TlsAcceptor,
        trusted: &CertificateDer<'static>,
        name: &'static str,
    ) -> Result<TlsStream<DuplexStream>, String> {
        let (client, server) = tokio::io::duplex(1 << 14);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(server).await {
                let (mut read, mut write) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from(name).unwrap();
        TlsConnector::from(config).connect(name, client).await.map_err(|error| error.to_string())
    }

    async fn echoes(connection: &mut TlsStream<DuplexStream>) {
        connection.write_all(b"still there").await.unwrap();
        let mut back = [0; 11];
        connection.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"still there");
    }

    #[tokio::test]
    async fn who_connects_after_a_replacement_is_shown_the_other_one_and_who_is_there_stays() {
        let (first, second) = (made(&["a.example"]), made(&["a.example"]));
        let own = made(&[LOOPBACK_NAME]);
        let shown = ServingCertificate::new(first.1, Some(own.1));
        let acceptor = TlsAcceptor::from(crate::tls::server_config(shown.clone(), None).unwrap());
        let mut early = connect(&acceptor, &first.0, "a.example").await.unwrap();
        echoes(&mut early).await;
        assert!(connect(&acceptor, &second.0, "a.example").await.is_err());
        shown.replace(second.1);
        let mut late = connect(&acceptor, &second.0, "a.example").await.unwrap();
        echoes(&mut late).await;
        echoes(&mut early).await;
        assert!(connect(&acceptor, &first.0, "a.example").await.is_err());
        // The server's own clients are shown their own, before and after.
        let mut own = connect(&acceptor, &own.0, LOOPBACK_NAME).await.unwrap();
        echoes(&mut own).await;
    }
}

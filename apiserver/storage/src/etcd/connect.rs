//! From options to a client that has been answered once.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use http::uri::Scheme;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::util::BoxCloneSyncService;

use super::channel::{Channel, Endpoint};
use super::{Etcd, Options, Tls};

/// Why etcd could not be reached or used; each is one line for the person who started the server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options contradict each other or name an unreadable file.
    #[error("etcd: {0}")]
    Options(String),
    /// No endpoint answered.
    #[error("etcd cannot be reached at {endpoints}: {detail}")]
    Unreachable {
        /// The endpoints tried.
        endpoints: String,
        /// The last failure.
        detail: String,
    },
}

/// How long one endpoint may take to accept.
const ACCEPT: Duration = Duration::from_secs(5);
/// Between two attempts to reach etcd at the start.
const PAUSE: Duration = Duration::from_millis(100);

/// A client that will connect when it is used.
pub(super) async fn client(options: &Options) -> Result<Client, ConnectError> {
    let endpoints: Vec<&str> = options.endpoints.iter().map(|endpoint| endpoint.trim()).collect();
    if endpoints.is_empty() || endpoints.iter().any(|endpoint| endpoint.is_empty()) {
        return Err(ConnectError::Options("an endpoint is missing".to_owned()));
    }
    let plain = endpoints.iter().find(|endpoint| endpoint.starts_with("http://"));
    let secure = endpoints.iter().find(|endpoint| endpoint.starts_with("https://"));
    let by_tls = options.tls.ca_file.is_some();
    let tls = tls(&options.tls)?;
    match (by_tls, plain, secure) {
        (true, Some(plain), _) => {
            return Err(ConnectError::Options(format!("certificates are given, but {plain} is not https")));
        }
        (false, _, Some(secure)) => {
            return Err(ConnectError::Options(format!("{secure} needs a CA file to check etcd's certificate with")));
        }
        _ => {}
    }
    let scheme = if by_tls { Scheme::HTTPS } else { Scheme::HTTP };
    let endpoints = endpoints.into_iter().map(|url| Endpoint::parse(url, scheme.clone()));
    let endpoints = endpoints.collect::<Result<_, _>>().map_err(ConnectError::Options)?;
    let channel = Channel::new(endpoints, tls, ACCEPT.min(options.connect_timeout));
    let channel = etcd_client::Channel::Custom(BoxCloneSyncService::new(channel));
    let client = Client::from_channel(channel, Some(ConnectOptions::new().with_require_leader(true))).await;
    client.map_err(|error| ConnectError::Options(error.to_string()))
}

/// Whom to believe, and who this client is. Without files nobody is believed: nothing is asked by TLS then.
pub(super) fn tls(files: &Tls) -> Result<ClientConfig, ConnectError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| ConnectError::Options(format!("cannot read {}: {error}", path.display())))
    };
    let unusable = |path: &Path, error: &dyn std::fmt::Display| {
        ConnectError::Options(format!("{} cannot be used: {error}", path.display()))
    };
    let certificates = |path: &Path| {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(unusable(path, &"it holds no certificate")),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(unusable(path, &error)),
        }
    };
    let client = match (&files.cert_file, &files.key_file) {
        (Some(cert), Some(key)) => {
            let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| unusable(key, &error))?;
            Some((cert, certificates(cert)?, secret))
        }
        (None, None) => None,
        _ => return Err(ConnectError::Options("a certificate and its key must be given together".to_owned())),
    };
    let mut authorities = RootCertStore::empty();
    if let Some(ca) = &files.ca_file {
        for certificate in certificates(ca)? {
            authorities.add(certificate).map_err(|error| unusable(ca, &error))?;
        }
    } else if client.is_some() {
        return Err(ConnectError::Options("a CA file must be given with the certificate and its key".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        builder.map_err(|error| ConnectError::Options(error.to_string()))?.with_root_certificates(authorities);
    match client {
        None => Ok(builder.with_no_client_auth()),
        Some((file, chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| unusable(file, &error)),
    }
}

/// Waits until etcd answers; a note in the log if it is too old.
pub(super) async fn wait(store: &Etcd, client: Client, options: &Options) -> Result<(), ConnectError> {
    let deadline = Instant::now() + options.connect_timeout;
    let mut detail = "no answer".to_owned();
    loop {
        match timeout_at(deadline, store.ping()).await {
            Ok(Ok(())) => break,
            Ok(Err(failure)) => detail = failure.to_string(),
            Err(_) => {}
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(ConnectError::Unreachable { endpoints: options.endpoints.join(","), detail });
        }
        sleep(PAUSE).await;
    }
    if let Ok(Ok(status)) = timeout(options.check_timeout, client.maintenance_client().status()).await {
        let version = status.version();
        if is_too_old(version) {
            tracing::warn!(version, "this etcd answers progress requests wrongly; use 3.5.13 or later");
        }
    }
    Ok(())
}

fn is_too_old(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    (part(), part(), part()) < (3, 5, 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_3_5_13_are_too_old() {
        for (version, expected) in
            [("3.5.12", true), ("3.4.33", true), ("3.5.13", false), ("3.6.0-rc.1", false), ("4.0.0", false)]
        {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_told_in_one_line() {
        let tls = |ca: Option<&str>, cert: Option<&str>, key: Option<&str>| Tls {
            ca_file: ca.map(Into::into),
            cert_file: cert.map(Into::into),
            key_file: key.map(Into::into),
        };
        let none = || tls(None, None, None);
        for (endpoints, tls, expected) in [
            (&[][..], none(), "etcd: an endpoint is missing"),
            (&["http://127.0.0.1:1", " "], none(), "etcd: an endpoint is missing"),
            (&["https://a:1"], none(), "etcd: https://a:1 needs a CA file to check etcd's certificate with"),
            (&["https://a:1"], tls(None, Some("c"), None), "etcd: a certificate and its key must be given together"),
            (
                &["https://a:1"],
                tls(Some("/none/ca"), None, None),
                "etcd: cannot read /none/ca: No such file or directory (os error 2)",
            ),
        ] {
            let options = Options { tls, ..Options::new(endpoints.iter().copied()) };
            let error = client(&options).await.err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected), "{endpoints:?}");
        }
    }
}

//! From options to a client that has been answered once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tokio::time::{Instant, sleep, timeout, timeout_at};

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

/// Upstream's: a connection that does not answer pings is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
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
    let mut connect = ConnectOptions::new()
        .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE_TIMEOUT)
        .with_keep_alive_while_idle(true)
        .with_connect_timeout(ACCEPT.min(options.connect_timeout))
        .with_require_leader(true);
    let plain = endpoints.iter().find(|endpoint| endpoint.starts_with("http://"));
    let secure = endpoints.iter().find(|endpoint| endpoint.starts_with("https://"));
    match (tls(&options.tls)?, plain, secure) {
        (Some(_), Some(plain), _) => {
            return Err(ConnectError::Options(format!("certificates are given, but {plain} is not https")));
        }
        (None, _, Some(secure)) => {
            return Err(ConnectError::Options(format!("{secure} needs a CA file to check etcd's certificate with")));
        }
        (Some(tls), None, _) => connect = connect.with_tls(tls),
        (None, _, None) => {}
    }
    Client::connect(endpoints, Some(connect)).await.map_err(|error| ConnectError::Options(error.to_string()))
}

/// `None` where no file is given.
fn tls(files: &Tls) -> Result<Option<TlsOptions>, ConnectError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| ConnectError::Options(format!("cannot read {}: {error}", path.display())))
    };
    let identity = match (&files.cert_file, &files.key_file) {
        (Some(cert), Some(key)) => Some(Identity::from_pem(read(cert)?, read(key)?)),
        (None, None) => None,
        _ => return Err(ConnectError::Options("a certificate and its key must be given together".to_owned())),
    };
    let ca = files.ca_file.as_deref().map(read).transpose()?.map(Certificate::from_pem);
    if ca.is_none() && identity.is_some() {
        return Err(ConnectError::Options("a CA file must be given with the certificate and its key".to_owned()));
    }
    Ok(ca.map(|ca| {
        let tls = TlsOptions::new().ca_certificate(ca);
        match identity {
            Some(identity) => tls.identity(identity),
            None => tls,
        }
    }))
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

//! Failures of connections, in the words of Go's `net` and `crypto/tls`.

use std::io;

/// A connection that was not made.
pub fn dial(host: &str, port: u16, error: &io::Error) -> String {
    let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    format!("dial tcp {place}: {}", connect(error))
}

fn connect(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".into(),
        io::ErrorKind::ConnectionReset => "connect: connection reset by peer".into(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        _ => error.to_string(),
    }
}

/// A handshake that failed.
pub fn tls(error: &io::Error) -> String {
    use rustls::CertificateError as Bad;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(bad)) => {
            let words = match bad {
                Bad::UnknownIssuer => "x509: certificate signed by unknown authority".to_owned(),
                Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    "x509: certificate has expired or is not yet valid".to_owned()
                }
                other => format!("x509: {other}"),
            };
            format!("tls: failed to verify certificate: {words}")
        }
        _ => error.to_string(),
    }
}

//! Connections on which a test decides each byte.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::ControlPlane;

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The administrator, by certificate.
    Admin,
    /// Nobody in particular.
    Anonymous,
}

/// The protocol a connection agrees on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

/// A certificate chain and the key of its first.
pub type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A connection after its TLS handshake.
pub struct Raw(StreamOwned<ClientConnection, TcpStream>);

/// An answer of HTTP/1.1, its body as it came (in chunks if it came so).
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status; 0 if the connection was closed without one.
    pub code: u16,
    /// Status line and headers.
    pub head: String,
    /// What followed.
    pub body: String,
}

/// A connection to a control plane without a handshake yet.
pub fn tcp(plane: &ControlPlane) -> TcpStream {
    let address = plane.url().trim_start_matches("https://");
    let socket = TcpStream::connect(address).expect("the server listens");
    // Far more than any answer takes: a test that hangs fails.
    socket.set_read_timeout(Some(Duration::from_secs(120))).expect("a socket");
    socket.set_write_timeout(Some(Duration::from_secs(120))).expect("a socket");
    socket
}

impl Raw {
    /// Connects.
    pub fn open(plane: &ControlPlane, who: Who, protocol: Protocol) -> Self {
        let pki = plane.data_dir().join("pki");
        let shown = (who == Who::Admin).then(|| {
            let certificate = CertificateDer::from_pem_file(pki.join("admin.crt")).expect("a certificate");
            (vec![certificate], PrivateKeyDer::from_pem_file(pki.join("admin.key")).expect("a key"))
        });
        Self::open_with(plane, shown, protocol).expect("a handshake")
    }

    /// Connects with any certificate chain and the key of its first. An error says that the server has ended the handshake.
    pub fn open_with(plane: &ControlPlane, shown: Option<Shown>, protocol: Protocol) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(plane.data_dir().join("pki/ca.crt")).expect("a certificate");
        roots.add(authority).expect("an authority");
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("TLS").with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("a pair"),
        };
        let name = match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        };
        config.alpn_protocols = vec![name];
        let connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().expect("a name"));
        let mut stream = StreamOwned::new(connection.expect("a connection"), tcp(plane));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(stream))
    }

    /// Sends bytes. An error says that the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// Gives up a write that the server does not take for so long.
    pub fn write_no_longer_than(&self, time: Duration) {
        self.0.sock.set_write_timeout(Some(time)).expect("a socket");
    }

    /// Says that nothing more will come, on TCP alone.
    pub fn shut(&self) {
        self.0.sock.shutdown(Shutdown::Write).expect("a socket");
    }

    /// Reads some bytes; none if the connection is closed.
    pub fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        match self.0.read(&mut bytes) {
            Ok(read) => bytes.truncate(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the server neither answers nor closes"),
            Err(_) => bytes.clear(),
        }
        bytes
    }

    /// Reads until the server closes the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let bytes = self.read();
            if bytes.is_empty() {
                return all;
            }
            all.extend_from_slice(&bytes);
        }
    }

    /// The last answer of the connection.
    pub fn answer(&mut self) -> Answer {
        let rest = String::from_utf8_lossy(&self.rest()).into_owned();
        let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((&rest, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { code, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// Sends bytes on a connection of its own, as many as the server takes, and reads its last answer.
    pub fn ask(plane: &ControlPlane, who: Who, bytes: &[u8]) -> Answer {
        let mut raw = Self::open(plane, who, Protocol::Http1);
        let _ = raw.send(bytes);
        raw.answer()
    }
}

/// The head of a last request with these further headers (lines that end in `\r\n`).
pub fn head(method: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

/// A last request with a body of this type.
pub fn request(method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
    [&head(method, path, &headers), body].concat()
}

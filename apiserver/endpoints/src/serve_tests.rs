//! The server on a socket of this machine.

use rustls::RootCertStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::server::Config;
use crate::serving_certificate::{ServingCertificate, pair};

/// A running server and what a client needs to reach it.
struct Fixture {
    address: SocketAddr,
    connector: TlsConnector,
    http2: TlsConnector,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = storage::embedded::Embedded::open(folder.path().join("store"), Default::default()).unwrap();
    let registry = registry::Registry::new(Arc::new(store), Default::default());
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let tls =
        crate::tls::server_config(ServingCertificate::new(pair(vec![cert.der().clone()], key).unwrap(), None), None)
            .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let mut http2 = client.clone();
    http2.alpn_protocols = vec![b"h2".to_vec()];

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let stop = CancellationToken::new();
    let mut config = Config::new(registry);
    config.authorizer = Arc::new(Anyone);
    Fixture {
        address: listener.local_addr().unwrap(),
        connector: TlsConnector::from(Arc::new(client)),
        http2: TlsConnector::from(Arc::new(http2)),
        serving: tokio::spawn(serve(listener, tls, Server::new(config), stop.clone())),
        stop,
        _folder: folder,
    }
}

struct Anyone;

#[async_trait::async_trait]
impl crate::authorization::Authorizer for Anyone {
    async fn authorize(&self, _: &crate::authorization::Attributes) -> crate::authorization::Decision {
        crate::authorization::Decision::allow()
    }
}

impl Fixture {
    /// A connection that has sent this.
    async fn send(&self, bytes: &[u8]) -> TlsStream<TcpStream> {
        Self::connect(self.address, &self.connector, bytes).await
    }

    async fn connect(address: SocketAddr, connector: &TlsConnector, bytes: &[u8]) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(address).await.unwrap();
        let mut stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// A connection that has sent a GET.
    async fn get(&self, path: &str) -> TlsStream<TcpStream> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await
    }
}

/// Reads until `end` is there.
async fn read_to(stream: &mut TlsStream<TcpStream>, end: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(end) {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).await.unwrap(),
            1,
            "the connection ended: {:?}",
            String::from_utf8_lossy(&read)
        );
        read.push(byte[0]);
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// What an HTTP/2 connection begins with.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_stop_ends_watches_in_order_and_closes_idle_connections() {
    let fixture = fixture();
    let mut idle = fixture.get("/readyz").await;
    assert!(read_to(&mut idle, "\r\n\r\nok").await.starts_with("HTTP/1.1 200"));
    let mut watch = fixture.get("/api/v1/pods?watch=1&resourceVersion=0").await;
    assert!(read_to(&mut watch, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    // HTTP/2 that greets and then answers nothing, not even that the server goes away.
    let mut deaf = Fixture::connect(fixture.address, &fixture.http2, GREETING).await;
    deaf.read_exact(&mut [0; 9]).await.unwrap();
    // Only a socket: its handshake never comes.
    let _silent = TcpStream::connect(fixture.address).await.unwrap();

    fixture.stop.cancel();
    fixture.serving.await.unwrap();
    let mut rest = Vec::new();
    watch.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "the stream was cut: {:?}", String::from_utf8_lossy(&rest));
    rest.clear();
    idle.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
    assert!(TcpStream::connect(fixture.address).await.is_err(), "still listening");
}

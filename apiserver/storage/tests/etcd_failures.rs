//! The etcd store when etcd goes away, comes back, or was never there.

mod etcd_server;

use std::time::{Duration, Instant};

use etcd_server::{EtcdServer, PATIENCE};
use futures::StreamExt;
use storage::etcd::{ConnectError, Etcd, Options, Tls};
use storage::{Error, Event, ListOptions, Outcome, Revision, Storage, Watch};
use tempfile::TempDir;

async fn connect(options: Options) -> Etcd {
    Etcd::connect(options).await.expect("a store over etcd")
}

async fn put(store: &Etcd, key: &str, expected: Revision, value: &str) -> storage::Result<Revision> {
    match store.compare_and_put(key.as_bytes(), expected, value.to_owned().into(), None).await? {
        Outcome::Done(revision) => Ok(revision),
        Outcome::Mismatch(got) => panic!("a lost compare: {got:?}"),
    }
}

async fn next_put(watch: &mut Watch) -> storage::Result<Revision> {
    loop {
        let item = tokio::time::timeout(PATIENCE, watch.events.next()).await.expect("an event comes");
        match item.expect("the watch goes on")? {
            Event::Put { kv, .. } => return Ok(kv.mod_revision),
            Event::Delete { .. } => panic!("nothing was deleted"),
            Event::Progress(_) => {}
        }
    }
}

/// Until etcd answers again.
async fn recovered(store: &Etcd) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = store.check().await {
        assert!(Instant::now() < deadline, "etcd is back, but: {error}");
        tokio::task::yield_now().await;
    }
}

fn impatient(url: String) -> Options {
    Options {
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_secs(10),
        check_timeout: Duration::from_secs(1),
        ..Options::new([url])
    }
}

#[tokio::test]
async fn an_etcd_that_is_not_there_is_told_in_one_line() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let error = Etcd::connect(impatient(url.clone())).await.err().expect("nobody listens");
    assert!(matches!(error, ConnectError::Unreachable { .. }));
    let line = error.to_string();
    assert!(line.starts_with(&format!("etcd cannot be reached at {url}: ")), "{line}");
    assert!(line.contains("Connection refused"), "{line}");
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let error = Etcd::connect(impatient(url)).await.err().expect("nobody answers");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn requests_fail_while_etcd_is_away_and_work_when_it_is_back() {
    let Some(mut server) = EtcdServer::start().await else { return };
    let store = connect(impatient(server.url())).await;
    let first = put(&store, "/a", 0, "1").await.expect("put");
    server.kill();
    for error in [
        store.get(b"/a").await.err(),
        store.list(b"/", ListOptions::default()).await.err(),
        put(&store, "/a", first, "2").await.err(),
        store.compare_and_put(b"/a", first, "2".into(), Some(Duration::from_secs(60))).await.err(),
        store.compare_and_delete(b"/a", first).await.err(),
        store.current_revision().await.err(),
        store.check().await.err(),
    ] {
        assert!(matches!(error, Some(Error::Unavailable(_) | Error::Timeout)), "{error:?}");
    }
    server.restart();
    recovered(&store).await;
    let second = put(&store, "/a", first, "2").await.expect("put");
    assert_eq!(second, first + 1);
}

#[tokio::test]
async fn a_watch_outlives_a_restart_without_gap_or_repeat() {
    let Some(mut server) = EtcdServer::start().await else { return };
    let store = connect(impatient(server.url())).await;
    let start = store.current_revision().await.unwrap();
    let mut watch = store.watch(b"/", start).await.unwrap();
    let mut quiet = store.watch(b"/quiet/", start).await.unwrap();
    let mut revision = 0;
    for round in 0..3 {
        for write in 0..5 {
            revision = put(&store, "/a", revision, &format!("{round}.{write}")).await.expect("put");
        }
        server.kill();
        server.restart();
        recovered(&store).await;
    }
    for expected in start + 1..=revision {
        assert_eq!(next_put(&mut watch).await.expect("the watch goes on"), expected);
    }
    // Asked for while the streams may still be broken.
    quiet.progress.request();
    let progress = tokio::time::timeout(PATIENCE, quiet.events.next()).await.expect("progress comes");
    assert!(matches!(progress, Some(Ok(Event::Progress(reached))) if reached == revision), "{progress:?}");
    let last = put(&store, "/a", revision, "last").await.expect("put");
    assert_eq!(next_put(&mut watch).await.expect("the watch goes on"), last);
}

#[tokio::test]
async fn a_watch_that_missed_compacted_events_says_so() {
    let Some(mut server) = EtcdServer::start().await else { return };
    let store = connect(impatient(server.url())).await;
    let other = connect(impatient(server.url())).await;
    let first = put(&store, "/a", 0, "1").await.unwrap();
    let mut watch = store.watch(b"/", first).await.unwrap();
    server.kill();
    server.restart();
    recovered(&other).await;
    // The watch is not polled meanwhile, so that it does not see these.
    let mut last = first;
    for number in 0..10 {
        last = put(&other, "/a", last, &format!("{number}")).await.unwrap();
    }
    other.compact(last).await.unwrap();
    let error = next_put(&mut watch).await.expect_err("events were missed");
    assert!(
        matches!(error, Error::Compacted { requested, compacted } if (requested, compacted) == (first, last)),
        "{error}"
    );
    assert!(watch.events.next().await.is_none(), "after an error a watch is over");
}

#[tokio::test]
async fn a_watch_gives_up_when_etcd_stays_away() {
    let Some(mut server) = EtcdServer::start().await else { return };
    let options = Options { request_timeout: Duration::from_secs(1), ..impatient(server.url()) };
    let store = connect(options).await;
    let start = store.current_revision().await.unwrap();
    let mut watch = store.watch(b"/", start).await.unwrap();
    server.kill();
    let error = next_put(&mut watch).await.expect_err("etcd is gone");
    assert!(matches!(error, Error::Unavailable(_) | Error::Timeout), "{error}");
    assert!(watch.events.next().await.is_none(), "after an error a watch is over");
    let refused = store.watch(b"/", start).await.err();
    assert!(matches!(refused, Some(Error::Unavailable(_) | Error::Timeout)), "{refused:?}");
}

#[tokio::test]
async fn one_of_several_endpoints_is_enough() {
    let Some(server) = EtcdServer::start().await else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoints = [format!("http://127.0.0.1:{port}"), server.url()];
    let store = connect(Options { request_timeout: Duration::from_secs(10), ..Options::new(endpoints) }).await;
    let start = store.current_revision().await.expect("a read");
    let mut watch = store.watch(b"/", start).await.expect("a watch");
    let mut revision = 0;
    for number in 0..50 {
        revision = put(&store, "/a", revision, &format!("{number}")).await.expect("a write");
        store.get(b"/a").await.expect("a read");
    }
    for expected in start + 1..=revision {
        assert_eq!(next_put(&mut watch).await.expect("the watch goes on"), expected);
    }
}

#[tokio::test]
async fn certificates_are_used_and_checked() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(path(&format!("{name}.crt")), issuer.pem()).unwrap();
        issuer
    };
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    for (name, issuer) in [("server", &ours), ("client", &ours), ("stranger", &theirs)] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        std::fs::write(path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let argument = |name: &str, file: &str| format!("--{name}={}", path(file).display());
    let server = EtcdServer::spawn(
        "https",
        vec![
            argument("cert-file", "server.crt"),
            argument("key-file", "server.key"),
            argument("trusted-ca-file", "ours.crt"),
            "--client-cert-auth".to_owned(),
        ],
    );
    let Some(server) = server else { return };
    let options = |ca: &str, client: Option<&str>, connect_timeout| Options {
        tls: Tls {
            ca_file: Some(path(&format!("{ca}.crt"))),
            cert_file: client.map(|name| path(&format!("{name}.crt"))),
            key_file: client.map(|name| path(&format!("{name}.key"))),
        },
        connect_timeout,
        ..impatient(server.url())
    };
    let store = connect(options("ours", Some("client"), PATIENCE)).await;
    put(&store, "/a", 0, "1").await.expect("a write over TLS");
    for (ca, client) in [("theirs", Some("client")), ("ours", Some("stranger")), ("ours", None)] {
        let refused = Etcd::connect(options(ca, client, Duration::from_millis(500))).await;
        let error = refused.err().unwrap_or_else(|| panic!("CA {ca}, client {client:?} should be refused"));
        assert!(matches!(error, ConnectError::Unreachable { .. }), "CA {ca}, client {client:?}: {error}");
        println!("CA {ca}, client {client:?}: {error}");
    }
}

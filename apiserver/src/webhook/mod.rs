//! Questions put to another server over HTTPS: which one, and as whom, a file in kubeconfig's form says. What passes by
//! itself is tried again.

mod kubeconfig;

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use admission::outbound::words;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::error::Error;
use kubeconfig::{Credentials, Remote};

/// How long a call may take, with the reading of the answer (upstream's).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that an answer may hold.
const MAX_ANSWER: usize = 3 << 20;

/// The waits between attempts (upstream's).
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first.
    pub initial: Duration,
    /// How much longer each is than the one before.
    pub factor: f64,
    /// The part of it that chance adds at most.
    pub jitter: f64,
    /// How often it is tried in all.
    pub attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(500), factor: 1.5, jitter: 0.2, attempts: 5 }
    }
}

/// A server that answers questions.
#[async_trait]
pub trait Ask: Send + Sync + 'static {
    /// Sends a question (JSON) once; the body of a success.
    async fn ask(&self, question: Bytes) -> Result<Bytes, Failure>;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In the words of Go's client.
    pub words: String,
    /// Whether it may pass by itself.
    pub passing: bool,
}

impl Failure {
    /// One that asking again does not mend.
    pub fn lasting(words: impl Into<String>) -> Self {
        Self { words: words.into(), passing: false }
    }

    /// What an answer of this status means, which is no success (upstream's `DefaultShouldRetry`). `again` is whether it
    /// says when to come back.
    pub fn answered(words: impl Into<String>, status: StatusCode, again: bool) -> Self {
        let passes = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::GATEWAY_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        Self { words: words.into(), passing: again || passes.contains(&status) }
    }
}

impl Backoff {
    /// Asks until there is an answer, or a failure that lasts, or all attempts are made.
    ///
    /// # Errors
    /// Why there is none, in the words of Go's client.
    pub async fn ask(&self, server: &dyn Ask, question: Bytes) -> Result<Bytes, String> {
        let mut wait = self.initial;
        let mut attempt = 1;
        loop {
            let failure = match server.ask(question.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !failure.passing || attempt >= self.attempts {
                return Err(failure.words);
            }
            attempt += 1;
            tokio::time::sleep(wait.mul_f64(1.0 + rand::random::<f64>() * self.jitter)).await;
            wait = wait.mul_f64(self.factor);
        }
    }
}

/// A server that a file in kubeconfig's form names.
pub struct Webhook {
    connections: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    credentials: Credentials,
}

impl Webhook {
    /// The server that a file names. Nothing is sent yet.
    ///
    /// # Errors
    /// The file cannot be read or used.
    pub fn open(file: &Path) -> Result<Self, Error> {
        Ok(Self::new(kubeconfig::read(file)?))
    }

    fn new(remote: Remote) -> Self {
        let Remote { url, tls, server_name, credentials } = remote;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = match server_name {
            None => builder.enable_all_versions().wrap_connector(tcp),
            Some(name) => builder
                .with_server_name_resolver(FixedServerNameResolver::new(name))
                .enable_all_versions()
                .wrap_connector(tcp),
        };
        let connections = legacy::Client::builder(TokioExecutor::new()).timer(TokioTimer::new()).build(connector);
        Self { connections, url, credentials }
    }

    async fn ask_once(&self, question: Bytes) -> Result<Bytes, Failure> {
        let mut request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, */*")
            .header(header::USER_AGENT, "kube-apiserver");
        if let Some(mut value) = self.authorization().await.map_err(Failure::lasting)? {
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Full::new(question)).map_err(|error| Failure::lasting(error.to_string()))?;
        let answer = self.connections.request(request).await.map_err(|error| self.not_reached(&error))?;
        let (status, again) = (answer.status(), answer.headers().contains_key(header::RETRY_AFTER));
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| Failure::lasting(self.failed(&error.to_string())))?.to_bytes();
        words::answered(status, kind.as_deref(), body).map_err(|words| Failure::answered(words, status, again))
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let value = match &self.credentials {
            Credentials::None => return Ok(None),
            Credentials::Fixed(value) => value.clone(),
            Credentials::TokenFile(file) => {
                let token = tokio::fs::read_to_string(file).await;
                let token = token.map_err(|error| format!("failed to read token file {file:?}: {error}"))?;
                format!("Bearer {}", token.trim())
            }
        };
        HeaderValue::try_from(value).map(Some).map_err(|_| "the credentials cannot be sent in a header".to_owned())
    }

    fn failed(&self, why: &str) -> String {
        format!("Post \"{}\": {why}", self.url)
    }

    fn port(&self) -> u16 {
        self.url.port_u16().unwrap_or(if self.url.scheme_str() == Some("http") { 80 } else { 443 })
    }

    fn not_reached(&self, error: &legacy::Error) -> Failure {
        let mut last = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            last = cause.to_string();
            if let Some(cause) = cause.downcast_ref::<io::Error>() {
                let passing = cause.kind() == io::ErrorKind::ConnectionReset;
                let of_tls = cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
                last = match self.url.host() {
                    _ if of_tls => words::tls(cause),
                    Some(host) if error.is_connect() => words::dial(host.trim_matches(['[', ']']), self.port(), cause),
                    _ => cause.to_string(),
                };
                return Failure { words: self.failed(&last), passing };
            }
            source = cause.source();
        }
        Failure::lasting(self.failed(&last))
    }
}

#[async_trait]
impl Ask for Webhook {
    async fn ask(&self, question: Bytes) -> Result<Bytes, Failure> {
        let asked = tokio::time::timeout(TIMEOUT, self.ask_once(question)).await;
        asked.unwrap_or_else(|_| Err(Failure::lasting(self.failed("context deadline exceeded"))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that gives these answers, one a connection, and notes what it was asked.
    async fn server(answers: Vec<String>) -> (Uri, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/authorize?x=1", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"question") {
                    let mut buffer = [0; 1024];
                    let read = stream.read(&mut buffer).await.unwrap();
                    assert!(read > 0, "the request ended early");
                    request.extend(&buffer[..read]);
                }
                heard.lock().push(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, asked)
    }

    fn webhook(url: &Uri, credentials: Credentials) -> Webhook {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let remote = Remote { url: url.clone(), tls, server_name: None, credentials };
        Webhook::new(remote)
    }

    async fn ask(webhook: &Webhook) -> Result<Bytes, String> {
        let backoff = Backoff { initial: Duration::from_millis(1), attempts: 3, ..Backoff::default() };
        backoff.ask(webhook, "question".into()).await
    }

    fn answer(head: &str, body: &str) -> String {
        format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn the_url_is_used_as_it_is_and_what_passes_is_tried_again() {
        let answers = ["500 Oh", "429 Slow", "200 OK"].map(|head| answer(head, "text"));
        let (url, asked) = server(answers.to_vec()).await;
        let webhook = webhook(&url, Credentials::Fixed("Bearer t".into()));
        assert_eq!(ask(&webhook).await.unwrap(), "text");
        let asked = asked.lock();
        assert_eq!(asked.len(), 3);
        for request in asked.iter() {
            assert!(request.starts_with("POST /authorize?x=1 HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("authorization: Bearer t\r\n"), "{request}");
        }
    }

    #[tokio::test]
    async fn what_lasts_is_not_tried_again_and_tells_why() {
        let unable = "the server is currently unable to handle the request";
        let late = "the server was unable to return a response in the time allotted, but may still be processing the \
                    request";
        for (answers, tried, words) in [
            (vec![answer("404 No", "")], 1, "the server could not find the requested resource"),
            (vec![answer("503 No", "boom")], 1, unable),
            (vec![answer("503 No\r\nretry-after: 1", "boom"); 3], 3, unable),
            (vec![answer("504 No", "boom"); 3], 3, late),
        ] {
            let (url, asked) = server(answers).await;
            let said = ask(&webhook(&url, Credentials::None)).await.unwrap_err();
            assert_eq!(said, words);
            assert_eq!(asked.lock().len(), tried, "{words}");
        }
    }

    #[tokio::test]
    async fn a_token_file_is_read_anew_and_nobody_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "first\n").unwrap();
        let (url, asked) = server(vec![answer("200 OK", ""), answer("200 OK", "")]).await;
        let webhook = webhook(&url, Credentials::TokenFile(file.clone()));
        ask(&webhook).await.unwrap();
        std::fs::write(&file, "second").unwrap();
        ask(&webhook).await.unwrap();
        let tokens: Vec<bool> =
            asked.lock().iter().zip(["first", "second"]).map(|(request, token)| request.contains(token)).collect();
        assert_eq!(tokens, [true, true]);
        let said = ask(&webhook).await.unwrap_err();
        assert!(said.starts_with(&format!("Post \"{url}\": ")) && said.contains("connection refused"), "{said}");
    }
}

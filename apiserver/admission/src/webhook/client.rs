//! POST of a review to a webhook, over TLS. Errors are texts in upstream's words: they end up in the client's message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::hook::ClientConfig as Config;
use super::pool::{Connection, Key, Pool};
use crate::Lister;
use crate::outbound::{trust, words};

/// The most that an answer may hold.
const MAX_ANSWER: usize = 16 << 20;

/// Calls webhooks and keeps connections to them.
pub struct Client {
    lister: Arc<dyn Lister>,
    pool: Pool,
    trust: Mutex<HashMap<String, Arc<ClientConfig>>>,
}

/// Where a call goes.
struct Place {
    /// The URL's authority.
    host: String,
    port: u16,
    path: String,
    /// The service, if the address has to be looked up.
    of_service: bool,
}

/// What was answered.
struct Answer {
    status: StatusCode,
    /// `Content-Type`.
    kind: Option<String>,
    body: Bytes,
}

impl Client {
    /// A client that finds services through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self { lister, pool: Pool::default(), trust: Mutex::new(HashMap::new()) }
    }

    /// Sends `body`; the answer's body if it is a 200. The error is in the words of Go's client.
    pub async fn post(&self, config: &Config, timeout: Duration, body: Bytes) -> Result<Bytes, String> {
        let place = place(config)?;
        let authority = match (place.of_service, place.port) {
            (false, 443) => place.host.clone(),
            (_, port) => format!("{}:{port}", place.host),
        };
        let path = format!("{}?timeout={}s", place.path, timeout.as_secs());
        let failed = |error: String| format!("Post \"https://{authority}{path}\": {error}");
        match tokio::time::timeout(timeout, self.exchange(config, &place, &authority, &path, body)).await {
            Ok(Ok(Answer { status, kind, body })) => words::answered(status, kind.as_deref(), body),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(failed("context deadline exceeded".into())),
        }
    }

    async fn exchange(
        &self,
        config: &Config,
        place: &Place,
        authority: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, String> {
        let address = match &config.service {
            Some(of) if place.of_service => self.lister.locate(&of.namespace, &of.name, of.port.unwrap_or(443)).await?,
            _ => (place.host.trim_matches(['[', ']']).to_owned(), place.port),
        };
        let key = Key {
            address,
            server_name: place.host.trim_matches(['[', ']']).to_owned(),
            ca_bundle: config.ca_bundle.clone(),
        };
        let request = || {
            Request::post(path)
                .header(header::HOST, authority)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::ACCEPT, "application/json")
                .header(header::USER_AGENT, "kube-apiserver-admission")
                .body(Full::new(body.clone()))
                .map_err(|error| error.to_string())
        };
        // A kept connection may have been closed by the other side just now: then a new one gets its chance.
        if let Some(connection) = self.pool.take(&key)
            && let Ok(answer) = self.send(&key, connection, request()?).await
        {
            return Ok(answer);
        }
        let connection = self.connect(&key).await?;
        self.send(&key, connection, request()?).await
    }

    async fn send(
        &self,
        key: &Key,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, String> {
        connection.ready().await.map_err(|error| error.to_string())?;
        let answer = connection.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
        self.pool.put(key.clone(), connection);
        Ok(Answer { status, kind, body: body.to_bytes() })
    }

    async fn connect(&self, key: &Key) -> Result<Connection, String> {
        let (host, port) = (key.address.0.as_str(), key.address.1);
        let stream = TcpStream::connect((host, port)).await.map_err(|error| words::dial(host, port, &error))?;
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from(key.server_name.clone()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(self.tls(&key.ca_bundle)?);
        let stream = connector.connect(name, stream).await.map_err(|error| words::tls(&error))?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a webhook ended");
            }
        });
        Ok(sender)
    }

    fn tls(&self, ca_bundle: &str) -> Result<Arc<ClientConfig>, String> {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = trust.get(ca_bundle) {
            return Ok(config.clone());
        }
        // Bundles come and go with their configurations; a rebuilt one costs less than a forgotten one.
        if trust.len() >= 100 {
            trust.clear();
        }
        let config = trust::config(ca_bundle)?;
        trust.insert(ca_bundle.to_owned(), config.clone());
        Ok(config)
    }
}

fn place(config: &Config) -> Result<Place, String> {
    if let Some(service) = &config.service {
        return Ok(Place {
            host: format!("{}.{}.svc", service.name, service.namespace),
            port: service.port.unwrap_or(443),
            path: cleaned(service.path.as_deref().unwrap_or_default()),
            of_service: true,
        });
    }
    let url = config.url.as_deref().ok_or("webhook configuration must have either service or URL")?;
    let uri: Uri = url.parse().map_err(|error| format!("Unparsable webhook URL: {error}"))?;
    let host = uri.host().ok_or("Unparsable webhook URL: no host")?.to_owned();
    Ok(Place { host, port: uri.port_u16().unwrap_or(443), path: cleaned(uri.path()), of_service: false })
}

/// A path as Go's `path.Join` writes it below `/`, which upstream's client does: no empty parts, nothing that steps up, and no
/// slash at the end.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_asked_for_as_upstreams_client_does() {
        for (path, asked) in [
            ("", "/"),
            ("/", "/"),
            ("//failing", "/failing"),
            ("/a/./b//c/", "/a/b/c"),
            ("/a/../../b", "/b"),
            ("a%2fb", "/a%2fb"),
        ] {
            assert_eq!(cleaned(path), asked, "{path}");
        }
    }
}

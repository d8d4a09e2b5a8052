//! The server that requests are sent to, and its raw answers.

use std::path::Path;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};

use super::value::{Object, Value};
use super::{Error, print, read};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with the credentials of a kubeconfig: client certificate, token, or what an exec plugin gives.
#[derive(Clone)]
pub struct Server {
    administrator: kube::Client,
    anonymous: kube::Client,
    with_certificate: bool,
}

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status; none where there was no answer.
    pub status: Option<u16>,
    /// Headers in order by lower-case name; the values of a repeated one are its lines.
    pub headers: Vec<(String, String)>,
    /// The body; `{"text": …}` if it is no JSON. A watch's events are a list.
    pub body: Option<Value>,
}

impl Server {
    /// The server of `context`, else of the current one.
    pub async fn from_kubeconfig(path: &Path, context: Option<&str>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::File { path: path.display().to_string(), reason };
        let file = Kubeconfig::read_from(path).map_err(|error| refuse(chain(&error)))?;
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(file, &options).await.map_err(|error| refuse(chain(&error)))?;
        Self::new(config)
    }

    /// The server of a client configuration.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        // Each answer counts, a refusal too; and each scenario has times of its own.
        config.default_retry = false;
        config.read_timeout = None;
        config.write_timeout = None;
        let mut bare = config.clone();
        bare.auth_info = AuthInfo::default();
        let auth = &config.auth_info;
        let with_certificate = auth.client_certificate.is_some() || auth.client_certificate_data.is_some();
        let client = |config| kube::Client::try_from(config).map_err(|error| Error::Transport(chain(&error)));
        Ok(Self { anonymous: client(bare)?, administrator: client(config)?, with_certificate })
    }

    /// Sends a request whose variables are filled in; gives the answer's head and its body to be read. `anonymous`:
    /// without the credentials of the kubeconfig.
    pub async fn open(&self, request: &Value, anonymous: bool, timeout: Duration) -> Result<Response<Body>, Error> {
        let request = encode(request).map_err(Error::Scenario)?;
        // A token of the scenario's own stands in place of the kubeconfig's, but beside its certificate.
        let own_token = request.headers().contains_key(AUTHORIZATION) && !self.with_certificate;
        let client = if anonymous || own_token { &self.anonymous } else { &self.administrator };
        match tokio::time::timeout(timeout, client.send(request)).await {
            Ok(answer) => answer.map_err(|error| Error::Transport(chain(&error))),
            Err(_) => Err(Error::Transport("no answer in time".to_owned())),
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: &Value, anonymous: bool) -> Result<Answer, Error> {
        let response = self.open(request, anonymous, PATIENCE).await?;
        let (status, headers) = (response.status().as_u16(), joined(response.headers()));
        let body = whole(response.into_body(), PATIENCE).await?;
        Ok(Answer { status: Some(status), headers, body: Some(decode(&body)) })
    }
}

/// A body as a value: JSON, null if it is empty, else its text.
fn decode(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let parsed = std::str::from_utf8(body).ok().and_then(|text| read::json(text).ok());
    parsed.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body).into_owned();
        Value::Object(Object::from_iter([("text".to_owned(), Value::String(text))]))
    })
}

/// All of a body.
pub(super) async fn whole(body: Body, timeout: Duration) -> Result<Vec<u8>, Error> {
    match tokio::time::timeout(timeout, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) => Err(Error::Transport(chain(&error))),
        Err(_) => Err(Error::Transport("no end of the answer in time".to_owned())),
    }
}

/// Headers by lower-case name in the order in which each was first sent. Bytes past ASCII are read as Latin-1.
pub(super) fn joined(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>();
    let values = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>().join("\n");
    headers.keys().map(|name| (name.as_str().to_owned(), values(name))).collect()
}

fn encode(request: &Value) -> Result<Request<Body>, String> {
    let mut headers = Object::default();
    headers.insert("Accept", "application/json".into());
    headers.insert("User-Agent", "exchange/v1.0 (linux/amd64)".into());
    for (name, value) in request.get("headers").and_then(Value::as_object).into_iter().flat_map(Object::iter) {
        headers.insert(name, value.clone());
    }
    let body = match (request.get("raw"), request.get("body")) {
        (Some(raw), _) => Some(raw.as_str().ok_or("raw is no text")?.to_owned()),
        (None, Some(body)) => Some(print::compact(body)),
        (None, None) => None,
    };
    if body.is_some() && headers.get("Content-Type").is_none() {
        headers.insert("Content-Type", "application/json".into());
    }
    let path = request.get("path").and_then(Value::as_str).ok_or("a request has no path")?;
    let method = request.get("method").and_then(Value::as_str).unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method} is no method"))?;
    let mut encoded = Request::builder().method(&method).uri(path);
    for (name, value) in headers.iter() {
        let text = value.as_str().map_or_else(|| print::compact(value), str::to_owned);
        // As with answers, text that fits is Latin-1.
        let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let value = HeaderValue::from_bytes(&latin.unwrap_or_else(|| text.into_bytes()));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name} is no header"))?;
        encoded = encoded.header(&name, value.map_err(|_| format!("the value of header {name} cannot be sent"))?);
    }
    if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("accept-encoding")) {
        encoded = encoded.header("accept-encoding", "identity");
    }
    if body.is_none() && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
        encoded = encoded.header("content-length", "0");
    }
    let body = body.map_or_else(Body::empty, |text| Body::from(text.into_bytes()));
    encoded.body(body).map_err(|error| format!("{path}: {error}"))
}

/// An error with its causes, those left out that the one before them already tells.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(request: &str) -> Request<Body> {
        encode(&read::json(request).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_body_goes_out_as_it_is_written() {
        let cases = [
            (r#"{"path":"/x","raw":"{not json\n"}"#, "{not json\n"),
            (r#"{"path":"/x","body":{"b":1.50,"a":["é"]}}"#, r#"{"b": 1.50, "a": ["\u00e9"]}"#),
            (r#"{"path":"/x"}"#, ""),
        ];
        for (request, expected) in cases {
            let body = encoded(request).into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, expected.as_bytes(), "{request}");
        }
    }

    #[test]
    fn headers_of_the_scenario_come_before_the_usual_ones() {
        let request = encoded(
            r#"{"path":"/x?a=b%20c","method":"PURGE","headers":{"Accept":"a/b","Content-Type":"t","X-é":"é"},"body":1}"#
                .replace("X-é", "X-e")
                .as_str(),
        );
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("PURGE", "/x?a=b%20c"));
        let header = |name: &str| joined(request.headers()).into_iter().find(|h| h.0 == name).unwrap().1;
        assert_eq!((header("accept"), header("content-type"), header("x-e")), ("a/b".into(), "t".into(), "é".into()));
        assert_eq!(header("user-agent"), "exchange/v1.0 (linux/amd64)");
    }

    #[test]
    fn a_repeated_header_keeps_every_value_in_order() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("warning", "299 - \"b\""), ("content-type", "x"), ("warning", "299 - \"a\"")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let expected = [("warning", "299 - \"b\"\n299 - \"a\""), ("content-type", "x")];
        assert_eq!(joined(&headers), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_answer_that_is_no_json_is_its_text() {
        assert_eq!(decode(b""), Value::Null);
        assert_eq!(decode(b" {\"a\":1}\n"), read::json(r#"{"a":1}"#).unwrap());
        assert_eq!(decode(b"404 page not found\n"), read::json(r#"{"text":"404 page not found\n"}"#).unwrap());
        assert_eq!(decode(b"k8s\0\xff"), read::json("{\"text\":\"k8s\\u0000\u{fffd}\"}").unwrap());
    }
}

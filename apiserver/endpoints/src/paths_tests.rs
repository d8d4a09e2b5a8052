//! What a request reads or writes is what it was authorized for, however its path is spelled: whatever an answer holds has to
//! be covered by the question that was asked of the authorizer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::authorization::Attributes;

/// Allows everything, and remembers the last question.
#[derive(Default)]
struct Asked(Mutex<Option<Attributes>>);

#[async_trait::async_trait]
impl Authorizer for Asked {
    async fn authorize(&self, asked: &Attributes) -> Decision {
        *self.0.lock() = Some(asked.clone());
        Decision::allow()
    }
}

struct Fixture {
    server: Arc<Server>,
    connection: Connection,
    asked: Arc<Asked>,
    _folder: tempfile::TempDir,
}

/// What there is: in both namespaces a secret and a ConfigMap of the same name. Each holds a word of its own.
const THERE: [(&str, &str, &str); 4] = [
    ("a", "secrets", "word-of-secret-a"),
    ("b", "secrets", "word-of-secret-b"),
    ("a", "configmaps", "word-of-map-a"),
    ("b", "configmaps", "word-of-map-b"),
];

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = storage::embedded::Embedded::open(folder.path().join("store"), Default::default()).unwrap();
    let asked = Arc::new(Asked::default());
    let mut config = Config::new(Registry::new(Arc::new(store), Default::default()));
    config.authorizer = asked.clone();
    let connection = Connection {
        remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
        peer: Arc::new(Peer::assumed(UserInfo::new("somebody", ["g"]))),
        closing: CancellationToken::new(),
    };
    let fixture = Fixture { server: Server::new(config), connection, asked, _folder: folder };
    for namespace in ["a", "b"] {
        let made = fixture.send("POST", "/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).await;
        assert_eq!(made.0, 201, "{made:?}");
    }
    for (namespace, resource, word) in THERE {
        let object = json!({"metadata": {"name": "one", "labels": {"word": word}}});
        let made = fixture.send("POST", &format!("/api/v1/namespaces/{namespace}/{resource}"), &object).await;
        assert_eq!(made.0, 201, "{made:?}");
    }
    fixture
}

impl Fixture {
    async fn send(&self, method: &str, url: &str, body: &Value) -> (u16, String, String) {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(method).uri(url).header("content-type", kind);
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let request = request.body(RequestBody::Full(Bytes::from(body))).unwrap();
        *self.asked.0.lock() = None;
        let answer = self.server.handle(request, &self.connection).await;
        let (parts, body) = answer.into_parts();
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), kind, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Whether the question that was asked is one about this object, or about all such objects there.
fn covers(asked: &Attributes, namespace: &str, resource: &str, name: &str) -> bool {
    let is = |asked: &str, wanted: &str| asked.is_empty() || asked == wanted;
    asked.resource_request
        && (asked.group.as_str(), asked.version.as_str(), asked.resource.as_str()) == ("", "v1", resource)
        && is(&asked.namespace, namespace)
        && is(&asked.name, name)
        && asked.subresource.is_empty()
}

/// The parts that paths are made of, below a beginning.
const PARTS: [&str; 11] =
    ["", "..", "%2e%2e", "b", "a%2Fsecrets", "namespaces", "secrets", "configmaps", "one", "one%2f..", "status"];

fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for base in ["/api/v1", "//api/v1", "/api%2Fv1", "/api/v1/namespaces/a", "/api/v1/namespaces/b/.."] {
        let mut longer = vec![base.to_owned()];
        for _ in 0..3 {
            longer = longer.iter().flat_map(|path| PARTS.map(|part| format!("{path}/{part}"))).collect();
            paths.extend_from_slice(&longer);
            // What grows further leads somewhere, or could.
            longer.retain(|path| ["secrets", "namespaces", "configmaps"].iter().any(|word| path.contains(word)));
        }
    }
    paths
}

#[tokio::test]
async fn what_is_read_and_written_was_authorized_however_the_path_is_spelled() {
    let fixture = fixture().await;
    let (mut wrong, mut read, mut written) = (Vec::new(), 0, 0);
    for path in paths() {
        for method in ["GET", "PATCH", "POST"] {
            let body = if method == "POST" { json!({"metadata": {"name": "new"}}) } else { json!({}) };
            let url = format!("{path}?dryRun=All");
            let (code, _, text) = fixture.send(method, &url, &body).await;
            let asked = fixture.asked.0.lock().take();
            let covered = |namespace: &str, resource: &str, name: &str| {
                asked.as_ref().is_some_and(|asked| covers(asked, namespace, resource, name))
            };
            for (namespace, resource, word) in THERE {
                if text.contains(word) {
                    read += 1;
                    if !covered(namespace, resource, "one") {
                        wrong.push(format!("{method} {path} shows {resource} of {namespace} for {asked:?}"));
                    }
                }
            }
            if code == 201 {
                written += 1;
                let object: Value = serde_json::from_str(&text).unwrap();
                let resource = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
                if !covered(object["metadata"]["namespace"].as_str().unwrap_or_default(), &resource, "new") {
                    wrong.push(format!("{method} {path} makes {text} for {asked:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 40 && written > 20, "the paths lead somewhere: {read} read, {written} written");
}

#[tokio::test]
async fn spellings_lead_where_upstreams_lead() {
    let fixture = fixture().await;
    let json = "application/json";
    let page = "text/plain; charset=utf-8";
    for (path, code, kind, words) in [
        ("/api/v1/namespaces/a/secrets", 200, json, "word-of-secret-a"),
        // Escapes are read before anything else is.
        ("/api/v1/namespaces/a%2Fsecrets", 200, json, "word-of-secret-a"),
        ("/api%2fv1/namespaces/a/secrets/one", 200, json, "word-of-secret-a"),
        ("/api/v1/namespaces/a/%73ecrets/one", 200, json, "word-of-secret-a"),
        ("/api/v1/namespaces/a/secrets/%6fne/", 200, json, "word-of-secret-a"),
        // And once.
        ("/api/v1/namespaces/a/secrets/%256fne", 404, json, "secrets \\\"%6fne\\\" not found"),
        // A name in no namespace's place is all of them.
        ("/api/v1/namespaces//secrets", 200, json, "word-of-secret-b"),
        // Nothing steps up.
        ("/api/v1/namespaces/b/../a/secrets", 404, json, "could not find the requested resource"),
        ("/api/v1/namespaces/b/%2e%2e/a/secrets", 404, json, "could not find the requested resource"),
        ("/api/v1/../..", 404, json, "could not find the requested resource"),
        ("/version/../api/v1/namespaces/a/secrets", 404, page, "404 page not found"),
        ("/healthz/../api/v1/namespaces", 404, page, "404 page not found"),
        ("/api/v1/./namespaces", 404, json, "could not find the requested resource"),
        ("/api/v1/namespaces/a/secrets/..", 404, json, "secrets \\\"..\\\" not found"),
        // Routers know no empty parts.
        ("//api/v1/namespaces/a/secrets", 404, page, "404 page not found"),
        ("//apis/apps/v1/deployments", 404, page, "404 page not found"),
        ("//healthz", 404, page, "404 page not found"),
        ("//", 404, page, "404 page not found"),
        ("/api//v1/namespaces", 404, json, "could not find the requested resource"),
        ("/api/v1//namespaces", 404, json, "could not find the requested resource"),
        ("/apis//v1/secrets", 404, page, "404 page not found"),
        ("/apis/apps//v1/deployments", 404, json, "could not find the requested resource"),
        ("/api/v1/namespaces/a//secrets", 404, json, "could not find the requested resource"),
    ] {
        let answer = fixture.send("GET", path, &Value::Null).await;
        assert_eq!((answer.0, answer.1.as_str()), (code, kind), "{path}: {}", answer.2);
        assert!(answer.2.contains(words), "{path}: {}", answer.2);
    }
    for path in ["/api/v1/%", "/api/v1/%2", "/api/v1/%zz"] {
        let answer = fixture.send("GET", path, &Value::Null).await;
        assert_eq!((answer.0, answer.2.as_str()), (400, "400 Bad Request"), "{path}");
    }
}

//! The server without a socket: requests made of bytes, over an embedded store in a folder of their own.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use futures::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;

/// A server, the folder of its store, and the connection of an administrator.
struct Fixture {
    server: Arc<Server>,
    connection: Connection,
    _folder: tempfile::TempDir,
}

struct Answer {
    code: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = storage::embedded::Embedded::open(folder.path().join("store"), Default::default()).unwrap();
    let registry = Registry::new(Arc::new(store), Default::default());
    let server = Server::new(Config::new(registry));
    let admin = UserInfo::new("admin", ["system:masters", "system:authenticated"]);
    let connection = Connection {
        remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
        peer: Arc::new(Peer::assumed(admin)),
        closing: CancellationToken::new(),
    };
    let fixture = Fixture { server, connection, _folder: folder };
    let created = fixture.post("/api/v1/namespaces", &json!({"metadata": {"name": "default"}})).await;
    assert_eq!(created.code, 201, "{}", created.text());
    fixture
}

impl Fixture {
    async fn respond(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = RequestBody::Full(Bytes::copy_from_slice(body.as_bytes()));
        self.server.handle(request.body(body).unwrap(), &self.connection).await
    }

    async fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (parts, body) = self.respond(method, url, headers, body).await.into_parts();
        let body = body.collect().await.unwrap();
        Answer { code: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() }
    }

    async fn get(&self, url: &str) -> Answer {
        self.ask("GET", url, &[], "").await
    }

    async fn post(&self, url: &str, body: &Value) -> Answer {
        self.ask("POST", url, &[("content-type", "application/json")], &body.to_string()).await
    }
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn an_object_goes_through_its_life() {
    let fixture = fixture().await;
    let one = format!("{CONFIG_MAPS}/a");
    let created = fixture.post(CONFIG_MAPS, &json!({"metadata": {"name": "a"}, "data": {"k": "1"}})).await;
    assert_eq!(created.code, 201, "{}", created.text());
    assert_eq!(created.json()["kind"], "ConfigMap");
    assert!(created.headers.contains_key("audit-id"));
    assert_eq!(created.headers["cache-control"], "no-cache, private");

    let mut object = fixture.get(&one).await.json();
    object["data"]["k"] = json!("2");
    let updated = fixture.ask("PUT", &one, &[], &object.to_string()).await;
    assert_eq!((updated.code, &updated.json()["data"]["k"]), (200, &json!("2")), "{}", updated.text());
    let stale = fixture.ask("PUT", &one, &[], &object.to_string()).await;
    assert_eq!(stale.code, 409, "{}", stale.text());

    let merge = [("content-type", "application/merge-patch+json")];
    let patched = fixture.ask("PATCH", &one, &merge, r#"{"data":{"l":"3"}}"#).await;
    assert_eq!(patched.json()["data"], json!({"k": "2", "l": "3"}), "{}", patched.text());

    let list = fixture.get(CONFIG_MAPS).await.json();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert!(list["items"][0].get("kind").is_none(), "items of a built-in list do not repeat their kind: {list}");

    assert_eq!(fixture.ask("DELETE", &one, &[], "").await.json()["status"], "Success");
    let gone = fixture.get(&one).await;
    assert_eq!((gone.code, gone.message()), (404, "configmaps \"a\" not found".to_owned()));
}

#[tokio::test]
async fn what_leads_nowhere_is_refused_in_upstreams_words() {
    let fixture = fixture().await;
    let status = "the server could not find the requested resource";
    let method = "the server does not allow this method on the requested resource";
    for (verb, url, code, message) in [
        ("GET", "/api/v1/nosuch", 404, status),
        ("GET", "/api/v2", 404, status),
        ("GET", "/apis/apps/v9", 404, status),
        ("GET", "/api/v1/configmaps/x", 404, status),
        ("GET", "/api/v1/namespaces/default/nodes", 404, status),
        ("GET", "/api/v1/namespaces/default/configmaps/a/nosuch", 404, status),
        ("POST", "/api/v1/configmaps", 405, method),
        ("POST", "/api/v1/namespaces/default/configmaps/a", 405, method),
        ("POST", "/api/v1/watch/namespaces/default/secrets", 405, method),
        ("POST", "/version", 405, method),
    ] {
        let answer = fixture.ask(verb, url, &[], "{}").await;
        assert_eq!((answer.code, answer.message().as_str()), (code, message), "{verb} {url}");
    }
    for url in ["/nosuch", "/apis/nope.example.com", "/apis/nope.example.com/v1/things", "/healthz/nosuch"] {
        let answer = fixture.get(url).await;
        assert_eq!((answer.code, answer.text().as_str()), (404, "404 page not found\n"), "{url}");
    }
}

#[tokio::test]
async fn bad_bodies_and_options_are_refused_and_change_nothing() {
    let fixture = fixture().await;
    let json = [("content-type", "application/json")];
    let unrecognized = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json \
                        parse error: ";
    for (query, headers, body, code, message) in [
        ("", &json[..], "", 400, format!("{unrecognized}unexpected end of JSON input (<empty>)")),
        ("", &json, "[1]", 400, format!("{unrecognized}json: cannot unmarshal array into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} (5b315d)")),
        ("", &json, "{} x", 400, format!("{unrecognized}invalid character 'x' after top-level value ({{}} x)")),
        ("", &[("content-type", "text/plain")], "{}", 415, "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf".into()),
        ("?fieldValidation=Strict", &json, r#"{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}"#, 400, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \"data.k\"".into()),
        ("?fieldValidation=Strict", &json, r#"{"metadata":{"name":"a"},"bad":{"x":1,"x":2},"bad":2,"immutable":true,"immutable":true}"#, 400, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"bad\", duplicate field \"immutable\"".into()),
        ("?dryRun=x", &json, r#"{"metadata":{"name":"a"}}"#, 422, "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"x\"]: supported values: \"All\"".into()),
        ("", &json, r#"{"apiVersion":"apps/v1","kind":"ConfigMap","metadata":{"name":"a"}}"#, 400, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"apps/v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"".into()),
    ] {
        let answer = fixture.ask("POST", &format!("{CONFIG_MAPS}{query}"), headers, body).await;
        assert_eq!((answer.code, answer.message()), (code, message), "{query} {body}");
    }
    let large = fixture.ask("POST", CONFIG_MAPS, &json, &" ".repeat(crate::decode::MAX_BODY + 1)).await;
    assert_eq!((large.code, large.message()), (413, "Request entity too large: limit is 3145728".to_owned()));
    assert_eq!(fixture.get(CONFIG_MAPS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn answers_have_the_form_that_is_asked_for() {
    let fixture = fixture().await;
    fixture.post(CONFIG_MAPS, &json!({"metadata": {"name": "a"}, "data": {"k": "on"}})).await;
    let yaml = fixture.ask("GET", &format!("{CONFIG_MAPS}/a"), &[("accept", "application/yaml")], "").await;
    assert_eq!(yaml.headers["content-type"], "application/yaml");
    assert!(
        yaml.text().starts_with("apiVersion: v1\ndata:\n  k: \"on\"\nkind: ConfigMap\nmetadata:\n"),
        "{}",
        yaml.text()
    );

    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let table = fixture.ask("GET", &format!("{CONFIG_MAPS}?includeObject=None"), &[("accept", table)], "").await.json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["rows"][0]["cells"].as_array().unwrap()[..2], [json!("a"), json!(1)]);
    assert_eq!(table["rows"][0]["object"], Value::Null);

    // Lists of nothing are null where upstream's are.
    for (resource, kind, list) in [
        ("secrets", "Table", json!([])),
        ("limitranges", "Table", Value::Null),
        ("secrets", "PartialObjectMetadataList", Value::Null),
    ] {
        let accept = format!("application/json;as={kind};v=v1;g=meta.k8s.io");
        let url = format!("/api/v1/namespaces/default/{resource}");
        let empty = fixture.ask("GET", &url, &[("accept", &accept)], "").await.json();
        let name = if kind == "Table" { "rows" } else { "items" };
        assert_eq!((&empty["kind"], empty.get(name)), (&json!(kind), Some(&list)), "{resource}: {empty}");
    }

    let partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let partial = fixture.ask("GET", &format!("{CONFIG_MAPS}/a"), &[("accept", partial)], "").await.json();
    assert_eq!((&partial["kind"], &partial["metadata"]["name"]), (&json!("PartialObjectMetadata"), &json!("a")));
    assert!(partial.get("data").is_none(), "{partial}");

    let refused = fixture.ask("GET", CONFIG_MAPS, &[("accept", "text/html")], "").await;
    assert_eq!(refused.code, 406);
    assert!(
        refused.message().starts_with("406: Not Acceptable\n\nAvailable representations: application/json"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn a_watch_streams_what_happens_until_the_server_stops() {
    let fixture = fixture().await;
    let response = fixture.respond("GET", &format!("{CONFIG_MAPS}?watch=1&resourceVersion=0"), &[], "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let Body::Stream(mut events) = response.into_body() else { panic!("a watch has a stream") };
    fixture.post(CONFIG_MAPS, &json!({"metadata": {"name": "a"}})).await;
    let event: Value = serde_json::from_slice(&Bytes::from(events.next().await.unwrap())).unwrap();
    assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&json!("ADDED"), &json!("a")));
    fixture.connection.closing.cancel();
    assert!(events.next().await.is_none(), "the stream ends with the server");
}

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

#[tokio::test]
async fn protobuf_answers_say_what_json_answers_say() {
    let fixture = fixture().await;
    let decoded = |answer: &Answer| {
        assert_eq!(answer.headers["content-type"], PROTOBUF, "{}", answer.text());
        protobuf_encoding::decode(&answer.body).unwrap_or_else(|error| panic!("{error}: {:?}", answer.body))
    };
    let sent = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let created = Request::post(CONFIG_MAPS).header("content-type", PROTOBUF).header("accept", PROTOBUF);
    let body = RequestBody::Full(protobuf_encoding::encode(&sent).unwrap().into());
    let created = fixture.server.handle(created.body(body).unwrap(), &fixture.connection).await;
    assert_eq!(
        (created.status(), &created.headers()["content-type"]),
        (StatusCode::CREATED, &PROTOBUF.parse().unwrap())
    );

    let metadata = format!("{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
    let metadata_json = metadata.replace(PROTOBUF, "application/json");
    let list = metadata.replace("Metadata;", "MetadataList;");
    let list_json = list.replace(PROTOBUF, "application/json");
    let one = format!("{CONFIG_MAPS}/a");
    for (url, accept, accept_json) in [
        (one.as_str(), PROTOBUF, "*/*"),
        (&one, &metadata, &metadata_json),
        (CONFIG_MAPS, PROTOBUF, "*/*"),
        (CONFIG_MAPS, &list, &list_json),
        ("/api/v1/namespaces/default/configmaps/none", PROTOBUF, "*/*"),
        ("/apis", PROTOBUF, "*/*"),
        ("/apis/apps", PROTOBUF, "*/*"),
        ("/apis/apps/v1", PROTOBUF, "*/*"),
    ] {
        let answer = fixture.ask("GET", url, &[("accept", accept)], "").await;
        let json = fixture.ask("GET", url, &[("accept", accept_json)], "").await;
        assert_eq!(answer.code, json.code, "{url}");
        let (mut answer, mut json) = (decoded(&answer), json.json());
        for value in [&mut answer, &mut json] {
            value["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
            // Go's clients see no more of these than their envelope says.
            for item in value["items"].as_array_mut().into_iter().flatten() {
                item.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind"));
            }
        }
        drop_empty(&mut answer);
        drop_empty(&mut json);
        assert_eq!(answer, json, "{url} {accept}");
    }
    for url in ["/api", "/api/v1"] {
        let answer = fixture.ask("GET", url, &[("accept", PROTOBUF)], "").await;
        assert_eq!(decoded(&answer)["apiVersion"], "v1", "{url}");
    }
}

/// Empty values, which the encodings do not treat alike.
fn drop_empty(value: &mut Value) {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_empty);
            fields.retain(|_, value| !empty(value));
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_watch_in_protobuf_is_framed_and_typed() {
    let fixture = fixture().await;
    let url = format!("{CONFIG_MAPS}?watch=1&resourceVersion=0");
    let response = fixture.respond("GET", &url, &[("accept", PROTOBUF)], "").await;
    assert_eq!(response.headers()["content-type"], "application/vnd.kubernetes.protobuf;stream=watch");
    let Body::Stream(mut events) = response.into_body() else { panic!("a watch has a stream") };
    fixture.post(CONFIG_MAPS, &json!({"metadata": {"name": "a"}})).await;
    let frame = Bytes::from(events.next().await.unwrap());
    let object = fixture.ask("GET", &format!("{CONFIG_MAPS}/a"), &[("accept", PROTOBUF)], "").await.body;
    assert_eq!(frame, protobuf_encoding::frame_watch_event("ADDED", &object), "{frame:?}");
}

#[test]
fn every_built_in_kind_has_a_protobuf_form() {
    for row in registry::Table::builtin().rows() {
        let kinds = row.subresources.iter().map(|of| of.kind.clone()).chain([row.gvk()]);
        let list = apimachinery::gvk::GroupVersionKind { kind: row.list_kind.clone(), ..row.gvk() };
        for kind in kinds.chain(row.can("list").then_some(list)) {
            let version = kind.group_version().to_string();
            assert!(protobuf_encoding::supports(&version, &kind.kind), "{version} {}", kind.kind);
        }
    }
}

#[tokio::test]
async fn only_who_may_gets_in() {
    let mut fixture = fixture().await;
    fixture.connection.peer = Arc::default();
    let anonymous = fixture.get("/api/v1/namespaces/default/pods").await;
    let message = r#"pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default""#;
    assert_eq!((anonymous.code, anonymous.message().as_str()), (403, message));
    let bad = fixture.ask("GET", "/api", &[("authorization", "Bearer bad")], "").await;
    assert_eq!((bad.code, bad.message().as_str()), (401, "Unauthorized"));
    assert_eq!(fixture.get("/metrics").await.code, 403);
}

#[tokio::test]
async fn discovery_and_openapi_describe_every_row() {
    let fixture = fixture().await;
    let aggregated =
        [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")];
    let document = fixture.ask("GET", "/apis", &aggregated, "").await;
    assert_eq!(document.json()["kind"], "APIGroupDiscoveryList");
    let etag = document.headers["etag"].to_str().unwrap().to_owned();
    let again = fixture.ask("GET", "/apis", &[aggregated[0], ("if-none-match", &etag)], "").await;
    assert_eq!((again.code, again.body.len()), (304, 0));
    let groups = fixture.get("/apis").await.json();
    assert!(
        groups["groups"].as_array().is_some_and(|groups| groups.iter().any(|group| group["name"] == "apps")),
        "{groups}"
    );
    let pods = fixture.get("/api/v1").await.json();
    assert!(
        pods["resources"].as_array().is_some_and(|list| list.iter().any(|of| of["name"] == "pods/status")),
        "{pods}"
    );

    let index = fixture.get("/openapi/v3").await.json();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let document = fixture.get(&url).await;
    assert_eq!(document.headers["cache-control"], "public, immutable");
    let document = document.json();
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
    let names: Vec<&str> = patch["parameters"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
    // Every reference leads somewhere.
    let text = document.to_string();
    for (at, _) in text.match_indices("#/components/schemas/") {
        let name = text[at + 21..].split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not there");
    }
    assert_eq!(fixture.get("/openapi/v2").await.json()["swagger"], "2.0");
}

/// The places of these words in an answer, each looked for behind the one before.
#[track_caller]
fn in_order(answer: &Answer, words: &[&str]) {
    let text = answer.text();
    let mut rest = text.as_str();
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("{word} does not come next in {rest}\nof {text}"));
        rest = &rest[at + word.len()..];
    }
}

#[tokio::test]
async fn answers_have_their_fields_in_gos_order() {
    let fixture = fixture().await;
    let object = [
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":""#,
        r#"","resourceVersion":""#,
        r#"","creationTimestamp":""#,
        r#"","labels":{"a":"1","b":"2"},"managedFields":[{"manager":""#,
        r#"","operation":"Update","apiVersion":"v1","time":""#,
        r#"","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"#,
        r#""data":{"k":"\u003c1\u003e"}}"#,
    ];
    let sent = json!({"metadata": {"name": "a", "labels": {"b": "2", "a": "1"}}, "data": {"k": "<1>"}});
    in_order(&fixture.post(CONFIG_MAPS, &sent).await, &object);
    let one = fixture.get(&format!("{CONFIG_MAPS}/a")).await;
    in_order(&one, &object);
    assert!(one.text().ends_with("}\n"), "a line, as Go's encoder writes: {}", one.text());
    let list = fixture.get(CONFIG_MAPS).await;
    in_order(
        &list,
        &[
            r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":""#,
            r#""},"items":[{"metadata":{"name":"a""#,
        ],
    );
    let page = fixture.get(&format!("{CONFIG_MAPS}?limit=1")).await;
    in_order(&page, &[r#""metadata":{"resourceVersion":""#, r#""items":["#]);
    let pretty = fixture.get(&format!("{CONFIG_MAPS}/a?pretty=true")).await;
    in_order(
        &pretty,
        &["{\n  \"kind\": \"ConfigMap\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"name\": \"a\",\n"],
    );
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = fixture.ask("GET", CONFIG_MAPS, &table, "").await;
    in_order(
        &table,
        &[
            r#"{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":""#,
            r#""},"columnDefinitions":[{"name":"Name","type":"string","#,
            r#""rows":[{"cells":["#,
            r#""object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a""#,
        ],
    );
    let missing = fixture.get(&format!("{CONFIG_MAPS}/b")).await;
    in_order(
        &missing,
        &[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":""#,
            r#""reason":"NotFound","details":{"name":"b","kind":"configmaps"},"code":404}"#,
        ],
    );
}

struct Panicking;

#[async_trait::async_trait]
impl Authorizer for Panicking {
    async fn authorize(&self, attributes: &authorization::Attributes) -> Decision {
        assert!(!attributes.path.starts_with("/panic"), "a bug");
        Decision::allow()
    }
}

#[tokio::test]
async fn a_request_that_panics_is_answered_500_in_upstreams_words_and_the_server_goes_on() {
    let Fixture { server, connection, _folder } = fixture().await;
    let mut config = Config::new(server.config.registry.clone());
    config.authorizer = Arc::new(Panicking);
    let fixture = Fixture { server: Server::new(config), connection, _folder };
    let answer = fixture.get("/panic").await;
    let words = "This request caused apiserver to panic. Look in the logs for details.\n";
    assert_eq!((answer.code, answer.text().as_str()), (500, words));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(fixture.get("/readyz").await.code, 200);
}

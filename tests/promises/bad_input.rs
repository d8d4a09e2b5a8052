//! Requests that cannot be right get upstream's Status and change nothing.

use http::{Method, Request, StatusCode};
use kube::Client;
use kube::config::AuthInfo;
use serde_json::{Value, json};
use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(requests_that_cannot_be_right_get_upstreams_status_and_change_nothing);

struct Bad {
    what: &'static str,
    method: Method,
    path: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
    code: u16,
    reason: &'static str,
    words: &'static str,
}

fn bad(
    what: &'static str,
    method: Method,
    path: &'static str,
    body: &str,
    code: u16,
    reason: &'static str,
    words: &'static str,
) -> Bad {
    Bad { what, method, path, content_type: "application/json", body: body.into(), code, reason, words }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const MAP: &str = "/api/v1/namespaces/default/configmaps/one";

fn cases() -> Vec<Bad> {
    let with = |content_type, case| Bad { content_type, ..case };
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    vec![
        bad("no JSON", Method::POST, MAPS, "{", 400, "BadRequest", ""),
        bad("an empty body", Method::POST, MAPS, "", 400, "BadRequest", ""),
        bad("a list for an object", Method::POST, MAPS, "[]", 400, "BadRequest", ""),
        bad("nesting beyond bounds", Method::POST, MAPS, &deep, 400, "BadRequest", ""),
        Bad {
            body: b"{\"metadata\":{\"name\":\"\xff\xfe\"}}".to_vec(),
            ..bad("invalid UTF-8", Method::POST, MAPS, "", 422, "Invalid", "")
        },
        bad(
            "another kind",
            Method::POST,
            MAPS,
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}"#,
            400,
            "BadRequest",
            "cannot be handled as a ConfigMap",
        ),
        bad(
            "a wrong type",
            Method::POST,
            MAPS,
            r#"{"metadata":{"name":"x"},"data":{"k":1}}"#,
            400,
            "BadRequest",
            "cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        bad(
            "no name",
            Method::POST,
            MAPS,
            r#"{"data":{}}"#,
            422,
            "Invalid",
            "metadata.name: Required value: name or generateName is required",
        ),
        bad(
            "a name that is none",
            Method::POST,
            MAPS,
            r#"{"metadata":{"name":"A_b"}}"#,
            422,
            "Invalid",
            "a lowercase RFC 1123 subdomain",
        ),
        bad(
            "a label that is none",
            Method::POST,
            MAPS,
            r#"{"metadata":{"name":"x","labels":{"a":"b c"}}}"#,
            422,
            "Invalid",
            "metadata.labels: Invalid value",
        ),
        bad(
            "another namespace",
            Method::POST,
            MAPS,
            r#"{"metadata":{"name":"x","namespace":"other"}}"#,
            400,
            "BadRequest",
            "does not match the namespace",
        ),
        bad(
            "a namespace that is missing",
            Method::POST,
            "/api/v1/namespaces/missing/configmaps",
            r#"{"metadata":{"name":"x"}}"#,
            404,
            "NotFound",
            r#"namespaces "missing" not found"#,
        ),
        bad(
            "a name that is taken",
            Method::POST,
            MAPS,
            r#"{"metadata":{"name":"one"}}"#,
            409,
            "AlreadyExists",
            r#"configmaps "one" already exists"#,
        ),
        bad(
            "a resourceVersion on create",
            Method::POST,
            MAPS,
            r#"{"metadata":{"name":"x","resourceVersion":"1"}}"#,
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ),
        bad(
            "a stale resourceVersion",
            Method::PUT,
            MAP,
            r#"{"metadata":{"name":"one","resourceVersion":"1"}}"#,
            409,
            "Conflict",
            "the object has been modified",
        ),
        bad(
            "another name than the path's",
            Method::PUT,
            MAP,
            r#"{"metadata":{"name":"two"}}"#,
            400,
            "BadRequest",
            "does not match the name on the URL",
        ),
        with(
            "text/plain",
            bad("a body that is no object", Method::POST, MAPS, "hello", 415, "UnsupportedMediaType", ""),
        ),
        with(
            "application/json-patch+json",
            bad("a JSON patch that is none", Method::PATCH, MAP, "{}", 400, "BadRequest", ""),
        ),
        with(
            "application/merge-patch+json",
            bad(
                "a merge patch that breaks the type",
                Method::PATCH,
                MAP,
                r#"{"data":"x"}"#,
                422,
                "Invalid",
                "cannot unmarshal string into Go struct field ConfigMap.data",
            ),
        ),
        with("text/plain", bad("a patch of no known type", Method::PATCH, MAP, "{}", 415, "UnsupportedMediaType", "")),
        with(
            "application/apply-patch+yaml",
            bad(
                "an apply without a manager",
                Method::PATCH,
                MAP,
                r#"{"apiVersion":"v1","kind":"ConfigMap"}"#,
                422,
                "Invalid",
                "fieldManager",
            ),
        ),
        bad(
            "a field selector nobody knows",
            Method::GET,
            "/api/v1/namespaces/default/configmaps?fieldSelector=data.k%3Dv",
            "",
            400,
            "BadRequest",
            "is not a known field selector",
        ),
        bad(
            "a label selector that is none",
            Method::GET,
            "/api/v1/namespaces/default/configmaps?labelSelector=a%20b%20c",
            "",
            400,
            "BadRequest",
            "unable to parse requirement",
        ),
        bad(
            "a limit that is no number",
            Method::GET,
            "/api/v1/namespaces/default/configmaps?limit=many",
            "",
            400,
            "BadRequest",
            "",
        ),
        bad(
            "a continue token that is none",
            Method::GET,
            "/api/v1/namespaces/default/configmaps?continue=nonsense",
            "",
            400,
            "BadRequest",
            "continue key is not valid",
        ),
        bad(
            "a resourceVersion that is none",
            Method::GET,
            "/api/v1/namespaces/default/configmaps?resourceVersion=x",
            "",
            400,
            "BadRequest",
            "resourceVersion",
        ),
        bad(
            "an object that is missing",
            Method::GET,
            "/api/v1/namespaces/default/configmaps/none",
            "",
            404,
            "NotFound",
            r#"configmaps "none" not found"#,
        ),
        bad(
            "a resource that is missing",
            Method::GET,
            "/api/v1/namespaces/default/nothings",
            "",
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        bad(
            "a verb the resource has not",
            Method::PUT,
            MAPS,
            "{}",
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
        bad(
            "an unknown propagation policy",
            Method::DELETE,
            "/api/v1/namespaces/default/configmaps/one?propagationPolicy=Sideways",
            "",
            422,
            "Invalid",
            "propagationPolicy",
        ),
        bad(
            "a precondition that fails",
            Method::DELETE,
            MAP,
            r#"{"preconditions":{"uid":"11111111-1111-1111-1111-111111111111"}}"#,
            409,
            "Conflict",
            "the UID in the precondition",
        ),
    ]
}

async fn send(client: &Client, case: &Bad) -> (u16, String) {
    let request = Request::builder()
        .method(case.method.clone())
        .uri(case.path)
        .header(http::header::CONTENT_TYPE, case.content_type)
        .body(kube::client::Body::from(case.body.clone()))
        .unwrap();
    let response = client.send(request).await.unwrap_or_else(|e| panic!("{}: {e}", case.what));
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn requests_that_cannot_be_right_get_upstreams_status_and_change_nothing(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run(&["create", "configmap", "one", "--from-literal=k=v"]);
    let before = kubectl.run(&["get", "configmaps", "-A", "-o", "yaml"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut wrong = Vec::new();
    runtime.block_on(async {
        let client = tests::kube_client(&plane.kubeconfig()).await;
        for case in cases() {
            let (code, body) = send(&client, &case).await;
            let status: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
            let reason = status["reason"].as_str().unwrap_or_default();
            let message = status["message"].as_str().unwrap_or_default();
            let right = code == case.code
                && status["kind"] == "Status"
                && status["code"] == json!(code)
                && reason == case.reason
                && message.contains(case.words);
            if !right {
                wrong.push(format!(
                    "{}: {} {:?} {:?} was expected, got {code} {body}",
                    case.what, case.code, case.reason, case.words
                ));
            }
        }
        // The limit: 3 MiB a body.
        let huge = format!(r#"{{"metadata":{{"name":"huge"}},"data":{{"k":"{}"}}}}"#, "x".repeat(4 << 20));
        let (code, body) = send(&client, &bad("a body over the limit", Method::POST, MAPS, &huge, 413, "", "")).await;
        if code != StatusCode::PAYLOAD_TOO_LARGE.as_u16() || !body.contains("RequestEntityTooLarge") {
            wrong.push(format!("a body over the limit: {code} {body}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(kubectl.run(&["get", "configmaps", "-A", "-o", "yaml"]), before, "something changed");
}

#[test]
fn without_credentials_only_health_and_version_are_served() {
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let get = |client: &Client, path: &'static str| {
        runtime.block_on(send(client, &bad("a read", Method::GET, path, "", 0, "", "")))
    };
    let anonymous = runtime.block_on(tests::kube_client_as(&plane.kubeconfig(), |auth| *auth = AuthInfo::default()));
    for path in ["/healthz", "/livez", "/readyz", "/version"] {
        assert_eq!(get(&anonymous, path).0, 200, "{path}");
    }
    for path in ["/api", "/apis", "/api/v1/namespaces", "/metrics", "/openapi/v2"] {
        let (code, body) = get(&anonymous, path);
        assert!(code == 403 && body.contains("system:anonymous"), "{path}: {code} {body}");
    }
    let wrong = runtime.block_on(tests::kube_client_as(&plane.kubeconfig(), |auth| {
        *auth = AuthInfo { token: Some("wrong".to_owned().into()), ..AuthInfo::default() };
    }));
    let (code, body) = get(&wrong, "/healthz");
    assert!(code == 401 && body.contains("Unauthorized"), "{code} {body}");
}

#[test]
fn bearer_tokens_of_the_token_file_are_users() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.csv");
    std::fs::write(&file, "secret-1,root,1,system:masters\nsecret-2,nobody,2\n").unwrap();
    let plane =
        ControlPlane::start_with(Part::ApiServer, Store::Embedded, &["--token-auth-file", file.to_str().unwrap()]);
    let ca = plane.data_dir().join("pki/ca.crt");
    let as_token = |token: &str, arguments: &[&str]| {
        let common = ["--server", plane.url(), "--certificate-authority", ca.to_str().unwrap(), "--token", token];
        tests::Kubectl::new("/dev/null".into()).attempt(&[arguments, &common].concat())
    };
    assert!(as_token("secret-1", &["get", "namespaces"]).is_ok());
    let refused = as_token("secret-2", &["get", "namespaces"]).unwrap_err();
    assert!(refused.contains(r#"User "nobody" cannot list resource "namespaces""#), "{refused}");
}

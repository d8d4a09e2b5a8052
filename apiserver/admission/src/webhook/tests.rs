//! The plugins against a webhook on loopback.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::testing::{Fixed, attributes};

type Answer = fn(&Value) -> Value;

/// A webhook whose response is `answer` of the request; the connections it got are counted.
struct Webhook {
    url: String,
    ca_bundle: String,
    connections: Arc<AtomicUsize>,
}

impl Webhook {
    async fn start(answer: Answer) -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/admit", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: Request<Incoming>| async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let review: Value = serde_json::from_slice(&body).unwrap();
                        let mut response = answer(&review["request"]);
                        response["uid"] = review["request"]["uid"].clone();
                        let review = json!({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response});
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(review.to_string()))))
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        let ca_bundle = base64::engine::general_purpose::STANDARD.encode(cert.pem());
        Self { url, ca_bundle, connections }
    }

    fn hook(&self, name: &str, change: Value) -> Value {
        let mut hook = json!({"name": name, "clientConfig": {"url": self.url, "caBundle": self.ca_bundle}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
                "resources": ["secrets"]}]});
        patch::merge::apply(&mut hook, &change);
        hook
    }
}

fn lister(resource: &'static str, hooks: Vec<Value>) -> Arc<dyn Lister> {
    Arc::new(Fixed::new([
        (resource, json!({"metadata": {"name": "c"}, "webhooks": hooks})),
        ("namespaces", json!({"metadata": {"name": "ns", "labels": {"team": "a"}}})),
    ]))
}

fn create(labels: Value) -> Attributes {
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": labels}});
    Attributes { object: Some(Arc::new(object)), ..attributes(Operation::Create, "secrets", "ns", "s") }
}

async fn validate(hook: Value, attributes: Attributes) -> (Result<(), StatusError>, Context) {
    let context = Context::new();
    let plugin = Validating::new(lister("validatingwebhookconfigurations", vec![hook]));
    (plugin.validate(&attributes, &context).await, context)
}

#[tokio::test]
async fn a_webhook_refuses_in_its_own_words_and_warns() {
    let webhook = Webhook::start(|request| {
        assert_eq!((&request["operation"], &request["object"]["metadata"]["name"]), (&json!("CREATE"), &json!("s")));
        assert_eq!(request["userInfo"]["username"], "u");
        json!({"allowed": false, "status": {"code": 403, "message": "no secrets"}, "warnings": ["careful"]})
    })
    .await;
    let (outcome, context) = validate(webhook.hook("h.example.com", json!({})), create(json!({}))).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (403, "admission webhook \"h.example.com\" denied the request: no secrets")
    );
    assert_eq!(context.take_warnings(), ["careful"]);
}

#[tokio::test]
async fn webhooks_see_owned_fields_as_objects() {
    let webhook = Webhook::start(|request| {
        let set = |object: &str| request[object]["metadata"]["managedFields"][0]["fieldsV1"].clone();
        let seen = [set("object"), set("oldObject")];
        json!({"allowed": seen == [json!({"f:a": {}}), json!({"f:b": {}})], "status": {"message": format!("{seen:?}")}})
    })
    .await;
    let secret = |set: &str| {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "managedFields": [{"fieldsV1": set}]}});
        Some(Arc::new(object))
    };
    let (object, old_object) = (secret(r#"{"f:a":{}}"#), secret(r#"{"f:b":{}}"#));
    let attributes = Attributes { object, old_object, ..create(json!({})) };
    validate(webhook.hook("h.example.com", json!({})), attributes).await.0.unwrap();
}

#[tokio::test]
async fn rules_selectors_and_dry_runs_decide_whether_it_is_asked() {
    let webhook = Webhook::start(|_| json!({"allowed": false})).await;
    let passes = [
        json!({"rules": [{"operations": ["UPDATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]}),
        json!({"rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets/status"]}]}),
        json!({"rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "scope": "Cluster"}]}),
        json!({"namespaceSelector": {"matchLabels": {"team": "b"}}}),
        json!({"objectSelector": {"matchLabels": {"watched": "yes"}}}),
    ];
    for change in passes {
        let (outcome, _) = validate(webhook.hook("h.example.com", change.clone()), create(json!({}))).await;
        assert!(outcome.is_ok(), "{change}: {outcome:?}");
    }
    let asked = json!({"objectSelector": {"matchLabels": {"watched": "yes"}}, "namespaceSelector": {"matchLabels": {"team": "a"}}});
    let (outcome, _) = validate(webhook.hook("h.example.com", asked), create(json!({"watched": "yes"}))).await;
    assert_eq!(
        outcome.unwrap_err().message(),
        "admission webhook \"h.example.com\" denied the request without explanation"
    );
    let dry = Attributes { dry_run: true, ..create(json!({})) };
    let (outcome, _) = validate(webhook.hook("h.example.com", json!({"sideEffects": "Some"})), dry).await;
    assert_eq!(outcome.unwrap_err().message(), "admission webhook \"h.example.com\" does not support dry run");
}

#[tokio::test]
async fn a_webhook_that_cannot_be_reached_fails_as_its_policy_says() {
    let hook = |policy: &str| {
        json!({"name": "h.example.com", "clientConfig": {"url": "https://127.0.0.1:1"}, "sideEffects": "None", "failurePolicy": policy,
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 1, "rules": [{"operations": ["CREATE"], "apiGroups": [""],
                "apiVersions": ["v1"], "resources": ["secrets"]}]})
    };
    let (outcome, _) = validate(hook("Fail"), create(json!({}))).await;
    assert_eq!(
        outcome.unwrap_err().message(),
        "Internal error occurred: failed calling webhook \"h.example.com\": failed to call webhook: Post \
         \"https://127.0.0.1:1/?timeout=1s\": dial tcp 127.0.0.1:1: connect: connection refused"
    );
    assert!(validate(hook("Ignore"), create(json!({}))).await.0.is_ok());
    let mut by_service = hook("Fail");
    by_service["clientConfig"] = json!({"service": {"name": "none", "namespace": "ns", "path": "/mutate"}});
    let (outcome, _) = validate(by_service, create(json!({}))).await;
    assert_eq!(
        outcome.unwrap_err().message(),
        "Internal error occurred: failed calling webhook \"h.example.com\": failed to call webhook: Post \
         \"https://none.ns.svc:443/mutate?timeout=1s\": service \"none\" not found"
    );
}

#[tokio::test]
async fn an_unknown_authority_is_not_believed() {
    let (one, other) =
        (Webhook::start(|_| json!({"allowed": true})).await, Webhook::start(|_| json!({"allowed": true})).await);
    let mixed = one.hook("h.example.com", json!({"clientConfig": {"caBundle": other.ca_bundle}}));
    let message = validate(mixed, create(json!({}))).await.0.unwrap_err().message().to_owned();
    assert!(message.contains("tls: failed to verify certificate: x509"), "{message}");
}

#[tokio::test]
async fn patches_change_the_object_and_hooks_are_called_again_where_they_ask_for_it() {
    fn labelled(request: &Value, label: &str) -> Value {
        let has = |label: &str| !request["object"]["metadata"]["labels"][label].is_null();
        // Each adds its label; the first looks whether the second was there before it.
        let label = if label == "first" && has("second") { "again" } else { label };
        let patch = json!([{"op": "add", "path": format!("/metadata/labels/{label}"), "value": "x"}]).to_string();
        json!({"allowed": true, "patchType": "JSONPatch", "patch": base64::engine::general_purpose::STANDARD.encode(patch)})
    }
    let first = Webhook::start(|request| labelled(request, "first")).await;
    let second = Webhook::start(|request| labelled(request, "second")).await;
    let hooks = vec![
        first.hook("a.example.com", json!({"reinvocationPolicy": "IfNeeded"})),
        second.hook("b.example.com", json!({})),
    ];
    let plugin = Mutating::new(lister("mutatingwebhookconfigurations", hooks));
    let (mut attributes, context) = (create(json!({})), Context::new());
    plugin.admit(&mut attributes, &context).await.unwrap();
    assert_eq!(attributes.object.unwrap()["metadata"]["labels"], json!({"first": "x", "second": "x", "again": "x"}));
    assert_eq!(context.take_mutated(), Some(Vec::new()), "what the owners were");
    assert_eq!(first.connections.load(Ordering::SeqCst), 1, "a kept connection is used again");
}

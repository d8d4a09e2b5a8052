//! Custom resources in several versions, with a webhook that converts between them.

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::core::{ApiResource, GroupVersionKind, WatchEvent};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tests::conversion_webhook::ConversionWebhook;
use tests::wait::eventually_async;
use tests::{ControlPlane, Part, Store, eventually, on_each_store};

on_each_store!(
    each_version_shows_what_the_webhook_makes_of_the_other,
    a_webhook_that_fails_is_told_of_and_loses_nothing,
    status_and_scale_are_read_and_written_in_each_version_and_a_service_may_convert,
);

const GROUP: &str = "conversion.example.com";

fn api(client: &Client, version: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, version, "Place"), "places");
    Api::namespaced_with(client.clone(), "default", &resource)
}

fn definitions(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "customresourcedefinitions"))
}

fn definition(conversion: Value, stored: &str) -> Value {
    let version = |name: &str, fields: Value| {
        json!({"name": name, "served": true, "storage": name == stored, "selectableFields": fields["selectable"],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": fields["properties"]}}}}})
    };
    let text = json!({"type": "string"});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": format!("places.{GROUP}")},
    "spec": {"group": GROUP, "scope": "Namespaced", "names": {"kind": "Place", "plural": "places"},
        "conversion": conversion,
        "versions": [
            version("v1", json!({"properties": {"host": text, "port": text}, "selectable": [{"jsonPath": ".spec.host"}]})),
            version("v2", json!({"properties": {"hostPort": text}, "selectable": [{"jsonPath": ".spec.hostPort"}]})),
        ]}})
}

fn place(version: &str, name: &str, spec: Value) -> DynamicObject {
    serde_json::from_value(json!({"apiVersion": format!("{GROUP}/{version}"), "kind": "Place",
        "metadata": {"name": name}, "spec": spec}))
    .unwrap()
}

async fn define(client: &Client, webhook: &ConversionWebhook) {
    let definition = serde_json::from_value(definition(webhook.conversion(), "v1")).unwrap();
    definitions(client).create(&PostParams::default(), &definition).await.unwrap();
    eventually_async("both versions are served", || async {
        api(client, "v1").list(&ListParams::default()).await?;
        api(client, "v2").list(&ListParams::default()).await
    })
    .await;
}

/// Makes the other version the stored one.
async fn store_v2(client: &Client, webhook: &ConversionWebhook) {
    let spec = json!({"spec": {"versions": definition(webhook.conversion(), "v2")["spec"]["versions"]}});
    let name = format!("places.{GROUP}");
    let changed = definitions(client).patch(&name, &PatchParams::default(), &Patch::Merge(spec)).await.unwrap();
    assert_eq!(changed.data["status"]["storedVersions"], json!(["v1", "v2"]));
}

fn with_webhook<F: Future<Output = ()>>(store: Store, test: impl FnOnce(Client, ConversionWebhook) -> F) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = tests::kube_client(&plane.kubeconfig()).await;
        let webhook = ConversionWebhook::start().await;
        define(&client, &webhook).await;
        test(client, webhook).await;
    });
}

fn each_version_shows_what_the_webhook_makes_of_the_other(store: Store) {
    with_webhook(store, |client, webhook| async move {
        let (v1, v2) = (api(&client, "v1"), api(&client, "v2"));
        let post = PostParams::default();
        for name in ["a", "b", "c"] {
            v1.create(&post, &place("v1", name, json!({"host": name, "port": "1"}))).await.unwrap();
        }

        webhook.take_reviews();
        let listed = v2.list(&ListParams::default()).await.unwrap();
        let shown: Vec<_> = listed.iter().map(|object| object.data["spec"]["hostPort"].clone()).collect();
        assert_eq!(shown, ["a:1", "b:1", "c:1"]);
        assert_eq!(webhook.take_reviews(), [(3, format!("{GROUP}/v2"))], "a list is one review");
        assert_eq!(
            listed.items[0].metadata.generation,
            Some(1),
            "of metadata a webhook changes labels and annotations alone"
        );
        let selected = v2.list(&ListParams::default().fields("spec.hostPort=b:1")).await.unwrap();
        assert_eq!(selected.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["b"]);

        // A watcher sees what happens in its own version, and selects by its own fields.
        let from = listed.metadata.resource_version.unwrap();
        let mut all = v2.watch(&WatchParams::default(), &from).await.unwrap().boxed();
        let only = WatchParams::default().fields("spec.hostPort=d:2");
        let mut some = v2.watch(&only, &from).await.unwrap().boxed();
        let created = v2.create(&post, &place("v2", "d", json!({"hostPort": "d:2"}))).await.unwrap();
        assert_eq!(created.data["spec"], json!({"hostPort": "d:2"}));
        let merge = Patch::Merge(json!({"spec": {"port": "3"}}));
        v1.patch("d", &PatchParams::default(), &merge).await.unwrap();
        let mut seen = Vec::new();
        for events in [&mut all, &mut some] {
            for _ in 0..2 {
                seen.push(match events.try_next().await.unwrap() {
                    Some(WatchEvent::Added(object)) => format!("ADDED {}", object.data["spec"]["hostPort"]),
                    Some(WatchEvent::Modified(object)) => format!("MODIFIED {}", object.data["spec"]["hostPort"]),
                    Some(WatchEvent::Deleted(object)) => format!("DELETED {}", object.data["spec"]["hostPort"]),
                    other => format!("{other:?}"),
                });
            }
        }
        assert_eq!(seen, [r#"ADDED "d:2""#, r#"MODIFIED "d:3""#, r#"ADDED "d:2""#, r#"DELETED "d:2""#]);

        // Who owns a field in one version has a say in what changes it in the other.
        let apply = |version: &str, spec: Value| {
            Patch::Apply(json!({"apiVersion": format!("{GROUP}/{version}"), "kind": "Place", "metadata": {"name": "e"},
                "spec": spec}))
        };
        v1.patch("e", &PatchParams::apply("one"), &apply("v1", json!({"host": "e", "port": "1"}))).await.unwrap();
        let other = apply("v2", json!({"hostPort": "e:2"}));
        let refused = v2.patch("e", &PatchParams::apply("two"), &other).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 409), "{refused}");
        assert!(refused.to_string().contains(r#"conflict with "one": .spec.port"#), "{refused}");
        let forced = v2.patch("e", &PatchParams::apply("two").force(), &other).await.unwrap();
        let owners: Vec<_> = forced.managed_fields().iter().map(|entry| entry.manager.clone().unwrap()).collect();
        assert_eq!(owners, ["one", "two"]);
        assert_eq!(v1.get("e").await.unwrap().data["spec"], json!({"host": "e", "port": "2"}));

        // What was stored before is read in both versions after.
        store_v2(&client, &webhook).await;
        eventually_async("the new version is stored", || async {
            webhook.take_reviews();
            let name = format!("n{}", rand_name());
            v2.create(&post, &place("v2", &name, json!({"hostPort": "n:1"}))).await.map_err(|e| e.to_string())?;
            let asked = webhook.take_reviews();
            if asked.is_empty() { Ok(()) } else { Err(format!("{asked:?}")) }
        })
        .await;
        assert_eq!(v2.get("a").await.unwrap().data["spec"], json!({"hostPort": "a:1"}));
        webhook.take_reviews();
        assert_eq!(v1.get("a").await.unwrap().data["spec"], json!({"host": "a", "port": "1"}));
        assert_eq!(webhook.take_reviews(), [], "what is stored in the version wanted is not converted");
    });
}

/// A name that no other object has.
fn rand_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// What is wrong with an answer.
type Change = fn(&mut Value);

fn a_webhook_that_fails_is_told_of_and_loses_nothing(store: Store) {
    with_webhook(store, |client, webhook| async move {
        let (v1, v2) = (api(&client, "v1"), api(&client, "v2"));
        let post = PostParams::default();
        v1.create(&post, &place("v1", "a", json!({"host": "a", "port": "1"}))).await.unwrap();
        let failures: [(Change, &str); 4] = [
            (
                |answer| answer["response"]["result"] = json!({"status": "Failure", "message": "not today"}),
                "conversion webhook for conversion.example.com/v1, Kind=Place failed: not today",
            ),
            (
                |answer| answer["response"]["convertedObjects"] = json!([]),
                "conversion webhook for conversion.example.com/v1, Kind=Place returned 0 objects, expected 1",
            ),
            (
                |answer| answer["response"]["convertedObjects"][0]["metadata"]["name"] = json!("b"),
                "conversion webhook for conversion.example.com/v1, Kind=Place returned invalid object: must have the same name: a != b",
            ),
            (
                |answer| answer["response"]["convertedObjects"][0]["metadata"]["labels"] = json!({"a b": "c"}),
                "conversion webhook for conversion.example.com/v1, Kind=Place returned invalid metadata: metadata.labels: Invalid value: \"a b\"",
            ),
        ];
        let merge = Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}}));
        for (change, words) in failures {
            webhook.change_answers(Some(change));
            for (verb, outcome) in [
                ("get", v2.get("a").await.map(drop)),
                ("list", v2.list(&ListParams::default()).await.map(drop)),
                ("patch", v2.patch("a", &PatchParams::default(), &merge).await.map(drop)),
                ("delete", v2.delete("a", &Default::default()).await.map(drop)),
            ] {
                let error = outcome.unwrap_err();
                assert!(matches!(&error, kube::Error::Api(status) if status.code == 500), "{verb}: {error}");
                assert!(error.to_string().contains(words), "{verb}: {error}");
            }
            assert_eq!(v1.get("a").await.unwrap().data["spec"]["host"], "a", "the stored version needs no webhook");
        }
        webhook.change_answers(None);
        let patched = v2.patch("a", &PatchParams::default(), &merge).await.unwrap();
        assert_eq!(
            (patched.labels().get("x").map(String::as_str), &patched.data["spec"]["hostPort"]),
            (Some("y"), &json!("a:1"))
        );
    });
}

/// Places of which the status is written apart, and which have replicas; in each version.
fn with_parts(mut definition: Value) -> Value {
    for version in definition["spec"]["versions"].as_array_mut().unwrap() {
        version["subresources"] = json!({"status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}});
        let properties = &mut version["schema"]["openAPIV3Schema"]["properties"];
        properties["spec"]["properties"]["replicas"] = json!({"type": "integer"});
        properties["status"] = json!({"type": "object", "properties": {
            "replicas": {"type": "integer"}, "phase": {"type": "string"}}});
    }
    definition
}

fn status_and_scale_are_read_and_written_in_each_version_and_a_service_may_convert(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let webhook = runtime.block_on(ConversionWebhook::start());
    let (conversion, service) = webhook.conversion_by_service();
    let kubectl = plane.kubectl();
    kubectl.run_with(&["apply", "-f", "-"], &service.to_string());
    kubectl.run_with(&["apply", "-f", "-"], &with_parts(definition(conversion, "v1")).to_string());
    eventually("both versions are served", || kubectl.attempt(&["get", "places.v2.conversion.example.com"]));

    let place = json!({"apiVersion": format!("{GROUP}/v2"), "kind": "Place", "metadata": {"name": "a"},
        "spec": {"hostPort": "a:1", "replicas": 2}, "status": {"phase": "Lost"}});
    kubectl.run_with(&["apply", "--server-side", "-f", "-"], &place.to_string());
    let shown = |version: &str, path: &str| {
        let resource = format!("places.{version}.{GROUP}/a");
        kubectl.run(&["get", &resource, "-o", &format!("jsonpath={path}")])
    };
    let patch = |version: &str, part: &str, patch: Value| {
        let resource = format!("places.{version}.{GROUP}/a");
        kubectl.run(&["patch", &resource, "--subresource", part, "--type=merge", "-p", &patch.to_string()]);
    };
    assert_eq!(shown("v1", "{.spec.host} {.spec.replicas} {.status}"), "a 2 ");

    patch("v2", "status", json!({"status": {"phase": "Ready", "replicas": 1}, "spec": {"hostPort": "b:2"}}));
    assert_eq!(shown("v1", "{.spec.host} {.status.phase} {.metadata.generation}"), "a Ready 1");
    patch("v1", "status", json!({"status": {"replicas": 2}}));
    assert_eq!(shown("v2", "{.spec.hostPort} {.status.phase} {.status.replicas}"), "a:1 Ready 2");

    patch("v2", "scale", json!({"spec": {"replicas": 5}}));
    kubectl.run(&["scale", "--replicas=7", "--current-replicas=5", &format!("places.v1.{GROUP}/a")]);
    assert_eq!(shown("v2", "{.spec.hostPort} {.spec.replicas} {.metadata.generation}"), "a:1 7 3");
    assert_eq!(shown("v1", "{.spec.host}:{.spec.port}"), "a:1");
    let table = kubectl.run(&["get", &format!("places.v2.{GROUP}/a"), "--subresource", "scale"]);
    let cells: Vec<&str> = table.lines().last().unwrap_or_default().split_whitespace().take(3).collect();
    assert_eq!(cells, ["a", "7", "2"], "{table}");
    kubectl.run(&["delete", "crd", &format!("places.{GROUP}")]);
}

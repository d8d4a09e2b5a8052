//! Custom resources while their definition ends.

use super::*;

pub(super) fn definition(uid: &str, served: bool) -> Value {
    json!({"metadata": {"name": "widgets.example.com", "uid": uid}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": served, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

fn widget(name: &str) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}})
}

impl Server {
    pub(super) fn publish(&self, definition: &Value) {
        let rows = crd::Definition::of(definition).unwrap().rows().unwrap();
        self.registry.update_table(|table| table.with_crd("widgets.example.com", rows.clone()));
    }
}

#[tokio::test]
async fn a_request_from_before_its_definition_ended_makes_nothing() {
    let server = Server::start();
    server.publish(&definition("u", true));
    let target = server.target("example.com/v1/widgets");
    let mut ending = definition("u", true);
    ending.set_deletion_timestamp(Some("2026-01-02T03:04:05Z"));
    let missing = (404, "the server could not find the requested resource".to_owned());
    let forbidden =
        "widgets.example.com \"a\" is forbidden: create not allowed while custom resource definition is terminating";

    for (now, want) in [
        (Some(ending), (403, forbidden.to_owned())),
        (Some(definition("another", true)), missing.clone()),
        (None, missing),
    ] {
        match &now {
            Some(now) => server.publish(now),
            None => server.registry.update_table(|table| table.without_crd("widgets.example.com")),
        }
        let options = CreateOptions::default();
        let refused = server.registry.create(&server.ctx, &target, widget("a").into(), &options).await;
        assert_eq!(words(refused), want, "{now:?}");
        let named = Target::new(target.row.clone(), "ns", "a");
        let apply = Patch::Apply(widget("a").into());
        let options = PatchOptions { field_manager: "m".into(), ..PatchOptions::default() };
        let refused = server.registry.patch(&server.ctx, &named, apply, &options).await;
        assert_eq!(words(refused), want, "apply, {now:?}");
    }
}

#[tokio::test]
async fn the_answer_to_a_creation_is_what_will_be_read() {
    let server = Server::start();
    let mut with_status = definition("u", true);
    with_status["spec"]["versions"][0]["subresources"] = json!({"status": {}});
    with_status["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({"type": "object", "properties": {
        "status": {"type": "object", "default": {"phase": "New"}, "properties": {"phase": {"type": "string"}}}}});
    server.publish(&with_status);
    let created = server.create("example.com/v1/widgets", widget("a")).await.unwrap();
    assert_eq!(created["status"], json!({"phase": "New"}));
    assert_eq!(server.get("example.com/v1/widgets/a").await.unwrap(), created);
}

#[tokio::test]
async fn whoever_waits_for_creations_sees_what_they_made() {
    let server = Server::start();
    server.publish(&definition("u", true));
    let row = server.target("example.com/v1/widgets").row;
    let allowed = server.registry.allow_creation(&row, "a").await.unwrap();
    let mut settled = Box::pin(server.registry.settle_creations());
    assert!(futures::poll!(&mut settled).is_pending(), "a creation is under way");
    drop(allowed);
    settled.await;
}

#[tokio::test]
async fn instances_are_reached_though_no_version_is_served() {
    let server = Server::start();
    server.publish(&definition("u", true));
    server.create("example.com/v1/widgets", widget("a")).await.unwrap();
    let unserved = definition("u", false);
    server.publish(&unserved);
    assert!(server.registry.table().row("example.com", "v1", "widgets").is_none());

    let row = crd::Definition::of(&unserved).unwrap().stored_row().unwrap();
    let all = Target::new(row.clone(), "", "");
    let listed = server.registry.list(&server.ctx, &all, &ListOptions::default()).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    let one = Target::new(row.clone(), "ns", "a");
    server.registry.delete(&server.ctx, &one, &DeleteOptions::default()).await.unwrap();
    server.registry.discard(&row);
}

#[tokio::test]
async fn a_cache_that_a_late_request_starts_ends() {
    let server = Server::start();
    server.publish(&definition("u", true));
    let target = server.target("example.com/v1/widgets");
    let store = target.row.store.clone().unwrap();
    server.registry.update_table(|table| table.without_crd("widgets.example.com"));
    assert!(store.started_cacher().is_none());
    // The first may still be answered; the end comes without anybody's doing.
    while server.registry.list(&server.ctx, &target, &ListOptions::default()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(store.started_cacher().is_some(), "the request started it");
}

fn two_versions(stored: &str) -> Value {
    let version = |name: &str, field: &str, default: &str| {
        json!({"name": name, "served": true, "storage": name == stored, "schema": {"openAPIV3Schema": {"type": "object",
            "properties": {"spec": {"type": "object", "properties": {
                "both": {"type": "string"}, field: {"type": "string", "default": default}}}}}}})
    };
    json!({"metadata": {"name": "widgets.example.com", "uid": "u"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [version("v1", "old", "o"), version("v2", "new", "n")]}})
}

#[tokio::test]
async fn an_object_stays_in_the_version_it_was_stored_in_until_it_is_written() {
    let server = Server::start();
    server.publish(&two_versions("v1"));
    let mut object = widget("a");
    object["spec"] = json!({"both": "b", "old": "x"});
    server.create("example.com/v1/widgets", object).await.unwrap();
    server.publish(&two_versions("v2"));

    let v1 = "example.com/v1/widgets/a";
    let v2 = "example.com/v2/widgets/a";
    // What the other version does not know is hidden there, not lost, and its defaults are none of this object's.
    assert_eq!(server.get(v1).await.unwrap()["spec"], json!({"both": "b", "old": "x"}));
    assert_eq!(server.get(v2).await.unwrap()["spec"], json!({"both": "b"}));

    server.merge(v2, json!({"spec": {"both": "c"}})).await.unwrap();
    assert_eq!(server.get(v2).await.unwrap()["spec"], json!({"both": "c", "new": "n"}));
    assert_eq!(server.get(v1).await.unwrap()["spec"], json!({"both": "c"}), "it is stored as v2 now");
}

#[tokio::test]
async fn what_is_stored_with_metadata_that_cannot_be_is_read_without_it_and_can_go() {
    let server = Server::start();
    let mut with_part = definition("u", true);
    with_part["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({"type": "object", "properties": {
        "part": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}}});
    server.publish(&with_part);
    let bad = json!({"unknown": 42, "annotations": {"a": 42, "b": "c"}, "labels": {"invalid": "x y"}});
    let mut stored = widget("a");
    stored["part"] = json!({"apiVersion": "v1", "kind": 7, "metadata": bad.clone()});
    stored["metadata"] = bad;
    stored["metadata"]["name"] = json!("a");
    stored["metadata"]["namespace"] = json!("ns");
    let key = b"/registry/example.com/widgets/ns/a";
    let bytes: bytes::Bytes = stored.to_string().into();
    for _ in 0..2 {
        server.registry.storage().compare_and_put(key, 0, bytes.clone(), None).await.unwrap();
        let mut read = server.get("example.com/v1/widgets/a").await.unwrap();
        let labels = json!({"invalid": "x y"});
        assert_eq!(read["part"], json!({"apiVersion": "v1", "metadata": {"labels": labels}}));
        read["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        assert_eq!(read["metadata"], json!({"name": "a", "namespace": "ns", "generation": 1, "labels": labels}));
        server.delete("example.com/v1/widgets/a", DeleteOptions::default()).await.unwrap();
    }
}

use std::sync::atomic::Ordering::Relaxed;

use super::*;

fn owners(object: &Value) -> Vec<(String, String, Value)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    object
        .managed_fields()
        .iter()
        .map(|entry| (text(entry, "manager"), text(entry, "operation"), entry["fieldsV1"].clone()))
        .collect()
}

#[tokio::test]
async fn an_update_owns_what_it_writes() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    assert_eq!(owners(&made), [("test".into(), "Update".into(), json!({"f:data": {".": {}, "f:k": {}}}))]);
    let bare = json!({"metadata": {"name": "bare"}});
    assert!(server.create("v1/configmaps", bare).await.unwrap().managed_fields().is_empty());
}

/// However the server holds them while it writes.
#[tokio::test]
async fn owned_fields_are_objects_to_every_client_and_strings_are_none() {
    let server = Server::start();
    server.publish(&super::definitions::definition("u", true));
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let data = |fields: Value| json!({"f:data": fields});
    for (collection, object) in [("v1/configmaps", config_map("a")), ("example.com/v1/widgets", widget)] {
        let path = format!("{collection}/a");
        let json_patch = |operations: Value| {
            server.patch(&path, Patch::Json(operations.to_string().into()), PatchOptions::default())
        };
        let first = server.create(collection, object).await.unwrap();
        let own = data(json!({".": {}, "f:k": {}}));
        assert_eq!(first.managed_fields()[0]["fieldsV1"], own, "{path}");

        for same in [
            server.update(&path, first.clone()).await.unwrap(),
            server.merge(&path, json!({"data": {"k": "v"}})).await.unwrap(),
            json_patch(json!([{"op": "test", "path": "/metadata/managedFields/0/fieldsV1", "value": own}]))
                .await
                .unwrap(),
            server.get(&path).await.unwrap(),
        ] {
            assert_eq!(same, first, "{path}: nothing changes");
        }

        let added = json_patch(json!([{"op": "add", "path": "/data/x", "value": "1"}])).await.unwrap();
        let own = data(json!({".": {}, "f:k": {}, "f:x": {}}));
        let of_test = |object: &Value| {
            let entry = object.managed_fields().iter().find(|entry| entry["manager"] == "test");
            entry.map(|entry| entry["fieldsV1"].clone())
        };
        assert_eq!((of_test(&added), &added), (Some(own.clone()), &server.get(&path).await.unwrap()), "{path}");

        // Of another's fields, which nobody may be given by a string.
        let text = data(json!({"f:other": {}})).to_string();
        let entries = json!([{"manager": "other", "operation": "Update", "apiVersion": added["apiVersion"],
            "fieldsType": "FieldsV1", "fieldsV1": text}]);
        let mut sent = added.clone();
        sent["metadata"]["managedFields"] = entries.clone();
        for same in [
            server.update(&path, sent).await.unwrap(),
            server.merge(&path, json!({"metadata": {"managedFields": entries}})).await.unwrap(),
            json_patch(json!([{"op": "replace", "path": "/metadata/managedFields", "value": entries}])).await.unwrap(),
        ] {
            assert_eq!(same, added, "{path}: nothing changes");
        }
    }
}

#[tokio::test]
async fn structs_that_are_always_there_are_nobody_s() {
    let server = Server::start();
    let made = server
        .create("v1/resourcequotas", json!({"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "2"}}}))
        .await
        .unwrap();
    assert_eq!(owners(&made)[0].2, json!({"f:spec": {"f:hard": {".": {}, "f:cpu": {}}}}));
}

#[tokio::test]
async fn an_apply_makes_owns_and_removes() {
    let server = Server::start();
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    let made = server.apply("v1/configmaps/a", "m1", false, config(json!({"a": "1", "b": "2"}))).await.unwrap();
    assert_eq!(owners(&made), [("m1".into(), "Apply".into(), json!({"f:data": {"f:a": {}, "f:b": {}}}))]);
    let fewer = server.apply("v1/configmaps/a", "m1", false, config(json!({"a": "1"}))).await.unwrap();
    assert_eq!(fewer["data"], json!({"a": "1"}));
    let again = server.apply("v1/configmaps/a", "m1", false, config(json!({"a": "1"}))).await.unwrap();
    assert_eq!(again, fewer);
    let conflict = server.apply("v1/configmaps/a", "m2", false, config(json!({"a": "9"}))).await;
    assert_eq!(words(conflict), (409, "Apply failed with 1 conflict: conflict with \"m1\": .data.a".into()));
    let forced = server.apply("v1/configmaps/a", "m2", true, config(json!({"a": "9"}))).await.unwrap();
    assert_eq!(owners(&forced).iter().map(|owner| owner.0.as_str()).collect::<Vec<_>>(), ["m2"]);
}

#[tokio::test]
async fn an_apply_s_body_is_checked() {
    let server = Server::start();
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "finalizers": ["ex.io/q", "ex.io/q"]}});
    assert_eq!(
        words(server.apply("v1/configmaps/x", "m", false, body).await),
        (500, "failed to create typed patch object (/x; /v1, Kind=ConfigMap): .metadata.finalizers: duplicate entries for key [=\"ex.io/q\"]".into())
    );
    let other = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}});
    assert_eq!(
        words(server.apply("v1/configmaps/x", "m", false, other).await),
        (400, "invalid object type: /v1, Kind=Secret".into())
    );
    // Keys that are stated twice are looked for last.
    let twice = |config: Value| {
        let strict_errors = vec!["yaml: unmarshal errors:\n  line 1: key \"a\" already set in map".to_owned()];
        Patch::Apply(Body { value: config, strict_errors })
    };
    let strict = PatchOptions {
        field_manager: "m".into(),
        field_validation: FieldValidation::Strict,
        ..PatchOptions::default()
    };
    let undeclared = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "nosuch": 1});
    let refused = server.patch("v1/configmaps/x", twice(undeclared), strict.clone()).await;
    assert!(words(refused).1.ends_with(".nosuch: field not declared in schema"));
    assert_eq!(
        words(server.patch("v1/configmaps/x", twice(config_map("x")), strict).await),
        (
            400,
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key \"a\" already set in map"
                .into()
        )
    );
}

#[tokio::test]
async fn a_scale_s_owner_owns_the_object_s_replicas() {
    let server = Server::start();
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "r"}, "spec": {"replicas": 1,
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    server.apply("apps/v1/replicasets/r", "m1", false, set).await.unwrap();
    let scale =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "r"}, "spec": {"replicas": 3}});
    assert_eq!(
        words(server.apply("apps/v1/replicasets/r/scale", "m2", false, scale.clone()).await),
        (409, "Apply failed with 1 conflict: conflict with \"m1\": .spec.replicas".into())
    );
    server.apply("apps/v1/replicasets/r/scale", "m2", true, scale).await.unwrap();
    let stored = server.get("apps/v1/replicasets/r").await.unwrap();
    assert_eq!(stored["spec"]["replicas"], 3);
    let of_m2 = stored.managed_fields().iter().find(|entry| entry["manager"] == "m2").unwrap();
    assert_eq!((&of_m2["subresource"], &of_m2["apiVersion"]), (&json!("scale"), &json!("apps/v1")));
    assert_eq!(of_m2["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
}

#[tokio::test]
async fn only_ten_updaters_are_kept_apart_and_owners_can_be_forgotten() {
    let server = Server::start();
    server.create("v1/configmaps", config_map("a")).await.unwrap();
    for n in 0..12 {
        let options = PatchOptions { field_manager: format!("m{n:02}"), ..PatchOptions::default() };
        let patch = Patch::Merge(json!({"data": {format!("k{n}"): "v"}}).to_string().into());
        server.patch("v1/configmaps/a", patch, options).await.unwrap();
    }
    let object = server.get("v1/configmaps/a").await.unwrap();
    assert_eq!(object.managed_fields().len(), 10);
    assert!(owners(&object).iter().any(|owner| owner.0 == "ancient-changes"));
    let reset = server.merge("v1/configmaps/a", json!({"metadata": {"managedFields": [{}]}})).await.unwrap();
    assert!(reset.managed_fields().is_empty());
    let after = server.merge("v1/configmaps/a", json!({"data": {"z": "1"}})).await.unwrap();
    assert!(after.managed_fields().is_empty());
}

#[tokio::test]
async fn owners_through_another_group_are_forgotten() {
    let server = Server::start();
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m", "reason": "r", "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "ns", "name": "p"}});
    server.apply("v1/events/e", "m1", false, event).await.unwrap();
    let other = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e", "labels": {"a": "b"}}, "note": "m"});
    let applied = server.apply("events.k8s.io/v1/events/e", "m2", false, other).await.unwrap();
    assert_eq!(owners(&applied).iter().map(|owner| owner.0.as_str()).collect::<Vec<_>>(), ["m2"]);
}

#[tokio::test]
async fn an_apply_that_does_not_convert_is_named_as_it_was_sent() {
    let server = Server::start();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"k": "abc*"}});
    assert_eq!(
        words(server.apply("v1/secrets/x", "m", false, secret).await),
        (500, "failed to convert new object (/x; /v1, Kind=Secret) to proper version: unable to convert unstructured object to \
               /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 3".into())
    );
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"healthCheckNodePort": 80.5}});
    assert_eq!(
        words(server.apply("v1/services/s", "m", false, service).await),
        (500, "failed to convert new object (/s; /v1, Kind=Service) to proper version: unable to convert unstructured object to \
               /v1, Kind=Service: cannot convert float64 to int32".into())
    );
}

#[tokio::test]
async fn what_is_too_large_with_its_owners_is_stored_without_them() {
    let server = Server::over(embedded::Options { max_request_bytes: 700, ..embedded::Options::default() });
    let long =
        |keys: std::ops::Range<u32>| -> Value { keys.map(|key| (format!("key-{key:020}"), json!("v"))).collect() };
    let mut object = config_map("a");
    object["data"] = long(0..8);
    let made = server.create("v1/configmaps", object.clone()).await.unwrap();
    assert!(made.managed_fields().is_empty(), "{made}");
    object["data"] = long(0..1);
    server.delete("v1/configmaps/a", DeleteOptions::default()).await.unwrap();
    let small = server.create("v1/configmaps", object.clone()).await.unwrap();
    assert_eq!(small.managed_fields().len(), 1);
    object["data"] = long(0..9);
    let updated = server.update("v1/configmaps/a", object.clone()).await.unwrap();
    assert!(updated.managed_fields().is_empty(), "{updated}");

    // An apply does not do without, and what is too large itself is refused.
    let too_large = (500, "etcdserver: request is too large".to_owned());
    assert_eq!(words(server.apply("v1/configmaps/a", "m", true, object.clone()).await), too_large);
    object["data"] = long(0..40);
    assert_eq!(words(server.update("v1/configmaps/a", object).await), too_large);
}

#[tokio::test]
async fn who_sends_an_empty_list_owns_it_though_the_store_has_none() {
    let server = Server::start();
    let ranges = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "a"}, "spec": {"limits": []}});
    let made = server.create("v1/limitranges", ranges).await.unwrap();
    assert_eq!(made["spec"], json!({"limits": null}));
    assert_eq!(made.managed_fields()[0]["fieldsV1"], json!({"f:spec": {"f:limits": {}}}));
    // What is not sent is nobody's.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"}});
    let made = server.create("rbac.authorization.k8s.io/v1/roles", role).await.unwrap();
    assert_eq!((&made["rules"], made.managed_fields().len()), (&Value::Null, 0));
}

/// Labels objects, refuses them, or lets them be; says how often it was asked in each phase.
#[derive(Default)]
struct Watching {
    label: std::sync::atomic::AtomicBool,
    refuse: std::sync::atomic::AtomicBool,
    asked: [std::sync::atomic::AtomicUsize; 2],
}

#[async_trait::async_trait]
impl admission::Plugin for Watching {
    fn name(&self) -> &'static str {
        "Watching"
    }

    fn handles(&self, operation: admission::Operation) -> bool {
        operation == admission::Operation::Update
    }

    async fn admit(
        &self,
        attributes: &mut admission::Attributes,
        _context: &admission::Context,
    ) -> Result<(), StatusError> {
        self.asked[0].fetch_add(1, Relaxed);
        if let Some(object) = attributes.object.as_mut().filter(|_| self.label.load(Relaxed)) {
            Arc::make_mut(object).set_label("labelled", "true");
        }
        Ok(())
    }

    async fn validate(
        &self,
        attributes: &admission::Attributes,
        _context: &admission::Context,
    ) -> Result<(), StatusError> {
        self.asked[1].fetch_add(1, Relaxed);
        assert_eq!(attributes.object.as_ref().map(|object| object.name()), Some("a"), "it sees the object");
        match self.refuse.load(Relaxed) {
            true => Err(StatusError::bad_request("refused")),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn an_apply_that_changes_nothing_again_and_again_is_admitted_each_time() {
    let server = Server::start();
    let plugin = Arc::new(Watching::default());
    server.registry.set_admission(admission::Chain::new(vec![plugin.clone()]));
    let path = "apps/v1/deployments/a";
    let template = |image: &str| {
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": image,
            "resources": {"limits": {"cpu": "1"}}}]}})
    };
    let config = |image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template(image)}})
    };
    let apply = |image: &'static str| server.apply(path, "m", false, config(image));
    // With the cache, too.
    for round in 0..2 {
        let image = ["i:1", "i:2"][round];
        let made = apply(image).await.unwrap();
        let before = plugin.asked[0].load(Relaxed);
        for _ in 0..4 {
            assert_eq!(apply(image).await.unwrap(), made);
            assert_eq!(server.get(path).await.unwrap(), made);
        }
        // More often where the cache was behind.
        assert!(plugin.asked[0].load(Relaxed) >= before + 4);
        plugin.refuse.store(true, Relaxed);
        assert_eq!(words(apply(image).await), (400, "refused".into()));
        plugin.refuse.store(false, Relaxed);
        let collection = server.target("apps/v1/deployments");
        server.registry.list(&server.ctx, &collection, &ListOptions::default()).await.unwrap();
    }
    assert_eq!(plugin.asked[1].load(Relaxed), plugin.asked[0].load(Relaxed), "both phases");
    plugin.label.store(true, Relaxed);
    assert_eq!(apply("i:2").await.unwrap()["metadata"]["labels"], json!({"labelled": "true"}), "admission has its say");
}

#[tokio::test]
async fn an_apply_that_changes_nothing_warns_each_time() {
    let server = Server::start();
    let config = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "ExternalName", "externalName": "e.example.com", "sessionAffinity": "ClientIP"}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "annotations":
        {"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}}, "spec": {"containers": [{"name": "c", "image": "i",
        "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1500m"}}}]}});
    for (path, config) in [("v1/services/s", config), ("v1/pods/p", pod)] {
        let mut said = Vec::new();
        for _ in 0..4 {
            server.apply(path, "m", false, config.clone()).await.unwrap();
            said.push(server.ctx.warnings.take_warnings());
        }
        assert_eq!(said[1], said[2], "{path}");
        assert_eq!(said[2], said[3], "{path}");
    }
}

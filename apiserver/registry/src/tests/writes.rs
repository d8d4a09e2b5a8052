use super::*;

#[tokio::test]
async fn a_new_object_gets_its_identity_and_is_read_back() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    assert_eq!((made.namespace(), made.uid().len(), made.resource_version().is_empty()), ("ns", 36, false));
    assert!(made.creation_timestamp().ends_with('Z'));
    assert_eq!(server.get("v1/configmaps/a").await.unwrap(), made);
    assert_eq!(
        words(server.create("v1/configmaps", config_map("a")).await),
        (409, "configmaps \"a\" already exists".into())
    );
}

#[tokio::test]
async fn upstream_s_words_for_bad_names_namespaces_and_versions() {
    let server = Server::start();
    let with = |change: Value| {
        let mut object = config_map("a");
        json_merge(&mut object, &change);
        object
    };
    let cases = [
        (
            with(json!({"metadata": {"namespace": "other"}})),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            with(json!({"metadata": {"name": null}})),
            422,
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            with(json!({"metadata": {"resourceVersion": "5"}})),
            500,
            "resourceVersion should not be set on objects to be created",
        ),
        (
            with(json!({"data": {"k": 1}})),
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field \
          ConfigMap.data of type string",
        ),
        (
            with(json!({"kind": "Secret"})),
            400,
            "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
    ];
    for (object, code, expected) in cases {
        assert_eq!(words(server.create("v1/configmaps", object).await), (code, expected.into()));
    }
}

#[tokio::test]
async fn an_update_needs_the_current_version_where_one_is_sent() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    let mut next = made.clone();
    next["data"]["k"] = "w".into();
    let updated = server.update("v1/configmaps/a", next.clone()).await.unwrap();
    assert_ne!(updated.resource_version(), made.resource_version());
    assert_eq!((updated.uid(), updated.creation_timestamp()), (made.uid(), made.creation_timestamp()));
    let stale = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to \
                 the latest version and try again";
    assert_eq!(words(server.update("v1/configmaps/a", next).await), (409, stale.into()));
    let unconditional = server.update("v1/configmaps/a", config_map("a")).await.unwrap();
    assert_eq!(unconditional["data"]["k"], "v");
    assert_eq!(
        words(server.update("v1/configmaps/b", config_map("b")).await),
        (404, "configmaps \"b\" not found".into())
    );
    assert_eq!(
        words(server.update("v1/configmaps/a", config_map("b")).await),
        (400, "the name of the object (b) does not match the name on the URL (a)".into())
    );
}

#[tokio::test]
async fn an_update_of_another_object_of_the_same_name_is_refused() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    let conflict = |there: &str| {
        format!(
            "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, Key: \
             /registry/configmaps/ns/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: \
             other, UID in object meta: {there}"
        )
    };
    let mut other = config_map("a");
    other.set_uid("other");
    assert_eq!(words(server.update("v1/configmaps/a", other.clone()).await), (409, conflict(made.uid())));
    let mut same = config_map("a");
    same.set_uid(made.uid());
    same["data"]["k"] = "w".into();
    assert_eq!(server.update("v1/configmaps/a", same).await.unwrap().uid(), made.uid());
    // What an update may make is another than the one that the client knew, too.
    let lease =
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a", "uid": "other"}});
    let refused = server.update("coordination.k8s.io/v1/leases/a", lease).await;
    let want = conflict("").replace("configmaps \"a\"", "leases.coordination.k8s.io \"a\"");
    assert_eq!(words(refused), (409, want.replace("/configmaps/", "/leases/")));
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_revision() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    assert_eq!(server.update("v1/configmaps/a", config_map("a")).await.unwrap(), made);
    assert_eq!(server.merge("v1/configmaps/a", json!({"data": {"k": "v"}})).await.unwrap(), made);
    assert_eq!(server.get("v1/configmaps/a").await.unwrap(), made);
}

#[tokio::test]
async fn a_patch_is_read_only_once_there_is_something_to_patch() {
    let server = Server::start();
    let patch = |text: &'static str| Patch::Merge(bytes::Bytes::from_static(text.as_bytes()));
    let bad = server.patch("v1/configmaps/none", patch("{"), PatchOptions::default()).await;
    assert_eq!(words(bad), (404, "configmaps \"none\" not found".into()));
    server.create("v1/configmaps", config_map("a")).await.unwrap();
    let bad = server.patch("v1/configmaps/a", patch("{"), PatchOptions::default()).await;
    assert_eq!(words(bad), (400, "error decoding patch: unexpected end of JSON input".into()));
}

#[tokio::test]
async fn a_patch_that_states_a_field_twice_warns_or_is_refused() {
    let server = Server::start();
    server.create("v1/configmaps", config_map("a")).await.unwrap();
    let patch = || Patch::Merge(bytes::Bytes::from_static(br#"{"data":{"k":"1","k":"2"}}"#));
    let strict = PatchOptions { field_validation: FieldValidation::Strict, ..PatchOptions::default() };
    let (code, message) = words(server.patch("v1/configmaps/a", patch(), strict).await);
    assert_eq!(code, 422);
    assert!(message.ends_with("strict decoding error: duplicate field \"data.k\""), "{message}");
    let patched = server.patch("v1/configmaps/a", patch(), PatchOptions::default()).await.unwrap();
    assert_eq!(patched["data"]["k"], "2");
    assert_eq!(server.ctx.warnings.take_warnings(), ["duplicate field \"data.k\""]);
}

#[tokio::test]
async fn a_patch_to_another_kind_is_refused_but_a_strategic_one_keeps_the_kind() {
    let server = Server::start();
    server.create("v1/configmaps", config_map("a")).await.unwrap();
    let (code, message) = words(server.merge("v1/configmaps/a", json!({"kind": "Secret"})).await);
    assert_eq!(code, 422);
    assert!(message.ends_with("converting (v1.Secret) to (core.ConfigMap): unknown conversion"), "{message}");
    let patch = Patch::Strategic(json!({"kind": "Secret", "apiVersion": "v7", "data": {"x": "1"}}).to_string().into());
    let patched = server.patch("v1/configmaps/a", patch, PatchOptions::default()).await.unwrap();
    assert_eq!((patched.kind(), patched.api_version(), &patched["data"]["x"]), ("ConfigMap", "v1", &json!("1")));
}

#[tokio::test]
async fn events_change_through_the_core_group_alone() {
    let server = Server::start();
    let event = json!({"metadata": {"name": "e"}, "message": "m", "reason": "r", "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "ns", "name": "p"}});
    server.create("v1/events", event).await.unwrap();
    assert_eq!(
        words(server.merge("events.k8s.io/v1/events/e", json!({"note": "other"})).await),
        (422, "Event \"e\" is invalid: message: Invalid value: \"other\": field is immutable".into())
    );
    server.merge("events.k8s.io/v1/events/e", json!({"metadata": {"labels": {"a": "b"}}})).await.unwrap();
    assert_eq!(server.merge("v1/events/e", json!({"message": "other"})).await.unwrap()["message"], "other");
}

#[tokio::test]
async fn a_dry_run_answers_and_stores_nothing() {
    let server = Server::start();
    let options = CreateOptions { dry_run: true, ..CreateOptions::default() };
    let target = server.target("v1/configmaps");
    let written = server.registry.create(&server.ctx, &target, config_map("a").into(), &options).await.unwrap();
    assert_eq!(written.object.value().unwrap().resource_version(), "");
    assert_eq!(words(server.get("v1/configmaps/a").await).0, 404);
}

#[tokio::test]
async fn spec_and_status_are_written_apart_and_generation_counts_spec() {
    let server = Server::start();
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "status": {"replicas": 9},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let made = server.create("apps/v1/deployments", deployment).await.unwrap();
    assert_eq!((made.generation(), &made["status"]), (1, &json!({})));
    let status = server
        .merge("apps/v1/deployments/d/status", json!({"status": {"replicas": 2}, "spec": {"replicas": 7}}))
        .await
        .unwrap();
    assert_eq!((status.generation(), &status["status"]["replicas"]), (1, &json!(2)));
    assert_ne!(status["spec"]["replicas"], json!(7));
    let spec = server
        .merge("apps/v1/deployments/d", json!({"status": {"replicas": 3}, "spec": {"replicas": 7}}))
        .await
        .unwrap();
    assert_eq!((spec.generation(), &spec["status"]["replicas"], &spec["spec"]["replicas"]), (2, &json!(2), &json!(7)));
    let scaled = server.merge("apps/v1/deployments/d/scale", json!({"spec": {"replicas": 4}})).await.unwrap();
    assert_eq!((scaled.kind(), &scaled["spec"]["replicas"]), ("Scale", &json!(4)));
    assert_eq!(server.get("apps/v1/deployments/d").await.unwrap().generation(), 3);
}

#[tokio::test]
async fn one_object_is_served_in_every_version_of_its_kind() {
    let server = Server::start();
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m", "reason": "r", "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "ns", "name": "p"}});
    server.create("v1/events", event).await.unwrap();
    let other = server.get("events.k8s.io/v1/events/e").await.unwrap();
    assert_eq!(
        (other.api_version(), &other["note"], &other["regarding"]["name"]),
        ("events.k8s.io/v1", &json!("m"), &json!("p"))
    );
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let server = Server::start();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let made = server.create("v1/pods", pod).await.unwrap();
    assert_eq!((&made["status"]["phase"], &made["status"]["qosClass"]), (&json!("Pending"), &json!("BestEffort")));
    assert_eq!(made["spec"]["containers"][0]["imagePullPolicy"], "Always");
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}});
    let answer = server.create("v1/pods/p/binding", binding.clone()).await.unwrap();
    assert_eq!((answer.kind(), &answer["status"], &answer["code"]), ("Status", &json!("Success"), &json!(201)));
    let bound = server.get("v1/pods/p").await.unwrap();
    assert_eq!(
        (&bound["spec"]["nodeName"], &bound["status"]["conditions"][0]["type"]),
        (&json!("n"), &json!("PodScheduled"))
    );
    assert_eq!(
        words(server.create("v1/pods/p/binding", binding).await),
        (409, "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n\"".into())
    );
}

#[tokio::test]
async fn concurrent_patches_all_land() {
    let server = Arc::new(Server::start());
    server.create("v1/configmaps", config_map("a")).await.unwrap();
    let patches = (0..20).map(|n| {
        let server = server.clone();
        tokio::spawn(
            async move { server.merge("v1/configmaps/a", json!({"data": {format!("k{n}"): "v"}})).await.map(drop) },
        )
    });
    for patch in patches.collect::<Vec<_>>() {
        patch.await.unwrap().unwrap();
    }
    assert_eq!(server.get("v1/configmaps/a").await.unwrap()["data"].as_object().unwrap().len(), 21);
}

fn json_merge(object: &mut Value, patch: &Value) {
    apimachinery::patch::merge::apply(object, patch);
}

#[tokio::test]
async fn a_patched_document_without_its_version_has_no_known_field() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    // The kind alone may go: it is taken from the URL.
    assert_eq!(server.merge("v1/configmaps/a", json!({"kind": null})).await.unwrap(), made);
    let nameless = "the name of the object (a based on URL) was undeterminable: name must be provided";
    let patch = json!({"apiVersion": null});
    assert_eq!(words(server.merge("v1/configmaps/a", patch.clone()).await), (400, nameless.into()));
    let warned = server.ctx.warnings.take_warnings();
    assert_eq!(warned, ["unknown field \"data\"", "unknown field \"metadata\""]);
    for (patch, want) in [
        (
            json!({"apiVersion": null, "kind": "Nosuch"}),
            "no kind \"Nosuch\" is registered for the internal version of group \"\" in scheme",
        ),
        (
            json!({"apiVersion": null, "kind": "Secret"}),
            "unable to decode /__internal, Kind=Secret into *core.ConfigMap",
        ),
        (
            json!({"kind": 1}),
            "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
        ),
        (
            json!({"data": []}),
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
    ] {
        let (code, message) = words(server.merge("v1/configmaps/a", patch.clone()).await);
        assert_eq!(code, 422, "{message}");
        assert!(message.contains(want), "{patch}: {message}");
    }
    let strategic = |patch: Value| Patch::Strategic(patch.to_string().into());
    let refused = server.patch("v1/configmaps/a", strategic(json!({"data": {"k": 1}})), PatchOptions::default()).await;
    let want = " \"\" is invalid: patch: Invalid value: \"map[data:map[k:1]]\": cannot convert int64 to string";
    assert_eq!(words(refused), (422, want.into()));
}

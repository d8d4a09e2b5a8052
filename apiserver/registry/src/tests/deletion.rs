use super::*;

fn object(deleted: Deleted) -> Value {
    match deleted {
        Deleted::Object { object, .. } => Value::clone(&*object.value().unwrap()),
        Deleted::Done(status) => serde_json::to_value(*status).unwrap(),
    }
}

#[tokio::test]
async fn a_deletion_that_is_done_says_so() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    let status = object(server.delete("v1/configmaps/a", DeleteOptions::default()).await.unwrap());
    assert_eq!((status["status"].as_str(), status["details"]["uid"].as_str()), (Some("Success"), Some(made.uid())));
    assert_eq!(
        words(server.delete("v1/configmaps/a", DeleteOptions::default()).await),
        (404, "configmaps \"a\" not found".into())
    );
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let server = Server::start();
    let mut held = config_map("a");
    held["metadata"]["finalizers"] = json!(["example.com/one"]);
    server.create("v1/configmaps", held).await.unwrap();
    let marked = object(server.delete("v1/configmaps/a", DeleteOptions::default()).await.unwrap());
    assert!(marked.deletion_timestamp().is_some());
    assert_eq!(marked.deletion_grace_period_seconds(), Some(0));
    let again = object(server.delete("v1/configmaps/a", DeleteOptions::default()).await.unwrap());
    assert_eq!(again.resource_version(), marked.resource_version());
    assert_eq!(
        words(server.create("v1/configmaps", config_map("a")).await),
        (409, "object is being deleted: configmaps \"a\" already exists".into())
    );
    let last = server.merge("v1/configmaps/a", json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert_eq!(last.resource_version(), marked.resource_version());
    assert_eq!(words(server.get("v1/configmaps/a").await).0, 404);
}

#[tokio::test]
async fn propagation_sets_the_garbage_collector_s_finalizers() {
    let server = Server::start();
    for (name, policy, finalizer) in
        [("f", PropagationPolicy::Foreground, "foregroundDeletion"), ("o", PropagationPolicy::Orphan, "orphan")]
    {
        server.create("v1/configmaps", config_map(name)).await.unwrap();
        let options = DeleteOptions { propagation_policy: Some(policy), ..DeleteOptions::default() };
        let marked = object(server.delete(&format!("v1/configmaps/{name}"), options).await.unwrap());
        assert_eq!(marked.finalizers().collect::<Vec<_>>(), [finalizer]);
    }
}

#[tokio::test]
async fn preconditions_must_hold() {
    let server = Server::start();
    server.create("v1/configmaps", config_map("a")).await.unwrap();
    let preconditions = Preconditions { uid: Some("other".into()), resource_version: None };
    let (code, message) =
        words(server.delete("v1/configmaps/a", DeleteOptions { preconditions, ..DeleteOptions::default() }).await);
    assert_eq!(code, 409);
    assert!(
        message.starts_with(
            "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (other) does not match"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_bound_pod_goes_with_grace_and_an_unbound_one_at_once() {
    let server = Server::start();
    let pod = |name: &str, node: &str| json!({"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}});
    server.create("v1/pods", pod("bound", "n")).await.unwrap();
    server.create("v1/pods", pod("free", "")).await.unwrap();
    object(server.delete("v1/pods/free", DeleteOptions::default()).await.unwrap());
    assert_eq!(words(server.get("v1/pods/free").await).0, 404);
    let marked = object(server.delete("v1/pods/bound", DeleteOptions::default()).await.unwrap());
    assert_eq!((marked.deletion_grace_period_seconds(), marked.generation()), (Some(30), 2));
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    assert_eq!(object(server.delete("v1/pods/bound", now).await.unwrap()).deletion_grace_period_seconds(), Some(0));
    assert_eq!(words(server.get("v1/pods/bound").await).0, 404);
}

#[tokio::test]
async fn a_namespace_ends_when_it_is_finalized() {
    let server = Server::start();
    let made = server.create("v1/namespaces", json!({"metadata": {"name": "n"}})).await.unwrap();
    assert_eq!((&made["spec"]["finalizers"], &made["status"]["phase"]), (&json!(["kubernetes"]), &json!("Active")));
    assert_eq!(made.label("kubernetes.io/metadata.name"), Some("n"));
    let mut marked = object(server.delete("v1/namespaces/n", DeleteOptions::default()).await.unwrap());
    assert_eq!(marked["status"]["phase"], "Terminating");
    marked["spec"] = json!({});
    server.update("v1/namespaces/n/finalize", marked).await.unwrap();
    let _ = server.delete("v1/namespaces/n", DeleteOptions::default()).await;
    assert_eq!(words(server.get("v1/namespaces/n").await).0, 404);
}

#[tokio::test]
async fn a_collection_goes_by_selector() {
    let server = Server::start();
    for (name, tier) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let mut object = config_map(name);
        object["metadata"]["labels"] = json!({ "tier": tier });
        server.create("v1/configmaps", object).await.unwrap();
    }
    let list = ListOptions {
        label_selector: Some(apimachinery::selector::labels::Selector::parse("tier=x").unwrap()),
        ..ListOptions::default()
    };
    let target = server.target("v1/configmaps");
    let gone = server.registry.delete_collection(&server.ctx, &target, &DeleteOptions::default(), &list).await.unwrap();
    assert_eq!(gone.items.len(), 2);
    let left = server.registry.list(&server.ctx, &target, &ListOptions::default()).await.unwrap();
    assert_eq!(left.items.len(), 1);
}

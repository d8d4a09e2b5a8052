use super::*;
use crate::testing::{Fixed, attributes};

async fn admit(account: Value, spec: Value) -> Result<Value, String> {
    pod(account, json!({ "spec": spec })).await
}

async fn pod(account: Value, pod: Value) -> Result<Value, String> {
    let mut account = account;
    account["metadata"]["namespace"] = "ns".into();
    let plugin = ServiceAccount::new(Arc::new(Fixed::new([("serviceaccounts", account)])), |base| format!("{base}xyz"));
    let mut of = attributes(Operation::Create, "pods", "ns", "p");
    of.object = Some(pod.into());
    let context = Context::new();
    let admitted = plugin.admit(&mut of, &context).await;
    let validated = if admitted.is_ok() { plugin.validate(&of, &context).await } else { admitted };
    validated.map_err(|error| error.message().to_owned())?;
    Ok(of.object.unwrap()["spec"].clone())
}

fn default() -> Value {
    json!({"metadata": {"name": "default"}})
}

#[tokio::test]
async fn a_pod_gets_the_default_account_and_its_token() {
    let spec =
        admit(default(), json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]})).await.unwrap();
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    let mount = json!([{
        "name": "kube-api-access-xyz",
        "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }]);
    assert_eq!((&spec["containers"][0]["volumeMounts"], &spec["initContainers"][0]["volumeMounts"]), (&mount, &mount));
    let volume = &spec["volumes"][0];
    assert_eq!(volume["name"], "kube-api-access-xyz");
    assert_eq!(volume["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"], 3607);
    assert_eq!(volume["projected"]["defaultMode"], 420);
}

#[tokio::test]
async fn nothing_is_mounted_where_pod_or_account_say_so_or_something_is_there() {
    let never = json!({"metadata": {"name": "default"}, "automountServiceAccountToken": false});
    let container = json!([{"name": "c"}]);
    for (account, spec, mounts) in [
        (never.clone(), json!({"containers": container}), false),
        (never, json!({"containers": container, "automountServiceAccountToken": true}), true),
        (default(), json!({"containers": container, "automountServiceAccountToken": false}), false),
        (
            default(),
            json!({"containers": [{
                "name": "c",
                "volumeMounts": [{"name": "v", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
            }]}),
            false,
        ),
    ] {
        let spec = admit(account, spec).await.unwrap();
        assert_eq!(spec["volumes"].is_array(), mounts, "{spec}");
    }
    let there = json!({"containers": container, "volumes": [{"name": "kube-api-access-abc", "emptyDir": {}}]});
    let spec = admit(default(), there).await.unwrap();
    assert_eq!(spec["containers"][0]["volumeMounts"][0]["name"], "kube-api-access-abc");
    assert_eq!(spec["volumes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn images_are_pulled_with_the_accounts_secrets_unless_the_pod_names_its_own() {
    let account = json!({"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "a"}, {"name": "b"}]});
    let spec = admit(account.clone(), json!({})).await.unwrap();
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "a"}, {"name": "b"}]));
    let spec = admit(account, json!({"imagePullSecrets": [{"name": "c"}]})).await.unwrap();
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "c"}]));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_there_is_looked_for_and_then_the_pod_is_refused() {
    for name in ["other", "default"] {
        let account = json!({"metadata": {"name": "bot"}});
        let expected = format!(
            "pods \"p\" is forbidden: error looking up service account ns/{name}: serviceaccount \"{name}\" not found"
        );
        assert_eq!(admit(account, json!({"serviceAccountName": name})).await, Err(expected));
    }
}

#[tokio::test]
async fn an_account_that_enforces_it_lets_its_pods_use_its_own_secrets_only() {
    let account = json!({
        "metadata": {"name": "default", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "secrets": [{"name": "own"}],
        "imagePullSecrets": [{"name": "pull"}],
    });
    let of = |secret: &str| json!({"name": "V", "valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}});
    let ending = "is not allowed because service account default does not reference that";
    for (spec, words) in [
        (json!({"volumes": [{"name": "v", "secret": {"secretName": "own"}}]}), String::new()),
        (
            json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
            format!("volume with secret.secretName=\"s\" {ending} secret"),
        ),
        (
            json!({"initContainers": [{"name": "i", "env": [of("own"), of("s")]}]}),
            format!("init container i with envVar V referencing secret.secretName=\"s\" {ending} secret"),
        ),
        (
            json!({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}]}),
            format!("container c with envFrom referencing secret.secretName=\"s\" {ending} secret"),
        ),
        (
            json!({"imagePullSecrets": [{"name": "pull"}, {"name": "s"}]}),
            format!("imagePullSecrets[1].name=\"s\" {ending} imagePullSecret"),
        ),
    ] {
        let told = admit(account.clone(), spec).await.err().unwrap_or_default();
        let expected = if words.is_empty() { words } else { format!("pods \"p\" is forbidden: {words}") };
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn a_mirror_pod_refers_to_nothing() {
    for (spec, words) in [
        (json!({}), ""),
        (json!({"serviceAccountName": "a"}), "a mirror pod may not reference service accounts"),
        (json!({"volumes": [{"secret": {"secretName": "s"}}]}), "a mirror pod may not reference secrets"),
        (
            json!({"containers": [{"envFrom": [{"secretRef": {"name": "s"}}]}]}),
            "a mirror pod may not reference secrets",
        ),
        (
            json!({"volumes": [{"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}),
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ] {
        let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": spec});
        let told = pod(default(), mirror).await;
        match words {
            "" => assert_eq!(told, Ok(json!({})), "left as it is"),
            words => assert_eq!(told, Err(format!("pods \"p\" is forbidden: {words}"))),
        }
    }
}

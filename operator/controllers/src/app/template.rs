//! The Pod of a replica: its content, its hash, its name. Pure.

use std::collections::BTreeMap;

use crds::App;
use crds::app::{LABEL, Protocol, TEMPLATE_HASH_LABEL};
use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvVar, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

/// Characters of generated names, without vowels and what looks alike, as upstream's.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name of a Pod is at most this long.
const LONGEST_NAME: usize = 253;

/// FNV-1a: short, the same on every platform and in every release.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn word(mut hash: u64, length: usize) -> String {
    let base = ALPHABET.len() as u64;
    // The low bits of FNV are its weakest.
    hash ^= hash >> 32;
    (0..length)
        .map(|_| {
            let index = usize::try_from(hash % base).unwrap_or_default();
            hash /= base;
            char::from(ALPHABET[index])
        })
        .collect()
}

/// The hash of what a Pod is made from: Pods of another hash are replaced.
pub fn template_hash(app: &App) -> String {
    // serde_json writes struct fields in order and maps sorted, so equal specs give equal bytes.
    let bytes = serde_json::to_vec(&pod_spec(app, "")).unwrap_or_default();
    word(fnv(&bytes), 8)
}

/// Labels of an App's Pods.
fn labels(app: &App, hash: &str) -> BTreeMap<String, String> {
    let mut labels = app.metadata.labels.clone().unwrap_or_default();
    for (key, value) in [(LABEL, app.name_any()), (TEMPLATE_HASH_LABEL, hash.to_owned())] {
        labels.insert(key.to_owned(), value);
    }
    labels
}

/// The string form of the selector of an App's Pods.
pub fn selector(app: &App) -> String {
    format!("{LABEL}={}", app.name_any())
}

/// A name for a new replica on `node` that is not `taken`. The same App, template, node and names in use always
/// give the same name: a Pod that was created but not seen yet is refused the second time (409), never doubled.
pub fn pod_name(app: &App, hash: &str, node: &str, taken: impl Fn(&str) -> bool) -> String {
    let app_name = app.name_any();
    let uid = app.metadata.uid.as_deref().unwrap_or_default();
    let mut number: u32 = 0;
    loop {
        let suffix = word(fnv(format!("{uid}/{hash}/{node}/{number}").as_bytes()), 5);
        let ending = format!("-{hash}-{suffix}");
        let mut name = app_name.clone();
        name.truncate(LONGEST_NAME - ending.len());
        let name = name.trim_end_matches(['-', '.']).to_owned() + &ending;
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// The Pod of a replica on a node.
pub fn pod(app: &App, hash: &str, node: &str, name: String) -> Pod {
    Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: app.namespace(),
            labels: Some(labels(app, hash)),
            owner_references: Some(vec![OwnerReference {
                api_version: App::api_version(&()).into(),
                kind: App::kind(&()).into(),
                name: app.name_any(),
                uid: app.metadata.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(pod_spec(app, node)),
        status: None,
    }
}

fn pod_spec(app: &App, node: &str) -> PodSpec {
    let spec = &app.spec;
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let requests = spec.requests();
    PodSpec {
        node_name: (!node.is_empty()).then(|| node.to_owned()),
        node_selector: (!spec.node_selector.is_empty()).then(|| spec.node_selector.clone()),
        tolerations: (!spec.tolerations.is_empty()).then(|| spec.tolerations.clone()),
        restart_policy: Some("Always".into()),
        containers: vec![Container {
            name: "app".into(),
            image: Some(spec.image.clone()),
            command: some(&spec.command),
            args: some(&spec.args),
            env: (!spec.env.is_empty()).then(|| {
                let variable = |of: &crds::app::EnvVar| EnvVar {
                    name: of.name.clone(),
                    value: Some(of.value.clone()),
                    value_from: None,
                };
                spec.env.iter().map(variable).collect()
            }),
            ports: (!spec.ports.is_empty()).then(|| {
                let port = |of: &crds::app::Port| ContainerPort {
                    name: of.name.clone(),
                    container_port: of.container_port,
                    protocol: Some(
                        match of.protocol {
                            Protocol::Tcp => "TCP",
                            Protocol::Udp => "UDP",
                            Protocol::Sctp => "SCTP",
                        }
                        .into(),
                    ),
                    ..ContainerPort::default()
                };
                spec.ports.iter().map(port).collect()
            }),
            resources: (!requests.is_empty()).then(|| ResourceRequirements {
                limits: Some(requests.clone()),
                requests: Some(requests),
                claims: None,
            }),
            ..Container::default()
        }],
        ..PodSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app(spec: serde_json::Value) -> App {
        serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "default", "uid": "u"}, "spec": spec}))
            .unwrap()
    }

    #[test]
    fn the_hash_follows_the_pod_and_not_how_many_there_are() {
        let hash = |spec| template_hash(&app(spec));
        let base = hash(json!({"image": "a"}));
        assert_eq!(
            base,
            hash(json!({"image": "a", "replicas": 5, "policy": "BinPack", "paused": true, "dependsOn": ["x"]}))
        );
        for changed in [
            json!({"image": "b"}),
            json!({"image": "a", "args": ["x"]}),
            json!({"image": "a", "env": [{"name": "A", "value": "1"}]}),
            json!({"image": "a", "resources": {"cpu": "1"}}),
            json!({"image": "a", "nodeSelector": {"disk": "ssd"}}),
        ] {
            assert_ne!(base, hash(changed.clone()), "{changed}");
        }
    }

    #[test]
    fn names_are_the_same_for_the_same_state_and_never_taken_ones() {
        let app = app(json!({"image": "a"}));
        let first = pod_name(&app, "h", "node-1", |_| false);
        assert_eq!(first, pod_name(&app, "h", "node-1", |_| false));
        assert_ne!(first, pod_name(&app, "h", "node-2", |_| false));
        let second = pod_name(&app, "h", "node-1", |name| name == first);
        assert_ne!(first, second);
        assert!(first.starts_with("web-h-"), "{first}");
    }

    #[test]
    fn long_names_are_cut_so_that_the_pods_fit() {
        let mut app = app(json!({"image": "a"}));
        app.metadata.name = Some("a".repeat(253));
        assert_eq!(pod_name(&app, "12345678", "n", |_| false).len(), 253);
    }

    #[test]
    fn the_pod_says_what_the_app_says() {
        let app = app(json!({
            "image": "nginx", "command": ["run"], "ports": [{"name": "http", "containerPort": 80}],
            "env": [{"name": "A", "value": "1"}], "resources": {"cpu": "500m"},
        }));
        let pod = serde_json::to_value(pod(&app, "h", "node-1", "web-h-1".into())).unwrap();
        assert_eq!(
            pod["spec"],
            json!({
                "nodeName": "node-1", "restartPolicy": "Always",
                "containers": [{
                    "name": "app", "image": "nginx", "command": ["run"],
                    "env": [{"name": "A", "value": "1"}],
                    "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                    "resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}},
                }],
            })
        );
        assert_eq!(
            pod["metadata"]["ownerReferences"],
            json!([{"apiVersion": "coxswain.dev/v1", "kind": "App", "name": "web", "uid": "u", "controller": true, "blockOwnerDeletion": true}])
        );
    }
}

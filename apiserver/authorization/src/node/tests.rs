use apimachinery::selector::fields::Selector;
use serde_json::json;

use super::*;

fn asked(user: &str, verb: &str, what: &str, namespace: &str, name: &str) -> Attributes {
    let (what, selector) = what.split_once('?').unwrap_or((what, ""));
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    Attributes {
        resource_request: true,
        group: group.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
        field_selector: Selector::parse(selector).unwrap().requirements().to_vec(),
        ..Attributes::new(Arc::new(UserInfo::new(user, [GROUP])), verb)
    }
}

fn graph() -> Graph {
    let mut graph = Graph::default();
    let pod = |name: &str, node: &str| {
        json!({"metadata": {"namespace": "ns", "name": name}, "spec": {
            "nodeName": node, "serviceAccountName": "sa", "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "env"}}],
                "env": [{"name": "e", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "k"}}}]}],
            "volumes": [
                {"name": "a", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
                {"name": "b", "persistentVolumeClaim": {"claimName": "claim"}},
                {"name": "c", "ephemeral": {}},
            ],
            "resourceClaims": [{"name": "r", "resourceClaimTemplateName": "t"}],
        }, "status": {"resourceClaimStatuses": [{"name": "r", "resourceClaimName": "made"}]}})
    };
    graph.put(Kind::Pod, &pod("p", "n"));
    graph.put(Kind::Pod, &pod("q", "n"));
    let mut mirror = pod("mirror", "m");
    mirror.set_annotation("kubernetes.io/config.mirror", "x");
    graph.put(Kind::Pod, &mirror);
    graph.put(
        Kind::PersistentVolume,
        &json!({"metadata": {"name": "pv"}, "spec": {"claimRef": {"namespace": "ns", "name": "claim"},
            "csi": {"nodeStageSecretRef": {"namespace": "other", "name": "stage"},
                    "controllerPublishSecretRef": {"namespace": "other", "name": "controller"}}}}),
    );
    graph.put(Kind::VolumeAttachment, &json!({"metadata": {"name": "va"}, "spec": {"nodeName": "n"}}));
    graph
}

use apimachinery::ObjectExt as _;

#[tokio::test]
async fn a_node_reads_what_its_pods_use_and_writes_what_is_its_own() {
    let node = Node { graph: Arc::new(RwLock::new(graph())), rules: Vec::new() };
    let none = "no relationship found between node 'n' and this object";
    for (verb, what, namespace, name, refused) in [
        ("get", "secrets", "ns", "env", None),
        ("watch", "secrets", "ns", "pull", None),
        ("list", "secrets", "ns", "projected", None),
        ("get", "secrets", "ns", "other", Some(none)),
        ("get", "secrets", "elsewhere", "env", Some(none)),
        ("list", "secrets", "ns", "", Some("No Object name found")),
        ("list", "secrets", "", "env", Some("can only read namespaced object of this type")),
        ("update", "secrets", "ns", "env", Some("can only read resources of this type")),
        ("get", "configmaps", "ns", "map", None),
        ("get", "persistentvolumeclaims", "ns", "claim", None),
        ("get", "persistentvolumeclaims", "ns", "p-c", None),
        ("patch", "persistentvolumeclaims/status", "ns", "claim", None),
        ("get", "persistentvolumeclaims/status", "ns", "claim", Some("can only get/update/patch this type")),
        ("get", "persistentvolumes", "", "pv", None),
        ("get", "secrets", "other", "stage", None),
        ("get", "secrets", "other", "controller", Some(none)),
        ("get", "volumeattachments.storage.k8s.io", "", "va", None),
        ("get", "resourceclaims.resource.k8s.io", "ns", "made", None),
        ("create", "serviceaccounts/token", "ns", "sa", None),
        ("create", "serviceaccounts/token", "ns", "other", Some(none)),
        ("delete", "serviceaccounts", "ns", "sa", Some("can only create tokens for individual service accounts")),
        ("get", "nodes", "", "n", None),
        ("get", "nodes", "", "m", Some("node 'n' cannot read 'm', only its own Node object")),
        ("delete", "nodes", "", "n", Some("")),
        ("update", "leases.coordination.k8s.io", LEASES, "n", None),
        (
            "get",
            "leases.coordination.k8s.io",
            LEASES,
            "m",
            Some("can only access node lease with the same name as the requesting node"),
        ),
        ("patch", "csinodes.storage.k8s.io", "", "n", None),
        ("list", "pods?spec.nodeName=n", "", "", None),
        ("list", "pods?spec.nodeName=m", "", "", Some("can only list/watch pods with spec.nodeName field selector")),
        ("get", "pods", "ns", "p", None),
        ("get", "pods", "ns", "mirror", Some(none)),
        ("update", "pods", "ns", "p", Some("")),
    ] {
        let decision = node.authorize(&asked("system:node:n", verb, what, namespace, name)).await;
        let expected = refused.map_or_else(Decision::allow, refuse);
        assert_eq!(decision, expected, "{verb} {what} {namespace}/{name}");
    }
    let of_mirror = node.authorize(&asked("system:node:m", "get", "secrets", "ns", "env")).await;
    assert!(!of_mirror.is_allowed(), "a mirror pod gives its node nothing");
}

#[test]
fn what_is_used_twice_is_readable_until_nobody_uses_it() {
    let mut graph = graph();
    graph.remove(Kind::Pod, "ns", "p");
    assert!(graph.is_used("n", Kind::Secret, "ns", "env"));
    graph.remove(Kind::Pod, "ns", "q");
    assert!(!graph.is_used("n", Kind::Secret, "ns", "env"));
    assert!(!graph.is_used("n", Kind::PersistentVolume, "", "pv"), "its claim is used by nobody");
    graph.clear(Kind::Pod);
    graph.clear(Kind::PersistentVolume);
    graph.clear(Kind::VolumeAttachment);
    let empty = graph.nodes.is_empty() && graph.users.is_empty() && graph.secrets_of_volumes.is_empty();
    assert!(empty, "nothing is left behind: {graph:?}");
}

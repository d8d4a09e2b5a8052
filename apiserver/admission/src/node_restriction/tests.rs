use apimachinery::UserInfo;
use authorization::Always;
use serde_json::json;

use super::*;
use crate::testing::{Fixed, attributes};

fn pod(name: &str, node: &str) -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": name, "uid": format!("uid-of-{name}"), "labels": {"a": "b"}},
        "spec": {"nodeName": node, "volumes": [
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}]}},
            {"name": "v", "persistentVolumeClaim": {"claimName": "c"}},
        ]},
        "status": {"resourceClaimStatuses": [{"name": "x", "resourceClaimName": "y"}]},
    })
}

fn plugin() -> NodeRestriction {
    let there = Fixed::new([
        ("pods", pod("mine", "n")),
        ("pods", pod("theirs", "m")),
        ("nodes", json!({"metadata": {"name": "n", "uid": "1"}})),
        ("persistentvolumeclaims", json!({"metadata": {"namespace": "ns", "name": "c"}, "spec": {"volumeName": "pv"}})),
        ("persistentvolumes", json!({"metadata": {"name": "pv"}, "spec": {"csi": {"driver": "d"}}})),
        ("csidrivers", json!({"metadata": {"name": "d"}, "spec": {"tokenRequests": [{"audience": "disk"}]}})),
    ]);
    NodeRestriction::new(Arc::new(there), Arc::new(Always::Deny))
}

/// A request of the node `n`: `operation resource[/subresource][.group] name`.
fn asked(what: &str, object: Value, old: Value) -> Attributes {
    let words: Vec<&str> = what.split(' ').collect();
    let (resource, group) = words[1].split_once('.').unwrap_or((words[1], ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let operation = match words[0] {
        "create" => Operation::Create,
        "update" => Operation::Update,
        _ => Operation::Delete,
    };
    Attributes {
        resource: GroupVersionResource::new(group, "v1", resource),
        subresource: subresource.to_owned(),
        object: (!object.is_null()).then_some(object.into()),
        old_object: (!old.is_null()).then(|| Arc::new(old)),
        user: Arc::new(UserInfo::new("system:node:n", ["system:nodes"])),
        ..attributes(operation, resource, "ns", words.get(2).copied().unwrap_or_default())
    }
}

/// What is said of a request, after `forbidden: `; empty for nothing.
async fn said(mut asked: Attributes) -> String {
    let said = plugin().admit(&mut asked, &Context::new()).await;
    let message = said.err().map(|error| error.message().to_owned()).unwrap_or_default();
    message.split_once(" is forbidden: ").map_or(message.clone(), |(_, words)| words.to_owned())
}

#[tokio::test]
async fn who_is_no_node_is_not_restricted() {
    for (user, groups) in [("alice", "system:nodes"), ("system:node:n", "dev")] {
        let user = Arc::new(UserInfo::new(user, [groups]));
        let mut asked = Attributes { user, ..asked("delete pods theirs", Value::Null, Value::Null) };
        assert!(plugin().admit(&mut asked, &Context::new()).await.is_ok());
    }
    let user = Arc::new(UserInfo::new("system:node:", ["system:nodes"]));
    let nameless = Attributes { user, ..asked("delete pods mine", Value::Null, Value::Null) };
    assert_eq!(said(nameless).await, "could not determine node from user \"system:node:\"");
}

#[tokio::test]
async fn a_node_touches_the_pods_that_run_on_it_and_mirrors_that_refer_to_nothing() {
    let mirror = |spec: Value, owners: Value| {
        let mut spec = spec;
        spec["nodeName"] = json!("n");
        json!({"metadata": {"namespace": "ns", "name": "p", "annotations": {MIRROR: "x"}, "ownerReferences": owners},
               "spec": spec})
    };
    use authorization::node::MIRROR;
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1", "controller": true}]);
    let refers = |spec: Value| mirror(spec, owner.clone());
    let owned = |changed: Value| {
        let mut owner = owner[0].clone();
        owner.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        mirror(json!({}), json!([owner]))
    };
    let volume = |source: Value| refers(json!({"volumes": [source]}));
    let no = Value::Null;
    let mut labelled = pod("mine", "n");
    labelled["metadata"]["labels"]["a"] = json!("c");
    let mut claimed = pod("mine", "n");
    claimed["status"]["resourceClaimStatuses"][0]["resourceClaimName"] = json!("z");
    for (what, object, old, words) in [
        ("delete pods mine", no.clone(), no.clone(), ""),
        (
            "delete pods theirs",
            no.clone(),
            no.clone(),
            "node \"n\" can only delete pods with spec.nodeName set to itself",
        ),
        ("delete pods none", no.clone(), no.clone(), "pod \"none\" not found"),
        (
            "update pods mine",
            pod("mine", "n"),
            pod("mine", "n"),
            "unexpected operation \"UPDATE\", node \"n\" can only create and delete mirror pods",
        ),
        (
            "update pods/resize mine",
            no.clone(),
            no.clone(),
            "unexpected pod subresource \"resize\", only 'status' and 'eviction' are allowed",
        ),
        ("update pods/status mine", pod("mine", "n"), pod("mine", "n"), ""),
        ("update pods/status mine", labelled, pod("mine", "n"), "node \"n\" cannot update labels through pod status"),
        ("update pods/status mine", claimed, pod("mine", "n"), "node \"n\" cannot update resource claim statues"),
        (
            "update pods/status theirs",
            pod("theirs", "n"),
            pod("theirs", "m"),
            "node \"n\" can only update pod status for pods with spec.nodeName set to itself",
        ),
        ("create pods/eviction mine", json!({}), no.clone(), ""),
        (
            "create pods/eviction theirs",
            json!({}),
            no.clone(),
            "node n can only evict pods with spec.nodeName set to itself",
        ),
        ("create pods/eviction", json!({}), no.clone(), "could not determine pod from request data"),
        (
            "create pods",
            pod("p", "n"),
            no.clone(),
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n\" can only create mirror pods",
        ),
        ("create pods", refers(json!({})), no.clone(), ""),
        (
            "create pods",
            mirror(json!({}), json!([])),
            no.clone(),
            "node \"n\" can only create pods with an owner reference set to itself",
        ),
        (
            "create pods",
            owned(json!({"name": "m"})),
            no.clone(),
            "node \"n\" can only create pods with an owner reference set to itself",
        ),
        (
            "create pods",
            owned(json!({"controller": false})),
            no.clone(),
            "node \"n\" can only create pods with a controller owner reference set to itself",
        ),
        (
            "create pods",
            owned(json!({"blockOwnerDeletion": true})),
            no.clone(),
            "node \"n\" must not set blockOwnerDeletion on an owner reference",
        ),
        ("create pods", owned(json!({"uid": "2"})), no.clone(), "node n UID mismatch: expected 2 got 1"),
        (
            "create pods",
            refers(json!({"serviceAccountName": "a"})),
            no.clone(),
            "node \"n\" can not create pods that reference a service account",
        ),
        (
            "create pods",
            refers(json!({"imagePullSecrets": [{"name": "a"}]})),
            no.clone(),
            "node \"n\" can not create pods that reference secrets",
        ),
        (
            "create pods",
            volume(json!({"configMap": {"name": "a"}})),
            no.clone(),
            "node \"n\" can not create pods that reference configmaps",
        ),
        (
            "create pods",
            volume(json!({"projected": {"sources": [{"clusterTrustBundle": {}}]}})),
            no.clone(),
            "node \"n\" can not create pods that reference clustertrustbundles",
        ),
        (
            "create pods",
            volume(json!({"persistentVolumeClaim": {"claimName": "c"}})),
            no.clone(),
            "node \"n\" can not create pods that reference persistentvolumeclaims",
        ),
        (
            "create pods",
            refers(json!({"resourceClaims": [{"name": "c"}]})),
            no.clone(),
            "node \"n\" can not create pods that reference resourceclaims",
        ),
    ] {
        assert_eq!(said(asked(what, object.clone(), old)).await, words, "{what} {object}");
    }
}

#[tokio::test]
async fn a_node_says_of_itself_what_it_is_asked() {
    let node = |labels: Value| json!({"metadata": {"name": "n", "labels": labels}, "spec": {"taints": [{"key": "t"}]}});
    let bare = || node(json!({}));
    for (what, object, old, words) in [
        (
            "create nodes n",
            node(json!({"kubernetes.io/os": "linux", "mine": "x", "a.kubelet.kubernetes.io/b": "c"})),
            Value::Null,
            "",
        ),
        (
            "create nodes n",
            node(json!({"node-role.kubernetes.io/control-plane": "", "x.node-restriction.kubernetes.io/y": ""})),
            Value::Null,
            "node \"n\" is not allowed to set the following labels: node-role.kubernetes.io/control-plane, x.node-restriction.kubernetes.io/y",
        ),
        ("create nodes m", bare(), Value::Null, "node \"n\" is not allowed to modify node \"m\""),
        ("update nodes/status m", bare(), bare(), "node \"n\" is not allowed to modify node \"m\""),
        ("update nodes n", node(json!({"topology.kubernetes.io/zone": "z"})), bare(), ""),
        ("update nodes n", bare(), node(json!({"a.k8s.io/b": "c"})), "is not allowed to modify labels: a.k8s.io/b"),
        ("update nodes n", node(json!({"notkubernetes.io/b": "c"})), bare(), ""),
        ("update nodes n", json!({"spec": {"taints": []}}), bare(), "node \"n\" is not allowed to modify taints"),
        (
            "update nodes n",
            json!({"spec": {"taints": [{"key": "t"}], "configSource": {}}}),
            bare(),
            "node \"n\" is not allowed to update configSource to a new non-nil configSource",
        ),
        ("delete nodes n", Value::Null, bare(), ""),
        (
            "create leases.coordination.k8s.io",
            json!({"metadata": {"name": "n"}}),
            Value::Null,
            "can only access leases in the \"kube-node-lease\" system namespace",
        ),
        ("create csinodes.storage.k8s.io", json!({"metadata": {"name": "n"}}), Value::Null, ""),
        (
            "update csinodes.storage.k8s.io m",
            json!({}),
            json!({}),
            "can only access CSINode with the same name as the requesting node",
        ),
        ("create resourceslices.resource.k8s.io", json!({"spec": {"nodeName": "n"}}), Value::Null, ""),
        (
            "create resourceslices.resource.k8s.io",
            json!({"spec": {"nodeName": "m"}}),
            Value::Null,
            "can only create ResourceSlice with the same NodeName as the requesting node",
        ),
        (
            "delete resourceslices.resource.k8s.io s",
            Value::Null,
            json!({"spec": {}}),
            "can only delete ResourceSlice with the same NodeName as the requesting node",
        ),
        ("update persistentvolumeclaims c", json!({}), json!({}), "may only update PVC status"),
        (
            "update persistentvolumeclaims/status c",
            json!({"status": {"capacity": {"storage": "1"}}}),
            json!({"status": {}}),
            "",
        ),
        ("update configmaps c", json!({}), json!({}), ""),
    ] {
        assert_eq!(said(asked(what, object.clone(), old)).await, words, "{what} {object}");
    }
    let labels = json!({"metadata": {"labels": {"a": "b"}}, "status": {}});
    let words = said(asked("update persistentvolumeclaims/status c", labels, json!({"status": {}}))).await;
    assert!(words.starts_with("node \"n\" is not allowed to update fields other than status.quantity"), "{words}");
    let mut lease = asked("update leases.coordination.k8s.io n", json!({}), json!({}));
    lease.namespace = "kube-node-lease".into();
    assert_eq!(said(lease.clone()).await, "");
    lease.name = "m".into();
    assert_eq!(said(lease).await, "can only access node lease with the same name as the requesting node");
}

#[tokio::test]
async fn a_node_asks_for_tokens_of_its_pods_and_certificates_of_its_own() {
    let bound = |pod: &str, uid: &str, audiences: &[&str]| json!({"spec": {"audiences": audiences, "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}}});
    for (request, words) in [
        (bound("mine", "uid-of-mine", &["vault"]), ""),
        (bound("mine", "uid-of-mine", &["disk"]), ""),
        (
            bound("mine", "uid-of-mine", &["other"]),
            "audience \"other\" not found in pod spec volume, system:node:n is not authorized to request tokens for this audience",
        ),
        (bound("mine", "uid-of-mine", &["vault", "disk"]), "node may only request 0 or 1 audiences"),
        (
            bound("theirs", "uid-of-theirs", &["vault"]),
            "node requested token bound to a pod scheduled on a different node",
        ),
        (bound("mine", "", &[]), "node requested token with a pod binding without a uid"),
        (
            bound("mine", "x", &[]),
            "the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated",
        ),
        (bound("none", "x", &[]), "pod \"none\" not found"),
        (json!({"spec": {}}), "node requested token not bound to a pod"),
    ] {
        assert_eq!(
            said(asked("create serviceaccounts/token a", request.clone(), Value::Null)).await,
            words,
            "{request}"
        );
    }
    let csr = |signer: &str, name: &str| {
        use base64::Engine as _;
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let pem = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap();
        json!({"spec": {"signerName": signer, "request": base64::engine::general_purpose::STANDARD.encode(pem)}})
    };
    for (signer, name, words) in [
        ("kubernetes.io/kubelet-serving", "system:node:n", ""),
        ("kubernetes.io/kubelet-serving", "system:node:m", "can only create a node CSR with CN=system:node:n"),
        ("kubernetes.io/kube-apiserver-client-kubelet", "root", "can only create a node CSR with CN=system:node:n"),
        ("example.com/s", "root", ""),
    ] {
        let what = "create certificatesigningrequests.certificates.k8s.io";
        assert_eq!(said(asked(what, csr(signer, name), Value::Null)).await, words, "{signer} {name}");
    }
}

//! No shape of a pod stops the server: every value of a pod that uses every field is replaced by every other kind of value.

use apimachinery::user::UserInfo;
use serde_json::{Value, json};

use super::Pod;
use crate::context::Warnings;
use crate::strategy::{Scope, Strategy};
use crate::table::Table;

fn everything() -> Value {
    let handler = json!({"exec": {"command": ["a"]}, "httpGet": {"path": "/", "port": 1, "scheme": "HTTP", "httpHeaders": [{"name": "a", "value": "b"}]},
        "tcpSocket": {"port": "p"}, "grpc": {"port": 1}, "sleep": {"seconds": 1}});
    let mut probe = handler.clone();
    probe["terminationGracePeriodSeconds"] = json!(1);
    let selector =
        json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]});
    let profile = json!({"type": "Localhost", "localhostProfile": "x"});
    let windows =
        json!({"gmsaCredentialSpecName": "a", "gmsaCredentialSpec": "b", "runAsUserName": "c\\d", "hostProcess": true});
    let node_term = json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}], "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]});
    let pod_term = json!({"labelSelector": selector, "namespaceSelector": selector, "namespaces": ["n"], "topologyKey": "t", "matchLabelKeys": ["a"], "mismatchLabelKeys": ["b"]});
    let pods = json!({"requiredDuringSchedulingIgnoredDuringExecution": [pod_term], "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": pod_term}]});
    let amounts = json!({"cpu": "1", "memory": "1Gi", "hugepages-2Mi": "2Mi", "example.com/gpu": "1"});
    let resources = json!({"limits": amounts, "requests": amounts, "claims": [{"name": "c", "request": "r"}]});
    let container = json!({"name": "c", "image": "i", "env": [{"name": "A", "value": "v", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['a']"},
            "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu", "divisor": "1"}, "configMapKeyRef": {"name": "m", "key": "k"}, "secretKeyRef": {"name": "m", "key": "k"},
            "fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}, {"name": "A", "value": "$(A)"}],
        "envFrom": [{"prefix": "p", "configMapRef": {"name": "m"}, "secretRef": {"name": "s"}}],
        "ports": [{"name": "p", "containerPort": 1, "hostPort": 1, "hostIP": "10.0.0.1", "protocol": "TCP"}, {"containerPort": 1, "protocol": "TCP"}],
        "volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "b", "subPathExpr": "c", "mountPropagation": "None", "recursiveReadOnly": "Enabled"}],
        "volumeDevices": [{"name": "w", "devicePath": "/d"}], "resources": resources, "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
        "restartPolicy": "Always", "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}],
        "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe, "lifecycle": {"postStart": handler, "preStop": handler, "stopSignal": "SIGTERM"},
        "securityContext": {"privileged": true, "capabilities": {"add": ["CAP_SYS_ADMIN"]}, "allowPrivilegeEscalation": false, "procMount": "Unmasked", "runAsUser": 1,
            "seccompProfile": profile, "appArmorProfile": profile, "windowsOptions": windows}});
    let items = json!([{"key": "k", "path": "p", "mode": 1}]);
    let files = json!([{"path": "p", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}, "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}, "mode": 1}]);
    let mut volume = json!({"name": "v", "emptyDir": {"sizeLimit": "1"}, "hostPath": {"path": "/", "type": ""}, "gitRepo": {"repository": "r", "directory": "d"},
        "gcePersistentDisk": {"pdName": "d", "partition": 1}, "awsElasticBlockStore": {"volumeID": "d"}, "secret": {"secretName": "s", "items": items, "defaultMode": 1},
        "nfs": {"server": "s", "path": "/"}, "iscsi": {"targetPortal": "p", "iqn": "iqn.2001-04.com.example:x", "lun": 0, "initiatorName": "x", "chapAuthSession": true, "secretRef": {"name": "s"}},
        "glusterfs": {"endpoints": "e", "path": "p"}, "flocker": {"datasetName": "d"}, "persistentVolumeClaim": {"claimName": "c"}, "rbd": {"monitors": ["m"], "image": "i"},
        "cinder": {"volumeID": "i", "secretRef": {"name": "s"}}, "cephfs": {"monitors": ["m"]}, "quobyte": {"registry": "a:1", "volume": "v"}, "downwardAPI": {"items": files}});
    let more = json!({"fc": {"targetWWNs": ["a"], "wwids": ["b"], "lun": 1}, "flexVolume": {"driver": "d", "options": {"a": "b"}}, "configMap": {"name": "m", "items": items},
        "azureFile": {"secretName": "s", "shareName": "s"}, "vsphereVolume": {"volumePath": "p"}, "photonPersistentDisk": {"pdID": "p"}, "portworxVolume": {"volumeID": "v"},
        "azureDisk": {"diskName": "d", "diskURI": "u", "cachingMode": "None", "kind": "Managed"}, "storageos": {"volumeName": "v", "volumeNamespace": "n"},
        "projected": {"sources": [{"secret": {"name": "s", "items": items}, "configMap": {"name": "m", "items": items}, "downwardAPI": {"items": files},
            "serviceAccountToken": {"path": "p", "expirationSeconds": 600}, "clusterTrustBundle": {"path": "p"}, "podCertificate": {"keyType": "k"}}]},
        "scaleIO": {"gateway": "g", "system": "s", "volumeName": "v"}, "csi": {"driver": "d", "nodePublishSecretRef": {"name": "s"}}, "image": {"reference": "r"},
        "ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"accessModes": ["ReadWriteOnce"], "selector": selector, "resources": {"requests": {"storage": "1"}},
            "dataSource": {"kind": "K", "name": "n"}, "dataSourceRef": {"kind": "K", "name": "n", "namespace": "x"}}}}});
    volume.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}, "annotations": {"container.apparmor.security.beta.kubernetes.io/c": "runtime/default",
            "container.seccomp.security.alpha.kubernetes.io/c": "x", "seccomp.security.alpha.kubernetes.io/pod": "x", "controller.kubernetes.io/pod-deletion-cost": "1",
            "scheduler.alpha.kubernetes.io/tolerations": "[{}]"}},
        "spec": {"containers": [container], "initContainers": [container], "ephemeralContainers": [container], "volumes": [volume], "resources": resources,
            "resourceClaims": [{"name": "c", "resourceClaimName": "a"}], "nodeSelector": {"a": "b"}, "overhead": {"cpu": "1"}, "os": {"name": "linux"},
            "securityContext": {"fsGroup": 1, "supplementalGroups": [1], "sysctls": [{"name": "net.a", "value": "b"}], "seccompProfile": profile, "appArmorProfile": profile,
                "windowsOptions": windows, "seLinuxChangePolicy": "Recursive"},
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [node_term]},
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": node_term}]}, "podAffinity": pods, "podAntiAffinity": pods},
            "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"], "searches": ["a"], "options": [{"name": "o"}]}, "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
            "imagePullSecrets": [{"name": "s"}], "readinessGates": [{"conditionType": "a"}], "schedulingGates": [{"name": "g"}], "hostNetwork": true, "hostUsers": false,
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 1, "labelSelector": selector, "matchLabelKeys": ["a"]}],
            "tolerations": [{"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": 1}], "activeDeadlineSeconds": 1, "hostnameOverride": "h"},
        "status": {"phase": "Running", "qosClass": "Burstable", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "10.0.0.2", "hostIPs": [{"ip": "10.0.0.2"}, {"ip": "x"}],
            "conditions": [{"type": "Ready", "observedGeneration": 1}], "resourceClaimStatuses": [{"name": "c", "resourceClaimName": "r"}], "nominatedNodeName": "n",
            "extendedResourceClaimStatus": {"resourceClaimName": "r", "requestMappings": [{"containerName": "c", "resourceName": "r", "requestName": "q"}]},
            "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}, "user": {"linux": {"uid": 1, "gid": 1, "supplementalGroups": [1]}},
                "allocatedResourcesStatus": [{"name": "claim:c", "resources": [{"resourceID": "i", "health": "Healthy"}]}]}]}
    })
}

/// The places of all values, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                places(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn no_shape_of_a_pod_stops_the_server() {
    let table = Table::builtin();
    let row = table.rows().iter().find(|row| row.kind == "Pod").unwrap();
    let whole = everything();
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    assert!(found.len() > 400, "{}", found.len());
    let others =
        [json!(null), json!(""), json!("x"), json!(-1), json!(true), json!([]), json!({}), json!([null]), json!([{}])];
    let subresources = ["", "status", "ephemeralcontainers", "resize"];
    for (i, place) in found.iter().filter(|place| place.matches('/').count() > 1).enumerate() {
        // Two kinds of value a place: the others meet its neighbours.
        for other in [&others[i % others.len()], &others[(i + 4) % others.len()]] {
            let mut pod = whole.clone();
            *pod.pointer_mut(place).unwrap() = other.clone();
            // An update that is refused is compared line by line: a part of them will do.
            let subresource = subresources[i % subresources.len()];
            let (warnings, user) = (Warnings::new(), UserInfo::default());
            let scope = Scope {
                row,
                subresource: "",
                now: "",
                user: &user,
                allow_privileged: false,
                warnings: &warnings,
                old: None,
            };
            Pod.apply_defaults(&mut pod);
            Pod.prepare_create(&mut pod, &scope);
            Pod.validate(&pod, &scope);
            Pod.warnings(&pod, None, &scope);
            if i % 23 == 0 {
                let scope = Scope { subresource, ..scope };
                let mut new = whole.clone();
                Pod.prepare_update(&mut new, &pod, &scope);
                Pod.validate_update(&new, &pod, &scope);
                Pod.prepare_update(&mut pod, &whole, &scope);
                Pod.validate_update(&pod, &whole, &scope);
                Pod.warnings(&pod, Some(&whole), &scope);
            }
        }
    }
}

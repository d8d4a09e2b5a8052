//! What is allowed in a pod or template and still not as it should be.

use std::collections::{HashMap, HashSet};

use apimachinery::field::Path;
use apimachinery::quote::quoted;
use apimachinery::validation::{is_dns1123_label, is_valid_label_value, warning_for_ip};
use serde_json::Value;

use super::resources::amount;
use super::{affinity, every_container_at, profiles, projected};
use crate::validation::read::{annotation, entries, list, map, number, optional_number, present, text, texts};

/// Labels of nodes that have new names: the old one, since when, and the new one.
const OLD_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
];

/// What upstream says of a label of nodes that has a new name.
pub(crate) fn for_node_label(label: &str) -> Option<String> {
    let (_, since, new) = OLD_LABELS.iter().find(|(old, ..)| *old == label)?;
    Some(format!("deprecated since {since}; use \"{new}\" instead"))
}

/// Annotations that mean nothing any more, and what does instead.
const OLD_ANNOTATIONS: [(&str, &str, &str); 3] = [
    ("scheduler.alpha.kubernetes.io/critical-pod", "v1.16", "priorityClassName"),
    ("security.alpha.kubernetes.io/sysctls", "v1.11", "sysctls"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "v1.11", "sysctls"),
];

/// Volumes that do nothing any more, in upstream's order: the field, upstream's name for it, and what it says.
const OLD_VOLUMES: [(&str, &str, &str); 9] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// Warnings about a pod to be created.
pub(crate) fn for_new_pod(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let messages = is_dns1123_label(text(&pod["metadata"], "name"));
    if !messages.is_empty() {
        found.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is \
             recommended: [{}]",
            messages.join(" ")
        ));
    }
    append(pod, &Path::default(), false, &mut found);
    found
}

/// Warnings about a template at a path.
pub(crate) fn for_template(template: &Value, at: &Path) -> Vec<String> {
    let mut found = Vec::new();
    append(template, at, true, &mut found);
    found
}

fn append(pod: &Value, at: &Path, is_template: bool, found: &mut Vec<String>) {
    let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
    let spec_at = at.child("spec");
    let annotations_at = at.child("metadata").child("annotations");
    old_labels(spec, &spec_at, found);
    for (key, since, instead) in OLD_ANNOTATIONS {
        if annotation(metadata, key).is_some() {
            let at = annotations_at.key(key);
            found.push(format!("{at}: non-functional in {since}+; use the \"{instead}\" field instead"));
        }
    }
    volumes(list(spec, "volumes"), &spec_at.child("volumes"), found);
    projected::warn_of_overlaps(list(spec, "volumes"), found);
    repeated(list(spec, "hostAliases"), "ip", &spec_at.child("hostAliases"), found);
    let secrets_at = spec_at.child("imagePullSecrets");
    repeated(list(spec, "imagePullSecrets"), "name", &secrets_at, found);
    for (i, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        if text(secret, "name").is_empty() {
            found.push(format!("{}: invalid empty name \"\"", secrets_at.index(i).child("name")));
        }
    }
    for name in ["memory", "ephemeral-storage"] {
        fraction(spec, "overhead", name, &|| spec_at.child("overhead").key(name), found);
    }
    let of_pod = &spec["securityContext"];
    if present(of_pod, "seccompProfile").is_none() && annotation(metadata, profiles::SECCOMP_POD).is_some() {
        seccomp(&annotations_at.key(profiles::SECCOMP_POD), found);
    }
    let has_app_armor = present(of_pod, "appArmorProfile").is_some();
    for (at, container) in every_container_at(spec, &spec_at) {
        let context = &container["securityContext"];
        if map(metadata, "annotations").is_some() {
            let key = format!("{}{}", profiles::SECCOMP_CONTAINER, text(container, "name"));
            if present(context, "seccompProfile").is_none() && annotation(metadata, &key).is_some() {
                seccomp(&annotations_at.key(&key), found);
            }
            let key = format!("{}{}", profiles::APP_ARMOR, text(container, "name"));
            let has_field = has_app_armor || present(context, "appArmorProfile").is_some();
            // In a pod the annotation has become a field by now, and its warning was given.
            if is_template && !has_field && annotation(metadata, &key).is_some() {
                let at = annotations_at.key(&key);
                found.push(format!("{at}: deprecated since v1.30; use the \"appArmorProfile\" field instead"));
            }
        }
        for name in ["memory", "ephemeral-storage"] {
            for of in ["limits", "requests"] {
                let at = || at.child("resources").child(of).key(name);
                fraction(&container["resources"], of, name, &at, found);
            }
        }
        variables(list(container, "env"), &at.child("env"), found);
    }
    ports(spec, &spec_at, found);
    if optional_number(spec, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let at = spec_at.child("terminationGracePeriodSeconds");
        found.push(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    null_selectors(spec, &spec_at.child("affinity"), found);
    addresses(spec, &spec_at, found);
}

fn old_labels(spec: &Value, at: &Path, found: &mut Vec<String>) {
    for (key, _) in entries(spec, "nodeSelector") {
        if let Some(words) = for_node_label(key) {
            found.push(format!("{}: {words}", at.child("nodeSelector").key(key)));
        }
    }
    let nodes = &spec["affinity"]["nodeAffinity"];
    let nodes_at = || at.child("affinity").child("nodeAffinity");
    let required = list(&nodes[affinity::REQUIRED], "nodeSelectorTerms");
    for (i, term) in required.iter().enumerate() {
        let at = nodes_at().child(affinity::REQUIRED).child("nodeSelectorTerms").index(i);
        for_node_term(term, false, &at, found);
    }
    for (i, term) in list(nodes, affinity::PREFERRED).iter().enumerate() {
        let at = nodes_at().child(affinity::PREFERRED).index(i).child("preference");
        for_node_term(&term["preference"], true, &at, found);
    }
    for (i, constraint) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let at = at.child("topologySpreadConstraints").index(i);
        let key = text(constraint, "topologyKey");
        if let Some(words) = for_node_label(key) {
            found.push(format!("{}: {key} is {words}", at.child("topologyKey")));
        }
        if present(constraint, "labelSelector").is_none() {
            found.push(matches_nothing(&at.child("labelSelector")));
        }
    }
}

/// Warnings about one term of a selector of nodes; values are looked at where no rule refuses them.
pub(crate) fn for_node_term(term: &Value, checks_values: bool, at: &Path, found: &mut Vec<String>) {
    for (i, expression) in list(term, "matchExpressions").iter().enumerate() {
        let at = at.child("matchExpressions").index(i);
        let key = text(expression, "key");
        if let Some(words) = for_node_label(key) {
            found.push(format!("{}: {key} is {words}", at.child("key")));
        }
        if !checks_values {
            continue;
        }
        for (j, value) in texts(expression, "values").enumerate() {
            for words in is_valid_label_value(value) {
                found.push(format!("{}: {value} is invalid, {words}", at.child("values").index(j)));
            }
        }
    }
}

fn volumes(volumes: &[Value], at: &Path, found: &mut Vec<String>) {
    for (i, volume) in volumes.iter().enumerate() {
        for (field, shown, words) in OLD_VOLUMES {
            // Upstream looks at the claim between these two.
            if field == "cephfs" {
                claim(volume, &at.index(i), found);
            }
            if present(volume, field).is_some() {
                found.push(format!("{}: {words}", at.index(i).child(shown)));
            }
        }
    }
}

fn claim(volume: &Value, at: &Path, found: &mut Vec<String>) {
    let Some(template) = volume.get("ephemeral").and_then(|source| present(source, "volumeClaimTemplate")) else {
        return;
    };
    let at = at.child("ephemeral").child("volumeClaimTemplate").child("spec");
    for_claim_spec(&template["spec"], &at, found);
}

/// Warnings about the spec of a claim.
pub(crate) fn for_claim_spec(spec: &Value, at: &Path, found: &mut Vec<String>) {
    for of in ["requests", "limits"] {
        fraction(&spec["resources"], of, "storage", &|| at.child("resources").child(of).key("storage"), found);
    }
}

/// An amount that is no whole number of bytes.
fn fraction(of: &Value, list: &str, name: &str, at: &dyn Fn() -> Path, found: &mut Vec<String>) {
    if let Some(amount) = amount(of, list, name).filter(|amount| amount.milli_value() % 1000 != 0) {
        let shown = quoted(&amount.to_string());
        found.push(format!("{}: fractional byte value {shown} is invalid, must be an integer", at()));
    }
}

fn repeated(items: &[Value], field: &str, at: &Path, found: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for (i, item) in items.iter().enumerate() {
        let value = text(item, field);
        if !seen.insert(value) {
            found.push(format!("{}: duplicate {field} {}", at.index(i).child(field), quoted(value)));
        }
    }
}

fn seccomp(at: &Path, found: &mut Vec<String>) {
    found.push(format!("{at}: non-functional in v1.27+; use the \"seccompProfile\" field instead"));
}

/// A variable that is set twice and does not build on what it was.
fn variables(variables: &[Value], at: &Path, found: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for (i, variable) in variables.iter().enumerate() {
        let (name, value) = (text(variable, "name"), text(variable, "value"));
        if seen.insert(name) {
            continue;
        }
        let before = format!("$({name})");
        if present(variable, "valueFrom").is_some() || value == before || !value.contains(&before) {
            let (at, name) = (at.index(i), quoted(name));
            found.push(format!("{at}: hides previous definition of {name}, which may be dropped when using apply"));
        }
    }
}

/// Ports that other containers have too.
fn ports(spec: &Value, at: &Path, found: &mut Vec<String>) {
    let mut all: HashMap<(i64, &str), Vec<(Path, &Value)>> = HashMap::new();
    for (at, container) in every_container_at(spec, at) {
        for (i, port) in list(container, "ports").iter().enumerate() {
            let at = at.child("ports").index(i);
            let (host_ip, host_port) = (text(port, "hostIP"), number(port, "hostPort"));
            let (own, protocol) = (number(port, "containerPort"), text(port, "protocol"));
            if !host_ip.is_empty() && host_port == 0 {
                found.push(format!(
                    "{at}: hostIP set without hostPort: {{Name:{} HostPort:{host_port} ContainerPort:{own} \
                     Protocol:{protocol} HostIP:{host_ip}}}",
                    text(port, "name")
                ));
            }
            let others = all.entry((own, protocol)).or_default();
            for (other_at, other) in &*others {
                let (other_ip, other_port) = (text(other, "hostIP"), number(other, "hostPort"));
                let how = if host_ip == other_ip && host_port == other_port {
                    "duplicate"
                } else if host_port == 0 || other_port == 0 {
                    "overlapping"
                } else if host_port == other_port && host_ip.is_empty() != other_ip.is_empty() {
                    "dangerously ambiguous"
                } else {
                    continue;
                };
                found.push(format!("{at}: {how} port definition with {other_at}"));
            }
            others.push((at, port));
        }
    }
}

fn null_selectors(spec: &Value, at: &Path, found: &mut Vec<String>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let pods = &spec["affinity"][kind];
        for (i, term) in list(pods, affinity::REQUIRED).iter().enumerate() {
            if present(term, "labelSelector").is_none() {
                let at = at.child(kind).child(affinity::REQUIRED).index(i);
                found.push(matches_nothing(&at.child("labelSelector")));
            }
        }
        for (i, term) in list(pods, affinity::PREFERRED).iter().enumerate() {
            if present(&term["podAffinityTerm"], "labelSelector").is_none() {
                let at = at.child(kind).child(affinity::PREFERRED).index(i).child("podAffinityTerm");
                found.push(matches_nothing(&at.child("labelSelector")));
            }
        }
    }
}

fn matches_nothing(at: &Path) -> String {
    format!("{at}: a null labelSelector results in matching no pod")
}

fn addresses(spec: &Value, at: &Path, found: &mut Vec<String>) {
    for (i, server) in texts(&spec["dnsConfig"], "nameservers").enumerate() {
        found.extend(warning_for_ip(&at.child("dnsConfig").child("nameservers").index(i), server));
    }
    for (i, alias) in list(spec, "hostAliases").iter().enumerate() {
        found.extend(warning_for_ip(&at.child("hostAliases").index(i).child("ip"), text(alias, "ip")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_odd_is_said_in_upstreams_words() {
        for (spec, expected) in [
            (
                json!({"nodeSelector": {"beta.kubernetes.io/os": "linux"}}),
                "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
            ),
            (
                json!({"volumes": [{"name": "v", "gitRepo": {}}]}),
                "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
            ),
            (
                json!({"hostAliases": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}]}),
                "spec.hostAliases[1].ip: duplicate ip \"10.0.0.1\"",
            ),
            (
                json!({"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}, {"name": "A", "value": "3"}]}]}),
                "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using apply",
            ),
            (
                json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP", "hostPort": 8}]}]}),
                "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
            ),
            (
                json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP", "hostIP": "10.0.0.1"}]}]}),
                "spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}",
            ),
            (
                json!({"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "m", "items": [{"key": "k", "path": "a"}]}}, {"serviceAccountToken": {"path": "a/b"}}]}}]}),
                "volume \"v\" (Projected): overlapping paths: \"a/b\" (ServiceAccountToken) with \"a\" (ConfigMap \"m\")",
            ),
            (
                json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "z"}]}}}),
                "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod",
            ),
        ] {
            assert_eq!(for_new_pod(&json!({"metadata": {"name": "p"}, "spec": spec})), [expected], "{spec}");
        }
    }
}

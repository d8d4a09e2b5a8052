//! What belongs to which node: objects by the pods that use them, volumes by the claims they are bound to.
//!
//! A pod that runs on a node makes what it refers to readable there. Counts instead of edges: a question is one or two
//! look-ups, whatever the number of pods.

use std::collections::{BTreeSet, HashMap};

use apimachinery::ObjectExt as _;
use serde_json::Value;

/// What the graph knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of a namespace.
    ConfigMap,
    /// Of a namespace.
    Secret,
    /// Of a namespace.
    ServiceAccount,
    /// Of a namespace.
    PersistentVolumeClaim,
    /// Of a namespace.
    ResourceClaim,
    /// Of a namespace.
    Pod,
    /// Cluster-wide.
    PersistentVolume,
    /// Cluster-wide.
    VolumeAttachment,
    /// Cluster-wide.
    ResourceSlice,
}

/// Kind, namespace, name.
pub(super) type Key = (Kind, Box<str>, Box<str>);

fn key(kind: Kind, namespace: &str, name: &str) -> Key {
    (kind, namespace.into(), name.into())
}

/// A volume that is bound.
#[derive(Debug)]
struct Volume {
    claim: Key,
    secrets: Vec<Key>,
}

/// Who uses what.
#[derive(Debug, Default)]
pub struct Graph {
    /// By object: the nodes where it is used, and how often.
    pub(super) nodes: HashMap<Key, HashMap<Box<str>, u32>>,
    /// What an object's entry in `nodes` came from: pods, attachments, slices.
    pub(super) users: HashMap<Key, (Box<str>, Vec<Key>)>,
    volumes: HashMap<Box<str>, Volume>,
    /// The volumes that use a secret.
    pub(super) secrets_of_volumes: HashMap<Key, BTreeSet<Box<str>>>,
}

impl Graph {
    /// Whether the object is used on `node`.
    pub fn is_used(&self, node: &str, kind: Kind, namespace: &str, name: &str) -> bool {
        let asked = key(kind, namespace, name);
        if kind == Kind::PersistentVolume {
            return self.volume_is_used(node, name);
        }
        self.nodes.get(&asked).is_some_and(|nodes| nodes.contains_key(node))
            || self
                .secrets_of_volumes
                .get(&asked)
                .is_some_and(|volumes| volumes.iter().any(|volume| self.volume_is_used(node, volume)))
    }

    fn volume_is_used(&self, node: &str, name: &str) -> bool {
        let claim = self.volumes.get(name).map(|volume| &volume.claim);
        claim.and_then(|claim| self.nodes.get(claim)).is_some_and(|nodes| nodes.contains_key(node))
    }

    /// Takes in an object that says something about nodes: a pod, a volume, an attachment or a slice. It replaces what its
    /// predecessor said.
    pub fn put(&mut self, kind: Kind, object: &Value) {
        self.remove(kind, object.namespace(), object.name());
        let at = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let own = key(kind, object.namespace(), object.name());
        match kind {
            Kind::Pod => {
                if let Some(node) = at("/spec/nodeName") {
                    let mut used = uses_of_pod(object);
                    used.push(own.clone());
                    self.link(own, node, used);
                }
            }
            Kind::VolumeAttachment | Kind::ResourceSlice => {
                if let Some(node) = at("/spec/nodeName") {
                    self.link(own.clone(), node, vec![own]);
                }
            }
            Kind::PersistentVolume => {
                let claim = object.pointer("/spec/claimRef").filter(|claim| claim.is_object());
                if let Some(claim) = claim {
                    let (namespace, name) = (text(claim, "namespace"), text(claim, "name"));
                    let secrets = secrets_of_volume(object, namespace);
                    for secret in &secrets {
                        self.secrets_of_volumes.entry(secret.clone()).or_default().insert(own.2.clone());
                    }
                    let claim = key(Kind::PersistentVolumeClaim, namespace, name);
                    self.volumes.insert(own.2, Volume { claim, secrets });
                }
            }
            _ => {}
        }
    }

    /// Forgets an object that said something about nodes.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        if kind == Kind::PersistentVolume {
            let Some(volume) = self.volumes.remove(name) else { return };
            for secret in volume.secrets {
                if let Some(volumes) = self.secrets_of_volumes.get_mut(&secret) {
                    volumes.remove(name);
                    if volumes.is_empty() {
                        self.secrets_of_volumes.remove(&secret);
                    }
                }
            }
            return;
        }
        let Some((node, used)) = self.users.remove(&key(kind, namespace, name)) else { return };
        for object in used {
            let Some(nodes) = self.nodes.get_mut(&object) else { continue };
            if let Some(count) = nodes.get_mut(&node) {
                *count -= 1;
                if *count == 0 {
                    nodes.remove(&node);
                }
            }
            if nodes.is_empty() {
                self.nodes.remove(&object);
            }
        }
    }

    /// Forgets all objects of a kind that say something about nodes.
    pub fn clear(&mut self, kind: Kind) {
        let of_kind: Vec<Key> = match kind {
            Kind::PersistentVolume => self.volumes.keys().map(|name| key(kind, "", name)).collect(),
            kind => self.users.keys().filter(|user| user.0 == kind).cloned().collect(),
        };
        for (kind, namespace, name) in of_kind {
            self.remove(kind, &namespace, &name);
        }
    }

    fn link(&mut self, user: Key, node: &str, used: Vec<Key>) {
        for object in &used {
            *self.nodes.entry(object.clone()).or_default().entry(node.into()).or_default() += 1;
        }
        self.users.insert(user, (node.into(), used));
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a pod on a node lets that node read.
fn uses_of_pod(pod: &Value) -> Vec<Key> {
    // Nodes make mirror pods themselves: they get nothing by them.
    if pod.annotation(super::MIRROR).is_some() { Vec::new() } else { references_of_pod(pod) }
}

/// What a pod refers to in its namespace.
pub(super) fn references_of_pod(pod: &Value) -> Vec<Key> {
    let (namespace, mut used) = (pod.namespace(), Vec::new());
    let mut uses = |kind: Kind, name: &str| {
        if !name.is_empty() {
            used.push(key(kind, namespace, name));
        }
    };
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    uses(Kind::ServiceAccount, text(spec, "serviceAccountName"));
    list(spec, "imagePullSecrets").iter().for_each(|secret| uses(Kind::Secret, text(secret, "name")));
    for containers in ["initContainers", "containers", "ephemeralContainers"] {
        for container in list(spec, containers) {
            for from in list(container, "envFrom") {
                uses(Kind::Secret, text(&from["secretRef"], "name"));
                uses(Kind::ConfigMap, text(&from["configMapRef"], "name"));
            }
            for from in list(container, "env").iter().map(|variable| &variable["valueFrom"]) {
                uses(Kind::Secret, text(&from["secretKeyRef"], "name"));
                uses(Kind::ConfigMap, text(&from["configMapKeyRef"], "name"));
            }
        }
    }
    for volume in list(spec, "volumes") {
        uses(Kind::Secret, text(&volume["secret"], "secretName"));
        uses(Kind::ConfigMap, text(&volume["configMap"], "name"));
        for source in list(&volume["projected"], "sources") {
            uses(Kind::Secret, text(&source["secret"], "name"));
            uses(Kind::ConfigMap, text(&source["configMap"], "name"));
        }
        uses(Kind::Secret, text(&volume["azureFile"], "secretName"));
        uses(Kind::Secret, text(&volume["csi"]["nodePublishSecretRef"], "name"));
        for source in SECRET_SOURCES {
            uses(Kind::Secret, text(&volume[source]["secretRef"], "name"));
        }
        uses(Kind::PersistentVolumeClaim, text(&volume["persistentVolumeClaim"], "claimName"));
        if volume["ephemeral"].is_object() {
            uses(Kind::PersistentVolumeClaim, &format!("{}-{}", pod.name(), text(volume, "name")));
        }
    }
    let status = pod.get("status").unwrap_or(&Value::Null);
    for claim in list(spec, "resourceClaims") {
        uses(Kind::ResourceClaim, text(claim, "resourceClaimName"));
        let made = list(status, "resourceClaimStatuses").iter().find(|made| made["name"] == claim["name"]);
        if let (Some(made), false) = (made, text(claim, "resourceClaimTemplateName").is_empty()) {
            uses(Kind::ResourceClaim, text(made, "resourceClaimName"));
        }
    }
    uses(Kind::ResourceClaim, text(&status["extendedResourceClaimStatus"], "resourceClaimName"));
    used
}

/// Volume sources with a `secretRef`.
const SECRET_SOURCES: [&str; 7] = ["cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"];

/// The secrets that a node needs for a volume of a claim in `namespace`.
fn secrets_of_volume(volume: &Value, namespace: &str) -> Vec<Key> {
    let mut secrets = Vec::new();
    let mut uses = |reference: &Value, name: &str, field: &str| {
        if !name.is_empty() {
            let own = text(reference, field);
            secrets.push(key(Kind::Secret, if own.is_empty() { namespace } else { own }, name));
        }
    };
    let spec = &volume["spec"];
    uses(&spec["azureFile"], text(&spec["azureFile"], "secretName"), "secretNamespace");
    for source in SECRET_SOURCES {
        let reference = &spec[source]["secretRef"];
        uses(reference, text(reference, "name"), "namespace");
    }
    for field in ["nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"] {
        let reference = &spec["csi"][field];
        uses(reference, text(reference, "name"), "namespace");
    }
    secrets
}

//! `App`: an image that runs as a number of replicas, placed on nodes by the scheduler.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a name, a type and a path")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, CustomResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::quantity;

/// The label on every Pod of an App; its value is the App's name, and it is the App's selector.
pub const LABEL: &str = "coxswain.dev/app";

/// The label on every Pod of an App that names the template the Pod was made from.
pub const TEMPLATE_HASH_LABEL: &str = "coxswain.dev/template-hash";

/// AppSpec is what the user wants to run.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "coxswain.dev",
    version = "v1",
    kind = "App",
    plural = "apps",
    singular = "app",
    namespaced,
    status = "AppStatus",
    shortname = "ap",
    category = "all",
    derive = "PartialEq",
    doc = "App is an image that runs as a number of replicas on the nodes that the scheduler chose.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Number of replicas the user asked for"
    ),
    printcolumn(
        name = "Current",
        type_ = "integer",
        json_path = ".status.replicas",
        description = "Number of Pods that exist"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Number of Pods that are ready"
    ),
    printcolumn(
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Available\")].status",
        description = "Whether every replica is ready"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".spec.policy",
        priority = 1,
        description = "How replicas are placed on nodes"
    ),
    printcolumn(
        name = "Nodes",
        type_ = "string",
        json_path = ".status.nodes",
        priority = 1,
        description = "Nodes that hold the replicas"
    ),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct AppSpec {
    /// Number of replicas to run.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub replicas: i32,

    /// Container image, e.g. `nginx:1.29`.
    #[schemars(length(min = 1))]
    pub image: String,

    /// Entrypoint of the container; the image's own when empty. Not run in a shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "atomic_strings")]
    pub command: Vec<String>,

    /// Arguments to the entrypoint; the image's own when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "atomic_strings")]
    pub args: Vec<String>,

    /// Environment variables of the container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "env_list")]
    pub env: Vec<EnvVar>,

    /// Ports that the container listens on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "port_list")]
    pub ports: Vec<Port>,

    /// Resources that one replica is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Labels a node must have to hold a replica.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints of nodes that a replica puts up with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "toleration_list")]
    pub tolerations: Vec<Toleration>,

    /// How replicas are placed: over as many nodes as possible, or on as few.
    #[serde(default)]
    #[schemars(extend("default" = "Spread"))]
    pub policy: Policy,

    /// Names of Apps in the same namespace that must be Available before the first replica of this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "name_set")]
    pub depends_on: Vec<String>,

    /// While true, Pods are neither created, replaced nor deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

impl AppSpec {
    /// What one replica reserves on its node, by resource name.
    pub fn requests(&self) -> BTreeMap<String, Quantity> {
        let resources = self.resources.as_ref();
        [("cpu", resources.and_then(|of| of.cpu.as_ref())), ("memory", resources.and_then(|of| of.memory.as_ref()))]
            .into_iter()
            .filter_map(|(name, quantity)| Some((name.to_owned(), quantity?.clone())))
            .collect()
    }
}

impl App {
    /// The conditions, empty before the first is set.
    pub fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map_or(&[], |status| &status.conditions)
    }

    /// Where the scheduler placed the replicas, empty before it did.
    pub fn placements(&self) -> &[Placement] {
        self.status.as_ref().map_or(&[], |status| &status.placements)
    }
}

/// How replicas are placed on nodes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Over as many nodes as possible.
    #[default]
    Spread,
    /// On as few nodes as possible.
    BinPack,
}

/// An environment variable.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Value of the variable; empty when unset.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// A port that the container listens on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Name of the port, unique among the App's ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub name: Option<String>,
    /// Port number.
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: i32,
    /// Protocol of the port.
    #[serde(default)]
    #[schemars(extend("default" = "TCP"))]
    pub protocol: Protocol,
}

/// Transport protocol of a port.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Transmission Control Protocol.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// User Datagram Protocol.
    #[serde(rename = "UDP")]
    Udp,
    /// Stream Control Transmission Protocol.
    #[serde(rename = "SCTP")]
    Sctp,
}

/// Resources that one replica is given: reserved on its node, and its limit there.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Processor time, in cores: `500m` is half a core.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "quantity::number_or_string")]
    #[schemars(schema_with = "quantity_schema")]
    pub cpu: Option<Quantity>,
    /// Memory, in bytes: `128Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "quantity::number_or_string")]
    #[schemars(schema_with = "quantity_schema")]
    pub memory: Option<Quantity>,
}

/// AppStatus is what the operators see; it is written through /status alone.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AppStatus {
    /// The generation of the App that `replicas` and the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of Pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Number of Pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ready_replicas: Option<i32>,
    /// Label selector of the App's Pods, in string form, as the scale subresource serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Names of the nodes in `placements`, as they are printed: a printer column shows one value only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
    /// Where the scheduler placed the replicas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "placement_list")]
    pub placements: Vec<Placement>,
    /// What the operators found: AdmissionApproved, Scheduled, Progressing, Available.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
}

/// Replicas that one node holds.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Name of the node.
    #[schemars(length(min = 1))]
    pub node: String,
    /// Number of replicas on it.
    #[schemars(range(min = 1))]
    pub replicas: i32,
}

/// Names of the nodes in placements, as they are printed.
pub fn node_names(placements: &[Placement]) -> String {
    placements.iter().map(|placement| placement.node.as_str()).collect::<Vec<_>>().join(",")
}

fn one() -> i32 {
    1
}

fn quantity_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        "x-kubernetes-int-or-string": true,
    })
}

fn atomic_strings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"})
}

fn name_set(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 63},
        "x-kubernetes-list-type": "set",
    })
}

/// A list whose items are told apart by `keys`.
fn list_map<T: JsonSchema>(generator: &mut SchemaGenerator, keys: &[&str]) -> Schema {
    json_schema!({
        "type": "array",
        "items": generator.subschema_for::<T>(),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
    })
}

fn env_list(generator: &mut SchemaGenerator) -> Schema {
    list_map::<EnvVar>(generator, &["name"])
}

fn port_list(generator: &mut SchemaGenerator) -> Schema {
    list_map::<Port>(generator, &["containerPort", "protocol"])
}

fn placement_list(generator: &mut SchemaGenerator) -> Schema {
    list_map::<Placement>(generator, &["node"])
}

fn toleration_list(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": generator.subschema_for::<TolerationSchema>(),
        "x-kubernetes-list-type": "atomic",
    })
}

fn condition_list(generator: &mut SchemaGenerator) -> Schema {
    list_map::<ConditionSchema>(generator, &["type"])
}

/// The schema of `core/v1` Toleration, with the values it allows.
struct TolerationSchema;

impl JsonSchema for TolerationSchema {
    fn schema_name() -> Cow<'static, str> {
        "Toleration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A taint of nodes that a replica puts up with.",
            "properties": {
                "key": {"type": "string", "description": "Taint key that the toleration applies to; empty means all keys."},
                "operator": {
                    "type": "string", "enum": ["Exists", "Equal"],
                    "description": "Relationship of the key to the value; Equal when unset.",
                },
                "value": {"type": "string", "description": "Taint value that the toleration matches."},
                "effect": {
                    "type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                    "description": "Taint effect to match; unset means all effects.",
                },
                "tolerationSeconds": {
                    "type": "integer", "format": "int64",
                    "description": "How long a NoExecute taint is tolerated; unset means forever.",
                },
            },
        })
    }
}

/// The schema of `meta/v1` Condition, with the limits upstream's types give it.
struct ConditionSchema;

impl JsonSchema for ConditionSchema {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "One aspect of the App's present state.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316,
                    "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "Type of the condition, in CamelCase.",
                },
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Status of the condition."},
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The generation of the App that the condition was set upon.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When the status last changed.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why the status last changed, as one CamelCase word.",
                },
                "message": {"type": "string", "maxLength": 32768, "description": "The same for a person."},
            },
        })
    }
}

/// The CustomResourceDefinition of App.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = App::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            forbid_null(schema);
        }
    }
    definition
}

/// An optional field is left out, not null: the types here write none, and a null would only hide a mistake.
fn forbid_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(forbid_null);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        forbid_null(items);
    }
}

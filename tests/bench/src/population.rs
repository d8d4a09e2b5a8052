//! What is put into a server: definitions that others published, under many groups, or invented ones in their style; and an
//! instance of each.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Groups of invented definitions have this many each, about as published ones do.
const GROUP_SIZE: usize = 20;
/// About how much each section adds to an invented schema.
const SECTION: usize = 3600;

/// One definition of many.
pub struct Definition {
    /// As it is sent.
    pub body: Bytes,
    pub name: String,
    group: String,
    version: String,
    plural: String,
    kind: String,
    namespaced: bool,
    /// The instances' `spec` and whatever else they need.
    instance: Value,
}

impl Definition {
    fn new(crd: &Value, instance: Value) -> Self {
        let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let stored = array(crd, "/spec/versions").iter().find(|version| version["storage"] == true);
        Self {
            body: crd.to_string().into(),
            name: text("/metadata/name"),
            group: text("/spec/group"),
            version: stored.and_then(|version| version["name"].as_str()).unwrap_or("v1").to_owned(),
            plural: text("/spec/names/plural"),
            kind: text("/spec/names/kind"),
            namespaced: text("/spec/scope") == "Namespaced",
            instance,
        }
    }

    /// The path of its version: `apis/example.com/v1`.
    pub fn version_path(&self) -> String {
        format!("apis/{}/{}", self.group, self.version)
    }

    /// Where all of its instances are listed.
    pub fn all(&self) -> String {
        format!("/{}/{}", self.version_path(), self.plural)
    }

    /// Where its instances are created.
    pub fn collection(&self) -> String {
        match self.namespaced {
            true => format!("/{}/namespaces/default/{}", self.version_path(), self.plural),
            false => self.all(),
        }
    }

    /// An instance of it.
    pub fn instance(&self, number: usize) -> Bytes {
        let mut instance = self.instance.clone();
        instance["apiVersion"] = format!("{}/{}", self.group, self.version).into();
        instance["kind"] = self.kind.as_str().into();
        instance["metadata"] =
            json!({"name": format!("instance-{number:04}"), "labels": {"app.kubernetes.io/name": "bench"}});
        instance.to_string().into()
    }
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `count` definitions: each of those in `folder` (see `tests/tools/definitions.py`) again and again under other groups.
pub fn published(folder: &Path, count: usize) -> Vec<Definition> {
    let mut all = Vec::new();
    for package in std::fs::read_dir(folder).expect("the folder of published definitions").flatten() {
        let files = std::fs::read_dir(package.path().join("definitions")).into_iter().flatten().flatten();
        for file in files {
            let text = std::fs::read_to_string(file.path()).expect("a file");
            let documents =
                text.split("\n---\n").filter(|document| document.contains("kind: CustomResourceDefinition"));
            all.extend(documents.map(|document| serde_saphyr::from_str::<Value>(document).expect("YAML")));
        }
    }
    // Its schemas are not structural, and it is refused.
    all.retain(|crd| crd["metadata"]["name"] != "clusterworkflowtemplates.argoproj.io");
    all.sort_by_cached_key(|crd| crd["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    all.dedup_by(|a, b| a["metadata"]["name"] == b["metadata"]["name"]);
    assert!(!all.is_empty(), "no definitions below {}", folder.display());
    all.iter().cycle().take(count).enumerate().map(|(at, crd)| variant(crd, at / all.len())).collect()
}

/// A definition under another group.
fn variant(crd: &Value, number: usize) -> Definition {
    let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (plural, group) = (text("/spec/names/plural"), format!("variant-{number:02}.{}", text("/spec/group")));
    let mut crd = crd.clone();
    if let Some(top) = crd.as_object_mut() {
        top.remove("status");
    }
    let annotations = json!({"api-approved.kubernetes.io": "unapproved, a load test"});
    crd["metadata"] = json!({"name": format!("{plural}.{group}"), "annotations": annotations});
    crd["spec"]["group"] = group.into();
    crd["spec"]["conversion"] = json!({"strategy": "None"});
    let stored = array(&crd, "/spec/versions").iter().find(|version| version["storage"] == true);
    let schema = stored.map_or(&Value::Null, |version| &version["schema"]["openAPIV3Schema"]);
    let mut instance = least(schema);
    if !instance.is_object() {
        instance = json!({});
    }
    Definition::new(&crd, instance)
}

/// The least that a schema asks for, as far as structure tells.
fn least(schema: &Value) -> Value {
    let number = |keyword: &str| schema[keyword].as_u64();
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return json!(1);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = array(schema, "/required").iter().filter_map(Value::as_str);
            let fields = required.filter(|name| !matches!(*name, "apiVersion" | "kind" | "metadata"));
            fields.map(|name| (name.to_owned(), least(&schema["properties"][name]))).collect::<Map<_, _>>().into()
        }
        Some("array") => vec![least(&schema["items"]); number("minItems").unwrap_or(0) as usize].into(),
        Some("integer" | "number") => number("minimum").unwrap_or(1).into(),
        Some("boolean") => false.into(),
        _ => "a".repeat(number("minLength").unwrap_or(1).max(1) as usize).into(),
    }
}

/// `count` invented definitions, all of about `size` bytes, or as mixed as published ones.
pub fn invented(count: usize, size: Option<usize>) -> Vec<Definition> {
    // Most published schemas are moderate, some small, few large.
    let mixed = |at: usize| match at % 10 {
        0..=3 => 1,
        4..=7 => 7,
        _ => 14,
    };
    (0..count).map(|at| invent(at, size.map_or_else(|| mixed(at), |size| (size / SECTION).max(1)))).collect()
}

/// Every tenth serves an older version beside the stored one.
fn invent(at: usize, sections: usize) -> Definition {
    let (group, plural, kind) =
        (format!("group-{:02}.bench.example.com", at / GROUP_SIZE), format!("kind{at:04}s"), format!("Kind{at:04}"));
    let schema = schema(sections);
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
            "additionalPrinterColumns": [
                {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                {"name": "Mode", "type": "string", "jsonPath": ".spec.section00.mode"},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ],
        })
    };
    let versions = match at % 10 {
        5 => vec![version("v1", true), version("v1beta1", false)],
        _ => vec![version("v1", true)],
    };
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"), "annotations": {"controller-gen.kubebuilder.io/version": "v0.18.0"}},
        "spec": {
            "group": group, "scope": "Namespaced", "versions": versions,
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List"),
                "categories": ["bench"]},
        },
    });
    // About 600 bytes as it is served.
    let instance = json!({"spec": {"section00": {
        "mode": "Automatic", "replicas": 3, "host": "www.example.com", "port": 8080, "enabled": true,
        "labels": {"team": "bench", "tier": "tier-1"},
        "endpoints": [{"name": "http", "address": "10.0.0.1", "weight": 5}],
    }}});
    Definition::new(&crd, instance)
}

/// A schema in the style that controller-gen writes.
fn schema(sections: usize) -> Value {
    let spec: Map<String, Value> = (0..sections).map(|at| (format!("section{at:02}"), section(at))).collect();
    json!({
        "type": "object", "description": "The desired and the observed state of a thing that some controller looks after.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values."},
            "kind": {"type": "string", "description": "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase."},
            "metadata": {"type": "object"},
            "spec": {"type": "object", "description": "What is wanted.", "properties": spec},
            "status": {"type": "object", "description": "What was observed.", "properties": {
                "observedGeneration": {"type": "integer", "format": "int64", "description": "The generation that was acted upon."},
                "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                    "description": "Each says whether one aspect of the thing is as it should be.",
                    "items": {"type": "object", "required": ["lastTransitionTime", "message", "reason", "status", "type"],
                        "properties": {
                            "type": {"type": "string", "maxLength": 316, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"},
                            "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "The status of the condition, one of True, False, Unknown."},
                            "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
                            "message": {"type": "string", "maxLength": 32768, "description": "A human readable message indicating details about the transition. This may be an empty string."},
                            "lastTransitionTime": {"type": "string", "format": "date-time"},
                            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                        }}},
            }},
        },
    })
}

/// One field of a specification with the keywords that are common in published schemas.
fn section(at: usize) -> Value {
    let words = |of: &str| {
        format!(
            "The {of} of part {at} of the thing. If it is not given, a value is chosen that suits most installations; \
             once the thing is in use, changing it may cause a short interruption."
        )
    };
    json!({
        "type": "object", "description": words("settings"), "required": ["mode"],
        "x-kubernetes-validations": [
            {"rule": "self.mode != 'Manual' || has(self.host)", "message": "a host is needed in manual mode"},
        ],
        "properties": {
            "mode": {"type": "string", "enum": ["Automatic", "Manual", "Off"], "default": "Automatic", "description": words("mode")},
            "replicas": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 1000, "default": 1, "description": words("number of replicas")},
            "host": {"type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "description": words("host name")},
            "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "description": words("port")},
            "enabled": {"type": "boolean", "default": true, "description": words("switch")},
            "interval": {"type": "string", "format": "duration", "description": words("interval")},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}, "description": words("labels")},
            "endpoints": {"type": "array", "maxItems": 32, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "description": words("endpoints"),
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 63, "description": words("name")},
                    "address": {"type": "string", "description": words("address")},
                    "weight": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 100, "description": words("weight")},
                }}},
            "selector": {"type": "object", "description": words("selector"), "x-kubernetes-map-type": "atomic", "properties": {
                "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}, "description": words("labels to match")},
                "matchExpressions": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "object", "required": ["key", "operator"], "properties": {
                    "key": {"type": "string", "description": words("key")},
                    "operator": {"type": "string", "description": words("operator")},
                    "values": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string"}},
                }}},
            }},
            "overrides": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": words("overrides")},
            "since": {"type": "string", "format": "date-time", "nullable": true, "description": words("start")},
        },
    })
}

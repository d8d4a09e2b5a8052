//! `metadata.managedFields` in both forms: as written in objects, and as structured-merge-diff works with it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use structured_merge_diff::{ManagedFields, Set, VersionedSet};

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// What tells managers apart. One that applies is the same in all versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manager: String,
    pub operation: Operation,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

impl Identity {
    /// As text, upstream's, whose order decides that of conflicts.
    pub fn encode(&self) -> String {
        let mut identity = self.clone();
        if self.operation == Operation::Apply {
            identity.api_version.clear();
        }
        serde_json::to_string(&identity).unwrap_or_default()
    }

    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Managers, what they own and when they last wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Managed {
    pub fields: ManagedFields,
    /// In `metav1.Time`'s form, which sorts as time does.
    pub times: BTreeMap<String, String>,
}

impl Managed {
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Reads the entries of an object.
    pub fn decode(entries: &[Value]) -> Result<Self, String> {
        let mut managed = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
            let operation = match text("operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err("operation must be `Apply` or `Update`".into()),
            };
            if text("apiVersion").is_empty() {
                return Err("apiVersion must not be empty".into());
            }
            match text("fieldsType") {
                "FieldsV1" => {}
                "" => return Err(format!("missing fieldsType in managed fields entry {at}")),
                other => return Err(format!("invalid fieldsType \"{other}\" in managed fields entry {at}")),
            }
            let set = match entry.get("fieldsV1") {
                None | Some(Value::Null) => Set::new(),
                Some(fields) => Set::deserialize(fields).map_err(|error| format!("error decoding set: {error}"))?,
            };
            let identity = Identity {
                manager: text("manager").into(),
                operation,
                api_version: text("apiVersion").into(),
                subresource: text("subresource").into(),
            };
            let id = identity.encode();
            if !text("time").is_empty() {
                managed.times.insert(id.clone(), text("time").into());
            }
            managed.fields.insert(id, VersionedSet::new(set, text("apiVersion"), operation == Operation::Apply));
        }
        Ok(managed)
    }

    /// The entries, in upstream's order: applies first, then by time, manager, version and subresource.
    pub fn encode(&self) -> Vec<Value> {
        let mut entries: Vec<(Identity, &str, Value)> = Vec::with_capacity(self.fields.len());
        for (id, set) in &self.fields {
            let Some(mut identity) = Identity::decode(id) else { continue };
            identity.api_version = set.api_version.as_str().to_owned();
            if set.applied {
                identity.operation = Operation::Apply;
            }
            let fields = set.set.to_json().ok().and_then(|json| apimachinery::json::parse(&json).ok());
            let time = self.times.get(id).map_or("", String::as_str);
            entries.push((identity, time, fields.unwrap_or_else(|| json!({}))));
        }
        entries.sort_by(|(a, a_time, _), (b, b_time, _)| {
            let key = |identity: &Identity| {
                (identity.manager.clone(), identity.api_version.clone(), identity.subresource.clone())
            };
            (a.operation, a_time, key(a)).cmp(&(b.operation, b_time, key(b)))
        });
        entries.into_iter().map(|(identity, time, fields)| entry(&identity, time, fields)).collect()
    }
}

/// Whether the entries can be read.
///
/// # Errors
/// Upstream's words for why not.
pub(crate) fn check(entries: &[Value]) -> Result<(), String> {
    Managed::decode(entries).map(drop)
}

fn entry(identity: &Identity, time: &str, fields: Value) -> Value {
    let mut entry = serde_json::to_value(identity).unwrap_or_default();
    if !time.is_empty() {
        entry["time"] = time.into();
    }
    entry["fieldsType"] = "FieldsV1".into();
    entry["fieldsV1"] = fields;
    entry
}

/// A manager as conflicts name it.
pub(super) fn display(id: &str) -> String {
    let Some(identity) = Identity::decode(id) else { return apimachinery::quote::quoted(id) };
    let mut text = apimachinery::quote::quoted(&identity.manager);
    if !identity.subresource.is_empty() {
        text.push_str(&format!(" with subresource \"{}\"", identity.subresource));
    }
    if identity.operation == Operation::Update {
        text.push_str(&format!(" using {}", identity.api_version));
    }
    text
}

/// What nobody owns.
pub(super) fn system_fields() -> &'static Set {
    static FIELDS: OnceLock<Set> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let mut paths: Vec<&[&str]> = vec![&["apiVersion"], &["kind"], &["metadata"]];
        paths.extend([
            &["metadata", "name"] as &[&str],
            &["metadata", "namespace"],
            &["metadata", "creationTimestamp"],
            &["metadata", "selfLink"],
            &["metadata", "uid"],
            &["metadata", "clusterName"],
            &["metadata", "generation"],
            &["metadata", "managedFields"],
            &["metadata", "resourceVersion"],
        ]);
        super::set_of(&paths)
    })
}

//! `metadata.managedFields` in both forms: as written in objects, and as structured-merge-diff works with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use structured_merge_diff::{ManagedFields, Set, VersionedSet};

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
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
pub(crate) struct Managed<'a> {
    pub fields: ManagedFields,
    /// In `metav1.Time`'s form, which sorts as time does.
    pub times: BTreeMap<String, String>,
    /// The entries that were read and would be written so again, had nothing changed.
    read: BTreeMap<String, Read<'a>>,
}

/// An entry and what was read of it.
#[derive(Clone, Debug)]
struct Read<'a> {
    entry: &'a Value,
    fields: VersionedSet,
}

impl<'a> Managed<'a> {
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Reads the entries of an object.
    pub fn decode(entries: &'a [Value]) -> Result<Self, String> {
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
            let (set, canonical) = match entry.get("fieldsV1") {
                None | Some(Value::Null) => (Set::new(), false),
                Some(fields) => Set::from_fields(fields).map_err(|error| format!("error decoding set: {error}"))?,
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
            let fields = VersionedSet::new(set, text("apiVersion"), operation == Operation::Apply);
            // What is empty is not written.
            let said = ["manager", "subresource", "time"].iter().filter(|field| !text(field).is_empty()).count();
            let said = said + ["operation", "apiVersion", "fieldsType", "fieldsV1"].len();
            if canonical && entry.as_object().is_some_and(|fields| fields.len() == said) {
                managed.read.insert(id.clone(), Read { entry, fields: fields.clone() });
            } else {
                managed.read.remove(&id);
            }
            managed.fields.insert(id, fields);
        }
        Ok(managed)
    }

    /// The entries, in upstream's order: applies first, then by time, manager, version and subresource. Those that did not
    /// change are the ones that were read.
    pub fn encode(&self) -> Vec<Cow<'a, Value>> {
        let mut entries: Vec<(Identity, &str, Cow<'a, Value>)> = Vec::with_capacity(self.fields.len());
        for (id, fields) in &self.fields {
            let Some(mut identity) = Identity::decode(id) else { continue };
            identity.api_version = fields.api_version.as_str().to_owned();
            if fields.applied {
                identity.operation = Operation::Apply;
            }
            let time = self.times.get(id).map_or("", String::as_str);
            let read = self.read.get(id).filter(|read| read.fields == *fields).map(|read| read.entry);
            let entry = match read {
                Some(read) if read.get("time").and_then(Value::as_str).unwrap_or_default() == time => {
                    Cow::Borrowed(read)
                }
                Some(read) => Cow::Owned(entry(&identity, time, read["fieldsV1"].clone())),
                None => Cow::Owned(entry(&identity, time, fields.set.to_value())),
            };
            entries.push((identity, time, entry));
        }
        fn place<'i>(identity: &'i Identity, time: &'i str) -> (Operation, &'i str, [&'i str; 3]) {
            (identity.operation, time, [&identity.manager, &identity.api_version, &identity.subresource])
        }
        entries.sort_by(|(a, a_time, _), (b, b_time, _)| place(a, a_time).cmp(&place(b, b_time)));
        entries.into_iter().map(|(_, _, entry)| entry).collect()
    }

    /// [`Self::encode`], copied.
    pub fn to_entries(&self) -> Vec<Value> {
        self.encode().into_iter().map(Cow::into_owned).collect()
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
    let Identity { manager, operation, api_version, subresource } = identity;
    let texts = [
        ("manager", manager.as_str()),
        ("operation", operation.as_str()),
        ("apiVersion", api_version),
        ("subresource", subresource),
        ("time", time),
        ("fieldsType", "FieldsV1"),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.into()));
    texts.chain([("fieldsV1", fields)]).map(|(name, value)| (name.to_owned(), value)).collect()
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

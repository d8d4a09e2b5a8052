//! `metadata.managedFields` in both forms: as written in objects, and as structured-merge-diff works with it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use structured_merge_diff::{ManagedFields, Set, VersionedSet};

use super::sets;

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
pub(crate) struct Managed {
    pub fields: ManagedFields,
    /// In `metav1.Time`'s form, which sorts as time does.
    pub times: BTreeMap<String, String>,
    /// What was read and would be written so again, had nothing changed.
    read: BTreeMap<String, Read>,
}

/// What was read of an entry.
#[derive(Clone, Debug)]
struct Read {
    /// Its place among the entries.
    at: usize,
    fields: VersionedSet,
    time: String,
}

/// An entry as it is to be written.
struct Entry<'m> {
    identity: Identity,
    time: &'m str,
    fields: &'m VersionedSet,
    /// That which differs from it in nothing but the time.
    read: Option<&'m Read>,
}

impl Entry<'_> {
    /// Upstream's order: applies first, then by time, manager, version and subresource.
    fn order(&self) -> (Operation, &str, [&str; 3]) {
        let Identity { manager, operation, api_version, subresource } = &self.identity;
        (*operation, self.time, [manager, api_version, subresource])
    }
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
            let (set, canonical) = match entry.get("fieldsV1") {
                None | Some(Value::Null) => (Set::new(), false),
                Some(fields) => sets::read(fields).map_err(|error| format!("error decoding set: {error}"))?,
            };
            let identity = Identity {
                manager: text("manager").into(),
                operation,
                api_version: text("apiVersion").into(),
                subresource: text("subresource").into(),
            };
            let id = identity.encode();
            let time = text("time");
            if !time.is_empty() {
                managed.times.insert(id.clone(), time.into());
            }
            let fields = VersionedSet::new(set, text("apiVersion"), operation == Operation::Apply);
            // What is empty is not written.
            let said = ["manager", "subresource", "time"].iter().filter(|field| !text(field).is_empty()).count();
            let said = said + ["operation", "apiVersion", "fieldsType", "fieldsV1"].len();
            if canonical && entry.as_object().is_some_and(|fields| fields.len() == said) {
                managed.read.insert(id.clone(), Read { at, fields: fields.clone(), time: time.into() });
            } else {
                managed.read.remove(&id);
            }
            managed.fields.insert(id, fields);
        }
        Ok(managed)
    }

    /// The entries in order.
    fn ordered(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::with_capacity(self.fields.len());
        for (id, fields) in &self.fields {
            let Some(mut identity) = Identity::decode(id) else { continue };
            identity.api_version = fields.api_version.as_str().to_owned();
            if fields.applied {
                identity.operation = Operation::Apply;
            }
            let time = self.times.get(id).map_or("", String::as_str);
            let read = self.read.get(id).filter(|read| read.fields == *fields);
            entries.push(Entry { identity, time, fields, read });
        }
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        entries
    }

    /// Whether the entries are to be written as they were read; there were so many.
    pub fn is_as_read(&self, entries: usize) -> bool {
        let written = self.ordered();
        let is_kept =
            |(at, entry): (usize, &Entry<'_>)| entry.read.is_some_and(|read| read.at == at && read.time == entry.time);
        written.len() == entries && written.iter().enumerate().all(is_kept)
    }

    /// The entries, in order, of an object of a custom resource or of another. `read` gives, once each, those that were read by
    /// their places: what did not change is not made anew.
    pub fn encode(&self, custom: bool, mut read: impl FnMut(usize) -> Value) -> Vec<Value> {
        let encode = |Entry { identity, time, fields, read: same }: Entry<'_>| {
            let Some(same) = same else { return entry(&identity, time, sets::written(&fields.set, custom)) };
            let mut entry = read(same.at);
            if let Some(fields) = entry.as_object_mut().filter(|_| same.time != time) {
                match time {
                    "" => fields.remove("time"),
                    _ => fields.insert("time".to_owned(), time.into()),
                };
            }
            entry
        };
        self.ordered().into_iter().map(encode).collect()
    }
}

/// Gives entries away by their places, for [`Managed::encode`].
pub(super) fn taken(entries: &mut [Value]) -> impl FnMut(usize) -> Value {
    |at| entries.get_mut(at).map(Value::take).unwrap_or_default()
}

/// Copies entries by their places, for [`Managed::encode`].
pub(super) fn copied(entries: &[Value]) -> impl FnMut(usize) -> Value {
    |at| entries.get(at).cloned().unwrap_or_default()
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

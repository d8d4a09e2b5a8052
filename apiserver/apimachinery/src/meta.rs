//! Access to an object's type and metadata.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gvk::{GroupVersionKind, ParseGroupVersionError};

/// A reference from a dependent to its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference {
    /// The owner's apiVersion.
    pub api_version: String,
    /// The owner's kind.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's uid: an object of the same name and another uid is not the owner.
    pub uid: String,
    /// Whether the owner is the managing controller; one owner at most is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether a foreground deletion of the owner waits for this dependent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

impl OwnerReference {
    /// Reads an item of `metadata.ownerReferences`; what is absent or of the wrong type is left at its zero.
    pub fn from_value(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
            controller: value.get("controller").and_then(Value::as_bool),
            block_owner_deletion: value.get("blockOwnerDeletion").and_then(Value::as_bool),
        }
    }
}

/// Reads and writes the type and metadata of an object held as a [`Value`].
///
/// A reader answers the zero value (`""`, 0, nothing) where the field is absent, null or of another type, as Go's
/// accessors do. A setter removes the field when given the zero value, as Go's `omitempty` does, and makes
/// `metadata` where it is missing.
pub trait ObjectExt {
    /// `apiVersion`.
    fn api_version(&self) -> &str;
    /// `kind`.
    fn kind(&self) -> &str;
    /// Sets `apiVersion` and `kind`.
    fn set_type_meta(&mut self, api_version: &str, kind: &str);
    /// Group, version and kind.
    ///
    /// # Errors
    /// `apiVersion` has more than one slash.
    fn gvk(&self) -> Result<GroupVersionKind, ParseGroupVersionError>;
    /// `metadata`, if it is there.
    fn metadata(&self) -> Option<&Map<String, Value>>;
    /// `metadata`, made empty if it is not there (and the object too if this is none).
    fn metadata_mut(&mut self) -> &mut Map<String, Value>;
    /// A text field of `metadata`.
    fn metadata_text(&self, field: &str) -> &str;
    /// Sets a text field of `metadata`, or removes it when the text is empty.
    fn set_metadata_text(&mut self, field: &str, text: &str);
    /// `metadata.name`.
    fn name(&self) -> &str {
        self.metadata_text("name")
    }
    /// Sets `metadata.name`.
    fn set_name(&mut self, name: &str) {
        self.set_metadata_text("name", name);
    }
    /// `metadata.generateName`.
    fn generate_name(&self) -> &str {
        self.metadata_text("generateName")
    }
    /// `metadata.namespace`.
    fn namespace(&self) -> &str {
        self.metadata_text("namespace")
    }
    /// Sets `metadata.namespace`.
    fn set_namespace(&mut self, namespace: &str) {
        self.set_metadata_text("namespace", namespace);
    }
    /// `metadata.uid`.
    fn uid(&self) -> &str {
        self.metadata_text("uid")
    }
    /// Sets `metadata.uid`.
    fn set_uid(&mut self, uid: &str) {
        self.set_metadata_text("uid", uid);
    }
    /// `metadata.resourceVersion`.
    fn resource_version(&self) -> &str {
        self.metadata_text("resourceVersion")
    }
    /// Sets `metadata.resourceVersion`.
    fn set_resource_version(&mut self, resource_version: &str) {
        self.set_metadata_text("resourceVersion", resource_version);
    }
    /// `metadata.generation`.
    fn generation(&self) -> i64;
    /// Sets `metadata.generation`.
    fn set_generation(&mut self, generation: i64);
    /// `metadata.creationTimestamp`, as it is written.
    fn creation_timestamp(&self) -> &str {
        self.metadata_text("creationTimestamp")
    }
    /// Sets `metadata.creationTimestamp`.
    fn set_creation_timestamp(&mut self, time: &str) {
        self.set_metadata_text("creationTimestamp", time);
    }
    /// `metadata.deletionTimestamp`, as it is written.
    fn deletion_timestamp(&self) -> Option<&str> {
        Some(self.metadata_text("deletionTimestamp")).filter(|text| !text.is_empty())
    }
    /// Sets `metadata.deletionTimestamp`.
    fn set_deletion_timestamp(&mut self, time: Option<&str>) {
        self.set_metadata_text("deletionTimestamp", time.unwrap_or_default());
    }
    /// `metadata.deletionGracePeriodSeconds`.
    fn deletion_grace_period_seconds(&self) -> Option<i64>;
    /// Sets `metadata.deletionGracePeriodSeconds`; 0 is kept.
    fn set_deletion_grace_period_seconds(&mut self, seconds: Option<i64>);
    /// `metadata.labels`.
    fn labels(&self) -> Option<&Map<String, Value>>;
    /// A label's value.
    fn label(&self, key: &str) -> Option<&str> {
        self.labels()?.get(key)?.as_str()
    }
    /// Sets a label.
    fn set_label(&mut self, key: &str, value: &str);
    /// `metadata.annotations`.
    fn annotations(&self) -> Option<&Map<String, Value>>;
    /// An annotation's value.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations()?.get(key)?.as_str()
    }
    /// Sets an annotation.
    fn set_annotation(&mut self, key: &str, value: &str);
    /// Removes an annotation; the empty map goes with the last one.
    fn remove_annotation(&mut self, key: &str);
    /// `metadata.finalizers`.
    fn finalizers(&self) -> impl Iterator<Item = &str>;
    /// Whether `metadata.finalizers` has that one.
    fn has_finalizer(&self, finalizer: &str) -> bool {
        self.finalizers().any(|of| of == finalizer)
    }
    /// Sets `metadata.finalizers`.
    fn set_finalizers(&mut self, finalizers: Vec<String>);
    /// Removes a finalizer, every time it is there. Answers whether it was.
    fn remove_finalizer(&mut self, finalizer: &str) -> bool {
        if !self.has_finalizer(finalizer) {
            return false;
        }
        let rest = self.finalizers().filter(|of| *of != finalizer).map(str::to_owned).collect();
        self.set_finalizers(rest);
        true
    }
    /// `metadata.ownerReferences`, each as it is written.
    fn owner_references(&self) -> &[Value];
    /// The owner that is the managing controller.
    fn controller(&self) -> Option<OwnerReference> {
        let is_controller = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
        self.owner_references().iter().find(is_controller).map(OwnerReference::from_value)
    }
    /// Sets `metadata.ownerReferences`.
    fn set_owner_references(&mut self, owners: Vec<Value>);
    /// `metadata.managedFields`, each as it is written.
    fn managed_fields(&self) -> &[Value];
    /// Sets `metadata.managedFields`.
    fn set_managed_fields(&mut self, entries: Vec<Value>);
}

fn metadata_list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object.metadata().and_then(|meta| meta.get(field)).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn set_metadata_list(object: &mut Value, field: &str, list: Vec<Value>) {
    if list.is_empty() {
        object.metadata_mut().remove(field);
    } else {
        object.metadata_mut().insert(field.to_owned(), Value::Array(list));
    }
}

fn set_in_map(object: &mut Value, field: &str, key: &str, value: &str) {
    let map = object.metadata_mut().entry(field).or_insert_with(|| Value::Object(Map::new()));
    object_mut(map).insert(key.to_owned(), value.into());
}

/// The value's map; a value of another type is replaced by an empty map.
fn object_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

impl ObjectExt for Value {
    fn api_version(&self) -> &str {
        self.get("apiVersion").and_then(Value::as_str).unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    fn set_type_meta(&mut self, api_version: &str, kind: &str) {
        let map = object_mut(self);
        map.insert("apiVersion".to_owned(), api_version.into());
        map.insert("kind".to_owned(), kind.into());
    }

    fn gvk(&self) -> Result<GroupVersionKind, ParseGroupVersionError> {
        GroupVersionKind::from_api_version_and_kind(self.api_version(), self.kind())
    }

    fn metadata(&self) -> Option<&Map<String, Value>> {
        self.get("metadata")?.as_object()
    }

    fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        object_mut(object_mut(self).entry("metadata").or_insert_with(|| Value::Object(Map::new())))
    }

    fn metadata_text(&self, field: &str) -> &str {
        self.metadata().and_then(|meta| meta.get(field)).and_then(Value::as_str).unwrap_or_default()
    }

    fn set_metadata_text(&mut self, field: &str, text: &str) {
        if text.is_empty() {
            self.metadata_mut().remove(field);
        } else {
            self.metadata_mut().insert(field.to_owned(), text.into());
        }
    }

    fn generation(&self) -> i64 {
        self.metadata().and_then(|meta| meta.get("generation")).and_then(Value::as_i64).unwrap_or_default()
    }

    fn set_generation(&mut self, generation: i64) {
        if generation == 0 {
            self.metadata_mut().remove("generation");
        } else {
            self.metadata_mut().insert("generation".to_owned(), generation.into());
        }
    }

    fn deletion_grace_period_seconds(&self) -> Option<i64> {
        self.metadata()?.get("deletionGracePeriodSeconds")?.as_i64()
    }

    fn set_deletion_grace_period_seconds(&mut self, seconds: Option<i64>) {
        match seconds {
            Some(seconds) => self.metadata_mut().insert("deletionGracePeriodSeconds".to_owned(), seconds.into()),
            None => self.metadata_mut().remove("deletionGracePeriodSeconds"),
        };
    }

    fn labels(&self) -> Option<&Map<String, Value>> {
        self.metadata()?.get("labels")?.as_object()
    }

    fn set_label(&mut self, key: &str, value: &str) {
        set_in_map(self, "labels", key, value);
    }

    fn annotations(&self) -> Option<&Map<String, Value>> {
        self.metadata()?.get("annotations")?.as_object()
    }

    fn set_annotation(&mut self, key: &str, value: &str) {
        set_in_map(self, "annotations", key, value);
    }

    fn remove_annotation(&mut self, key: &str) {
        let Some(Value::Object(metadata)) = self.get_mut("metadata") else { return };
        let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else { return };
        if annotations.remove(key).is_some() && annotations.is_empty() {
            metadata.remove("annotations");
        }
    }

    fn finalizers(&self) -> impl Iterator<Item = &str> {
        metadata_list(self, "finalizers").iter().filter_map(Value::as_str)
    }

    fn set_finalizers(&mut self, finalizers: Vec<String>) {
        set_metadata_list(self, "finalizers", finalizers.into_iter().map(Value::String).collect());
    }

    fn owner_references(&self) -> &[Value] {
        metadata_list(self, "ownerReferences")
    }

    fn set_owner_references(&mut self, owners: Vec<Value>) {
        set_metadata_list(self, "ownerReferences", owners);
    }

    fn managed_fields(&self) -> &[Value] {
        metadata_list(self, "managedFields")
    }

    fn set_managed_fields(&mut self, entries: Vec<Value>) {
        set_metadata_list(self, "managedFields", entries);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_reads_as_zero_and_what_is_set_to_zero_is_absent() {
        let mut object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": null});
        assert_eq!((object.name(), object.generation(), object.deletion_timestamp()), ("", 0, None));
        assert_eq!(object.finalizers().count(), 0);
        object.set_name("a");
        object.set_generation(2);
        object.set_finalizers(vec!["x/y".to_owned()]);
        object.set_annotation("k", "v");
        object.set_deletion_grace_period_seconds(Some(0));
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "generation": 2, "finalizers": ["x/y"],
                   "annotations": {"k": "v"}, "deletionGracePeriodSeconds": 0}})
        );
        assert!(object.has_finalizer("x/y"));
        assert_eq!(object.annotation("k"), Some("v"));
        assert!(object.remove_finalizer("x/y") && !object.remove_finalizer("x/y"));
        object.set_annotation("other", "v");
        object.remove_annotation("other");
        object.set_name("");
        object.set_generation(0);
        object.set_finalizers(vec![]);
        object.set_deletion_grace_period_seconds(None);
        assert_eq!(object["metadata"], json!({"annotations": {"k": "v"}}));
    }

    #[test]
    fn the_controller_is_the_owner_that_says_so() {
        let object = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "A", "name": "a", "uid": "1"},
            {"apiVersion": "v1", "kind": "B", "name": "b", "uid": "2", "controller": true}]}});
        assert_eq!(object.controller().map(|owner| owner.uid), Some("2".to_owned()));
    }

    #[test]
    fn an_object_of_any_shape_can_be_written_to() {
        for mut object in [json!(null), json!([1]), json!({"metadata": "x"})] {
            object.set_label("a", "b");
            assert_eq!(object["metadata"]["labels"]["a"], "b");
        }
    }
}

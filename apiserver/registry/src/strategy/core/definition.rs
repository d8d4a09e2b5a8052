//! Definitions of custom resources. A deletion marks them and adds the finalizer that keeps them until their instances are gone.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use schema::types;
use serde_json::{Value, json};

use crate::strategy::{Facts, Generation, Scope, Strategy};

const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

#[derive(Debug)]
pub(super) struct Definition;

impl Strategy for Definition {
    fn facts(&self) -> &Facts {
        const FACTS: Facts = Facts { unconditional_update: false, ..Facts::generation(Generation::Spec) };
        &FACTS
    }

    fn apply_defaults(&self, object: &mut Value) {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
        let kind = spec
            .get("names")
            .and_then(|names| names.get("kind"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut)
            && !kind.is_empty()
        {
            let mut default = |field: &str, value: String| {
                let entry = names.entry(field).or_insert(Value::Null);
                if entry.is_null() || entry == "" {
                    *entry = value.into();
                }
            };
            default("singular", kind.to_lowercase());
            default("listKind", format!("{kind}List"));
        }
        let conversion = spec.entry("conversion").or_insert(Value::Null);
        if conversion.is_null() {
            *conversion = json!({"strategy": "None"});
        }
        if let Some(service) = conversion.pointer_mut("/webhook/clientConfig/service").and_then(Value::as_object_mut) {
            service.entry("port").or_insert_with(|| json!(443));
        }
    }

    fn prepare_create(&self, object: &mut Value, _scope: &Scope<'_>) {
        note_stored_version(object);
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, scope: &Scope<'_>) {
        if scope.subresource.is_empty() {
            note_stored_version(object);
        }
    }

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mut errors = ErrorList::new();
        let required = format!("{}.{}", text("/spec/names/plural"), text("/spec/group"));
        if object.name() != required {
            let words = "must be spec.names.plural+\".\"+spec.group";
            errors.push(Error::invalid(&Path::new("metadata").child("name"), object.name(), words));
        }
        let spec = Path::new("spec");
        for (pointer, path) in [
            ("/spec/group", spec.child("group")),
            ("/spec/names/plural", spec.child("names").child("plural")),
            ("/spec/names/kind", spec.child("names").child("kind")),
        ] {
            if text(pointer).is_empty() {
                errors.push(Error::required(&path, ""));
            }
        }
        match text("/spec/scope") {
            "Namespaced" | "Cluster" => {}
            "" => errors.push(Error::required(&spec.child("scope"), "")),
            other => errors.push(Error::not_supported(&spec.child("scope"), other, &["Cluster", "Namespaced"])),
        }
        let versions = object.pointer("/spec/versions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_stored = |version: &&Value| version.get("storage").and_then(Value::as_bool).unwrap_or(false);
        if versions.iter().filter(is_stored).count() != 1 {
            let words = "must have exactly one version marked as storage version";
            // As conversion leaves them: without what they share.
            let fields = object.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
            let fields = types::converted("apiextensions.CustomResourceDefinitionSpec", &fields);
            let versions = fields.get("versions").unwrap_or(&Value::Null);
            let value = types::bad_value("[]apiextensions.CustomResourceDefinitionVersion", versions);
            errors.push(Error::invalid(&spec.child("versions"), value, words));
        }
        let schemas: Vec<Option<&Value>> = versions.iter().map(|version| schema_of(version)).collect();
        // As upstream: what all versions have alike belongs to the definition.
        let alike = schemas.windows(2).all(|pair| pair[0] == pair[1]);
        let shown = if alike { &schemas[..schemas.len().min(1)] } else { &schemas[..] };
        for (at, schema) in shown.iter().enumerate() {
            let path = match schema {
                Some(_) if alike => spec.child("validation"),
                _ => spec.child("versions").index(at).child("schema"),
            };
            let path = path.child("openAPIV3Schema");
            match schema {
                None => errors.push(Error::required(&path, "schemas are required")),
                Some(source) => errors.extend(schema::Schema::from_crd(source, &path).err().into_iter().flatten()),
            }
        }
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        if scope.subresource == "status" {
            return ErrorList::new();
        }
        let mut errors = self.validate(object, scope);
        let established = old
            .pointer("/status/conditions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
        let mut keep = |pointer: &str, path: Path| {
            if object.pointer(pointer) != old.pointer(pointer) {
                let value = object.pointer(pointer).cloned().unwrap_or_default();
                errors.push(Error::invalid(&path, value, "field is immutable"));
            }
        };
        let spec = Path::new("spec");
        keep("/spec/group", spec.child("group"));
        keep("/spec/names/plural", spec.child("names").child("plural"));
        if established {
            keep("/spec/scope", spec.child("scope"));
            keep("/spec/names/kind", spec.child("names").child("kind"));
        }
        errors
    }

    fn begin_delete(&self, object: &mut Value, now: &str) -> bool {
        if object.deletion_timestamp().is_some() {
            return false;
        }
        object.set_deletion_timestamp(Some(now));
        if !object.has_finalizer(FINALIZER) {
            let finalizers = object.finalizers().map(str::to_owned).chain([FINALIZER.to_owned()]).collect();
            object.set_finalizers(finalizers);
        }
        let condition = json!({
            "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending", "lastTransitionTime": now,
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        });
        if !object["status"]["conditions"].is_array() {
            object["status"]["conditions"] = json!([]);
        }
        if let Some(conditions) = object["status"]["conditions"].as_array_mut() {
            conditions.retain(|condition| condition["type"] != "Terminating");
            conditions.push(condition);
        }
        true
    }
}

/// Every version that objects may be stored in is remembered.
fn note_stored_version(object: &mut Value) {
    let versions = object.pointer("/spec/versions").and_then(Value::as_array);
    let stored = versions.into_iter().flatten().find(|version| version["storage"] == true);
    let Some(name) = stored.and_then(|version| version.get("name")).cloned() else { return };
    if !object["status"]["storedVersions"].is_array() {
        object["status"]["storedVersions"] = json!([]);
    }
    if let Some(known) = object["status"]["storedVersions"].as_array_mut()
        && !known.contains(&name)
    {
        known.push(name);
    }
}
/// A version's schema.
fn schema_of(version: &Value) -> Option<&Value> {
    version.pointer("/schema/openAPIV3Schema").filter(|schema| !schema.is_null())
}

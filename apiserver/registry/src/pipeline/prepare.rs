//! Strategy and validation: the shared rules, the kind's own, and the schema of custom resources.

use apimachinery::field;
use apimachinery::gvk::GroupKind;
use apimachinery::{ObjectExt, StatusError};
use serde_json::Value;

use super::{Change, Write};
use crate::meta;
use crate::strategy::{Generation, Scope, StatusOnCreate};

impl Write<'_> {
    pub(super) fn prepare_create(
        &self,
        object: &mut Value,
        change: &dyn Change,
        scope: &Scope<'_>,
    ) -> Result<(), StatusError> {
        let row = &self.target.row;
        let facts = row.strategy.facts();
        if !change.must_create() {
            meta::wipe_system_fields(object);
            object.set_resource_version("");
        }
        meta::fill_system_fields(object, scope.now);
        meta::settle_namespace(object, row, &self.target.namespace)?;
        let generation = if facts.generation == Generation::None { 0 } else { 1 };
        object.set_generation(generation);
        if row.has_status() || matches!(facts.status_on_create, StatusOnCreate::Phase(_)) {
            reset_status(object, row, facts.first_status());
        }
        row.strategy.prepare_create(object, scope);
        complete(object, row);

        let mut errors = row.strategy.validate_new(object, scope);
        if errors.is_empty() {
            errors = meta::validate(object, row);
        }
        self.refuse(object, errors)?;
        for warning in row.strategy.warnings(object, None, scope) {
            self.ctx.warnings.warn(warning);
        }
        drop_stored_empties(object, row);
        // The answer is what will be read: what was filled in may have defaults of its own.
        row.strategy.apply_defaults(object);
        Ok(())
    }

    pub(super) fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) -> Result<(), StatusError> {
        let row = &self.target.row;
        let facts = row.strategy.facts();
        meta::settle_namespace(object, row, &self.target.namespace)?;
        object.set_generation(old.generation());
        match scope.subresource {
            "status" => keep_all_but_status(object, old, facts.status_keeps_labels, row.is_custom()),
            "" | "scale" if row.has_status() => copy_field(object, old, "status"),
            _ => {}
        }
        row.strategy.prepare_update(object, old, scope);
        complete(object, row);
        meta::restore_on_update(object, old);

        let mut errors = meta::validate(object, row);
        errors.extend(meta::validate_change(object, old));
        errors.extend(row.strategy.validate_change(object, old, scope));
        self.refuse(object, errors)?;
        for warning in row.strategy.warnings(object, Some(old), scope) {
            self.ctx.warnings.warn(warning);
        }
        drop_stored_empties(object, row);
        if !matches!(scope.subresource, "status" | "binding" | "finalize")
            && moves_generation(facts.generation, object, old, row)
        {
            object.set_generation(old.generation() + 1);
        }
        Ok(())
    }

    pub(super) fn refuse(&self, object: &Value, errors: field::ErrorList) -> Result<(), StatusError> {
        if errors.is_empty() {
            return Ok(());
        }
        // A custom object that says it is something else is named as what it says.
        let kind = if self.target.row.is_custom() { object.kind() } else { &self.target.row.kind };
        // Upstream names the group that the kind is kept in: events are core's through `events.k8s.io`, too.
        Err(StatusError::invalid(&GroupKind::new(&self.store.gvk().group, kind), object.name(), errors))
    }
}

/// Brings a built-in object into the form in which upstream checks it: an empty list that was sent is not yet the null that is
/// stored.
fn complete(object: &mut Value, row: &crate::table::Row) {
    if row.is_custom() {
        return;
    }
    if let Some(schema) = row.schema() {
        schema.drop_empties(object);
        schema.apply_defaults(object);
    }
}

fn drop_stored_empties(object: &mut Value, row: &crate::table::Row) {
    if let Some(schema) = row.schema().filter(|_| !row.is_custom()) {
        schema.drop_stored_empties(object);
    }
}

fn reset_status(object: &mut Value, row: &crate::table::Row, first: Option<Value>) {
    let (Some(fields), Some(first)) = (object.as_object_mut(), first) else { return };
    fields.remove("status");
    if !row.is_custom() {
        fields.insert("status".into(), first);
    }
}

fn copy_field(object: &mut Value, old: &Value, field: &str) {
    let Some(fields) = object.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => fields.insert(field.to_owned(), value.clone()),
        None => fields.remove(field),
    };
}

/// A write to `/status` changes status, and of metadata what the kind allows: custom resources managedFields alone.
fn keep_all_but_status(object: &mut Value, old: &Value, keeps_labels: bool, custom: bool) {
    let (status, mut metadata) = (object.get("status").cloned(), object.metadata().cloned().unwrap_or_default());
    let mut kept = old.clone();
    if let Some(fields) = kept.as_object_mut() {
        fields.remove("status");
        fields.extend(status.map(|status| ("status".to_owned(), status)));
    }
    if custom {
        let managed = metadata.remove("managedFields");
        let into = kept.metadata_mut();
        into.remove("managedFields");
        into.extend(managed.map(|managed| ("managedFields".to_owned(), managed)));
        if let Some(version) = metadata.remove("resourceVersion") {
            kept.metadata_mut().insert("resourceVersion".into(), version);
        }
    } else {
        if keeps_labels {
            metadata.remove("labels");
            metadata.extend(old.labels().map(|labels| ("labels".to_owned(), Value::Object(labels.clone()))));
        }
        *kept.metadata_mut() = metadata;
    }
    *object = kept;
}

fn moves_generation(rule: Generation, object: &Value, old: &Value, row: &crate::table::Row) -> bool {
    let status_counts = row.is_custom() && !row.has_status();
    let counted =
        |field: &str| !matches!(field, "apiVersion" | "kind" | "metadata") && (status_counts || field != "status");
    let differ = || {
        let empty = serde_json::Map::new();
        let (new, old) = (object.as_object().unwrap_or(&empty), old.as_object().unwrap_or(&empty));
        new.iter().any(|(field, value)| counted(field) && old.get(field) != Some(value))
            || old.keys().any(|field| counted(field) && !new.contains_key(field))
    };
    match rule {
        Generation::None | Generation::Fixed => false,
        Generation::Spec => differ(),
        Generation::SpecAndLabels => differ() || object.labels() != old.labels(),
        Generation::SpecAndAnnotations => differ() || !same(object, old, "annotations"),
    }
}

/// Whether a map of metadata is the same; none and an empty one are.
fn same(object: &Value, old: &Value, field: &str) -> bool {
    fn of<'a>(object: &'a Value, field: &str) -> Option<&'a serde_json::Map<String, Value>> {
        let map = object.metadata().and_then(|metadata| metadata.get(field)).and_then(Value::as_object);
        map.filter(|map| !map.is_empty())
    }
    of(object, field) == of(old, field)
}

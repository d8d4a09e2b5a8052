//! Namespaces: they end in two steps. A deletion marks them Terminating; whoever empties them then takes `kubernetes` out of
//! `spec.finalizers` through `/finalize`, and the object goes.

use apimachinery::ObjectExt;
use apimachinery::validation::{self, NameFn};
use serde_json::{Value, json};

use crate::strategy::{Facts, Scope, StatusOnCreate, Strategy};
use crate::table::Row;

const FINALIZER: &str = "kubernetes";
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

#[derive(Debug)]
pub(super) struct Namespace;

impl Strategy for Namespace {
    fn facts(&self) -> &Facts {
        &Facts { status_on_create: StatusOnCreate::Phase("Active"), ..Facts::DEFAULT }
    }

    fn name_rule(&self, _row: &Row) -> NameFn {
        validation::name_is_dns_label
    }

    fn apply_defaults(&self, object: &mut Value) {
        label(object);
    }

    fn prepare_create(&self, object: &mut Value, _scope: &Scope<'_>) {
        label(object);
        let mut finalizers = finalizers(object);
        if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            finalizers.push(FINALIZER.into());
        }
        set_finalizers(object, finalizers);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) {
        label(object);
        match scope.subresource {
            // Finalize writes spec.finalizers and nothing else of spec and status.
            "finalize" => {
                let kept = finalizers(object);
                if let (Some(fields), Some(status)) = (object.as_object_mut(), old.get("status")) {
                    fields.insert("status".into(), status.clone());
                }
                set_finalizers(object, kept);
            }
            "" => set_finalizers(object, finalizers(old)),
            _ => {}
        }
    }

    fn ends_by_itself(&self) -> bool {
        true
    }

    fn begin_delete(&self, object: &mut Value, now: &str) -> bool {
        if object.deletion_timestamp().is_none() {
            object.set_deletion_timestamp(Some(now));
            object["status"]["phase"] = json!("Terminating");
            return true;
        }
        // Once it is empty it is deleted as everything else.
        !finalizers(object).is_empty()
    }

    fn may_be_removed(&self, object: &Value) -> bool {
        finalizers(object).is_empty()
    }

    fn returns_deleted(&self) -> bool {
        false
    }
}

/// Upstream's defaulting: the name as a label, so that selectors can name a namespace.
fn label(object: &mut Value) {
    let name = object.name().to_owned();
    if !name.is_empty() && object.label(NAME_LABEL) != Some(&name) {
        object.set_label(NAME_LABEL, &name);
    }
}

fn finalizers(object: &Value) -> Vec<String> {
    let list = object.pointer("/spec/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn set_finalizers(object: &mut Value, finalizers: Vec<String>) {
    let Some(fields) = object.as_object_mut() else { return };
    let spec = fields.entry("spec").or_insert_with(|| json!({}));
    if let Some(spec) = spec.as_object_mut() {
        if finalizers.is_empty() {
            spec.remove("finalizers");
        } else {
            spec.insert("finalizers".into(), finalizers.into());
        }
    }
}

//! Owners of a scale's replicas are owners of the object's, under another path and version.

use apimachinery::{GroupVersion, ObjectExt};
use serde_json::Value;
use structured_merge_diff::{Path, Set, VersionedSet};

use super::managed::{Managed, copied};
use crate::table::{Row, Table};

const SCALE_VERSION: &str = "autoscaling/v1";
/// Versions of `apps` that entries may still name.
const FORMER_VERSIONS: [&str; 2] = ["apps/v1beta1", "apps/v1beta2"];

/// The entries that a scale shows of its object's.
pub(crate) fn of_parent(object: &Value, table: &Table, row: &Row) -> Vec<Value> {
    let Ok(managed) = Managed::decode(object.managed_fields()) else { return Vec::new() };
    let mut shown = Managed::default();
    for (id, set) in &managed.fields {
        if let Some(Some(path)) = replicas_path(table, row, set.api_version.as_str())
            && set.set.has(&path)
        {
            let replicas = VersionedSet::new(replicas_of_scale(), SCALE_VERSION, set.applied);
            shown.fields.insert(id.clone(), replicas);
            shown.times.extend(managed.times.get(id).map(|time| (id.clone(), time.clone())));
        }
    }
    shown.encode(row.is_custom(), copied(&[]))
}

/// The object's entries after a write of its scale left the scale with `scale`'s. Upstream takes all times from the object's,
/// so that who first writes the scale has none.
pub(crate) fn into_parent(object: &Value, scale: &Value, table: &Table, row: &Row) -> Vec<Value> {
    let (Ok(managed), Ok(mut of_scale)) =
        (Managed::decode(object.managed_fields()), Managed::decode(scale.managed_fields()))
    else {
        return object.managed_fields().to_vec();
    };
    let mut merged = Managed::default();
    for (id, set) in managed.fields {
        // Who wrote a version that is no more is forgotten.
        let Some(path) = replicas_path(table, row, set.api_version.as_str()) else { continue };
        let kept = match path {
            Some(path) if set.set.has(&path) && of_scale.fields.remove(&id).is_none() => {
                // Somebody else owns the replicas now.
                VersionedSet { set: set.set.difference(&only(&path)), ..set }
            }
            _ => set,
        };
        if !kept.set.is_empty() {
            merged.fields.insert(id, kept);
        }
    }
    let own = replicas_path(table, row, &row.api_version()).flatten();
    for (id, set) in of_scale.fields {
        if let (Some(path), false) = (&own, set.set.intersection(&replicas_of_scale()).is_empty()) {
            merged.fields.insert(id, VersionedSet::new(only(path), row.api_version(), set.applied));
        }
    }
    merged.times = managed.times;
    merged.encode(row.is_custom(), copied(&[]))
}

fn only(path: &Path) -> Set {
    let mut set = Set::new();
    set.insert(path);
    set
}

fn replicas_of_scale() -> Set {
    super::set_of(&[&["spec", "replicas"]])
}

/// Where objects of the row's kind keep their replicas in a version; `None` for a version that the kind does not have,
/// `Some(None)` for one without a scale.
fn replicas_path(table: &Table, row: &Row, version: &str) -> Option<Option<Path>> {
    if !row.is_custom() {
        // Upstream still knows the versions it no longer serves.
        let known = version == row.api_version() || (row.gvr.group == "apps" && FORMER_VERSIONS.contains(&version));
        return known.then(|| Some(path_of(".spec.replicas")));
    }
    let version = version.parse::<GroupVersion>().ok().filter(|version| version.group == row.gvr.group)?;
    let of_version = table.row_of_kind(&version.group, &version.version, &row.kind)?;
    Some(of_version.scale.as_ref().map(|paths| path_of(&paths.spec_replicas)))
}

fn path_of(text: &str) -> Path {
    let mut path = Path::new();
    for field in text.trim_start_matches('.').split('.') {
        path.push(field.into());
    }
    path
}

#[cfg(test)]
mod tests {
    use apimachinery::field_sets;
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, version: &str, fields: Value, more: Value) -> Value {
        let mut entry = json!({
            "manager": manager, "operation": "Update", "apiVersion": version, "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields
        });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    }

    #[test]
    fn who_writes_a_scale_takes_the_replicas_and_has_no_time() {
        let table = Table::builtin();
        let row = table.row("apps", "v1", "deployments").unwrap();
        let spec = json!({"f:spec": {"f:paused": {}, "f:replicas": {}}});
        let object = json!({"metadata": {"managedFields": [
            entry("old", "apps/v1beta1", json!({"f:spec": {"f:replicas": {}}}), json!({})),
            entry("maker", "apps/v1", spec, json!({})),
            entry("alien", "example.com/v1", json!({"f:a": {}}), json!({})),
        ]}});
        let shown = of_parent(&object, &table, row);
        let managers: Vec<_> = shown.iter().map(|entry| (&entry["manager"], &entry["apiVersion"])).collect();
        let v1 = &json!(SCALE_VERSION);
        assert_eq!(managers, [(&json!("maker"), v1), (&json!("old"), v1)]);

        let of_scale =
            entry("me", SCALE_VERSION, json!({"f:spec": {"f:replicas": {}}}), json!({"subresource": "scale"}));
        let scale = json!({"metadata": {"managedFields": [of_scale]}});
        let mut mine = entry("me", "apps/v1", json!({"f:spec": {"f:replicas": {}}}), json!({"subresource": "scale"}));
        mine.as_object_mut().unwrap().remove("time");
        let mut after = object.clone();
        after.set_managed_fields(into_parent(&object, &scale, &table, row));
        field_sets::expand(&mut after);
        assert_eq!(
            after.managed_fields(),
            [mine, entry("maker", "apps/v1", json!({"f:spec": {"f:paused": {}}}), json!({}))]
        );
    }
}

//! Owners of a scale's replicas are owners of the object's, under another path and version.

use apimachinery::ObjectExt;
use serde_json::Value;
use structured_merge_diff::{Path, Set, VersionedSet};

use super::managed::Managed;
use crate::table::Row;

const SCALE_VERSION: &str = "autoscaling/v1";

/// The entries that a scale shows of its object's.
pub(crate) fn of_parent(object: &Value, row: &Row) -> Vec<Value> {
    let Ok(managed) = Managed::decode(object.managed_fields()) else { return Vec::new() };
    let path = replicas_path(row);
    let mut shown = Managed::default();
    for (id, set) in &managed.fields {
        if set.set.has(&path) {
            let replicas = VersionedSet::new(replicas_of_scale(), SCALE_VERSION, set.applied);
            shown.fields.insert(id.clone(), replicas);
            shown.times.extend(managed.times.get(id).map(|time| (id.clone(), time.clone())));
        }
    }
    shown.encode()
}

/// The object's entries after a write of its scale left the scale with `scale`'s.
pub(crate) fn into_parent(object: &Value, scale: &Value, row: &Row) -> Vec<Value> {
    let (Ok(managed), Ok(mut of_scale)) =
        (Managed::decode(object.managed_fields()), Managed::decode(scale.managed_fields()))
    else {
        return object.managed_fields().to_vec();
    };
    let path = replicas_path(row);
    let mut replicas = Set::new();
    replicas.insert(&path);
    let mut merged = Managed::default();
    for (id, set) in &managed.fields {
        let kept = if !set.set.has(&path) || of_scale.fields.remove(id).is_some() {
            set.clone()
        } else {
            // Somebody else owns the replicas now.
            VersionedSet { set: set.set.difference(&replicas), ..set.clone() }
        };
        if !kept.set.is_empty() {
            merged.fields.insert(id.clone(), kept);
            merged.times.extend(managed.times.get(id).map(|time| (id.clone(), time.clone())));
        }
    }
    let at_scale = replicas_of_scale();
    for (id, set) in &of_scale.fields {
        if set.set.intersection(&at_scale).is_empty() {
            continue;
        }
        merged.fields.insert(id.clone(), VersionedSet::new(replicas.clone(), row.api_version(), set.applied));
        merged.times.extend(of_scale.times.get(id).map(|time| (id.clone(), time.clone())));
    }
    merged.encode()
}

fn replicas_of_scale() -> Set {
    super::set_of(&[&["spec", "replicas"]])
}

fn replicas_path(row: &Row) -> Path {
    let text = row.scale.as_ref().map_or(".spec.replicas", |paths| paths.spec_replicas.as_str());
    let mut path = Path::new();
    for field in text.trim_start_matches('.').split('.') {
        path.push(field.into());
    }
    path
}

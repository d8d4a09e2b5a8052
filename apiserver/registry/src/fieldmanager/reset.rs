//! What a write does not own because it is put back before it is stored, and requests to forget all owners.

use apimachinery::ObjectExt;
use serde_json::{Value, json};
use structured_merge_diff::fieldpath::Filter;

use super::set_of;
use crate::table::Row;

/// Takes out what a write to `subresource` cannot change.
pub(super) fn filter(row: &Row, subresource: &str) -> Option<Filter> {
    if let Some(fields) = row.strategy.resets(subresource) {
        return Some(Filter::Exclude(set_of(fields)));
    }
    let set = match subresource {
        "" if row.has_status() => set_of(&[&["status"]]),
        "status" if row.is_custom() => set_of(&[&["spec"], &["metadata"]]),
        "status" if row.strategy.facts().status_keeps_labels => set_of(&[&["spec"], &["metadata", "labels"]]),
        "status" if row.kind == "Pod" => {
            set_of(&[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]])
        }
        "status" => set_of(&[&["spec"]]),
        _ => return None,
    };
    Some(Filter::Exclude(set))
}

/// Whether an object says that its owners are to be forgotten: an empty list, or a list of one empty entry.
pub(crate) fn is_reset(object: &Value) -> bool {
    let entries = object.metadata().and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
    entries.is_some_and(|entries| match entries.as_slice() {
        [] => true,
        [only] => only.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    })
}

/// Makes an object say so.
pub(crate) fn mark_reset(object: &mut Value) {
    object.metadata_mut().insert("managedFields".into(), json!([{}]));
}

//! A write that changes nothing must not change the times of owners either.

use apimachinery::ObjectExt;
use serde_json::Value;

/// Leaves managedFields as they were if nothing but their times would change.
pub(crate) fn keep_times(object: &mut Value, old: &Value) {
    let (new_entries, old_entries) = (object.managed_fields(), old.managed_fields());
    if new_entries.len() != old_entries.len() || new_entries == old_entries {
        return;
    }
    let same = |new: &Value, old: &Value| {
        let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else { return false };
        let part = |entry: &serde_json::Map<String, Value>| entry.iter().filter(|(field, _)| *field != "time").count();
        part(new) == part(old) && new.iter().all(|(field, value)| field == "time" || old.get(field) == Some(value))
    };
    if !new_entries.iter().zip(old_entries).all(|(new, old)| same(new, old)) {
        return;
    }
    let entries = old_entries.to_vec();
    let before = object.metadata_mut().insert("managedFields".into(), entries.into());
    if object != old
        && let Some(before) = before
    {
        object.metadata_mut().insert("managedFields".into(), before);
    }
}

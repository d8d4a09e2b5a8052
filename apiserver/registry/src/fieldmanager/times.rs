//! A write that changes nothing must not change the times of owners either.

use apimachinery::{ObjectExt, field_sets};
use serde_json::{Map, Value};

/// Leaves managedFields as they were if nothing but their times would change.
pub(crate) fn keep_times(object: &mut Value, old: &Value) {
    let (new_entries, old_entries) = (object.managed_fields(), old.managed_fields());
    if new_entries.len() != old_entries.len() || !is_same_but_for_owners(object, old) {
        return;
    }
    let is_same_but_for_time = |(new, old): (&Value, &Value)| match (new.as_object(), old.as_object()) {
        (Some(new), Some(old)) => {
            let fields = ["time", "fieldsV1"];
            without(fields, new).eq(without(fields, old)) && is_same_set(new.get("fieldsV1"), old.get("fieldsV1"))
        }
        _ => false,
    };
    if new_entries.iter().zip(old_entries).all(is_same_but_for_time) {
        object.set_managed_fields(old_entries.to_vec());
    }
}

fn is_same_set(new: Option<&Value>, old: Option<&Value>) -> bool {
    match (new, old) {
        (Some(new), Some(old)) => field_sets::are_same(new, old),
        (new, old) => new == old,
    }
}

fn is_same_but_for_owners(object: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (object.as_object(), old.as_object()) else { return false };
    // Metadata first: its generation tells most changes apart.
    let is_same_metadata = match (object.metadata(), old.get("metadata").and_then(Value::as_object)) {
        (Some(new), Some(old)) => without(["managedFields"], new).eq(without(["managedFields"], old)),
        (new, old) => new == old,
    };
    is_same_metadata && without(["metadata"], new).eq(without(["metadata"], old))
}

/// The fields but some.
fn without<'a, const N: usize>(
    fields: [&'static str; N],
    object: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.iter().filter(move |(name, _)| !fields.contains(&name.as_str()))
}

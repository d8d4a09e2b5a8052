//! JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

use super::PatchError;

/// Applies a JSON merge patch, given as it was sent.
///
/// # Errors
/// The patch is no JSON, or neither an object nor a list.
pub fn apply_bytes(document: &mut Value, patch: &[u8]) -> Result<(), PatchError> {
    let invalid = || PatchError::Malformed("Invalid JSON Patch".to_owned());
    let patch: Value = serde_json::from_slice(patch).map_err(|_| invalid())?;
    if !patch.is_object() && !patch.is_array() {
        return Err(invalid());
    }
    apply(document, &patch);
    Ok(())
}

/// Applies a JSON merge patch: null removes a field, an object is merged, anything else replaces.
///
/// As upstream's library, nulls inside the items of a list that is put in stay, and nulls in an object that is put in
/// are dropped.
pub fn apply(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *document = patch.clone();
        drop_nulls(document);
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Value::Object(document) = document else { return };
    for (key, value) in patch {
        if value.is_null() {
            document.remove(key);
        } else if value.is_object() {
            apply(document.entry(key).or_insert(Value::Null), value);
        } else {
            let mut value = value.clone();
            // Upstream only cleans a value that has nothing to replace or replaces no object.
            if !document.get(key).is_some_and(Value::is_object) {
                drop_nulls(&mut value);
            }
            document.insert(key.clone(), value);
        }
    }
}

/// Drops the nulls of objects, at any depth; those that are items of lists stay.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_merges_objects_and_replaces_the_rest() {
        for (document, patch, want) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": 1}), json!({"a": null, "x": null}), json!({"b": 1})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b", null]}), json!({"a": ["b", null]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": "x"}), json!({"a": {"b": {"c": null, "d": 1}}}), json!({"a": {"b": {"d": 1}}})),
            (json!({}), json!({"a": [{"b": null, "c": 1}]}), json!({"a": [{"c": 1}]})),
            (json!({"a": [1]}), json!({"a": [{"b": null}]}), json!({"a": [{}]})),
            (json!({"a": {"x": 1}}), json!({"a": [{"b": null}]}), json!({"a": [{"b": null}]})),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": {}}), json!({"a": {}}), json!({"a": {}})),
        ] {
            let mut got = document.clone();
            apply(&mut got, &patch);
            assert_eq!(got, want, "{document} patched with {patch}");
        }
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        for patch in ["null", "1", "\"a\"", "{", "", "{} {}"] {
            let error = apply_bytes(&mut json!({}), patch.as_bytes()).unwrap_err();
            assert_eq!(error, PatchError::Malformed("Invalid JSON Patch".to_owned()), "{patch:?}");
        }
    }
}

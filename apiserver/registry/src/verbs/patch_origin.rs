//! What of a patched document the patch went through: errors quote the document, and its keys are in another order there.

use std::collections::BTreeMap;

use schema::types::Origin;
use serde_json::Value;

/// What a merge patch goes through of the document that it is applied to.
pub(super) fn of_merge(patch: &Value, document: &Value) -> Origin {
    let (Value::Object(patch), Value::Object(document)) = (patch, document) else { return Origin::Patch };
    let put = patch.iter().filter(|(_, value)| !value.is_null());
    let passed = put.map(|(key, value)| {
        let origin = document.get(key).map_or(Origin::Patch, |document| of_merge(value, document));
        (key.clone(), origin)
    });
    Origin::Passed(passed.collect())
}

/// What the operations of a JSON patch go through. Places in lists are those the operations name.
pub(super) fn of_operations(patch: &Value) -> Origin {
    let mut passed = BTreeMap::new();
    for operation in patch.as_array().into_iter().flatten() {
        let text = |field: &str| operation.get(field).and_then(Value::as_str);
        if let Some(from) = text("from") {
            pass(&mut passed, from, false);
        }
        if let Some(path) = text("path") {
            pass(&mut passed, path, matches!(text("op"), Some("add" | "replace" | "move" | "copy")));
        }
    }
    Origin::Passed(passed)
}

fn pass(passed: &mut BTreeMap<String, Origin>, path: &str, puts: bool) {
    let mut parts = path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).peekable();
    let mut at = passed;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            if puts {
                at.insert(part, Origin::Patch);
            }
            return;
        }
        match at.entry(part).or_insert_with(|| Origin::Passed(BTreeMap::new())) {
            Origin::Passed(inner) => at = inner,
            // Within what an operation before put in, nothing is the document's.
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passed(parts: &[(&str, Origin)]) -> Origin {
        Origin::Passed(parts.iter().map(|(key, origin)| ((*key).to_owned(), origin.clone())).collect())
    }

    #[test]
    fn a_merge_patch_goes_through_the_objects_that_both_have() {
        let document = json!({"a": {"b": {"c": 1}, "list": [1]}, "x": 1});
        let patch = json!({"a": {"b": {"d": null}, "list": {"y": 1}, "new": {}}, "x": {"z": 1}, "gone": null});
        let want = passed(&[
            ("a", passed(&[("b", passed(&[])), ("list", Origin::Patch), ("new", Origin::Patch)])),
            ("x", Origin::Patch),
        ]);
        assert_eq!(of_merge(&patch, &document), want);
    }

    #[test]
    fn operations_go_through_all_above_what_they_change() {
        let patch = json!([
            {"op": "remove", "path": "/spec/a~1b/c"},
            {"op": "add", "path": "/spec/list/0/name", "value": 1},
            {"op": "add", "path": "/spec/new", "value": {}},
            {"op": "add", "path": "/spec/new/within", "value": {}},
            {"op": "copy", "from": "/metadata/name", "path": "/x"},
        ]);
        let want = passed(&[
            ("metadata", passed(&[])),
            (
                "spec",
                passed(&[
                    ("a/b", passed(&[])),
                    ("list", passed(&[("0", passed(&[("name", Origin::Patch)]))])),
                    ("new", Origin::Patch),
                ]),
            ),
            ("x", Origin::Patch),
        ]);
        assert_eq!(of_operations(&patch), want);
    }
}

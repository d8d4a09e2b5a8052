use serde_json::json;

use super::*;

fn patched(document: &Value, patch: &Value) -> Result<Value, PatchError> {
    apply(document, patch.to_string().as_bytes())
}

#[test]
fn operations_are_applied() {
    for (document, patch, want) in [
        (json!({"a": 1}), json!([]), json!({"a": 1})),
        (json!({"a": 1}), json!(null), json!({"a": 1})),
        (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
        (json!({"a": 1}), json!([{"op": "add", "path": "/a"}]), json!({"a": null})),
        (json!({"a": [1, 3]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), json!({"a": [1, 2, 3]})),
        (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
        (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-1", "value": 2}]), json!({"a": [1, 2]})),
        (json!({"a": [1]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), json!({"a": [1, 2]})),
        (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/-1"}]), json!({"a": [1]})),
        (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
        (json!({"a": 1}), json!([{"op": "replace", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
        (json!({"a": [1]}), json!([{"op": "replace", "path": "/a/0", "value": 2}]), json!({"a": [2]})),
        (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {"b": 2}}]), json!({"b": 2})),
        (json!({"a": {"b": 1}}), json!([{"op": "move", "from": "/a/b", "path": "/c"}]), json!({"a": {}, "c": 1})),
        (json!({"a": [1]}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": [1], "b": [1]})),
        (json!({"a": 1}), json!([{"op": "copy", "from": "/x", "path": "/b"}]), json!({"a": 1, "b": null})),
        (
            json!({"a/b": 1, "m~n": 2}),
            json!([{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}]),
            json!({}),
        ),
        (json!({"~1": 1}), json!([{"op": "remove", "path": "/~01"}]), json!({})),
        (json!({"": {"": 1}}), json!([{"op": "remove", "path": "//"}]), json!({"": {}})),
        (
            json!({"a": 1}),
            json!([{"op": "test", "path": "/b"}, {"op": "test", "path": "/b", "value": null}]),
            json!({"a": 1}),
        ),
        (
            json!({"a": {"b": [1]}}),
            json!([{"op": "test", "path": "/a", "value": {"b": [1]}}]),
            json!({"a": {"b": [1]}}),
        ),
        (json!({"a": 1}), json!([{"op": "test", "path": "", "value": {"a": 1}}]), json!({"a": 1})),
        (json!({"a": 1}), json!([{"op": "remove", "path": "ignored/a"}]), json!({})),
    ] {
        assert_eq!(patched(&document, &patch), Ok(want), "{document} patched with {patch}");
    }
}

#[test]
fn an_operation_that_cannot_be_applied_is_unprocessable() {
    let document = json!({"a": [80], "o": {"x": "80"}});
    for (patch, why) in [
        (json!([{}]), "Unexpected kind: unknown"),
        (json!([null]), "Unexpected kind: unknown"),
        (json!([{"op": "jump", "path": "/a"}]), "Unexpected kind: jump"),
        (json!([{"op": "add", "value": 1}]), "add operation failed to decode path: missing value"),
        (
            json!([{"op": "add", "path": "", "value": {}}]),
            "add operation does not apply: doc is missing path: \"\": missing value",
        ),
        (
            json!([{"op": "add", "path": "/x/y", "value": 1}]),
            "add operation does not apply: doc is missing path: \"/x/y\": missing value",
        ),
        (
            json!([{"op": "add", "path": "/o/x/y", "value": 1}]),
            "add operation does not apply: doc is missing path: \"/o/x/y\": missing value",
        ),
        (
            json!([{"op": "add", "path": "/a/2", "value": 1}]),
            "error in add for path: '/a/2': Unable to access invalid index: 2: invalid index referenced",
        ),
        (
            json!([{"op": "add", "path": "/a/x", "value": 1}]),
            "error in add for path: '/a/x': value was not a proper array index: 'x'",
        ),
        (
            json!([{"op": "remove", "path": "/nope"}]),
            "error in remove for path: '/nope': Unable to remove nonexistent key: nope: missing value",
        ),
        (
            json!([{"op": "remove", "path": "/a/-2"}]),
            "error in remove for path: '/a/-2': Unable to access invalid index: -2: invalid index referenced",
        ),
        (
            json!([{"op": "replace", "path": "/a/1", "value": 1}]),
            "replace operation does not apply: doc is missing key: /a/1: missing value",
        ),
        (json!([{"op": "replace", "path": "", "value": 1}]), "replace operation value must be object or array"),
        (
            json!([{"op": "move", "from": "/nope", "path": "/x"}]),
            "error in move for path: 'nope': Unable to remove nonexistent key: nope: missing value",
        ),
        (json!([{"op": "test", "path": "/a/0", "value": "80"}]), "testing value /a/0 failed: test failed"),
        (json!([{"op": "test", "path": "/a/0", "value": 80.0}]), "testing value /a/0 failed: test failed"),
        (json!([{"op": "test", "path": "/a", "value": []}]), "testing value /a failed: test failed"),
        (json!([{"op": "test", "path": "/a/0"}]), "testing value /a/0 failed: test failed"),
        (
            json!([{"op": "test", "path": "/nope/x", "value": null}]),
            "test operation does not apply: doc is missing path: \"/nope/x\": missing value",
        ),
    ] {
        assert_eq!(patched(&document, &patch), Err(PatchError::Unprocessable(why.to_owned())), "{patch}");
    }
}

#[test]
fn a_malformed_patch_is_refused_in_upstreams_words() {
    for (patch, want) in [
        ("{}", "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
        ("[1]", "json: cannot unmarshal number into Go value of type jsonpatch.Operation"),
    ] {
        assert_eq!(apply(&json!({}), patch.as_bytes()), Err(PatchError::Malformed(want.to_owned())));
    }
    assert!(matches!(apply(&json!({}), b"["), Err(PatchError::Malformed(_))));
    let many = Value::Array(vec![json!({}); MAX_OPERATIONS + 1]);
    let error = crate::StatusError::from(patched(&json!({}), &many).unwrap_err());
    assert_eq!(
        (error.code(), error.message()),
        (413, "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001")
    );
}

#[test]
fn operations_are_checked_in_upstreams_words() {
    let refused =
        |words: &str| Err(PatchError::Malformed(format!("error decoding patch: json: cannot unmarshal {words}")));
    for (patch, want) in [
        (json!(null), Ok(vec![])),
        (json!([null, {"op": "add", "path": "/a", "value": 1, "from": null}]), Ok(vec![])),
        (json!([{"op": "add"}, {"op": "add", "x": 1}]), Ok(vec!["json patch unknown field \"[1].x\"".to_owned()])),
        (json!({"op": "add"}), refused("object into Go value of type []handlers.jsonPatchOp")),
        (json!(["x"]), refused("string into Go value of type handlers.jsonPatchOp")),
        (json!([{"op": 1}]), refused("number into Go struct field jsonPatchOp.op of type string")),
    ] {
        assert_eq!(check(&patch), want, "{patch}");
    }
}

proptest::proptest! {
    #[test]
    fn any_path_is_followed_or_refused(op in "add|remove|replace|move|copy|test", path in "(/[-a0-9~é]{0,3}){0,3}", from in "(/[-a0-9~]{0,3}){0,3}") {
        let patch = json!([{"op": op, "path": path, "from": from, "value": 1}]);
        let _ = patched(&json!({"a": [1, {"a": [0]}], "0": {}}), &patch);
    }
}

#[test]
fn copies_are_bounded_together() {
    let document = json!({"text": "a".repeat(1 << 20), "list": []});
    let copy = json!({"op": "copy", "from": "/text", "path": "/list/-"});
    let error = patched(&document, &json!([copy, copy, copy])).unwrap_err();
    let words =
        "Unable to complete the copy, the accumulated size increase of copy is 3145734, exceeding the limit 3145728";
    assert_eq!(error, PatchError::Unprocessable(words.to_owned()));
    let twice = patched(&document, &json!([copy, copy])).unwrap();
    assert_eq!(twice["list"].as_array().map(Vec::len), Some(2));
}

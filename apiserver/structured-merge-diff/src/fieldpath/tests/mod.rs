//! What paths and sets promise.

mod encoding;
mod managed_fields;
mod matching;
mod sets;

use serde_json::{Value, json};

use super::{Path, PathElement, Set};

/// A path from steps: strings that begin with `=` are set elements, objects are keys, numbers are positions.
fn path(steps: &Value) -> Path {
    let step = |step: &Value| match step {
        Value::String(s) => match s.strip_prefix('=') {
            Some(value) => PathElement::value(value),
            None => PathElement::field(s.as_str()),
        },
        Value::Number(n) => PathElement::Index(n.as_i64().unwrap()),
        Value::Object(keys) => PathElement::key(keys.iter().map(|(k, v)| (k.as_str(), v.clone()))),
        other => panic!("no step: {other}"),
    };
    steps.as_array().unwrap().iter().map(step).collect()
}

/// A set from a list of paths.
fn set(paths: Value) -> Set {
    paths.as_array().unwrap().iter().map(path).collect()
}

#[test]
fn paths_are_shown_as_conflicts_show_them() {
    for (steps, text) in [
        (json!([]), ""),
        (json!(["spec", "replicas"]), ".spec.replicas"),
        (json!(["spec", "containers", {"name": "a"}, "image"]), r#".spec.containers[name="a"].image"#),
        (json!(["ports", {"protocol": "TCP", "port": 80}]), r#".ports[port=80,protocol="TCP"]"#),
        (json!(["ports", {"port": 80.0}]), ".ports[port=80]"),
        (json!(["finalizers", "=example.com/x"]), r#".finalizers[="example.com/x"]"#),
        (json!(["args", 3]), ".args[3]"),
        (json!(["l", {"k": null}, {"k": [1, "a"]}, {"k": {"m": true}}]), r#".l[k=null][k=[1,"a"]][k=m=true]"#),
        (json!(["labels", "app.kubernetes.io/name"]), ".labels.app.kubernetes.io/name"),
    ] {
        assert_eq!(path(&steps).to_string(), text);
    }
}

#[test]
fn path_elements_come_fields_first_then_keys_values_indexes() {
    let ascending = [
        PathElement::field("a"),
        PathElement::field("b"),
        PathElement::key([("name", "a")]),
        PathElement::key([("name", json!("a")), ("port", json!(1))]),
        PathElement::key([("name", "b")]),
        PathElement::key([("other", "a")]),
        PathElement::value(1),
        PathElement::value(10),
        PathElement::value("a"),
        PathElement::Index(1),
        PathElement::Index(10),
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} and {b}");
        }
    }
}

#[test]
fn keys_are_the_same_in_any_order_and_number_form() {
    assert_eq!(
        PathElement::key([("port", json!(80)), ("protocol", json!("TCP"))]),
        PathElement::key([("protocol", json!("TCP")), ("port", json!(80.0))]),
    );
}

#[test]
fn leaves_of_an_untyped_value_are_named_by_their_likely_keys() {
    let value = json!({
        "a": [{"name": "x", "v": 1}, {"key": "k", "id": 7, "v": 2}, {"name": {}, "v": 3}, "s"],
        "b": {"c": null},
        "empty": {},
    });
    let expected = [
        ".a[name=\"x\"].name",
        ".a[name=\"x\"].v",
        ".a[id=7,key=\"k\"].id",
        ".a[id=7,key=\"k\"].key",
        ".a[id=7,key=\"k\"].v",
        ".a[2].v",
        ".a[3]",
        ".b.c",
    ];
    let mut got: Vec<String> = Set::from_value(&value).paths().iter().map(Path::to_string).collect();
    let mut expected = expected.map(str::to_owned).to_vec();
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
}

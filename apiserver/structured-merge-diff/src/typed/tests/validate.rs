use serde_json::json;

use super::{schema, typed_in};
use crate::schema::{Schema, TypeRef};
use crate::typed::{Duplicates, TypedValue};

#[test]
fn values_of_the_type_are_valid() {
    for value in [
        json!(null),
        json!({}),
        json!({"numeric": 1, "string": "a", "bool": true, "any": 1.5}),
        json!({"numeric": null, "string": null, "set": null, "items": null, "map": null, "record": null}),
        json!({"set": ["a", "b"], "numbers": [1, 2.5], "atoms": [{}, {}, null]}),
        json!({"items": [{"name": "a"}, {"name": "a", "id": 1}, {"id": 1}, {"name": null}]}),
        json!({"ports": [{"port": 1}, {"port": 1, "protocol": "UDP"}, {}]}),
        json!({"free": {"a": [{"b": 1}, {"b": 1}], "c": null}, "opaque": [[1], {"a": {}}]}),
    ] {
        typed_in(&schema(), &value, Duplicates::Reject).unwrap_or_else(|err| panic!("{value}: {err}"));
    }
}

#[test]
fn errors_name_the_field_in_upstreams_words() {
    for (value, message) in [
        (json!(true), "expected map, got &{true}"),
        (json!({"numeric": "1"}), ".numeric: expected numeric (int or float), got string"),
        (json!({"numeric": {"a": 1}}), ".numeric: expected numeric (int or float), got map[string]interface {}"),
        (json!({"string": 8080}), ".string: expected string, got &value.valueUnstructured{Value:8080}"),
        (
            json!({"string": ["a"]}),
            r#".string: expected string, got &value.valueUnstructured{Value:[]interface {}{"a"}}"#,
        ),
        (json!({"bool": "true"}), ".bool: expected boolean, got &{true}"),
        (json!({"any": {"a": 1}}), ".any: expected any scalar, got &{map[a:1]}"),
        (json!({"set": "a"}), ".set: expected list, got &{a}"),
        (json!({"map": ["a"]}), ".map: expected map, got &{[a]}"),
        (json!({"record": {"record": {"a": true}}}), ".record.record.a: expected numeric (int or float), got bool"),
        (json!({"absent": 1}), ".absent: field not declared in schema"),
        (json!({"record": {"absent": 1}}), ".record.absent: field not declared in schema"),
        (json!({"map": {"k.x/y": 1}}), ".map.k.x/y: expected string, got &value.valueUnstructured{Value:1}"),
        (json!({"atoms": [{}, {"id": "x"}]}), ".atoms[1].id: expected numeric (int or float), got string"),
        (
            json!({"items": [{"name": "a", "id": 1, "flag": 0}]}),
            r#".items[id=1,name="a"].flag: expected boolean, got &{0}"#,
        ),
        (
            json!({"items": [{"flag": true}]}),
            ".items: element 0: associative list with keys has an element that omits all key fields \
             [\"name\" \"id\"] (and doesn't have default values for any key fields)",
        ),
        (json!({"items": [null]}), ".items: element 0: associative list with keys may not have a null element"),
        (json!({"items": [1]}), ".items: element 0: associative list with keys may not have non-map elements"),
        (json!({"set": [{}]}), ".set: element 0: associative list without keys has an element that's a map type"),
        (json!({"set": ["a", []]}), ".set: element 1: not supported: associative list with lists as elements"),
        (
            json!({"set": [null]}),
            ".set: element 0: associative list without keys has an element that's an explicit null",
        ),
        (
            json!({"numeric": "a", "string": 1}),
            "errors:\n  .numeric: expected numeric (int or float), got string\n  \
             .string: expected string, got &value.valueUnstructured{Value:1}",
        ),
    ] {
        let err = typed_in(&schema(), &value, Duplicates::Reject).unwrap_err();
        assert_eq!(err.to_string(), message, "{value}");
    }
}

#[test]
fn duplicates_are_for_stored_objects_alone() {
    for (value, message) in [
        (json!({"set": ["a", "b", "a"]}), r#".set: duplicate entries for key [="a"]"#),
        (json!({"numbers": [1, 1.0]}), ".numbers: duplicate entries for key [=1]"),
        (
            json!({"items": [{"name": "a", "id": 1}, {"id": 1, "name": "a", "flag": true}]}),
            r#".items: duplicate entries for key [id=1,name="a"]"#,
        ),
        (
            json!({"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]}),
            r#".ports: duplicate entries for key [port=80,protocol="TCP"]"#,
        ),
    ] {
        let err = typed_in(&schema(), &value, Duplicates::Reject).unwrap_err();
        assert_eq!(err.to_string(), message);
        typed_in(&schema(), &value, Duplicates::Allow).unwrap_or_else(|err| panic!("{value}: {err}"));
    }
}

#[test]
fn a_type_that_does_not_exist_is_an_error() {
    let schema: Schema = serde_json::from_value(json!({"types": [
        {"name": "root", "map": {"fields": [
            {"name": "lost", "type": {"namedType": "lost"}},
            {"name": "nothing", "type": {"namedType": "nothing"}},
            {"name": "scalar", "type": {"namedType": "scalar", "elementRelationship": "atomic"}},
        ]}},
        {"name": "nothing"},
        {"name": "scalar", "scalar": "string"},
    ]}))
    .unwrap();
    for (value, message) in [
        (json!({"lost": 1}), ".lost: schema error: no type found matching: lost"),
        (json!({"nothing": 1}), ".nothing: schema error: invalid atom: named type: nothing"),
        (json!({"scalar": "a"}), ".scalar: schema error: no type found matching: scalar"),
    ] {
        let err = TypedValue::new(value, &schema, &TypeRef::named("root"), Duplicates::Allow).unwrap_err();
        assert_eq!(err.to_string(), message);
    }
}

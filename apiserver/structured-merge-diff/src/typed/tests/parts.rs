use serde_json::{Value, json};

use super::{lines, schema, typed_in};
use crate::fieldpath::{Path, PathElement, Set};
use crate::schema::{Schema, TypeRef};
use crate::typed::{Duplicates, KeyFields, TypedValue};

fn typed(value: &Value) -> TypedValue {
    typed_in(&schema(), value, Duplicates::Allow).unwrap_or_else(|err| panic!("{value}: {err}"))
}

/// A set of paths made of field names and, in brackets, the key or value in its serialised form.
fn set(paths: &[&[&str]]) -> Set {
    let step = |step: &&str| step.parse::<PathElement>().unwrap_or_else(|_| PathElement::field(*step));
    paths.iter().map(|steps| steps.iter().map(step).collect::<Path>()).collect()
}

#[test]
fn the_field_set_has_leaves_items_and_map_entries() {
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({}), &[]),
        (json!(null), &[]),
        (json!({"numeric": 1, "string": null}), &[".numeric", ".string"]),
        (json!({"record": {"a": 1, "record": {}}}), &[".record.a", ".record.record"]),
        (json!({"record": null, "set": null}), &[".record", ".set"]),
        (json!({"set": [], "map": {}}), &[".map"]),
        (json!({"whole": {"a": 1}, "atoms": []}), &[".atoms", ".whole"]),
        (json!({"map": {"x": "y"}}), &[".map.x"]),
        (json!({"sets": {"x": ["a"], "y": []}}), &[".sets.x", r#".sets.x[="a"]"#, ".sets.y"]),
        (json!({"set": ["a", "b"]}), &[r#".set[="a"]"#, r#".set[="b"]"#]),
        (
            json!({"items": [{"name": "a", "value": {"x": "y"}}]}),
            &[r#".items[name="a"]"#, r#".items[name="a"].name"#, r#".items[name="a"].value.x"#],
        ),
        (
            json!({"ports": [{"port": 80}]}),
            &[r#".ports[port=80,protocol="TCP"]"#, r#".ports[port=80,protocol="TCP"].port"#],
        ),
        // items that share a name are owned together
        (json!({"items": [{"name": "a", "flag": true}, {"name": "a"}]}), &[r#".items[name="a"]"#]),
        (json!({"free": {"a": {"b": 1}, "l": [1]}}), &[".free.a", ".free.a.b", ".free.l"]),
        (json!({"opaque": {"a": 1}}), &[".opaque"]),
    ];
    for (value, expected) in cases {
        assert_eq!(lines(&typed(&value).to_field_set().unwrap()), expected, "{value}");
    }
}

#[test]
fn removing_leaves_null_where_nothing_is_left() {
    for (value, paths, left) in [
        (json!({"numeric": 1, "bool": true}), set(&[&["numeric"]]), json!({"bool": true})),
        (json!({"numeric": 1}), set(&[&["numeric"]]), json!(null)),
        (json!({"record": {"a": 1}, "bool": true}), set(&[&["record", "a"]]), json!({"record": null, "bool": true})),
        (json!({"record": {"a": 1, "b": "x"}}), set(&[&["record", "a"]]), json!({"record": {"b": "x"}})),
        (json!({"set": ["a", "b"]}), set(&[&["set", "v:\"a\""]]), json!({"set": ["b"]})),
        (json!({"set": ["a"]}), set(&[&["set", "v:\"a\""]]), json!({"set": null})),
        (
            json!({"items": [{"name": "a", "flag": true}, {"name": "b", "flag": true}]}),
            set(&[&["items", "k:{\"name\":\"a\"}"], &["items", "k:{\"name\":\"b\"}", "flag"]]),
            json!({"items": [{"name": "b"}]}),
        ),
        (json!({"numeric": 1}), set(&[&["record", "a"], &["string"]]), json!({"numeric": 1})),
    ] {
        assert_eq!(typed(&value).remove_items(&paths).value(), &left, "{value} without\n{paths}");
    }
}

#[test]
fn extracting_keeps_what_is_named_and_the_way_to_it() {
    let item = json!({"items": [{"name": "a", "id": 1, "flag": true}, {"name": "b"}]});
    let flag = set(&[&["items", "k:{\"name\":\"a\",\"id\":1}", "flag"]]);
    for (value, paths, keys, kept) in [
        (json!({"numeric": 1, "bool": true}), set(&[&["numeric"]]), KeyFields::AsNamed, json!({"numeric": 1})),
        (json!({"numeric": 1}), set(&[]), KeyFields::AsNamed, json!(null)),
        (
            json!({"record": {"a": 1, "b": "x"}, "bool": true}),
            set(&[&["record", "a"]]),
            KeyFields::AsNamed,
            json!({"record": {"a": 1}}),
        ),
        (json!({"whole": {"a": 1}, "bool": true}), set(&[&["whole"]]), KeyFields::AsNamed, json!({"whole": {"a": 1}})),
        (json!({"map": {}, "set": []}), set(&[&["map"], &["set"]]), KeyFields::AsNamed, json!({"map": {}, "set": []})),
        (json!({"set": ["a", "b"]}), set(&[&["set", "v:\"b\""]]), KeyFields::AsNamed, json!({"set": ["b"]})),
        (item.clone(), flag.clone(), KeyFields::AsNamed, json!({"items": [{"flag": true}]})),
        (item, flag, KeyFields::Append, json!({"items": [{"name": "a", "id": 1, "flag": true}]})),
    ] {
        assert_eq!(typed(&value).extract_items(&paths, keys).value(), &kept, "from {value}\n{paths}");
    }
}

#[test]
fn what_was_merged_in_can_be_extracted_again() {
    for (stored, sent) in [
        (json!({"sets": {"a": ["x"]}}), json!({"sets": {"a": ["y"], "b": ["z"]}})),
        (
            json!({"items": [{"name": "a", "value": {"x": "y"}}]}),
            json!({"items": [{"name": "a", "value": {"z": "w"}}]}),
        ),
        (json!({"free": {"a": {"b": 1}}}), json!({"free": {"a": {"c": null}}})),
        (json!({"record": {"record": {"a": 1}}}), json!({"record": {"record": {"record": null}}})),
    ] {
        let (stored, sent) = super::pair(&stored, &sent);
        let leaves = sent.to_field_set().unwrap().leaves();
        let extracted = stored.merge(&sent).unwrap().extract_items(&leaves, KeyFields::AsNamed);
        assert_eq!(extracted.value(), sent.value());
    }
}

#[test]
fn an_owner_of_parts_owns_the_whole_once_it_is_atomic() {
    let schema = |relationship: &str, list: &str| -> Schema {
        serde_json::from_value(json!({"types": [{"name": "root", "map": {"fields": [
            {"name": "map", "type": {"map": {
                "elementType": {"scalar": "string"}, "elementRelationship": relationship,
            }}},
            {"name": "list", "type": {"list": {"elementType": {"scalar": "string"}, "elementRelationship": list}}},
            {"name": "other", "type": {"map": {"elementType": {"scalar": "string"}}}},
            {"name": "unknown", "type": {"map": {"elementType": {"scalar": "untyped"}}}},
        ]}}]}))
        .unwrap()
    };
    let parts = set(&[&["map", "a"], &["list", "v:\"x\""], &["other", "b"], &["unknown", "c", "d"]]);
    let whole = set(&[&["map"], &["list"], &["other", "b"], &["unknown", "c", "d"]]);
    let reconcile = |schema: &Schema, set: &Set| {
        TypedValue::unvalidated(json!({}), schema, &TypeRef::named("root")).reconcile_field_set(set).unwrap()
    };
    assert_eq!(reconcile(&schema("atomic", "atomic"), &parts), Some(whole.clone()));
    assert_eq!(reconcile(&schema("atomic", "atomic"), &whole), None);
    assert_eq!(reconcile(&schema("separable", "associative"), &parts), None);
    assert_eq!(reconcile(&schema("separable", "associative"), &whole), None);
}

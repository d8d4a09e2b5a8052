//! Promises of custom resources' schemas that need no recordings.

// Tests may panic; this lint knows test functions, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use apimachinery::field::{Aggregate, Path};
use schema::Schema;
use schema::openapi::{self, CustomKind};
use serde_json::{Value, json};

/// A schema whose `spec` has the given properties.
fn schema(properties: Value) -> Schema {
    let raw = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}});
    Schema::from_crd(&raw, &Path::new("s")).unwrap_or_else(|errors| panic!("{}", Aggregate(&errors)))
}

fn object(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec})
}

#[test]
fn every_keyword_has_upstreams_words() {
    for (of, value, want) in [
        (
            json!({"type": "string"}),
            json!(1),
            r#"spec.f: Invalid value: "integer": spec.f in body must be of type string: "integer""#,
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("c"),
            r#"spec.f: Unsupported value: "c": supported values: "a", "b""#,
        ),
        (json!({"type": "string", "maxLength": 1}), json!("ab"), "spec.f: Too long: may not be more than 1 byte"),
        (
            json!({"type": "string", "minLength": 2}),
            json!("é"),
            r#"spec.f: Invalid value: "é": spec.f in body should be at least 2 chars long"#,
        ),
        (
            json!({"type": "string", "pattern": "^a$"}),
            json!("b"),
            r#"spec.f: Invalid value: "b": spec.f in body should match '^a$'"#,
        ),
        (
            json!({"type": "string", "format": "date"}),
            json!("x"),
            r#"spec.f: Invalid value: "x": spec.f in body must be of type date: "x""#,
        ),
        (
            json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
            json!(3),
            "spec.f: Invalid value: 3: spec.f in body should be greater than 3",
        ),
        (
            json!({"type": "number", "maximum": 0.5}),
            json!(0.75),
            "spec.f: Invalid value: 0.75: spec.f in body should be less than or equal to 0.5",
        ),
        (
            json!({"type": "integer", "multipleOf": 2}),
            json!(3),
            "spec.f: Invalid value: 3: spec.f in body should be a multiple of 2",
        ),
        (
            json!({"type": "integer", "format": "int32"}),
            json!(3_000_000_000_i64),
            r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.f"#,
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
            json!(["a", "b"]),
            "spec.f: Too many: 2: must have at most 1 item",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            json!([]),
            "spec.f: Invalid value: 0: spec.f in body should have at least 1 items",
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}),
            json!({}),
            "spec.f: Invalid value: 0: spec.f in body should have at least 1 properties",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
            json!({}),
            "spec.f.a: Required value",
        ),
        (
            json!({"type": "string", "not": {"pattern": "^x"}}),
            json!("xy"),
            r#"<nil>: Invalid value: "": "spec.f" must not validate the schema (not)"#,
        ),
        (
            json!({"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]}),
            json!("ab"),
            r#"<nil>: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!(["a", "a"]),
            r#"spec.f[1]: Duplicate value: "a""#,
        ),
        (
            json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
            json!({"apiVersion": "v1", "kind": ""}),
            r#"spec.f.kind: Invalid value: "": must not be empty"#,
        ),
    ] {
        let errors = schema(json!({"f": of})).validate(&object(json!({"f": value})), None, &Path::default());
        assert_eq!(Aggregate(&errors).to_string(), want, "{of} on {value}");
    }
}

#[test]
fn unknown_fields_go_unless_they_are_preserved() {
    let schema = schema(json!({
        "closed": {"type": "object", "properties": {"a": {"type": "string"}}},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                 "properties": {"a": {"type": "object", "properties": {}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }));
    let mut widget = object(json!({
        "closed": {"a": "x", "b": 1},
        "open": {"a": {"z": 1}, "any": {"thing": 1}},
        "map": {"k": {"a": "x", "b": [{}]}},
    }));
    widget["metadata"]["nonsense"] = json!(1);
    let unknown = schema.decode(&mut widget).unwrap();
    let want = ["metadata.nonsense", "spec.closed.b", "spec.map.k.b", "spec.open.a.z"];
    assert_eq!(unknown, want.map(|path| format!("unknown field \"{path}\"")));
    let want = json!({"closed": {"a": "x"}, "open": {"a": {}, "any": {"thing": 1}}, "map": {"k": {"a": "x"}}});
    assert_eq!(widget, object(want));
}

#[test]
fn defaults_fill_existing_parents_and_replace_forbidden_nulls() {
    let schema = schema(json!({
        "s": {"type": "string", "default": "x"},
        "n": {"type": "string", "default": "x", "nullable": true},
        "plain": {"type": "string"},
        "o": {"type": "object", "properties": {"i": {"type": "integer", "default": 1}}},
        "l": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}},
    }));
    let mut widget = object(json!({"s": null, "n": null, "plain": null, "l": [{}, {"p": "UDP"}]}));
    schema.apply_defaults(&mut widget);
    assert_eq!(widget, object(json!({"s": "x", "n": null, "l": [{"p": "TCP"}, {"p": "UDP"}]})));
}

#[test]
fn settling_says_whether_it_changed_what_is_stored() {
    let schema = schema(json!({
        "s": {"type": "string", "default": "x"},
        "plain": {"type": "string"},
        "nullable": {"type": "string", "nullable": true},
        "l": {"type": "array", "items": {"type": "object", "nullable": true, "properties": {"p": {"type": "string", "default": "TCP"}}}},
        "inner": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
    }));
    let cases = [
        (json!({"s": "y", "nullable": null, "l": [{"p": "UDP"}, null]}), json!({"generation": 1}), false),
        (json!({"s": "y", "inner": {"metadata": {"name": "a"}}}), json!({"generation": 2}), false),
        (json!({"s": "y"}), json!({}), true),
        (json!({"s": "y"}), json!({"generation": 0}), true),
        (json!({"s": "y"}), json!({"generation": 1, "unknown": 1}), true),
        (json!({}), json!({"generation": 1}), true),
        (json!({"s": null}), json!({"generation": 1}), true),
        (json!({"s": "y", "plain": null}), json!({"generation": 1}), true),
        (json!({"s": "y", "l": [{}]}), json!({"generation": 1}), true),
        (json!({"s": "y", "inner": {"kind": 1}}), json!({"generation": 1}), true),
        (json!({"s": "y", "inner": {"metadata": {"unknown": 1}}}), json!({"generation": 1}), true),
    ];
    for (spec, metadata, changes) in cases {
        let mut widget = object(spec);
        widget["metadata"] = metadata;
        let before = widget.clone();
        assert_eq!(schema.settle(&mut widget), changes, "{before}");
        assert_eq!(widget != before, changes, "{before} became {widget}");
        assert!(!schema.settle(&mut widget), "what is settled stays as it is: {widget}");
    }
}

#[test]
fn schemas_that_are_not_structural_are_refused() {
    for (raw, want) in [
        (json!({"type": "string"}), r#"s.type: Invalid value: "string": must be object at the root"#),
        (
            json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}}),
            "[s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural, s.properties[a].type: Required value: must not be empty for specified object fields]",
        ),
        (
            json!({"type": "object", "allOf": [{"properties": {"b": {"minLength": 1}}}]}),
            "s.properties[b]: Required value: because it is defined in s.allOf[0].properties[b]",
        ),
        (
            json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}}),
            "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
        ),
        (
            json!({"type": "object", "properties": {"metadata": {"type": "object", "default": {"name": "x"}}}}),
            "s.properties[metadata].default: Forbidden: must not be set in top-level metadata",
        ),
    ] {
        let errors = Schema::from_crd(&raw, &Path::new("s")).expect_err(want);
        assert_eq!(Aggregate(&errors).to_string(), want, "{raw}");
    }
}

#[test]
fn v2_publishes_what_its_readers_understand() {
    let raw = json!({"type": "object", "properties": {"spec": {
        "type": "object", "required": ["n", "s"],
        "properties": {
            "n": {"type": "object", "nullable": true, "properties": {"x": {"type": "string"}}},
            "s": {"type": "string", "default": "x", "anyOf": [{"minLength": 1}]},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "string"}}},
        },
    }}});
    let kind = CustomKind {
        group: "g.example.com",
        version: "v1",
        kind: "Widget",
        list_kind: "WidgetList",
        plural: "widgets",
        schema: Some(&raw),
        preserve_unknown_fields: false,
        selectable_fields: &[".spec.s"],
    };
    let (name, definition) = openapi::v2(&kind).kind;
    assert_eq!(name, "com.example.g.v1.Widget");
    assert_eq!(
        definition["properties"]["spec"],
        json!({
            "type": "object", "required": ["s"],
            "properties": {"n": {}, "s": {"type": "string"}, "free": {"x-kubernetes-preserve-unknown-fields": true}},
        })
    );
    assert_eq!(definition["x-kubernetes-selectable-fields"], json!([{"fieldPath": "spec.s"}]));
    let metadata = &definition["properties"]["metadata"]["$ref"];
    assert_eq!(metadata, "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
}

#[test]
fn merge_types_know_metadata_and_list_keys() {
    let schema = schema(json!({
        "l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
              "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}},
    }));
    let merge = schema.merge_type();
    let widget = json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"finalizers": ["a/b"]}, "spec": {"l": [{"k": "x"}]},
    });
    let typed = structured_merge_diff::TypedValue::unvalidated(widget, &merge.schema, &merge.type_ref);
    let fields: Value = serde_json::to_value(typed.to_field_set().unwrap()).unwrap();
    assert!(fields["f:metadata"]["f:finalizers"]["v:\"a/b\""].is_object(), "{fields}");
    assert!(fields["f:spec"]["f:l"]["k:{\"k\":\"x\"}"].is_object(), "{fields}");
}

/// To Go a float that is whole is no integer, until it is written.
#[test]
fn whole_floats_are_no_integers_until_they_are_settled() {
    let schema = json!({"type": "object", "properties": {
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "number"}},
        "int": {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0"}]},
    }});
    let schema = Schema::from_crd(&schema, &Path::default()).unwrap();
    let mut object = json!({"set": [1, 1.0, 2], "int": 1.0});
    schema.decode(&mut object).unwrap();
    assert_eq!(schema.validate(&object, None, &Path::default()), []);
    let errors = schema.validate_rules(&object, None, &Vec::new()).errors;
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["int: Invalid value: \"integer\": invalid data, expected int, got float64 evaluating rule: self > 0"]
    );
    schema.settle_numbers(&mut object);
    assert_eq!(object, json!({"set": [1, 1, 2], "int": 1}));
}

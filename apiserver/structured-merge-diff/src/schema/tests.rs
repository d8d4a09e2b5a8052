use serde_json::{Value, json};

use super::{ElementRelationship, List, Map, Scalar, Schema, StructField, TypeDef, TypeRef};

fn schema(types: Value) -> Schema {
    serde_json::from_value(json!({"types": types})).unwrap()
}

#[test]
fn upstreams_notation_and_the_constructors_make_the_same_schema() {
    let read = schema(json!([
        {"name": "root", "map": {"fields": [
            {"name": "ports", "type": {"list": {
                "elementType": {"namedType": "port"}, "elementRelationship": "associative", "keys": ["port", "protocol"],
            }}},
            {"name": "set", "type": {"list": {"elementType": {"scalar": "string"}, "elementRelationship": "associative"}}},
            {"name": "args", "type": {"list": {"elementType": {"scalar": "string"}, "elementRelationship": "atomic"}}},
            {"name": "labels", "type": {"map": {"elementType": {"scalar": "string"}}}},
            {"name": "whole", "type": {"namedType": "port", "elementRelationship": "atomic", "nullable": true}},
        ]}},
        {"name": "port", "map": {"fields": [
            {"name": "port", "type": {"scalar": "numeric"}},
            {"name": "protocol", "type": {"scalar": "string"}, "default": "TCP"},
        ]}},
    ]));
    let string = || TypeRef::from(Scalar::String);
    let made = Schema::new([
        TypeDef::new(
            "root",
            Map::record(vec![
                StructField::new("ports", List::associative(TypeRef::named("port"), ["port", "protocol"]).into()),
                StructField::new("set", List::set(string()).into()),
                StructField::new("args", List::atomic(string()).into()),
                StructField::new("labels", Map::of(string()).into()),
                StructField::new(
                    "whole",
                    TypeRef::named("port").with_relationship(ElementRelationship::Atomic).with_nullable(true),
                ),
            ]),
        ),
        TypeDef::new(
            "port",
            Map::record(vec![
                StructField::new("port", Scalar::Numeric.into()),
                StructField::new("protocol", string()).with_default(json!("TCP")),
            ]),
        ),
    ]);
    assert_eq!(read, made);
    assert_eq!(read.type_names().collect::<Vec<_>>(), ["root", "port"]);
    assert!(!read.same(&made) && read.same(&read.clone()));
}

#[test]
fn a_reference_overrides_the_relationship_of_the_list_or_map_it_refers_to() {
    let schema = schema(json!([
        {"name": "map", "map": {"elementType": {"scalar": "string"}}},
        {"name": "list", "list": {"elementType": {"scalar": "string"}, "elementRelationship": "associative"}},
        {"name": "scalar", "scalar": "string"},
    ]));
    let overridden = |name: &str| TypeRef::named(name).with_relationship(ElementRelationship::Atomic);
    assert!(schema.resolve(&overridden("map")).unwrap().map.as_ref().unwrap().is_atomic());
    assert!(schema.resolve(&overridden("list")).unwrap().list.as_ref().unwrap().is_atomic());
    assert_eq!(schema.resolve(&overridden("scalar")), None);
    assert!(!schema.resolve(&TypeRef::named("map")).unwrap().map.as_ref().unwrap().is_atomic());
    let inlined = TypeRef::from(Map::of(Scalar::String.into())).with_relationship(ElementRelationship::Atomic);
    assert!(schema.resolve(&inlined).unwrap().map.as_ref().unwrap().is_atomic());
}

#[test]
fn references_resolve_in_the_schema_they_are_used_with() {
    let types = |scalar: &str, padding: usize| {
        let mut types: Vec<Value> =
            (0..padding).map(|i| json!({"name": format!("p{i}"), "scalar": "boolean"})).collect();
        types.push(json!({"name": "t", "scalar": scalar}));
        types.push(json!({"name": "root", "map": {"fields": [{"name": "f", "type": {"namedType": "t"}}]}}));
        schema(Value::Array(types))
    };
    let (one, two) = (types("string", 0), types("numeric", 3));
    let field = &one.named("root").unwrap().atom.map.as_ref().unwrap().field("f").unwrap().type_ref;
    assert_eq!(one.resolve(field).unwrap().scalar, Some(Scalar::String));
    assert_eq!(two.resolve(field).unwrap().scalar, Some(Scalar::Numeric));
    assert_eq!(one.resolve(&TypeRef::named("absent")), None);
}

#[test]
fn the_last_declaration_of_a_field_counts() {
    let map = Map::record(vec![
        StructField::new("b", Scalar::Boolean.into()),
        StructField::new("a", Scalar::String.into()),
        StructField::new("a", Scalar::Numeric.into()),
    ]);
    assert_eq!(map.fields().len(), 2);
    assert_eq!(map.field("a").unwrap().type_ref, Scalar::Numeric.into());
}

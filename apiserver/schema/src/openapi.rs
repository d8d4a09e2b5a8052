//! The schemas that OpenAPI publishes of custom resources, as upstream builds them. The built-in ones are published as they
//! are: [`crate::Builtins::definitions`].

use serde_json::{Map, Value, json};

use crate::builtin::OBJECT_META;

const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const CONVENTIONS: &str = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";

/// What a CRD's version says that its published schemas need.
#[derive(Clone, Debug)]
pub struct CustomKind<'a> {
    /// The API group.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The kind, e.g. `Widget`.
    pub kind: &'a str,
    /// The kind of its list, e.g. `WidgetList`.
    pub list_kind: &'a str,
    /// The plural name, e.g. `widgets`.
    pub plural: &'a str,
    /// The version's `openAPIV3Schema`, if it has one.
    pub schema: Option<&'a Value>,
    /// The CRD's `spec.preserveUnknownFields`.
    pub preserve_unknown_fields: bool,
    /// The version's `selectableFields`: their JSON paths.
    pub selectable_fields: &'a [&'a str],
}

/// Published definitions of a custom resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The kind's definition name, e.g. `com.example.v1.Widget`, and definition.
    pub kind: (String, Value),
    /// The list's definition name, e.g. `com.example.v1.WidgetList`, and definition.
    pub list: (String, Value),
}

/// OpenAPI v3 definitions; references are `#/components/schemas/<name>`.
pub fn v3(kind: &CustomKind<'_>) -> Published {
    publish(kind, Version::V3)
}

/// OpenAPI v2 definitions, reduced to what v2 can say; references are `#/definitions/<name>`.
pub fn v2(kind: &CustomKind<'_>) -> Published {
    publish(kind, Version::V2)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V2,
    V3,
}

impl Version {
    fn reference(self, name: &str) -> Value {
        let prefix = match self {
            Self::V2 => "#/definitions/",
            Self::V3 => "#/components/schemas/",
        };
        json!({ "$ref": format!("{prefix}{name}") })
    }

    /// A reference with words beside it: v3 allows none beside `$ref` itself.
    fn described(self, name: &str, description: String) -> Value {
        let reference = self.reference(name);
        match self {
            Self::V3 => json!({ "allOf": [reference], "description": description }),
            Self::V2 => json!({ "$ref": reference["$ref"], "description": description }),
        }
    }
}

fn publish(kind: &CustomKind<'_>, version: Version) -> Published {
    let name = definition_name(kind.group, kind.version, kind.kind);
    let mut own = own_schema(kind, version);
    mark(&mut own, kind, kind.kind);
    let items = format!("List of {}. More info: {CONVENTIONS}", kind.plural);
    let metadata = format!("Standard list metadata. More info: {CONVENTIONS}#types-kinds");
    let mut list = Map::new();
    list.insert("description".to_owned(), format!("{} is a list of {}", kind.list_kind, kind.kind).into());
    list.insert("type".to_owned(), "object".into());
    list.insert("required".to_owned(), json!(["items"]));
    let items = json!({ "description": items, "type": "array", "items": version.reference(&name) });
    set_property(&mut list, "items", items);
    set_property(&mut list, "metadata", version.described(LIST_META, metadata));
    type_meta(&mut list);
    mark(&mut list, kind, kind.list_kind);
    let list_name = definition_name(kind.group, kind.version, kind.list_kind);
    Published { list: (list_name, list.into()), kind: (name, own.into()) }
}

/// The name of a custom resource's kind or list among the definitions: the group's parts turned round, version, kind.
pub fn definition_name(group: &str, version: &str, kind: &str) -> String {
    let group: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", group.join("."))
}

fn mark(definition: &mut Map<String, Value>, kind: &CustomKind<'_>, name: &str) {
    let gvk = json!([{ "group": kind.group, "kind": name, "version": kind.version }]);
    definition.insert("x-kubernetes-group-version-kind".to_owned(), gvk);
    if !kind.selectable_fields.is_empty() {
        let path = |path: &&str| json!({ "fieldPath": path.strip_prefix('.').unwrap_or(path) });
        let fields: Vec<Value> = kind.selectable_fields.iter().map(path).collect();
        definition.insert("x-kubernetes-selectable-fields".to_owned(), fields.into());
    }
}

fn own_schema(kind: &CustomKind<'_>, version: Version) -> Map<String, Value> {
    // kubectl takes properties for all there is: where anything is allowed, none are told.
    let anything = || Map::from_iter([("type".to_owned(), Value::from("object"))]);
    let Some(Value::Object(schema)) = kind.schema else { return anything() };
    let preserves = kind.preserve_unknown_fields || is_true(schema, "x-kubernetes-preserve-unknown-fields");
    if version == Version::V2 && preserves {
        return anything();
    }
    let mut schema = schema.clone();
    for_each(&mut schema, &mut unfold);
    if version == Version::V2 {
        reduce(&mut schema);
    }
    let metadata = format!("Standard object's metadata. More info: {CONVENTIONS}#metadata");
    set_property(&mut schema, "metadata", version.described(OBJECT_META, metadata));
    type_meta(&mut schema);
    for_each(&mut schema, &mut |schema| embedded(schema, version));
    schema
}

/// Visits a schema after those below it.
fn for_each(schema: &mut Map<String, Value>, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().filter_map(Value::as_object_mut).for_each(|schema| for_each(schema, change));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(Value::Object(schema)) = schema.get_mut(keyword) {
            for_each(schema, change);
        }
    }
    change(schema);
}

/// Says in OpenAPI's own words what `x-kubernetes-int-or-string` says.
fn unfold(schema: &mut Map<String, Value>) {
    let any_of = json!([{ "type": "integer" }, { "type": "string" }]);
    let said = schema.get("anyOf") == Some(&any_of) || schema.get("allOf").is_some_and(|all| all[0]["anyOf"] == any_of);
    if !is_true(schema, "x-kubernetes-int-or-string") || said {
        return;
    }
    if schema.contains_key("anyOf") {
        let mut all_of = vec![json!({ "anyOf": any_of })];
        if let Some(Value::Array(more)) = schema.remove("allOf") {
            all_of.extend(more);
        }
        schema.insert("allOf".to_owned(), all_of.into());
    } else {
        schema.insert("anyOf".to_owned(), any_of);
    }
}

/// Leaves what v2 and its readers understand: no alternatives, no defaults; what may be null or hold anything has no type.
fn reduce(schema: &mut Map<String, Value>) {
    for keyword in ["allOf", "oneOf", "anyOf", "not", "default"] {
        schema.remove(keyword);
    }
    if is_true(schema, "nullable") {
        for keyword in ["type", "items", "properties"] {
            schema.remove(keyword);
        }
    }
    schema.remove("nullable");
    let preserves = is_true(schema, "x-kubernetes-preserve-unknown-fields");
    if preserves {
        schema.remove("items");
        schema.remove("properties");
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if (kind == Some("array") && !schema.contains_key("items")) || (kind == Some("object") && preserves) {
        schema.remove("type");
    }
    forget_required_nullables(schema);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().filter_map(Value::as_object_mut).for_each(reduce);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(Value::Object(below)) = schema.get_mut(keyword) {
            reduce(below);
        }
    }
}

/// A field that may be null is not required of those who do not know null.
fn forget_required_nullables(schema: &mut Map<String, Value>) {
    let nullable = |schema: &Value| schema["nullable"] == true;
    let Some(Value::Array(mut required)) = schema.remove("required") else { return };
    if schema.get("additionalProperties").is_some_and(nullable) {
        return;
    }
    let properties = schema.get("properties");
    let may_be_null =
        |name: &Value| name.as_str().is_some_and(|n| properties.and_then(|p| p.get(n)).is_some_and(nullable));
    required.retain(|name| !may_be_null(name));
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
}

/// An embedded resource has the fields that every object has.
fn embedded(schema: &mut Map<String, Value>, version: Version) {
    let preserves = is_true(schema, "x-kubernetes-preserve-unknown-fields");
    if !is_true(schema, "x-kubernetes-embedded-resource") || (version == Version::V2 && preserves) {
        return;
    }
    let api_version = format!(
        "apiVersion defines the versioned schema of this representation of an object. More info: {CONVENTIONS}#resources"
    );
    let kind = format!(
        "kind is a string value representing the type of this object. In CamelCase. More info: {CONVENTIONS}#types-kinds"
    );
    let metadata = format!("Standard object's metadata. More info: {CONVENTIONS}#metadata");
    set_property(schema, "apiVersion", json!({ "description": api_version, "type": "string" }));
    set_property(schema, "kind", json!({ "description": kind, "type": "string" }));
    set_property(schema, "metadata", version.described(OBJECT_META, metadata));
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(required) = required {
        for name in ["kind", "apiVersion"] {
            if !required.iter().any(|r| r == name) {
                required.push(name.into());
            }
        }
    }
}

fn type_meta(schema: &mut Map<String, Value>) {
    let api_version = format!(
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: {CONVENTIONS}#resources"
    );
    let kind = format!(
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: {CONVENTIONS}#types-kinds"
    );
    set_property(schema, "apiVersion", json!({ "description": api_version, "type": "string" }));
    set_property(schema, "kind", json!({ "description": kind, "type": "string" }));
}

fn set_property(schema: &mut Map<String, Value>, name: &str, property: Value) {
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| json!({})) {
        properties.insert(name.to_owned(), property);
    }
}

fn is_true(schema: &Map<String, Value>, keyword: &str) -> bool {
    schema.get(keyword).and_then(Value::as_bool).unwrap_or(false)
}

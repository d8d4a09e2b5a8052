//! A schema as expressions see it: which fields have which types, how large values may get, and how JSON becomes a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::lexer::is_reserved;
use crate::types::Type;

/// The largest request upstream reckons with, in bytes.
const MAX_REQUEST: i64 = 3 * 1024 * 1024;

/// The declared type of a value: upstream's `DeclType`.
#[derive(Debug)]
pub struct DeclType {
    pub(crate) kind: DeclKind,
    /// The most elements, characters or entries that it may have.
    pub(crate) max_elements: u64,
    /// Whether it may be null.
    pub(crate) nullable: bool,
    /// The least bytes that it takes in JSON.
    min_size: i64,
}

#[derive(Debug)]
pub(crate) enum DeclKind {
    /// `x-kubernetes-int-or-string`
    IntOrString,
    Bool,
    Int,
    Double,
    String,
    Bytes,
    Duration,
    Date,
    DateTime,
    List(Arc<DeclType>, ListType),
    Map(Arc<DeclType>),
    Object(Arc<ObjectType>),
}

/// `x-kubernetes-list-type`: how lists are compared and joined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ListType {
    Atomic,
    Set,
    Map(Vec<String>),
}

/// An object with declared fields.
#[derive(Debug)]
pub struct ObjectType {
    name: String,
    fields: BTreeMap<String, DeclField>,
}

/// A field: its name in JSON, and its type.
#[derive(Debug)]
pub(crate) struct DeclField {
    pub(crate) name: String,
    pub(crate) decl: Arc<DeclType>,
}

impl ObjectType {
    /// What it is called in errors: its path, such as `selfType.spec`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The field of a name as expressions write it; reserved words need no escape.
    pub(crate) fn field(&self, name: &str) -> Option<&DeclField> {
        self.fields.get(name).or_else(|| if is_reserved(name) { self.fields.get(&format!("__{name}__")) } else { None })
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &DeclField> {
        self.fields.values()
    }
}

impl DeclType {
    /// The declaration of a structural schema (`openAPIV3Schema` or a part of it); `None` if expressions cannot see its
    /// values. `name` is what its objects are called in errors; `resource_root` says that it is a whole object, whose
    /// `apiVersion`, `kind` and `metadata` (names only) are then always seen.
    pub fn of_schema(schema: &Json, name: &str, resource_root: bool) -> Option<Arc<Self>> {
        Self::read(schema, name, resource_root || embeds(schema)).map(Arc::new)
    }

    fn simple(kind: DeclKind, max_elements: i64, min_size: i64) -> Self {
        Self { kind, max_elements: u64::try_from(max_elements).unwrap_or(0), nullable: false, min_size }
    }

    fn read(schema: &Json, name: &str, resource_root: bool) -> Option<Self> {
        let nullable = schema.get("nullable").and_then(Json::as_bool).unwrap_or(false);
        Self::read_present(schema, name, resource_root).map(|decl| Self { nullable, ..decl })
    }

    fn read_present(schema: &Json, name: &str, resource_root: bool) -> Option<Self> {
        let number = |key: &str| schema.get(key).and_then(Json::as_i64).map(|number| number.max(0));
        let max_length = number("maxLength");
        if schema.get("x-kubernetes-int-or-string").and_then(Json::as_bool).unwrap_or(false) {
            let max = max_length.map_or(MAX_REQUEST - 2, |max| max.saturating_mul(4));
            return Some(Self::simple(DeclKind::IntOrString, max, 1));
        }
        match schema.get("type").and_then(Json::as_str)? {
            "array" => {
                let element = schema.get("items")?;
                let element = Self::read(element, &format!("{name}.@idx"), embeds(element))?;
                let max = number("maxItems").unwrap_or((MAX_REQUEST - 2) / (element.min_size + 1));
                Some(Self::simple(DeclKind::List(Arc::new(element), list_type(schema)), max, 2))
            }
            "object" => match schema.get("additionalProperties").filter(|value| value.is_object()) {
                Some(value) => {
                    let value = Self::read(value, &format!("{name}.@elem"), embeds(value))?;
                    let max = number("maxProperties").unwrap_or((MAX_REQUEST - 2) / (value.min_size + 6));
                    Some(Self::simple(DeclKind::Map(Arc::new(value)), max, 2))
                }
                None => Some(Self::object(schema, name, resource_root)),
            },
            "string" => Some(match schema.get("format").and_then(Json::as_str) {
                Some("byte") => Self::simple(DeclKind::Bytes, max_length.unwrap_or(MAX_REQUEST - 2), 2),
                Some("duration") => Self::simple(DeclKind::Duration, 32, 3),
                Some("date") => Self::simple(DeclKind::Date, 12, 12),
                Some("date-time") => Self::simple(DeclKind::DateTime, 32, 21),
                _ => Self::simple(
                    DeclKind::String,
                    max_length.map_or_else(|| longest(schema), |max| max.saturating_mul(4)),
                    2,
                ),
            }),
            "boolean" => Some(Self::simple(DeclKind::Bool, 0, 4)),
            "number" => Some(Self::simple(DeclKind::Double, 0, 1)),
            "integer" => Some(Self::simple(DeclKind::Int, 0, 1)),
            _ => None,
        }
    }

    fn object(schema: &Json, name: &str, resource_root: bool) -> Self {
        let resource_root = resource_root && !declares_names(schema);
        let mut fields = BTreeMap::new();
        // An object is at least `{}`, and what it requires.
        let mut min_size = 2;
        let required = schema.get("required").and_then(Json::as_array);
        let mut declare = |property: &str, schema: &Json| {
            let escaped = escape(property);
            let path = format!("{name}.{}", escaped.as_deref().unwrap_or(property));
            let Some(decl) = Self::read(schema, &path, embeds(schema)) else { return };
            let is_required = required.is_some_and(|names| names.iter().any(|name| name == property));
            if is_required && schema.get("default").is_none_or(Json::is_null) {
                min_size += property.len() as i64 + decl.min_size + 4;
            }
            if let Some(escaped) = escaped {
                fields.insert(escaped, DeclField { name: property.to_owned(), decl: Arc::new(decl) });
            }
        };
        let properties = schema.get("properties").and_then(Json::as_object);
        for (property, schema) in properties.into_iter().flatten() {
            if !(resource_root && matches!(property.as_str(), "apiVersion" | "kind" | "metadata")) {
                declare(property, schema);
            }
        }
        if resource_root {
            let text = serde_json::json!({"type": "string"});
            let names = serde_json::json!({"type": "object", "properties": {"name": text, "generateName": text}});
            declare("apiVersion", &text);
            declare("kind", &text);
            declare("metadata", &names);
        }
        let object = ObjectType { name: name.to_owned(), fields };
        Self::simple(DeclKind::Object(Arc::new(object)), 0, min_size)
    }

    /// How often a value of this declaration can stand in one request at most.
    pub fn max_cardinality(&self) -> u64 {
        // At least a comma stands between two of them.
        (MAX_REQUEST / (self.min_size + 1)) as u64
    }

    /// The type that the checker sees.
    pub(crate) fn to_type(&self) -> Type {
        match &self.kind {
            DeclKind::IntOrString => Type::Dyn,
            DeclKind::Bool => Type::Bool,
            DeclKind::Int => Type::Int,
            DeclKind::Double => Type::Double,
            DeclKind::String => Type::String,
            DeclKind::Bytes => Type::Bytes,
            DeclKind::Duration => Type::Duration,
            DeclKind::Date | DeclKind::DateTime => Type::Timestamp,
            DeclKind::List(element, _) => Type::list(element.to_type()),
            DeclKind::Map(value) => Type::map(Type::String, value.to_type()),
            DeclKind::Object(object) => Type::Object(object.clone()),
        }
    }
}

/// Whether a whole object's schema declares what every object has itself: then that is what expressions see.
fn declares_names(schema: &Json) -> bool {
    let is = |path: &str, kind: &str| schema.pointer(path).is_some_and(|of| of == kind);
    is("/properties/apiVersion/type", "string")
        && is("/properties/kind/type", "string")
        && is("/properties/metadata/type", "object")
        && is("/properties/metadata/properties/name/type", "string")
        && is("/properties/metadata/properties/generateName/type", "string")
}

fn embeds(schema: &Json) -> bool {
    schema.get("x-kubernetes-embedded-resource").and_then(Json::as_bool).unwrap_or(false)
}

/// The longest that a string of the schema may be: its longest enum value, or what a request may hold.
fn longest(schema: &Json) -> i64 {
    match schema.get("enum").and_then(Json::as_array).filter(|values| !values.is_empty()) {
        Some(values) => values.iter().filter_map(Json::as_str).map(str::len).max().unwrap_or(0) as i64,
        None => MAX_REQUEST - 2,
    }
}

fn list_type(schema: &Json) -> ListType {
    match schema.get("x-kubernetes-list-type").and_then(Json::as_str) {
        Some("set") => ListType::Set,
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Json::as_array);
            ListType::Map(keys.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect())
        }
        _ => ListType::Atomic,
    }
}

/// A property's name as expressions write it: upstream's `Escape`. `None` if they cannot.
pub(crate) fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if is_reserved(name) {
        return Some(format!("__{name}__"));
    }
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("__") {
            escaped.push_str("__underscores__");
            rest = after;
            continue;
        }
        match first {
            '.' => escaped.push_str("__dot__"),
            '-' => escaped.push_str("__dash__"),
            '/' => escaped.push_str("__slash__"),
            _ if first.is_ascii_alphanumeric() || first == '_' => escaped.push(first),
            _ => return None,
        }
        rest = &rest[first.len_utf8()..];
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_upstream_escapes_them() {
        let cases = [
            ("name", Some("name")),
            ("k-1", Some("k__dash__1")),
            ("a.b/c", Some("a__dot__b__slash__c")),
            ("__u", Some("__underscores__u")),
            ("namespace", Some("__namespace__")),
            ("1a", None),
            ("a b", None),
        ];
        for (name, escaped) in cases {
            assert_eq!(escape(name).as_deref(), escaped, "{name}");
        }
    }
}

//! The JSON of a patched document, which errors quote: upstream's library sorts the keys of the objects that a patch goes
//! through, and leaves the others as they were encoded.

use std::collections::BTreeMap;

use apimachinery::GroupVersionKind;
use apimachinery::quote::go_json;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::order::{Declared, OfField};
use super::table::{Cardinality, Field, Type, table};

/// Where a value of a patched document comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The document, as it was encoded.
    Document,
    /// The patch.
    Patch,
    /// The patch went through it to these of its fields, or to these places of a list; the others are the document's.
    Passed(BTreeMap<String, Origin>),
}

/// The text of a document of that kind after a patch.
pub fn patched(kind: &GroupVersionKind, document: &Value, origin: &Origin) -> String {
    let kind = table().kind_index(&kind.api_version(), &kind.kind).map(Type::Message);
    go_json(&Part { value: document, origin, place: Place::One(kind) })
}

/// What the value at a place is: one of a type, or all that a field holds.
#[derive(Clone, Copy)]
enum Place {
    One(Option<Type>),
    Field(Option<&'static Field>),
}

impl Place {
    /// The type of one value here; that of a list or map has none.
    fn one(self) -> Option<Type> {
        match self {
            Self::One(kind) => kind,
            Self::Field(Some(field)) if !matches!(field.cardinality, Cardinality::Repeated | Cardinality::Map) => {
                Some(field.kind)
            }
            Self::Field(_) => None,
        }
    }

    fn field(self, key: &str) -> Self {
        match (self, self.one()) {
            (_, Some(Type::Message(index))) => Self::Field(table().message(index).field_named(key)),
            (Self::Field(Some(field)), _) if field.cardinality == Cardinality::Map => Self::One(Some(field.kind)),
            _ => Self::Field(None),
        }
    }

    fn item(self) -> Self {
        match self {
            Self::Field(Some(field)) if field.cardinality == Cardinality::Repeated => Self::One(Some(field.kind)),
            _ => Self::One(None),
        }
    }
}

struct Part<'a> {
    value: &'a Value,
    origin: &'a Origin,
    place: Place,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let passed = match self.origin {
            Origin::Patch => return self.value.serialize(serializer),
            Origin::Document => {
                return match self.place {
                    Place::One(kind) => Declared::typed(self.value, kind).serialize(serializer),
                    Place::Field(field) => OfField { field, value: self.value }.serialize(serializer),
                };
            }
            Origin::Passed(passed) => passed,
        };
        let of = |key: &str| passed.get(key).unwrap_or(&Origin::Document);
        match self.value {
            Value::Object(fields) => serializer.collect_map(
                fields.iter().map(|(key, value)| (key, Part { value, origin: of(key), place: self.place.field(key) })),
            ),
            Value::Array(items) => serializer.collect_seq(items.iter().enumerate().map(|(at, value)| Part {
                value,
                origin: of(&at.to_string()),
                place: self.place.item(),
            })),
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_patch_went_through_is_sorted() {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "s", "labels": {"b": "1", "a": "<"}, "annotations": {}},
            "spec": {
                "ports": [{"port": 1, "protocol": "TCP"}, {"port": 2, "protocol": "TCP"}],
                "clusterIP": "None", "externalIPs": [], "new": {"port": 1, "protocol": ""},
            },
        });
        let passed = |parts: &[(&str, Origin)]| {
            Origin::Passed(parts.iter().map(|(key, origin)| ((*key).to_owned(), origin.clone())).collect())
        };
        let ports = passed(&[("1", passed(&[("port", Origin::Patch)]))]);
        let origin = passed(&[("spec", passed(&[("ports", ports), ("new", Origin::Patch)]))]);
        let kind = GroupVersionKind::new("", "v1", "Service");
        assert_eq!(
            patched(&kind, &service, &origin),
            concat!(
                r#"{"apiVersion":"v1","kind":"Service","#,
                r#""metadata":{"name":"s","labels":{"a":"\u003c","b":"1"},"annotations":{}},"#,
                r#""spec":{"clusterIP":"None","externalIPs":[],"new":{"port":1,"protocol":""},"#,
                r#""ports":[{"protocol":"TCP","port":1},{"port":2,"protocol":"TCP"}]}}"#,
            )
        );
    }
}

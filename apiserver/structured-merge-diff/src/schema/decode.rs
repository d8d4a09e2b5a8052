//! Reading a schema in upstream's own notation.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Atom, ElementRelationship, List, Map, Scalar, Schema, StructField, TypeDef, TypeRef};

/// Reads upstream's `{"types": [{"name": …, "map": {…}}, …]}`.
impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            types: Vec<TypeDefWire>,
        }
        #[derive(Deserialize)]
        struct TypeDefWire {
            name: Arc<str>,
            #[serde(flatten)]
            atom: AtomWire,
        }
        let wire = Wire::deserialize(deserializer)?;
        Ok(Schema::new(wire.types.into_iter().map(|t| TypeDef { name: t.name, atom: t.atom.into() })))
    }
}

#[derive(Deserialize)]
struct AtomWire {
    scalar: Option<Scalar>,
    list: Option<ListWire>,
    map: Option<MapWire>,
}

impl From<AtomWire> for Atom {
    fn from(wire: AtomWire) -> Self {
        Self {
            scalar: wire.scalar,
            list: wire.list.map(|l| Arc::new(l.into())),
            map: wire.map.map(|m| Arc::new(m.into())),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListWire {
    element_type: TypeRefWire,
    element_relationship: ElementRelationship,
    #[serde(default)]
    keys: Vec<Arc<str>>,
}

impl From<ListWire> for List {
    fn from(wire: ListWire) -> Self {
        Self {
            element_type: wire.element_type.into(),
            element_relationship: wire.element_relationship,
            keys: wire.keys.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MapWire {
    #[serde(default)]
    fields: Vec<FieldWire>,
    element_type: Option<TypeRefWire>,
    element_relationship: Option<ElementRelationship>,
}

impl From<MapWire> for Map {
    fn from(wire: MapWire) -> Self {
        Self::new(
            wire.fields.into_iter().map(Into::into).collect(),
            wire.element_type.map(Into::into),
            wire.element_relationship.unwrap_or(ElementRelationship::Separable),
        )
    }
}

#[derive(Deserialize)]
struct FieldWire {
    name: Arc<str>,
    r#type: TypeRefWire,
    default: Option<Value>,
}

impl From<FieldWire> for StructField {
    fn from(wire: FieldWire) -> Self {
        Self { name: wire.name, type_ref: wire.r#type.into(), default: wire.default }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeRefWire {
    named_type: Option<Arc<str>>,
    #[serde(flatten)]
    inlined: Box<AtomWire>,
    element_relationship: Option<ElementRelationship>,
    #[serde(default)]
    nullable: bool,
}

impl From<TypeRefWire> for TypeRef {
    fn from(wire: TypeRefWire) -> Self {
        let reference = match wire.named_type {
            Some(name) => TypeRef::named(name),
            None => TypeRef::inlined(Atom::from(*wire.inlined)),
        };
        let reference = match wire.element_relationship {
            Some(relationship) => reference.with_relationship(relationship),
            None => reference,
        };
        reference.with_nullable(wire.nullable)
    }
}

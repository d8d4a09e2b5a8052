//! The type of values without a schema.

use std::sync::LazyLock;

use super::{Atom, ElementRelationship, List, Map, Scalar, Schema, TypeDef, TypeRef};

/// The name of the type whose maps are separable and whose lists are atomic, whatever they hold.
pub const DEDUCED_TYPE: &str = "__untyped_deduced_";

const ATOMIC_TYPE: &str = "__untyped_atomic_";

/// The schema and type of values whose type is deduced from their content: maps merge key by key, everything
/// else (lists too) is replaced as a whole.
pub fn deduced() -> (Schema, TypeRef) {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        Schema::new([
            TypeDef::new(ATOMIC_TYPE, any(ATOMIC_TYPE, ElementRelationship::Atomic)),
            TypeDef::new(DEDUCED_TYPE, any(DEDUCED_TYPE, ElementRelationship::Separable)),
        ])
    });
    (SCHEMA.clone(), TypeRef::named(DEDUCED_TYPE))
}

fn any(map_element: &str, relationship: ElementRelationship) -> Atom {
    Atom {
        scalar: Some(Scalar::Untyped),
        list: Some(List::atomic(TypeRef::named(ATOMIC_TYPE)).into()),
        map: Some(Map::of(TypeRef::named(map_element)).with_relationship(relationship).into()),
    }
}

impl TypeRef {
    /// Whether the reference is to any value at all: the deduced type, or an inlined untyped scalar.
    ///
    /// This is what a map of unknown fields (`x-kubernetes-preserve-unknown-fields`) has for elements.
    pub(crate) fn is_untyped_deduced(&self) -> bool {
        match &self.target {
            super::Target::Named { name, .. } => &**name == DEDUCED_TYPE,
            super::Target::Inlined(atom) => atom.scalar == Some(Scalar::Untyped),
        }
    }
}

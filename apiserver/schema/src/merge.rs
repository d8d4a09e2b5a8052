//! The structured-merge-diff view of schemas, as upstream's type converter makes it from OpenAPI.
//!
//! A kind's schema has a type for each definition that the kind is made of, so that a server that never sees most kinds
//! never converts them; the types themselves are shared between kinds. A custom resource has its own schema, in which
//! metadata is the built-in ObjectMeta.

use std::collections::BTreeSet;
use std::sync::Arc;

use structured_merge_diff::schema::{DEDUCED_TYPE, deduced};
use structured_merge_diff::{Atom, ElementRelationship, List, Map, Scalar, Schema, StructField, TypeDef, TypeRef};

use crate::builtin::{DefinitionId, OBJECT_META, builtin as builtins};
use crate::node::{Additional, Kind, ListType, MapType, Node};

/// The type of a value that is replaced as a whole, whatever it holds.
const ATOMIC_TYPE: &str = "__untyped_atomic_";
/// Raw JSON that upstream merges as one value.
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
/// The type of a custom resource in its own schema.
const CUSTOM_TYPE: &str = "custom";

/// A type and the schema it lives in. A clone shares the schema.
#[derive(Clone, Debug)]
pub struct MergeType {
    /// The schema; the same one whenever a kind is asked for.
    pub schema: Schema,
    /// The kind's type.
    pub type_ref: TypeRef,
}

/// The type of a built-in definition.
pub(crate) fn builtin(id: DefinitionId) -> MergeType {
    let make = || MergeType {
        schema: Schema::new(common_types().chain(definitions(id))),
        type_ref: TypeRef::named(builtins().name(id)),
    };
    builtins().merge(id, make).clone()
}

/// The type of a custom resource.
pub(crate) fn custom(root: &Node) -> MergeType {
    let metadata = builtins().id(OBJECT_META).into_iter().flat_map(definitions);
    let own = TypeDef::new(CUSTOM_TYPE, Atom::from(map(root, false, true)));
    let schema = Schema::new(common_types().chain(metadata).chain([own]));
    MergeType { schema, type_ref: TypeRef::named(CUSTOM_TYPE) }
}

/// A definition and all that it is made of.
fn definitions(id: DefinitionId) -> impl Iterator<Item = TypeDef> {
    let mut needed = BTreeSet::new();
    need(id, &mut needed);
    needed.into_iter().map(definition)
}

fn definition(id: DefinitionId) -> TypeDef {
    let name = builtins().name(id);
    let make = || {
        if name == RAW_EXTENSION
            && let Some(atomic) = deduced().0.named(ATOMIC_TYPE)
        {
            return atomic.atom.clone();
        }
        atom(builtins().node(id), false)
    };
    TypeDef::new(name, builtins().atom(id, make).clone())
}

/// The definitions that one is made of, itself included.
fn need(id: DefinitionId, needed: &mut BTreeSet<DefinitionId>) {
    fn walk(node: &Node, needed: &mut BTreeSet<DefinitionId>) {
        if let Some(id) = node.reference {
            need(id, needed);
        }
        let properties = node.properties.iter().map(|p| &p.node);
        properties.chain(node.items.as_deref()).chain(node.additional()).for_each(|node| walk(node, needed));
    }
    if needed.insert(id) {
        walk(builtins().node(id), needed);
    }
}

/// The types for values that the schema does not describe.
fn common_types() -> impl Iterator<Item = TypeDef> {
    let (schema, _) = deduced();
    let types: Vec<TypeDef> =
        [ATOMIC_TYPE, DEDUCED_TYPE].iter().filter_map(|name| schema.named(name).cloned()).collect();
    types.into_iter()
}

/// `preserving`: an ancestor has `x-kubernetes-preserve-unknown-fields`.
fn type_ref(node: &Node, preserving: bool) -> TypeRef {
    let made = match node.reference {
        Some(id) => {
            let named = TypeRef::named(builtins().name(id));
            match node.merging.as_ref().map_or(MapType::Unset, |m| m.map_type) {
                MapType::Unset => named,
                MapType::Atomic => named.with_relationship(ElementRelationship::Atomic),
                MapType::Granular => named.with_relationship(ElementRelationship::Separable),
            }
        }
        None => TypeRef::inlined(atom(node, preserving)),
    };
    made.with_nullable(node.nullable)
}

fn atom(node: &Node, preserving: bool) -> Atom {
    let preserving = preserving || node.preserve_unknown;
    match node.kind {
        Kind::Object => map(node, preserving, false).into(),
        Kind::Array => list(node, preserving).into(),
        Kind::Integer | Kind::Number => Scalar::Numeric.into(),
        Kind::Boolean => Scalar::Boolean.into(),
        Kind::Bytes => Scalar::String.into(),
        // A string with a format may compare otherwise than its text.
        Kind::String if node.format.as_deref().is_some_and(|f| f != "byte") => Scalar::Untyped.into(),
        Kind::String => Scalar::String.into(),
        Kind::Quantity | Kind::Time | Kind::MicroTime => Scalar::Untyped.into(),
        Kind::Any
        | Kind::Raw
        | Kind::IntOrString
        | Kind::SchemaOrArray
        | Kind::SchemaOrBool
        | Kind::SchemaOrStringArray => Atom {
            scalar: Some(Scalar::Untyped),
            list: Some(Arc::new(list(node, preserving))),
            map: Some(Arc::new(map(node, preserving, false))),
        },
    }
}

fn map(node: &Node, preserving: bool, resource: bool) -> Map {
    let preserving = preserving || node.preserve_unknown;
    let mut fields: Vec<StructField> = node
        .properties
        .iter()
        .filter(|p| !(resource && crate::prune::META_FIELDS.contains(&&*p.name)))
        .map(|property| {
            let field = StructField::new(&*property.name, type_ref(&property.node, preserving));
            match &property.node.default {
                Some(default) => field.with_default(default.clone()),
                None => field,
            }
        })
        .collect();
    if resource {
        fields.push(StructField::new("apiVersion", Scalar::String.into()));
        fields.push(StructField::new("kind", Scalar::String.into()));
        fields.push(StructField::new("metadata", TypeRef::named(OBJECT_META)));
    } else if node.embedded_resource {
        embedded_fields(node, &mut fields);
    }
    let element = match &node.additional {
        Additional::Of(values) => Some(type_ref(values, preserving)),
        Additional::Any => Some(TypeRef::named(DEDUCED_TYPE)),
        Additional::Forbidden => None,
        Additional::None => (preserving || node.properties.is_empty()).then(|| TypeRef::named(DEDUCED_TYPE)),
    };
    let relationship = match node.map_type() {
        MapType::Atomic => ElementRelationship::Atomic,
        MapType::Granular | MapType::Unset => ElementRelationship::Separable,
    };
    Map::new(fields, element, relationship)
}

/// An embedded resource has the fields of any object, and its own metadata where the schema says nothing of them.
fn embedded_fields(node: &Node, fields: &mut Vec<StructField>) {
    let given = |name: &str| node.property(name).is_some();
    for name in ["apiVersion", "kind"] {
        if !given(name) {
            fields.push(StructField::new(name, Scalar::String.into()));
        }
    }
    fields.retain(|field| &*field.name != "metadata");
    fields.push(StructField::new("metadata", TypeRef::named(OBJECT_META)));
}

fn list(node: &Node, preserving: bool) -> List {
    let element = match &node.items {
        Some(items) => type_ref(items, preserving),
        None => TypeRef::named(ATOMIC_TYPE),
    };
    let merging = node.merging.as_deref();
    match node.list_type() {
        ListType::Atomic => List::atomic(element),
        ListType::Set => List::set(element),
        ListType::Map => List::associative(element, node.list_map_keys().iter().map(|k| &**k)),
        // Older types say it through the strategic merge patch alone.
        ListType::Unset => match merging.and_then(|m| m.patch_strategy.as_deref()) {
            Some("merge" | "merge,retainKeys") => match merging.and_then(|m| m.patch_merge_key.as_deref()) {
                Some(key) => List::associative(element, [key]),
                None => List::set(element),
            },
            _ => List::atomic(element),
        },
    }
}

//! Types: what a value may be and how the elements of its containers relate.
//!
//! A [`Schema`] is immutable and shared: cloning it clones an [`Arc`]. References between named types are
//! resolved to positions once, when the schema is built, so that a walker's lookup is an index, not a hash.

mod decode;
mod deduced;
mod resolve;

pub use deduced::{DEDUCED_TYPE, deduced};

use std::sync::{Arc, OnceLock};

use foldhash::HashMap;
use serde::Deserialize;
use serde_json::Value;

/// How the elements of a list or map relate to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ElementRelationship {
    /// Lists only: each element is owned on its own, named by its keys (lists of maps) or by its value (sets).
    Associative,
    /// The container is one value with one owner, like a scalar.
    Atomic,
    /// The elements are independent of each other; the default for maps.
    #[serde(alias = "granular")]
    Separable,
}

/// The type of a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scalar {
    /// An integer or a float.
    Numeric,
    /// A string.
    String,
    /// `true` or `false`.
    Boolean,
    /// Any of the others.
    Untyped,
}

/// The smallest piece of the type system: each part that is set is a form the value may take.
///
/// No value is valid against an atom without parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Atom {
    /// The value may be this scalar.
    pub scalar: Option<Scalar>,
    /// The value may be this list.
    pub list: Option<Arc<List>>,
    /// The value may be this map or struct.
    pub map: Option<Arc<Map>>,
}

impl From<Scalar> for Atom {
    fn from(scalar: Scalar) -> Self {
        Self { scalar: Some(scalar), ..Self::default() }
    }
}

impl From<List> for Atom {
    fn from(list: List) -> Self {
        Self { list: Some(Arc::new(list)), ..Self::default() }
    }
}

impl From<Map> for Atom {
    fn from(map: Map) -> Self {
        Self { map: Some(Arc::new(map)), ..Self::default() }
    }
}

/// A list type.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// The type of each element.
    pub element_type: TypeRef,
    /// `Atomic`, or `Associative`: a map when [`List::keys`] has names, else a set of scalars.
    pub element_relationship: ElementRelationship,
    /// The fields of the element's map type that together name an element.
    pub keys: Arc<[Arc<str>]>,
}

impl List {
    /// A list that is one value with one owner.
    pub fn atomic(element_type: TypeRef) -> Self {
        Self { element_type, element_relationship: ElementRelationship::Atomic, keys: Arc::default() }
    }

    /// A set of scalars.
    pub fn set(element_type: TypeRef) -> Self {
        Self { element_type, element_relationship: ElementRelationship::Associative, keys: Arc::default() }
    }

    /// A list of maps whose elements are named by the values of `keys`.
    pub fn associative<K: Into<Arc<str>>>(element_type: TypeRef, keys: impl IntoIterator<Item = K>) -> Self {
        Self {
            element_type,
            element_relationship: ElementRelationship::Associative,
            keys: keys.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether the list is one value with one owner.
    pub fn is_atomic(&self) -> bool {
        self.element_relationship == ElementRelationship::Atomic
    }
}

/// A map type: declared fields (a struct), elements of one type (a map), or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Sorted by name; set through [`Map::new`].
    fields: Vec<StructField>,
    /// The [`first_bytes`] of their names.
    first: Vec<u64>,
    element_type: Option<TypeRef>,
    element_relationship: ElementRelationship,
}

impl Map {
    /// A map with `fields`, whose other keys have `element_type` (none: other keys are not declared).
    ///
    /// When a name appears twice the last one counts.
    pub fn new(mut fields: Vec<StructField>, element_type: Option<TypeRef>, relationship: ElementRelationship) -> Self {
        // Reversed, the stable sort puts the last declaration first, which is the one dedup keeps.
        fields.reverse();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        fields.dedup_by(|next, kept| next.name == kept.name);
        let first = fields.iter().map(|field| first_bytes(&field.name)).collect();
        Self { fields, first, element_type, element_relationship: relationship }
    }

    /// A separable struct.
    pub fn record(fields: Vec<StructField>) -> Self {
        Self::new(fields, None, ElementRelationship::Separable)
    }

    /// A separable map whose elements are of one type.
    pub fn of(element_type: TypeRef) -> Self {
        Self::new(Vec::new(), Some(element_type), ElementRelationship::Separable)
    }

    /// The same map with another relationship.
    #[must_use]
    pub fn with_relationship(mut self, relationship: ElementRelationship) -> Self {
        self.element_relationship = relationship;
        self
    }

    /// The declared fields, sorted by name.
    pub fn fields(&self) -> &[StructField] {
        &self.fields
    }

    /// The declared field called `name`.
    pub fn field(&self, name: &str) -> Option<&StructField> {
        let first = first_bytes(name);
        let at = self.first.partition_point(|other| *other < first);
        let same = self.first[at..].iter().take_while(|other| **other == first).count();
        self.fields[at..at + same].iter().find(|field| *field.name == *name)
    }

    /// A search for fields whose names are asked for in ascending order: all of them together are one walk.
    pub(crate) fn ascending(&self) -> Ascending<'_> {
        Ascending { first: &self.first, fields: &self.fields }
    }

    /// The type of keys that are not declared fields.
    pub fn element_type(&self) -> Option<&TypeRef> {
        self.element_type.as_ref()
    }

    /// How the map's elements relate.
    pub fn element_relationship(&self) -> ElementRelationship {
        self.element_relationship
    }

    /// Whether the map is one value with one owner.
    pub fn is_atomic(&self) -> bool {
        self.element_relationship == ElementRelationship::Atomic
    }
}

/// Finds fields by names that are asked for in ascending order. What is behind the last name is left.
pub(crate) struct Ascending<'a> {
    first: &'a [u64],
    fields: &'a [StructField],
}

impl<'a> Ascending<'a> {
    /// The declared field called `name`.
    #[inline]
    pub fn find(&mut self, name: &str) -> Option<&'a StructField> {
        if self.fields.is_empty() {
            return None;
        }
        let first = first_bytes(name);
        let passed = self.first.iter().take_while(|other| **other < first).count();
        (self.first, self.fields) = (&self.first[passed..], &self.fields[passed..]);
        let same = self.first.iter().take_while(|other| **other == first);
        same.zip(self.fields).map(|(_, field)| field).find(|field| *field.name == *name)
    }
}

/// The first bytes of a name as a number that is ordered as they are: most names differ in them, and numbers compare faster.
#[inline]
fn first_bytes(name: &str) -> u64 {
    let bytes = name.as_bytes();
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    match (bytes.first_chunk(), bytes.last_chunk()) {
        // The two halves may overlap: they say the same there.
        (Some(first), Some(last)) => {
            let behind = 8 * (8 - bytes.len());
            u64::from(u32::from_be_bytes(*first)) << 32 | u64::from(u32::from_be_bytes(*last)) << behind
        }
        _ => bytes.iter().rev().fold(0, |first, byte| first >> 8 | u64::from(*byte) << 56),
    }
}

/// A declared field of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct StructField {
    /// The field's name. Path elements of this field share it.
    pub name: Arc<str>,
    /// The field's type.
    pub type_ref: TypeRef,
    /// The value an associative list's key takes when the field is absent.
    pub default: Option<Value>,
}

impl StructField {
    /// A field without a default.
    pub fn new(name: impl Into<Arc<str>>, type_ref: TypeRef) -> Self {
        Self { name: name.into(), type_ref, default: None }
    }

    /// The same field with a default.
    #[must_use]
    pub fn with_default(mut self, default: Value) -> Self {
        self.default = Some(default);
        self
    }
}

/// A reference to a named type, or an inlined type.
#[derive(Clone, Debug)]
pub struct TypeRef {
    target: Target,
    nullable: bool,
}

#[derive(Clone, Debug)]
enum Target {
    Named {
        name: Arc<str>,
        /// The position in the schema that holds this reference; a hint, checked against the name when used.
        position: Option<usize>,
        relationship: Option<ElementRelationship>,
    },
    Inlined(Atom),
}

/// Two references are equal when they say the same; where a schema keeps the named type plays no part.
impl PartialEq for TypeRef {
    fn eq(&self, other: &Self) -> bool {
        self.nullable == other.nullable
            && match (&self.target, &other.target) {
                (Target::Named { name: a, relationship: ra, .. }, Target::Named { name: b, relationship: rb, .. }) => {
                    (Arc::ptr_eq(a, b) || a == b) && ra == rb
                }
                (Target::Inlined(a), Target::Inlined(b)) => a == b,
                _ => false,
            }
    }
}

impl TypeRef {
    /// A reference to the type called `name`.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { target: Target::Named { name: name.into(), position: None, relationship: None }, nullable: false }
    }

    /// An inlined type.
    pub fn inlined(atom: impl Into<Atom>) -> Self {
        Self { target: Target::Inlined(atom.into()), nullable: false }
    }

    /// The same reference, with the element relationship of the list or map it refers to overridden.
    ///
    /// A reference to a scalar that is overridden resolves to no type.
    #[must_use]
    pub fn with_relationship(mut self, relationship: ElementRelationship) -> Self {
        match &mut self.target {
            Target::Named { relationship: r, .. } => *r = Some(relationship),
            Target::Inlined(atom) => *atom = resolve::overridden(atom, relationship).unwrap_or_default(),
        }
        self
    }

    /// The same reference, declaring (or not) that an explicit null is a value of it.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// Whether an explicit null is a value of the type.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The name of the type referred to, unless it is inlined.
    pub fn name(&self) -> Option<&str> {
        match &self.target {
            Target::Named { name, .. } => Some(name),
            Target::Inlined(_) => None,
        }
    }
}

impl From<Scalar> for TypeRef {
    fn from(scalar: Scalar) -> Self {
        Self::inlined(scalar)
    }
}

impl From<List> for TypeRef {
    fn from(list: List) -> Self {
        Self::inlined(list)
    }
}

impl From<Map> for TypeRef {
    fn from(map: Map) -> Self {
        Self::inlined(map)
    }
}

/// A named type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDef {
    /// Unique in the schema.
    pub name: Arc<str>,
    /// What the name stands for.
    pub atom: Atom,
}

impl TypeDef {
    /// A type called `name`.
    pub fn new(name: impl Into<Arc<str>>, atom: impl Into<Atom>) -> Self {
        Self { name: name.into(), atom: atom.into() }
    }
}

/// A set of named types. Immutable; a clone shares it.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Types>);

#[derive(Debug)]
struct Types {
    entries: Vec<Entry>,
    positions: HashMap<Arc<str>, usize>,
}

/// A named type and its forms under each overriding relationship, made when first asked for.
#[derive(Debug)]
struct Entry {
    def: TypeDef,
    overridden: [OnceLock<Option<Atom>>; 3],
}

impl Schema {
    /// Whether both are the same schema: one is a clone of the other.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The names of the types, in the order they were given.
    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        self.0.entries.iter().map(|e| &*e.def.name)
    }

    /// The type called `name`.
    pub fn named(&self, name: &str) -> Option<&TypeDef> {
        self.0.positions.get(name).map(|&i| &self.0.entries[i].def)
    }
}

/// Two schemas are equal when their types are, in the same order.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || self.0.entries.iter().map(|e| &e.def).eq(other.0.entries.iter().map(|e| &e.def))
    }
}

/// The name of the type, or `inlined`.
impl std::fmt::Display for TypeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name().unwrap_or("inlined type"))
    }
}

#[cfg(test)]
mod tests;

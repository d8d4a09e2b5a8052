//! One node of a schema: what a value at this place may be.

use apimachinery::GroupVersionKind;
use serde_json::Value;

use crate::builtin::{DefinitionId, builtin};
use crate::pattern::Pattern;
use crate::starts::start_of;

/// What a value is, before any keyword narrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No type given: any value.
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// A base64 string (`[]byte`).
    Bytes,
    /// An int32 or a string; `x-kubernetes-int-or-string` in CRDs.
    IntOrString,
    /// A quantity: a string or a number.
    Quantity,
    /// RFC 3339, whole seconds.
    Time,
    /// RFC 3339 with exactly six fractional digits.
    MicroTime,
    /// JSON kept as it is (RawExtension, FieldsV1, apiextensions' JSON).
    Raw,
    /// `items` of a CRD's schema: a schema or a list of them.
    SchemaOrArray,
    /// `additionalProperties` of a CRD's schema: a schema or a boolean.
    SchemaOrBool,
    /// A value of `dependencies` in a CRD's schema: a schema or a list of strings.
    SchemaOrStringArray,
}

/// How Go writes a struct field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Emission {
    /// A pointer with omitempty: absent when nil, whatever it points to is written.
    #[default]
    Keep,
    /// omitempty by value: absent when zero or empty.
    Omit,
    /// Always written, zero or not.
    Always,
    /// A pointer without omitempty: always written, `null` when nil.
    Null,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    #[default]
    Unset,
    Atomic,
    Set,
    Map,
}

/// `x-kubernetes-map-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MapType {
    #[default]
    Unset,
    Granular,
    Atomic,
}

/// `additionalProperties`.
#[derive(Clone, Debug, Default)]
pub(crate) enum Additional {
    /// Not given.
    #[default]
    None,
    /// `false`.
    Forbidden,
    /// `true`.
    Any,
    /// Every value is of this schema.
    Of(Box<Node>),
}

/// A named field of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Property {
    pub name: Box<str>,
    pub node: Node,
    /// How Go writes it; of meaning for built-in kinds alone.
    pub emission: Emission,
    /// The Go type where it is not the one the schema tells (named strings and the like).
    pub go_type: Option<&'static str>,
}

/// The named fields of an object, sorted by name. Every walk over a value looks them up, for each key there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties {
    list: Vec<Property>,
    /// The first bytes of each name, as numbers that sort as names do: most of a search touches nothing else.
    starts: Box<[u64]>,
}

impl Properties {
    /// The property of that name.
    pub fn named(&self, name: &str) -> Option<&Property> {
        let start = start_of(name);
        let first = self.starts.partition_point(|other| *other < start);
        let alike = self.starts[first..].iter().take_while(|other| **other == start);
        let candidates = alike.zip(&self.list[first..]);
        // Names that fit into their start need no look at the rest.
        let is_it = |other: &str| other.len() == name.len() && (name.len() <= 8 || other == name);
        candidates.map(|(_, property)| property).find(|property| is_it(&property.name))
    }
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        let mut list: Vec<Property> = properties.into_iter().collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        let starts = list.iter().map(|property| start_of(&property.name)).collect();
        Self { list, starts }
    }
}

impl std::ops::Deref for Properties {
    type Target = [Property];

    fn deref(&self) -> &[Property] {
        &self.list
    }
}

impl std::ops::DerefMut for Properties {
    fn deref_mut(&mut self) -> &mut [Property] {
        &mut self.list
    }
}

/// Which keywords there are in a schema, at its root or below: what no part of it has need not be looked for in a value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keywords {
    /// `x-kubernetes-embedded-resource`.
    pub embedded_resource: bool,
    /// `x-kubernetes-list-type` of sets and maps.
    pub unique_items: bool,
    /// `default`.
    pub default: bool,
}

/// Keywords that constrain values beyond their structure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constraints {
    pub allowed: Vec<Value>,
    pub maximum: Option<f64>,
    pub exclusive_maximum: bool,
    pub minimum: Option<f64>,
    pub exclusive_minimum: bool,
    pub multiple_of: Option<f64>,
    pub max_length: Option<i64>,
    pub min_length: Option<i64>,
    pub pattern: Option<Pattern>,
    pub max_items: Option<i64>,
    pub min_items: Option<i64>,
    pub unique_items: bool,
    pub max_properties: Option<i64>,
    pub min_properties: Option<i64>,
    pub all_of: Vec<Node>,
    pub any_of: Vec<Node>,
    pub one_of: Vec<Node>,
    pub not: Option<Box<Node>>,
}

/// `x-kubernetes-*` keywords of lists and strategic patches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merging {
    pub list_type: ListType,
    pub list_map_keys: Vec<Box<str>>,
    pub map_type: MapType,
    pub patch_merge_key: Option<Box<str>>,
    /// Comma-separated, as upstream writes it: `merge,retainKeys`.
    pub patch_strategy: Option<Box<str>>,
}

/// What a value at one place of an object may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub kind: Kind,
    /// The built-in definition that describes the value; then the rest of this node, but for `default`, `nullable` and
    /// `merging`, is empty.
    pub reference: Option<DefinitionId>,
    pub format: Option<Box<str>>,
    pub nullable: bool,
    pub default: Option<Value>,
    pub properties: Properties,
    pub required: Vec<Box<str>>,
    pub additional: Additional,
    pub items: Option<Box<Node>>,
    pub preserve_unknown: bool,
    pub embedded_resource: bool,
    pub merging: Option<Box<Merging>>,
    pub constraints: Option<Box<Constraints>>,
    /// What there is in this node, and below it.
    pub keywords: Keywords,
}

impl Node {
    /// Notes which keywords there are, from what was noted of the parts.
    pub fn note_keywords(&mut self) {
        let parts = self.properties.iter().map(|property| &property.node);
        let parts = parts.chain(self.additional()).chain(self.items.as_deref()).map(|part| part.keywords);
        let own = Keywords {
            embedded_resource: self.embedded_resource,
            unique_items: matches!(self.list_type(), ListType::Set | ListType::Map),
            default: self.default.is_some(),
        };
        self.keywords = parts.fold(own, |one, other| Keywords {
            embedded_resource: one.embedded_resource || other.embedded_resource,
            unique_items: one.unique_items || other.unique_items,
            default: one.default || other.default,
        });
    }

    /// The node itself, or the root of the definition it refers to.
    pub fn resolve(&self) -> &Node {
        match self.reference {
            None => self,
            Some(id) => builtin().node(id),
        }
    }

    /// The property of that name (of the node itself: [`Node::resolve`] first).
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.named(name)
    }

    /// The schema of the values beside the named properties, if there is one.
    pub fn additional(&self) -> Option<&Node> {
        match &self.additional {
            Additional::Of(node) => Some(node),
            _ => None,
        }
    }

    /// `x-kubernetes-list-type`, given here or by the definition.
    pub fn list_type(&self) -> ListType {
        let own = self.merging.as_ref().map_or(ListType::Unset, |m| m.list_type);
        if own == ListType::Unset && self.reference.is_some() { self.resolve().list_type() } else { own }
    }

    /// `x-kubernetes-map-type`, given here or by the definition.
    pub fn map_type(&self) -> MapType {
        let own = self.merging.as_ref().map_or(MapType::Unset, |m| m.map_type);
        if own == MapType::Unset && self.reference.is_some() { self.resolve().map_type() } else { own }
    }

    /// `x-kubernetes-list-map-keys`.
    pub fn list_map_keys(&self) -> &[Box<str>] {
        self.merging.as_ref().map_or(&[], |m| &m.list_map_keys)
    }

    /// The Go type a value of this node is decoded into, for error messages.
    pub fn go_type(&self) -> String {
        if let Some(id) = self.reference {
            match self.resolve().kind {
                // Their decoders read a string first, and complain of that.
                Kind::Time | Kind::MicroTime => return "string".to_owned(),
                _ => return builtin().go_type(id),
            }
        }
        match self.kind {
            Kind::String => "string".to_owned(),
            Kind::Bytes => "[]uint8".to_owned(),
            Kind::Integer => if self.is_int32() { "int32" } else { "int64" }.to_owned(),
            Kind::Number => "float64".to_owned(),
            Kind::Boolean => "bool".to_owned(),
            Kind::Array => format!("[]{}", self.items.as_ref().map_or_else(String::new, |i| i.go_type())),
            Kind::Object => match self.additional() {
                Some(values) => format!("map[string]{}", values.go_type()),
                None => "map[string]interface {}".to_owned(),
            },
            _ => "interface {}".to_owned(),
        }
    }

    /// Whether integers here are of 32 bits.
    pub fn is_int32(&self) -> bool {
        self.format.as_deref() == Some("int32")
    }
}

/// Reads one of a definition's `x-kubernetes-group-version-kind`.
#[derive(serde::Deserialize)]
pub(crate) struct RawKind {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl From<RawKind> for GroupVersionKind {
    fn from(raw: RawKind) -> Self {
        Self::new(raw.group, raw.version, raw.kind)
    }
}

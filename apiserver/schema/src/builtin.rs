//! The built-in kinds' schemas, read from the data this crate carries.
//!
//! [`builtin`] scans the names of all definitions once; a definition itself is parsed when it is first used, and kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use apimachinery::GroupVersionKind;
use foldhash::{HashMap, HashMapExt};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use structured_merge_diff::Atom;

use crate::merge::MergeType;
use crate::node::{Kind, Node, RawKind};
use crate::parse;
use crate::schema::Schema;

const SCHEMAS: &str = include_str!("../data/schemas.json");
const FIELDS: &str = include_str!("../data/fields.json");

/// The name of ObjectMeta's definition.
pub(crate) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// The name of the definition of a CRD's schemas.
pub(crate) const JSON_SCHEMA_PROPS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// The place of a definition in [`Builtins`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DefinitionId(u32);

struct Definition {
    name: &'static str,
    raw: &'static RawValue,
    /// What `data/fields.json` says of its fields.
    fields: Option<&'static RawValue>,
    node: OnceLock<Node>,
    atom: OnceLock<Atom>,
    merge: OnceLock<MergeType>,
}

/// The schemas of all built-in kinds and of the types they are made of.
pub struct Builtins {
    /// Sorted by name.
    definitions: Vec<Definition>,
    kinds: HashMap<GroupVersionKind, DefinitionId>,
}

/// The built-in kinds' schemas. The first call reads the index (under a millisecond in an optimised build).
pub fn builtin() -> &'static Builtins {
    static BUILTINS: LazyLock<Builtins> = LazyLock::new(Builtins::index);
    &BUILTINS
}

#[derive(Deserialize)]
struct Kinds {
    #[serde(rename = "x-kubernetes-group-version-kind", default)]
    kinds: Vec<RawKind>,
}

impl Builtins {
    // The data is compiled in and a test reads every definition: it cannot be malformed where this runs.
    #[allow(clippy::expect_used)]
    fn index() -> Self {
        let schemas: BTreeMap<&'static str, &'static RawValue> =
            serde_json::from_str(SCHEMAS).expect("data/schemas.json is an object");
        let fields: HashMap<&'static str, &'static RawValue> =
            serde_json::from_str(FIELDS).expect("data/fields.json is an object");
        let mut definitions = Vec::with_capacity(schemas.len());
        let mut kinds = HashMap::new();
        for (at, (name, raw)) in (0_u32..).zip(schemas) {
            // A search for the word first: four definitions of five are no kinds and need no parse now.
            if raw.get().contains("\"x-kubernetes-group-version-kind\":[") {
                let found: Kinds = serde_json::from_str(raw.get()).expect("a definition is an object");
                kinds.extend(found.kinds.into_iter().map(|kind| (kind.into(), DefinitionId(at))));
            }
            definitions.push(Definition {
                name,
                raw,
                fields: fields.get(name).copied(),
                node: OnceLock::new(),
                atom: OnceLock::new(),
                merge: OnceLock::new(),
            });
        }
        Self { definitions, kinds }
    }

    /// The schema of a built-in kind.
    pub fn kind(&self, gvk: &GroupVersionKind) -> Option<Schema> {
        self.kinds.get(gvk).map(|id| Schema::of_definition(*id))
    }

    /// The name of a kind's definition, e.g. `io.k8s.api.core.v1.Pod`.
    pub fn definition_name(&self, gvk: &GroupVersionKind) -> Option<&'static str> {
        self.kinds.get(gvk).map(|id| self.name(*id))
    }

    /// The schema of a definition, e.g. `io.k8s.api.core.v1.PodSpec`.
    pub fn definition(&self, name: &str) -> Option<Schema> {
        self.id(name).map(Schema::of_definition)
    }

    /// A definition as OpenAPI v3 publishes it; references are `#/components/schemas/<name>`.
    pub fn raw(&self, name: &str) -> Option<&'static RawValue> {
        self.id(name).map(|id| self.get(id).raw)
    }

    /// All definitions as OpenAPI v3 publishes them, by name in ascending order.
    pub fn definitions(&self) -> impl ExactSizeIterator<Item = (&'static str, &'static RawValue)> {
        self.definitions.iter().map(|d| (d.name, d.raw))
    }

    /// Every built-in kind, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &GroupVersionKind> {
        self.kinds.keys()
    }

    /// A definition's merge type, made when it is first asked for.
    pub(crate) fn merge(&self, id: DefinitionId, make: impl FnOnce() -> MergeType) -> &MergeType {
        self.get(id).merge.get_or_init(make)
    }

    /// A definition's atom, made when it is first asked for: the merge types that contain it share it.
    pub(crate) fn atom(&self, id: DefinitionId, make: impl FnOnce() -> Atom) -> &Atom {
        self.get(id).atom.get_or_init(make)
    }

    pub(crate) fn id(&self, name: &str) -> Option<DefinitionId> {
        let at = self.definitions.binary_search_by(|d| d.name.cmp(name)).ok()?;
        u32::try_from(at).ok().map(DefinitionId)
    }

    pub(crate) fn name(&self, id: DefinitionId) -> &'static str {
        self.get(id).name
    }

    /// The definition's own name without its package: `PodSpec`.
    pub(crate) fn struct_name(&self, id: DefinitionId) -> &'static str {
        let name = self.name(id);
        name.rsplit('.').next().unwrap_or(name)
    }

    /// The definition's Go type: `v1.PodSpec`.
    pub(crate) fn go_type(&self, id: DefinitionId) -> String {
        let name = self.name(id);
        let mut parts = name.rsplit('.');
        match (parts.next(), parts.next()) {
            (Some(name), Some(package)) => format!("{package}.{name}"),
            _ => name.to_owned(),
        }
    }

    #[allow(clippy::expect_used)]
    pub(crate) fn node(&self, id: DefinitionId) -> &Node {
        let definition = self.get(id);
        definition.node.get_or_init(|| {
            let kind = special(definition.name);
            if kind != Kind::Any {
                return Node { kind, ..Node::default() };
            }
            let raw: Value = serde_json::from_str(definition.raw.get()).expect("a definition is JSON");
            let fields: HashMap<Cow<'static, str>, &'static str> = definition
                .fields
                .map(|raw| serde_json::from_str(raw.get()).expect("a definition's fields are strings"))
                .unwrap_or_default();
            let id_of = |reference: &str| reference.rsplit('/').next().and_then(|name| self.id(name));
            parse::definition(&raw, &fields, &id_of)
        })
    }

    fn get(&self, id: DefinitionId) -> &Definition {
        &self.definitions[id.0 as usize]
    }
}

/// The definitions whose Go types decode themselves.
fn special(name: &str) -> Kind {
    match name {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => Kind::Quantity,
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => Kind::IntOrString,
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => Kind::Time,
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => Kind::MicroTime,
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"
        | "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
        | "io.k8s.apimachinery.pkg.runtime.RawExtension"
        | "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON" => Kind::Raw,
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray" => Kind::SchemaOrArray,
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool" => Kind::SchemaOrBool,
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray" => {
            Kind::SchemaOrStringArray
        }
        _ => Kind::Any,
    }
}

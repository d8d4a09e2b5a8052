//! Schemas of custom resources, from the `openAPIV3Schema` of a CRD's version.
//!
//! A schema is refused with upstream's errors, found in upstream's order: `structural` (is it a structural schema),
//! `default_values` (do its defaults fit it), `keywords` (keywords that CRDs may not use, or not so).

mod contents;
mod default_values;
mod filled_in;
mod keywords;
mod lists;
mod root;
mod structural;

use std::sync::OnceLock;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::{Map, Value};

use crate::merge::MergeType;
use crate::node::{Kind, Node};
use crate::parse;
use crate::rules::Rules;

pub use crate::rules::definition::field_at;
pub use contents::{
    has_defaults, has_extensions, has_granular_sets, has_loose_items, has_unknown_types, has_unpruned_defaults,
    is_structural, unrecognized_formats,
};

/// The schema of a custom resource.
#[derive(Debug)]
pub(crate) struct Custom {
    pub root: Node,
    pub merge: OnceLock<MergeType>,
    /// The rules of its values (`x-kubernetes-validations`), if there are any.
    pub rules: Option<Rules>,
}

impl Custom {
    /// Reads a version's schema. Nothing is checked.
    pub(crate) fn of(raw: &Value) -> Self {
        let mut root = parse::custom(raw);
        filled_in::prune(&mut root);
        Self { root, merge: OnceLock::new(), rules: Rules::of(raw) }
    }
}

/// What a schema is checked for. A new definition is checked for all of it; on a change what was there before may stay.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// The status is written apart: what may stand at the root is limited.
    pub status: bool,
    /// The schema is structural.
    pub structural: bool,
    /// Defaults have no fields that their schemas do not have.
    pub pruned_defaults: bool,
    /// Types are those of OpenAPI v3.
    pub types: bool,
    /// The items of sets are merged as wholes.
    pub atomic_sets: bool,
    /// The items of maps and sets are not null, and have keys.
    pub strict_items: bool,
    /// No rule costs more than one may.
    pub rule_costs: bool,
}

impl Checks {
    /// All, for a resource without status.
    pub const ALL: Checks = Checks {
        status: false,
        structural: true,
        pruned_defaults: true,
        types: true,
        atomic_sets: true,
        strict_items: true,
        rule_costs: true,
    };
}

/// What is wrong with a version's `openAPIV3Schema`, which stands at `path`; in upstream's words and, as far as it has one,
/// order.
pub fn validate(raw: &Value, path: &Path, checks: &Checks) -> ErrorList {
    let Some(schema) = raw.as_object() else {
        return vec![Error::type_invalid(path, raw.clone(), "must be an object")];
    };
    let mut errors = ErrorList::new();
    if checks.status {
        errors.extend(root::validate(schema, path));
    }
    if is_true(schema, "nullable") {
        errors.push(Error::forbidden(&path.child("nullable"), "nullable cannot be true at the root"));
    }
    let unsupported = structural::unsupported(schema).filter(|_| checks.structural);
    // Rules are understood where the schema is structural alone.
    let mut rules = false;
    if checks.structural && unsupported.is_none() {
        let mut wrong = structural::validate(schema, path);
        if wrong.is_empty() {
            wrong = default_values::validate(raw, checks.pruned_defaults, path);
        }
        rules = wrong.is_empty();
        errors.extend(wrong);
    }
    let found = keywords::validate(raw, path, checks, rules);
    errors.extend(found.schema);
    errors.extend(found.rules);
    if errors.is_empty()
        && let Some(message) = unsupported
    {
        errors.push(Error::invalid(path, "", message));
    }
    errors.extend(found.costs.validate(path));
    errors
}

/// What is not structural in a schema that can be read as a structural one.
pub fn structural_errors(raw: &Value, path: &Path) -> ErrorList {
    raw.as_object().map(|schema| structural::validate(schema, path)).unwrap_or_default()
}

/// Why a schema cannot even be read as a structural one.
pub fn unsupported(raw: &Value) -> Option<String> {
    raw.as_object().and_then(structural::unsupported)
}

/// The schema that knows of nothing but that there is an object.
pub(crate) fn preserving() -> Custom {
    let root = Node { kind: Kind::Object, preserve_unknown: true, ..Node::default() };
    Custom { root, merge: OnceLock::new(), rules: None }
}

// Reading raw schemas. They were decoded as CRDs before: keywords of the wrong type do not come here, nulls are gone.

type Raw = Map<String, Value>;

fn is_true(schema: &Raw, keyword: &str) -> bool {
    schema.get(keyword).and_then(Value::as_bool).unwrap_or(false)
}

fn text<'a>(schema: &'a Raw, keyword: &str) -> &'a str {
    schema.get(keyword).and_then(Value::as_str).unwrap_or_default()
}

fn schema_in<'a>(schema: &'a Raw, keyword: &str) -> Option<&'a Raw> {
    schema.get(keyword).and_then(Value::as_object)
}

fn schemas_in<'a>(schema: &'a Raw, keyword: &str) -> impl Iterator<Item = &'a Raw> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn properties(schema: &Raw) -> impl Iterator<Item = (&str, &Raw)> {
    let all = schema_in(schema, "properties").into_iter().flatten();
    all.filter_map(|(name, raw)| Some((name.as_str(), raw.as_object()?)))
}

fn is_given(schema: &Raw, keyword: &str) -> bool {
    schema.get(keyword).is_some_and(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    })
}

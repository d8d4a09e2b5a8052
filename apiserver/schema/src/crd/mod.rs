//! Schemas of custom resources, from the `openAPIV3Schema` of a CRD's version.
//!
//! A schema is refused with upstream's errors, found in upstream's order: [`structural`] (is it a structural schema),
//! [`default_values`] (do its defaults fit it), [`keywords`] (keywords that CRDs may not use, or not so).

mod default_values;
mod keywords;
mod structural;

use std::sync::OnceLock;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::{Map, Value};

use crate::merge::MergeType;
use crate::node::{Kind, Node};
use crate::parse;
use crate::rules::{self, Rules};

/// The schema of a custom resource.
#[derive(Debug)]
pub(crate) struct Custom {
    pub root: Node,
    pub merge: OnceLock<MergeType>,
    /// The rules of its values (`x-kubernetes-validations`), if there are any.
    pub rules: Option<Rules>,
}

/// Reads a version's schema, which stands at `path` in the CRD.
pub(crate) fn custom(raw: &Value, path: &Path) -> Result<Custom, ErrorList> {
    let Some(schema) = raw.as_object() else {
        return Err(vec![Error::type_invalid(path, raw.clone(), "must be an object")]);
    };
    let mut errors = ErrorList::new();
    if is_true(schema, "nullable") {
        errors.push(Error::forbidden(&path.child("nullable"), "nullable cannot be true at the root"));
    }
    let unsupported = structural::unsupported(schema);
    if unsupported.is_none() {
        let wrong = structural::validate(schema, path);
        let wrong = if wrong.is_empty() { default_values::validate(&parse::custom(raw), path) } else { wrong };
        errors.extend(wrong);
    }
    errors.extend(keywords::validate(schema, path));
    match unsupported {
        _ if !errors.is_empty() => {}
        Some(message) => errors.push(Error::invalid(path, "", message)),
        None => errors = rules::definition::validate(raw, path),
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Custom { root: parse::custom(raw), merge: OnceLock::new(), rules: Rules::of(raw) })
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

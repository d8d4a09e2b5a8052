//! Strategic merge patch: a merge patch in which the schema says how lists are merged, and directives
//! (`$patch`, `$retainKeys`, `$setElementOrder/x`, `$deleteFromPrimitiveList/x`) say the rest.

mod list;
mod order;

use serde_json::{Map, Value};

use super::PatchError;
use super::merge::drop_nulls;
use crate::quote::{Quoted, go_type, go_value};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";

/// How a field is merged: upstream's `x-kubernetes-patch-strategy`, a list of words between commas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strategy {
    /// `merge`: the items of a list are merged, by key or as a set.
    pub merge: bool,
    /// `replace`: a map is replaced, not merged.
    pub replace: bool,
    /// `retainKeys`: only says that clients send that directive.
    pub retain_keys: bool,
}

impl Strategy {
    /// Reads the words; unknown ones say nothing.
    pub fn parse(words: &str) -> Self {
        let has = |word: &str| words.split(',').any(|of| of.trim() == word);
        Self { merge: has("merge"), replace: has("replace"), retain_keys: has("retainKeys") }
    }
}

/// What the schema says of a field.
pub struct Field<'a> {
    /// How a patch of this field is merged.
    pub strategy: Strategy,
    /// `x-kubernetes-patch-merge-key`: what tells the items of a list apart.
    pub merge_key: Option<&'a str>,
    /// The schema of the field's value; for a list, that of its items.
    pub schema: Box<dyn Lookup + 'a>,
}

impl<'a> Field<'a> {
    /// The merge key, empty where there is none.
    fn key(&self) -> &'a str {
        self.merge_key.unwrap_or_default()
    }
}

/// A position in a schema.
pub trait Lookup {
    /// What the schema says of the field of that name; `None` where there is no such field, or this has no fields of
    /// its own (a map of strings, for example).
    fn field(&self, name: &str) -> Option<Field<'_>>;

    /// What Go calls this, for messages: the name of the structure (`PodSpec`), or the kind of a type that is none.
    fn type_name(&self) -> TypeName<'_> {
        TypeName::Struct("")
    }
}

/// What Go calls a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeName<'a> {
    /// A structure of that name.
    Struct(&'a str),
    /// A type of that kind: `map`, `string`, `interface`, …
    Kind(&'a str),
}

/// Applies a strategic merge patch.
///
/// # Errors
/// The patch is malformed, contradicts itself, or merges what the schema does not know.
pub fn apply(document: Value, patch: &Value, schema: &dyn Lookup) -> Result<Value, PatchError> {
    let patch = match patch {
        Value::Null => return Ok(document),
        Value::Object(patch) => patch,
        other => {
            let found = go_type(other).json;
            let message = format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}");
            return Err(PatchError::Malformed(message));
        }
    };
    let document = match document {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        _ => return Err(PatchError::Malformed("invalid JSON document".to_owned())),
    };
    merge_map(document, patch, schema).map(Value::Object)
}

/// What upstream leaves of a patch that it applied to `document`: it takes out the directives that it has followed and the
/// nulls of what it put in. Errors about the result quote this.
///
/// Items of lists are left as they are.
#[must_use]
pub fn leftover(document: &Value, patch: &Value) -> Value {
    let mut left = patch.clone();
    if let Value::Object(patch) = &mut left {
        take_directives(document, patch);
    }
    left
}

fn take_directives(document: &Value, patch: &mut Object) {
    if let Some(directive) = patch.get(PATCH) {
        if directive == "replace" {
            patch.remove(PATCH);
        }
        return;
    }
    patch.remove(RETAIN_KEYS);
    let orders: Vec<String> = patch.keys().filter(|key| key.starts_with(SET_ELEMENT_ORDER)).cloned().collect();
    for key in orders {
        patch.remove(&key);
        if let Some((_, list)) = key.split_once('/') {
            patch.remove(list);
        }
    }
    for (key, value) in patch {
        match (document.get(key), value) {
            (Some(document @ Value::Object(_)), Value::Object(patch)) => take_directives(document, patch),
            (Some(Value::Array(_)), Value::Array(_)) => {}
            (_, value) => drop_nulls(value),
        }
    }
}

type Object = Map<String, Value>;

fn merge_map(mut original: Object, patch: &Object, schema: &dyn Lookup) -> Result<Object, PatchError> {
    if let Some(directive) = patch.get(PATCH) {
        return match directive.as_str() {
            Some("replace") => {
                let others = patch.iter().filter(|(key, _)| *key != PATCH);
                Ok(others.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(unknown_directive(directive, patch)),
        };
    }
    if let Some(keys) = patch.get(RETAIN_KEYS) {
        retain_keys(&mut original, patch, keys)?;
    }
    // Lists whose order is given are merged together with it, and not again.
    let mut ordered = Vec::new();
    for (key, order) in patch.iter().filter(|(key, _)| key.starts_with(SET_ELEMENT_ORDER)) {
        let name = order::merge_in_order(&mut original, patch, key, order, schema)?;
        ordered.push(name);
    }
    for (key, value) in patch {
        if key == RETAIN_KEYS || key.starts_with(SET_ELEMENT_ORDER) || ordered.contains(&key.as_str()) {
            continue;
        }
        if key.starts_with(DELETE_FROM_PRIMITIVE_LIST) {
            let name = directed_key(key, DELETE_FROM_PRIMITIVE_LIST, "invalid patch format of primitive list")?;
            merge_field(&mut original, name, value, schema, true)?;
        } else {
            merge_field(&mut original, key, value, schema, false)?;
        }
    }
    Ok(original)
}

fn merge_field(
    original: &mut Object,
    key: &str,
    patch: &Value,
    schema: &dyn Lookup,
    deletes: bool,
) -> Result<(), PatchError> {
    if patch.is_null() {
        original.remove(key);
        return Ok(());
    }
    let merged = match (original.get_mut(key), patch) {
        (Some(Value::Object(found)), Value::Object(patch)) => {
            let field = lookup(schema, key)?;
            if field.strategy.replace {
                Some(Value::Object(patch.clone()))
            } else {
                Some(Value::Object(merge_map(std::mem::take(found), patch, &*field.schema)?))
            }
        }
        (Some(Value::Array(found)), Value::Array(patch)) => {
            let field = lookup(schema, key)?;
            // What is to be deleted is, whatever the strategy.
            if field.strategy.merge || deletes {
                Some(Value::Array(list::merge(std::mem::take(found), patch, &field, deletes)?))
            } else {
                Some(Value::Array(patch.clone()))
            }
        }
        _ if deletes => return Ok(()),
        _ => cleaned(patch),
    };
    match merged {
        Some(value) => original.insert(key.to_owned(), value),
        None => original.remove(key),
    };
    Ok(())
}

/// A value that replaces what was there, or has nothing to be merged into: without the nulls of its objects and
/// without the objects that hold a directive. `None` if it is such an object itself.
fn cleaned(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(PATCH) => None,
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            let kept = kept.filter_map(|(key, value)| cleaned(value).map(|value| (key.clone(), value)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(list) => Some(Value::Array(list.iter().filter_map(cleaned).collect())),
        scalar => Some(scalar.clone()),
    }
}

/// Clears what the directive does not list; the patch may not set anything else.
fn retain_keys(original: &mut Object, patch: &Object, keys: &Value) -> Result<(), PatchError> {
    let bad = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    let keys = keys.as_array().ok_or_else(bad)?;
    let is_kept = |key: &str| keys.iter().any(|of| of == key);
    for (key, value) in patch {
        let is_directive =
            key == RETAIN_KEYS || key.starts_with(DELETE_FROM_PRIMITIVE_LIST) || key.starts_with(SET_ELEMENT_ORDER);
        if !value.is_null() && !is_directive && !is_kept(key) {
            return Err(bad());
        }
    }
    original.retain(|key, _| is_kept(key));
    Ok(())
}

/// The field that a directive's key names after the slash.
fn directed_key<'a>(key: &'a str, directive: &str, otherwise: &str) -> Result<&'a str, PatchError> {
    match key.split_once('/') {
        Some((before, name)) if before == directive => Ok(name),
        _ => Err(PatchError::Malformed(otherwise.to_owned())),
    }
}

fn lookup<'a>(schema: &'a dyn Lookup, key: &str) -> Result<Field<'a>, PatchError> {
    schema.field(key).ok_or_else(|| {
        PatchError::Internal(match schema.type_name() {
            TypeName::Struct(name) => {
                format!("unable to find api field in struct {name} for the json field {}", Quoted(key))
            }
            TypeName::Kind(kind) => {
                format!("merging an object in json but data type is not struct, instead is: {kind}")
            }
        })
    })
}

fn unknown_directive(directive: &Value, map: &Object) -> PatchError {
    let directive = match directive {
        Value::String(text) => text.clone(),
        Value::Null => "%!s(<nil>)".to_owned(),
        other => format!("%!s({}={})", go_type(other).go, go_value(other)),
    };
    PatchError::Internal(format!("unknown patch type: {directive} in map: {}", go_map(map)))
}

fn no_merge_key(map: &Object, merge_key: &str) -> PatchError {
    PatchError::Internal(format!("map: {} does not contain declared merge key: {merge_key}", go_map(map)))
}

fn wrong_type(wanted: &str, found: &Value) -> PatchError {
    PatchError::Internal(format!("expected a {wanted}, but received a {}", go_type(found).go))
}

fn go_map(map: &Object) -> String {
    go_value(&Value::Object(map.clone()))
}

#[cfg(test)]
#[path = "strategic_tests.rs"]
mod tests;

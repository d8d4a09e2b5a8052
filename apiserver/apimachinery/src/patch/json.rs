//! JSON patch (RFC 6902), with the liberties of upstream's library (evanphx/json-patch v4): negative indices count
//! from the end, what is missing from an object reads as null, and whatever stands before a path's first slash is
//! ignored.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::PatchError;
use crate::quote::{Quoted, go_json, go_type};

/// The most operations a patch may have.
pub const MAX_OPERATIONS: usize = 10_000;
/// The most bytes of JSON that all `copy` operations of a patch may copy.
pub const MAX_COPIED_BYTES: usize = 3 << 20;

/// Applies a JSON patch, given as it was sent. Nothing is changed when one operation fails.
///
/// # Errors
/// The patch is malformed, has too many operations, or one of them cannot be applied.
pub fn apply(document: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let patch: Value = serde_json::from_slice(patch).map_err(|error| PatchError::Malformed(error.to_string()))?;
    let mut document = document.clone();
    apply_value(&mut document, &patch)?;
    Ok(document)
}

/// Applies a JSON patch that has been decoded. The document is left half-patched when an operation fails.
///
/// # Errors
/// As [`apply`].
pub fn apply_value(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations = match patch {
        Value::Null => return Ok(()),
        Value::Array(operations) => operations,
        other => return Err(wrong_type(other, "jsonpatch.Patch")),
    };
    if let Some(other) = operations.iter().find(|operation| !operation.is_object() && !operation.is_null()) {
        return Err(wrong_type(other, "jsonpatch.Operation"));
    }
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            operations.len()
        )));
    }
    let mut copied = 0;
    operations
        .iter()
        .try_for_each(|operation| apply_operation(document, operation, &mut copied).map_err(PatchError::Unprocessable))
}

/// What upstream checks first when field validation is on (`Warn`, the default, or `Strict`): the type of each
/// operation and of its `op`, `path` and `from`. Answers a strict decoding error for each field it does not know.
///
/// # Errors
/// Something is of the wrong type.
pub fn check(patch: &Value) -> Result<Vec<String>, PatchError> {
    let refused = |value: &Value, into: &str| {
        let found = go_type(value).json;
        PatchError::Malformed(format!("error decoding patch: json: cannot unmarshal {found} into Go {into}"))
    };
    let operations = match patch {
        Value::Null => return Ok(Vec::new()),
        Value::Array(operations) => operations,
        other => return Err(refused(other, "value of type []handlers.jsonPatchOp")),
    };
    let mut unknown = Vec::new();
    for (i, operation) in operations.iter().enumerate() {
        let fields = match operation {
            Value::Null => continue,
            Value::Object(fields) => fields,
            other => return Err(refused(other, "value of type handlers.jsonPatchOp")),
        };
        for (field, value) in fields {
            match field.as_str() {
                "value" => {}
                "op" | "path" | "from" if value.is_string() || value.is_null() => {}
                "op" | "path" | "from" => {
                    return Err(refused(value, &format!("struct field jsonPatchOp.{field} of type string")));
                }
                _ => unknown.push(format!("json patch unknown field {}", Quoted(&format!("[{i}].{field}")))),
            }
        }
    }
    Ok(unknown)
}

fn wrong_type(value: &Value, wanted: &str) -> PatchError {
    PatchError::Malformed(format!("json: cannot unmarshal {} into Go value of type {wanted}", go_type(value).json))
}

/// `copied`: the bytes that were copied before.
fn apply_operation(document: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), String> {
    let kind = operation.get("op").and_then(Value::as_str).unwrap_or("unknown");
    // An operation without a value puts in, or looks for, null.
    let value = operation.get("value").unwrap_or(&Value::Null);
    let text = |field: &str| {
        let text = operation.get(field).and_then(Value::as_str);
        text.ok_or_else(|| format!("{kind} operation failed to decode {field}: missing value"))
    };
    match kind {
        "add" => add(document, kind, text("path")?, value.clone()),
        "remove" => {
            let path = text("path")?;
            let (target, key) = find(document, kind, path)?;
            remove(target, &key).map(drop).map_err(|why| format!("error in remove for path: '{path}': {why}"))
        }
        "replace" => replace(document, text("path")?, value.clone()),
        "move" => {
            let from = text("from")?;
            let (source, key) = find(document, kind, from)?;
            let moved = remove(source, &key).map_err(|why| format!("error in move for path: '{key}': {why}"))?;
            add(document, kind, text("path")?, moved)
        }
        "copy" => {
            let from = text("from")?;
            let (source, key) = find(document, kind, from)?;
            let value = get(source, &key).map_err(|why| format!("error in copy for from: '{from}': {why}"))?.clone();
            if !value.is_null() {
                *copied += go_json(&value).len();
            }
            if *copied > MAX_COPIED_BYTES {
                return Err(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit \
                     {MAX_COPIED_BYTES}"
                ));
            }
            add(document, kind, text("path")?, value)
        }
        "test" => {
            let path = text("path")?;
            let found = if path.is_empty() {
                &*document
            } else {
                let (target, key) = find(document, kind, path)?;
                get(target, &key).map_err(|why| format!("error in test for path: '{path}': {why}"))?
            };
            if found == value { Ok(()) } else { Err(format!("testing value {path} failed: test failed")) }
        }
        other => Err(format!("Unexpected kind: {other}")),
    }
}

fn add(document: &mut Value, kind: &str, path: &str, value: Value) -> Result<(), String> {
    let (target, key) = find(document, kind, path)?;
    let why = match target {
        Target::Object(map) => {
            map.insert(key.into_owned(), value);
            return Ok(());
        }
        Target::List(list) if key == "-" => {
            list.push(value);
            return Ok(());
        }
        // One more place than there are items; -1 is the last of them.
        Target::List(list) => match index(&key, list.len() + 1) {
            Ok(at) => {
                list.insert(at, value);
                return Ok(());
            }
            Err(why) => why,
        },
    };
    Err(format!("error in {kind} for path: '{path}': {why}"))
}

fn replace(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        if !value.is_object() && !value.is_array() {
            return Err("replace operation value must be object or array".to_owned());
        }
        *document = value;
        return Ok(());
    }
    match find(document, "replace", path)? {
        (Target::Object(map), key) => {
            map.insert(key.into_owned(), value);
        }
        (Target::List(list), key) => {
            let at = index(&key, list.len());
            let at =
                at.map_err(|_| format!("replace operation does not apply: doc is missing key: {path}: missing value"))?;
            list[at] = value;
        }
    }
    Ok(())
}

/// What a path's last part is a key of.
enum Target<'a> {
    Object(&'a mut Map<String, Value>),
    List(&'a mut Vec<Value>),
}

/// The container that a path's last part is in, and that part.
fn find<'a, 'p>(document: &'a mut Value, kind: &str, path: &'p str) -> Result<(Target<'a>, Cow<'p, str>), String> {
    let missing = || format!("{kind} operation does not apply: doc is missing path: {}: missing value", Quoted(path));
    let mut parts = path.split('/').skip(1).peekable();
    let mut at = document;
    while let Some(part) = parts.next() {
        let key = unescape(part);
        if parts.peek().is_none() {
            return match at {
                Value::Object(map) => Ok((Target::Object(map), key)),
                Value::Array(list) => Ok((Target::List(list), key)),
                _ => Err(missing()),
            };
        }
        at = match at {
            Value::Object(map) => map.get_mut(key.as_ref()),
            Value::Array(list) => index(&key, list.len()).ok().and_then(|at| list.get_mut(at)),
            _ => None,
        }
        .ok_or_else(missing)?;
    }
    Err(missing())
}

fn get<'a>(target: Target<'a>, key: &str) -> Result<&'a Value, String> {
    match target {
        Target::Object(map) => Ok(map.get(key).unwrap_or(&Value::Null)),
        Target::List(list) => index(key, list.len()).map(|at| &list[at]),
    }
}

fn remove(target: Target<'_>, key: &str) -> Result<Value, String> {
    match target {
        Target::Object(map) => {
            map.remove(key).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value"))
        }
        Target::List(list) => index(key, list.len()).map(|at| list.remove(at)),
    }
}

/// The place a key names among so many; a negative one counts from the end.
fn index(key: &str, length: usize) -> Result<usize, String> {
    let number: i64 = key.parse().map_err(|_| format!("value was not a proper array index: '{key}'"))?;
    let signed = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if number < 0 { number.saturating_add(signed) } else { number };
    usize::try_from(at)
        .ok()
        .filter(|at| *at < length)
        .ok_or_else(|| format!("Unable to access invalid index: {number}: invalid index referenced"))
}

/// RFC 6901: `~1` is a slash and `~0` a tilde, each decoded once.
fn unescape(part: &str) -> Cow<'_, str> {
    if part.contains('~') { Cow::Owned(part.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(part) }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;

//! The Go types of the built-in kinds: the order in which upstream's JSON has an object's fields, and how its errors
//! show values.
//!
//! [`to_vec`] writes what is served and stored. Errors show the *internal* types, which have all fields under their Go
//! names: [`json`], [`bad_value`] and [`diff()`] print those. A type is named as in Go, packages by their path: `core.PodSpec`
//! is internal, `core.v1.PodSpec` versioned (`meta.v1.LabelSelector`: types of meta have no internal form);
//! `[]core.Toleration`, `map[string]string` and `*core.Probe` are of such.

mod convert;
mod internal;
mod names;
mod order;
mod patched;
mod print;
mod table;

use std::borrow::Cow;

use apimachinery::diff;
use apimachinery::field::BadValue;
use apimachinery::quote::{go_json, go_json_bytes, go_json_indented};
use serde_json::{Map, Value};

pub use order::Declared;
pub use patched::{Origin, patched};
pub use table::{Cardinality, Field, Message, Shape, Table, Type, table};

use print::Typed;

/// An object as upstream's JSON has it: that of a built-in kind (told by its `apiVersion` and `kind`) with its fields as Go
/// declares them, any other sorted; Go's escapes and numbers in both.
pub fn to_vec(object: &Value) -> Vec<u8> {
    go_json_bytes(&Declared::object(object))
}

/// A value of a type as `json.Marshal` writes it, as errors show it. A value that is null stands for Go's zero value.
///
/// `value` is in the versioned form, with what Go leaves out left out. A name that no type has prints it as it is.
pub fn json(type_name: &str, value: &Value) -> String {
    go_json(&Typed::named(type_name, value))
}

/// [`json`] as the bad value of a [`field error`](apimachinery::field::Error).
pub fn bad_value(type_name: &str, value: &Value) -> BadValue {
    BadValue::Rendered(json(type_name, value))
}

/// As [`json`], with each field on a line of its own, indented by one space a level: how diffs see it.
pub fn json_lines(type_name: &str, value: &Value) -> String {
    go_json_indented(&Typed::named(type_name, value), " ")
}

/// The fields of a versioned object as the internal type of that name has them: what conversion moves from one field to
/// another is where it moves it, under versioned names.
pub fn converted<'a>(type_name: &str, object: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
    convert::to_internal(type_name, object)
}

/// The unified diff of two values of a type that upstream's errors show of changes that may not be made.
pub fn diff(type_name: &str, old: &Value, new: &Value) -> String {
    diff::unified(&json_lines(type_name, old), &json_lines(type_name, new))
}

#[cfg(test)]
mod tests;

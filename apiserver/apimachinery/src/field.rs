//! Paths to fields and what is wrong with their values, in upstream's words.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use crate::quote::{Quoted, go_float, go_json};

/// The way to a field, displayed as upstream does: `spec.containers[3].env[NAME]`.
///
/// [`Path::default`] is Go's nil path: it is displayed as `<nil>` and a child of it as the child alone.
/// A walk over a large value should use [`Path::enter`] and [`Path::leave`] on one path instead of making new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(String);

/// Where [`Path::enter`] was called; gives the way back to [`Path::leave`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Mark(usize);

impl Path {
    /// A path of one field.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The path to a field of the value at this path.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut path = self.with_room(name.len() + 1);
        path.push(name);
        path
    }

    /// The path to an item of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.with_room(8);
        path.push_index(index);
        path
    }

    /// The path to a key's value in the map at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut path = self.with_room(key.len() + 2);
        path.push_key(key);
        path
    }

    /// Goes down to a field, in place.
    pub fn enter(&mut self, name: &str) -> Mark {
        let mark = Mark(self.0.len());
        self.push(name);
        mark
    }

    /// Goes down to an item of a list, in place.
    pub fn enter_index(&mut self, index: usize) -> Mark {
        let mark = Mark(self.0.len());
        self.push_index(index);
        mark
    }

    /// Goes down to a key's value in a map, in place.
    pub fn enter_key(&mut self, key: &str) -> Mark {
        let mark = Mark(self.0.len());
        self.push_key(key);
        mark
    }

    /// Goes back up to where the mark was made.
    pub fn leave(&mut self, mark: Mark) {
        self.0.truncate(mark.0);
    }

    /// The path's text, empty for the nil path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn with_room(&self, more: usize) -> Self {
        let mut text = String::with_capacity(self.0.len() + more);
        text.push_str(&self.0);
        Self(text)
    }

    fn push(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(name);
    }

    fn push_index(&mut self, index: usize) {
        push_index(&mut self.0, index);
    }

    fn push_key(&mut self, key: &str) {
        self.0.push('[');
        self.0.push_str(key);
        self.0.push(']');
    }
}

/// Appends `[index]` to a path's text.
pub fn push_index(path: &mut String, index: usize) {
    use fmt::Write;
    // Most lists are short, and formatting takes its time.
    if let Some(digit) = u32::try_from(index).ok().and_then(|index| char::from_digit(index, 10)) {
        path.extend(['[', digit, ']']);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(path, "[{index}]");
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What the value refers to does not exist.
    NotFound,
    /// The field must have a value.
    Required,
    /// The value must be unique and is not.
    Duplicate,
    /// The value is malformed.
    Invalid,
    /// The value is none of those allowed.
    NotSupported,
    /// The value is well formed but not allowed here.
    Forbidden,
    /// The value is too long.
    TooLong,
    /// The value is too short.
    TooShort,
    /// The list has too many items.
    TooMany,
    /// The list has too few items.
    TooFew,
    /// Not the client's fault.
    Internal,
    /// The value is of the wrong type.
    TypeInvalid,
}

impl ErrorKind {
    /// The reason of the status cause that reports such an error.
    pub fn cause(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooShort => "FieldValueTooShort",
            Self::TooMany => "FieldValueTooMany",
            Self::TooFew => "FieldValueTooFew",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    /// The words a message starts with.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooShort => "Too short",
            Self::TooMany => "Too many",
            Self::TooFew => "Too few",
            Self::Internal => "Internal error",
        }
    }

    /// Whether a message shows the bad value.
    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong | Self::TooShort | Self::Internal)
    }
}

/// Errors in the order they were found.
pub type ErrorList = Vec<Error>;

/// The value an error is about.
///
/// A value whose JSON has another order of keys than the sorted one (upstream shows Go structs in the order of their
/// fields) is given as [`BadValue::Rendered`].
#[derive(Clone, Debug, Default, PartialEq)]
pub enum BadValue {
    /// The message leaves it out.
    #[default]
    Omitted,
    /// Shown as Go shows it: strings quoted, the rest as JSON.
    Value(Value),
    /// Shown as it is.
    Rendered(String),
}

impl BadValue {
    /// A value shown as Go's JSON, its fields in the order they are serialised in.
    pub fn rendered<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        Self::Rendered(go_json(value))
    }
}

impl<T: Into<Value>> From<T> for BadValue {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// One thing that is wrong with one field. Displayed as `spec.x: Invalid value: "y": why`.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The field's path.
    pub field: String,
    /// The value that was found.
    pub bad_value: BadValue,
    /// Why, and what is expected; may be empty.
    pub detail: String,
}

impl Error {
    fn new(kind: ErrorKind, field: &Path, bad_value: BadValue, detail: String) -> Self {
        Self { kind, field: field.to_string(), bad_value, detail }
    }

    /// The field must have a value; `detail` may be empty.
    pub fn required(field: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Required, field, BadValue::Omitted, detail.into())
    }

    /// The value is malformed.
    pub fn invalid(field: &Path, value: impl Into<BadValue>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, field, value.into(), detail.into())
    }

    /// The value is malformed, and the message does not show it.
    pub fn invalid_omitting_value(field: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, field, BadValue::Omitted, detail.into())
    }

    /// The value is of the wrong type.
    pub fn type_invalid(field: &Path, value: impl Into<BadValue>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::TypeInvalid, field, value.into(), detail.into())
    }

    /// The value is none of the supported ones, which are listed in the order given (upstream gives them sorted).
    pub fn not_supported<T: AsRef<str>>(field: &Path, value: impl Into<BadValue>, supported: &[T]) -> Self {
        let mut detail = String::new();
        for (i, value) in supported.iter().enumerate() {
            detail.push_str(if i == 0 { "supported values: " } else { ", " });
            detail.push_str(&Quoted(value.as_ref()).to_string());
        }
        Self::new(ErrorKind::NotSupported, field, value.into(), detail)
    }

    /// The value must be unique.
    pub fn duplicate(field: &Path, value: impl Into<BadValue>) -> Self {
        Self::new(ErrorKind::Duplicate, field, value.into(), String::new())
    }

    /// What the value names was not found.
    pub fn not_found(field: &Path, value: impl Into<BadValue>) -> Self {
        Self::new(ErrorKind::NotFound, field, value.into(), String::new())
    }

    /// The value is not allowed here.
    pub fn forbidden(field: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, field, BadValue::Omitted, detail.into())
    }

    /// The value has more than `max` bytes.
    pub fn too_long(field: &Path, max: usize) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self::new(ErrorKind::TooLong, field, BadValue::Omitted, format!("may not be more than {max} {unit}"))
    }

    /// The value has more than `max` characters.
    pub fn too_long_characters(field: &Path, max: usize) -> Self {
        let unit = if max == 1 { "character" } else { "characters" };
        Self::new(ErrorKind::TooLong, field, BadValue::Omitted, format!("may not be more than {max} {unit}"))
    }

    /// The value has fewer than `min` characters.
    pub fn too_short(field: &Path, min: usize) -> Self {
        let unit = if min == 1 { "character" } else { "characters" };
        Self::new(ErrorKind::TooShort, field, BadValue::Omitted, format!("must be at least {min} {unit}"))
    }

    /// The list has `actual` items (`None`: not said) where at most `max` are allowed.
    pub fn too_many(field: &Path, actual: impl Into<Option<usize>>, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let actual = actual.into().map_or(BadValue::Omitted, BadValue::from);
        Self::new(ErrorKind::TooMany, field, actual, format!("must have at most {max} {unit}"))
    }

    /// The list has `actual` items where at least `min` are needed.
    pub fn too_few(field: &Path, actual: usize, min: usize) -> Self {
        let unit = if min == 1 { "item" } else { "items" };
        Self::new(ErrorKind::TooFew, field, actual.into(), format!("must have at least {min} {unit}"))
    }

    /// Something failed that is not the client's fault.
    pub fn internal(field: &Path, error: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, field, BadValue::Omitted, error.to_string())
    }

    /// The message without the field: what a status cause carries.
    pub fn body(&self) -> String {
        Body(self).to_string()
    }
}

struct Body<'a>(&'a Error);

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { kind, bad_value, detail, .. } = self.0;
        f.write_str(kind.words())?;
        if kind.shows_value() {
            match bad_value {
                BadValue::Omitted => {}
                BadValue::Rendered(text) => write!(f, ": {text}")?,
                BadValue::Value(Value::String(text)) => write!(f, ": {}", Quoted(text))?,
                BadValue::Value(Value::Number(number)) => match number.as_f64().filter(|_| !number.is_i64()) {
                    Some(float) => write!(f, ": {}", go_float(float))?,
                    None => write!(f, ": {number}")?,
                },
                BadValue::Value(other) => write!(f, ": {}", go_json(other))?,
            }
        }
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, Body(self))
    }
}

impl std::error::Error for Error {}

/// Displays errors as upstream aggregates them: one plain, several in `[a, b]`, a repeated message once.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate<'a>(pub &'a [Error]);

impl fmt::Display for Aggregate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seen = HashSet::new();
        let messages: Vec<String> =
            self.0.iter().map(ToString::to_string).filter(|message| seen.insert(message.clone())).collect();
        match messages.as_slice() {
            [] => Ok(()),
            [only] => f.write_str(only),
            several => write!(f, "[{}]", several.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_displayed_as_upstream_does() {
        assert_eq!(Path::new("spec").child("x").index(3).key("k").child("y").to_string(), "spec.x[3][k].y");
        assert_eq!(Path::default().to_string(), "<nil>");
        assert_eq!(Path::default().child("a").to_string(), "a");
        let mut path = Path::new("spec");
        let mark = path.enter("list");
        let item = path.enter_index(0);
        assert_eq!(path.to_string(), "spec.list[0]");
        path.leave(item);
        path.leave(mark);
        assert_eq!(path.to_string(), "spec");
    }

    #[test]
    fn errors_have_upstreams_words() {
        let at = &Path::new("f");
        for (error, want) in [
            (Error::required(at, ""), "f: Required value"),
            (Error::required(at, "why"), "f: Required value: why"),
            (Error::invalid(at, "x\"y", "why"), r#"f: Invalid value: "x\"y": why"#),
            (Error::invalid(at, 3, "why"), "f: Invalid value: 3: why"),
            (Error::invalid(at, 2.5, "why"), "f: Invalid value: 2.5: why"),
            (Error::invalid(at, 1e21, "why"), "f: Invalid value: 1e+21: why"),
            (Error::invalid(at, Value::Null, "why"), "f: Invalid value: null: why"),
            (
                Error::invalid(at, json!({"b": "<", "a": [1]}), "why"),
                r#"f: Invalid value: {"a":[1],"b":"\u003c"}: why"#,
            ),
            (Error::invalid_omitting_value(at, "why"), "f: Invalid value: why"),
            (Error::type_invalid(at, "s", "why"), r#"f: Invalid value: "s": why"#),
            (Error::not_supported(at, "x", &["a", "b"]), r#"f: Unsupported value: "x": supported values: "a", "b""#),
            (Error::not_supported::<&str>(at, "x", &[]), r#"f: Unsupported value: "x""#),
            (Error::duplicate(at, "x"), r#"f: Duplicate value: "x""#),
            (Error::not_found(at, "x"), r#"f: Not found: "x""#),
            (Error::forbidden(at, "why"), "f: Forbidden: why"),
            (Error::too_long(at, 63), "f: Too long: may not be more than 63 bytes"),
            (Error::too_long(at, 1), "f: Too long: may not be more than 1 byte"),
            (Error::too_long_characters(at, 5), "f: Too long: may not be more than 5 characters"),
            (Error::too_short(at, 1), "f: Too short: must be at least 1 character"),
            (Error::too_many(at, 9, 8), "f: Too many: 9: must have at most 8 items"),
            (Error::too_many(at, None, 1), "f: Too many: must have at most 1 item"),
            (Error::too_few(at, 0, 1), "f: Too few: 0: must have at least 1 item"),
            (Error::internal(at, "why"), "f: Internal error: why"),
        ] {
            assert_eq!(error.to_string(), want);
        }
    }

    #[test]
    fn several_errors_are_bracketed_and_repeated_ones_said_once() {
        let at = &Path::new("f");
        let (a, b) = (Error::required(at, ""), Error::duplicate(at, "x"));
        assert_eq!(Aggregate(std::slice::from_ref(&a)).to_string(), "f: Required value");
        assert_eq!(
            Aggregate(&[a.clone(), b.clone(), a.clone()]).to_string(),
            r#"[f: Required value, f: Duplicate value: "x"]"#
        );
        assert_eq!(Aggregate(&[a.clone(), a]).to_string(), "f: Required value");
    }
}

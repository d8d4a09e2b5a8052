//! What upstream's decoder does between the bytes and the object: type errors in its words, unknown fields, nulls, and
//! the canonical form of scalars.
//!
//! Go's decoder goes on after a value of the wrong type and reports the first such error at the end; an error of a type
//! that decodes itself (quantities, times, int-or-string) ends it at once, and so hides those seen before.

mod custom;
mod untyped;

use apimachinery::quantity::Quantity;
use apimachinery::time;
use apimachinery::{field, json};
use serde_json::{Map, Number, Value};

use crate::base64;
use crate::builtin::{DefinitionId, JSON_SCHEMA_PROPS, builtin as builtins};
use crate::node::{Kind, Node};

/// Strict decoding names no more unknown fields than this.
pub(crate) const MAX_STRICT_ERRORS: usize = 100;

pub(crate) use custom::{custom, embedded_metadata, integral, repair};
pub(crate) use untyped::untyped;

/// The time Go calls zero and writes as null, 0001-01-01T00:00:00Z, in seconds since 1970.
const ZERO_TIME: i64 = -62_135_596_800;

/// Why a value cannot be decoded; displayed in the words of upstream's decoder.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A value of the wrong JSON type.
    #[error("json: cannot unmarshal {value} into Go {}", type_target(.go_type, .place))]
    Type {
        /// What was found: `string`, `number 1.5`, `array`, …
        value: String,
        /// The Go type it should have been: `int32`, `[]v1.PolicyRule`, …
        go_type: String,
        /// Where: `LeaseSpec.spec.renewTime` (the innermost struct, then the whole path); empty at the top.
        place: String,
    },
    /// A value that its own type's parser refuses: quantities, times, base64.
    #[error("{0}")]
    Parse(String),
    /// A value that upstream's converter of untyped objects cannot assign.
    #[error("{0}")]
    Untyped(String),
    /// Metadata of an object within a custom resource that is not metadata.
    #[error("{0}")]
    Field(field::Error),
}

impl DecodeError {
    /// The error without the place, as upstream words it where it converts an untyped object
    /// (`json: cannot unmarshal bool into Go value of type int32`).
    #[must_use]
    pub fn without_place(self) -> Self {
        match self {
            Self::Type { value, go_type, .. } => Self::Type { value, go_type, place: String::new() },
            other => other,
        }
    }
}

fn type_target(go_type: &str, place: &str) -> String {
    if place.is_empty() {
        format!("value of type {go_type}")
    } else {
        format!("struct field {place} of type {go_type}")
    }
}

/// What to do with fields the schema does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Keep,
    Drop,
}

/// Decodes an object of a built-in definition in place; the strict errors are those of the fields dropped.
pub(crate) fn builtin(
    node: &'static Node,
    id: DefinitionId,
    value: &mut Value,
    unknown: Unknown,
) -> Result<Vec<String>, DecodeError> {
    let mut decoder = Decoder::new(unknown, String::new());
    let outcome = decoder.typed(node, Some(id), value, None);
    decoder.finish(outcome)
}

/// A whole float as an integer, and an integer beyond int64, which is a float to Go, with a float's digits.
fn integral_number(number: &mut Number) {
    if number.is_i64() {
        return;
    }
    let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0) else { return };
    if number.is_u64() {
        if let Ok(rounded) = float.to_string().parse::<u64>() {
            *number = rounded.into();
        }
    } else if float.abs() < 9_007_199_254_740_992.0 {
        // Below 2^53: the conversion is exact.
        #[allow(clippy::cast_possible_truncation)]
        let whole = float as i64;
        *number = whole.into();
    }
}

struct Decoder {
    unknown: Unknown,
    strict: Vec<String>,
    /// The path of the value at hand as strict errors write it: `spec.containers[0]`.
    path: String,
    /// The innermost struct and the fields down to the value, as type errors write them.
    place_struct: &'static str,
    place_fields: Vec<&'static str>,
    /// The first type error.
    first: Option<DecodeError>,
}

type Step = Result<(), DecodeError>;

impl Decoder {
    fn new(unknown: Unknown, path: String) -> Self {
        Self { unknown, strict: Vec::new(), path, place_struct: "", place_fields: Vec::new(), first: None }
    }

    fn finish(self, outcome: Step) -> Result<Vec<String>, DecodeError> {
        outcome?;
        match self.first {
            Some(error) => Err(error),
            None => Ok(self.strict),
        }
    }

    /// Decodes a value that is not null. `id` is the definition that `node` is the root of, `go_type` what the field's
    /// Go type is where the schema does not tell.
    fn typed(
        &mut self,
        node: &'static Node,
        id: Option<DefinitionId>,
        value: &mut Value,
        go_type: Option<&'static str>,
    ) -> Step {
        if let Some(id) = node.reference {
            return self.typed(builtins().node(id), Some(id), value, go_type);
        }
        match (node.kind, &mut *value) {
            (Kind::Object, Value::Object(map)) => match (node.additional(), id) {
                (Some(values), _) => self.map(values, map, go_type),
                (None, Some(id)) => self.structure(node, id, map),
                (None, None) => Ok(()),
            },
            (Kind::Array, Value::Array(list)) => {
                let element = go_type.and_then(|t| t.strip_prefix("[]"));
                match &node.items {
                    Some(items) => self.list(items, list, element),
                    None => Ok(()),
                }
            }
            (Kind::String, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => Ok(()),
            (Kind::Number, Value::Number(number)) => {
                integral_number(number);
                Ok(())
            }
            (Kind::Integer, Value::Number(number)) => {
                if !is_integer(number, node.is_int32()) {
                    self.mismatch(format!("number {number}"), node, id, go_type);
                }
                Ok(())
            }
            (Kind::Bytes, _) => self.bytes(node, value),
            (Kind::IntOrString, _) => self.int_or_string(value),
            (Kind::Quantity, _) => quantity(value),
            (Kind::Time | Kind::MicroTime, _) => self.time(node.kind, value),
            (Kind::SchemaOrBool, Value::Bool(_)) => Ok(()),
            (Kind::SchemaOrArray | Kind::SchemaOrBool | Kind::SchemaOrStringArray, _) => {
                self.json_schema(node.kind, value)
            }
            (Kind::Any | Kind::Raw, _) => Ok(()),
            _ => {
                let found = json::type_word(value).to_owned();
                self.mismatch(found, node, id, go_type);
                Ok(())
            }
        }
    }

    fn structure(&mut self, node: &'static Node, id: DefinitionId, map: &mut Map<String, Value>) -> Step {
        let length = self.path.len();
        let outer = std::mem::replace(&mut self.place_struct, builtins().struct_name(id));
        let mut outcome = Ok(());
        // Nearly always nothing goes.
        let mut goes = false;
        for (key, value) in map.iter_mut() {
            self.enter(key);
            goes |= match node.property(key) {
                None => {
                    self.unknown_field();
                    self.unknown == Unknown::Drop
                }
                Some(_) if value.is_null() => true,
                Some(property) => {
                    self.place_fields.push(&property.name);
                    outcome = self.typed(&property.node, None, value, property.go_type);
                    self.place_fields.pop();
                    // A zero time is a nil one.
                    value.is_null()
                }
            };
            self.path.truncate(length);
            if outcome.is_err() {
                break;
            }
        }
        if goes && outcome.is_ok() {
            map.retain(|key, value| stays(node, key, value, self.unknown));
        }
        self.place_struct = outer;
        outcome
    }

    fn map(&mut self, values: &'static Node, map: &mut Map<String, Value>, go_type: Option<&'static str>) -> Step {
        let element =
            go_type.filter(|t| t.starts_with("map[")).and_then(|t| t.split_once(']')).map(|(_, element)| element);
        let length = self.path.len();
        for (key, value) in map {
            if value.is_null() {
                *value = zero(values);
                continue;
            }
            self.enter(key);
            self.typed(values, None, value, element)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn list(&mut self, items: &'static Node, list: &mut [Value], go_type: Option<&'static str>) -> Step {
        let length = self.path.len();
        for (at, item) in list.iter_mut().enumerate() {
            if item.is_null() {
                *item = zero(items);
                continue;
            }
            field::push_index(&mut self.path, at);
            self.typed(items, None, item, go_type)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn bytes(&mut self, node: &'static Node, value: &mut Value) -> Step {
        match value {
            Value::String(text) => match base64::canonical(text) {
                Ok(None) => {}
                Ok(Some(canonical)) => *text = canonical,
                Err(at) => self.note(DecodeError::Parse(format!("illegal base64 data at input byte {at}"))),
            },
            Value::Array(list) => {
                // To Go a []byte is a list of numbers, too.
                let mut bytes = Vec::with_capacity(list.len());
                for item in list {
                    match item {
                        Value::Number(number) => match number.as_u64().and_then(|n| u8::try_from(n).ok()) {
                            Some(byte) => bytes.push(byte),
                            None => self.type_error(format!("number {number}"), "uint8".to_owned()),
                        },
                        Value::Null => bytes.push(0),
                        other => self.type_error(json::type_word(other).to_owned(), "uint8".to_owned()),
                    }
                }
                *value = Value::String(base64::encode(&bytes));
            }
            other => {
                let found = json::type_word(other).to_owned();
                self.mismatch(found, node, None, None);
            }
        }
        Ok(())
    }

    fn int_or_string(&self, value: &Value) -> Step {
        match value {
            Value::String(_) => Ok(()),
            Value::Number(number) if is_integer(number, true) => Ok(()),
            Value::Number(number) => Err(self.located(format!("number {number}"), "int32".to_owned())),
            other => Err(self.located(json::type_word(other).to_owned(), "int32".to_owned())),
        }
    }

    fn time(&self, kind: Kind, value: &mut Value) -> Step {
        let Value::String(text) = value else {
            return Err(self.located(json::type_word(value).to_owned(), "string".to_owned()));
        };
        let micro = kind == Kind::MicroTime;
        let time = if micro { time::parse_micro_time(text) } else { time::parse_time(text) };
        let time = time.map_err(|error| DecodeError::Parse(error.to_string()))?;
        *value = if time.as_second() == ZERO_TIME && time.subsec_nanosecond() == 0 {
            Value::Null
        } else if micro {
            Value::String(time::format_micro_time(time))
        } else {
            Value::String(time::format_time(time))
        };
        Ok(())
    }

    /// The parts of a CRD's schema that decode themselves. Go starts anew within them, and not strictly: unknown fields
    /// are dropped in silence.
    fn json_schema(&mut self, kind: Kind, value: &mut Value) -> Step {
        let Some(id) = builtins().id(JSON_SCHEMA_PROPS) else { return Ok(()) };
        let node = builtins().node(id);
        let anew = |value: &mut Value| {
            let mut decoder = Self::new(Unknown::Drop, String::new());
            let outcome = decoder.typed(node, Some(id), value, None);
            decoder.finish(outcome).map(drop)
        };
        let outcome = match (kind, &mut *value) {
            (_, Value::Object(_)) => anew(value),
            (Kind::SchemaOrArray, Value::Array(list)) => list.iter_mut().try_for_each(anew),
            (Kind::SchemaOrStringArray, Value::Array(list)) => match list.iter().find(|item| !item.is_string()) {
                Some(item) => Err(self.located(json::type_word(item).to_owned(), "string".to_owned())),
                None => Ok(()),
            },
            (Kind::SchemaOrBool, _) => Err(DecodeError::Parse("boolean or JSON schema expected".to_owned())),
            _ => {
                *value = Value::Null;
                Ok(())
            }
        };
        // What such a type says of its inside is told again for the place where it stands.
        outcome.map_err(|error| match error {
            DecodeError::Type { value, go_type, .. } => self.located(value, go_type),
            other => other,
        })
    }

    fn enter(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn unknown_field(&mut self) {
        if self.strict.len() < MAX_STRICT_ERRORS {
            self.strict.push(format!("unknown field \"{}\"", self.path));
        }
    }

    fn mismatch(&mut self, found: String, node: &Node, id: Option<DefinitionId>, go_type: Option<&str>) {
        if self.first.is_none() {
            let go_type = match (go_type, id) {
                (Some(go_type), _) => go_type.to_owned(),
                (None, Some(id)) => builtins().go_type(id),
                (None, None) => node.go_type(),
            };
            self.type_error(found, go_type);
        }
    }

    fn type_error(&mut self, found: String, go_type: String) {
        let error = self.located(found, go_type);
        self.note(error);
    }

    fn note(&mut self, error: DecodeError) {
        self.first.get_or_insert(error);
    }

    fn located(&self, value: String, go_type: String) -> DecodeError {
        let place = if self.place_struct.is_empty() {
            String::new()
        } else {
            format!("{}.{}", self.place_struct, self.place_fields.join("."))
        };
        DecodeError::Type { value, go_type, place }
    }
}

/// Whether a struct's field is there once it is decoded: nulls are as if they were not given.
fn stays(node: &Node, key: &str, value: &Value, unknown: Unknown) -> bool {
    match node.property(key) {
        None => unknown == Unknown::Keep,
        Some(_) => !value.is_null(),
    }
}

fn quantity(value: &mut Value) -> Step {
    let quantity = match &*value {
        Value::String(text) => text.trim().parse::<Quantity>(),
        other => other.to_string().parse::<Quantity>(),
    };
    *value = Value::String(quantity.map_err(|error| DecodeError::Parse(error.to_string()))?.to_string());
    Ok(())
}

fn is_integer(number: &Number, int32: bool) -> bool {
    match number.as_i64() {
        Some(integer) => !int32 || i32::try_from(integer).is_ok(),
        None => false,
    }
}

/// What a null item of a list or value of a map is: the zero of its type.
fn zero(node: &Node) -> Value {
    let node = node.resolve();
    match node.kind {
        Kind::String | Kind::Bytes => Value::String(String::new()),
        Kind::Integer | Kind::Number | Kind::IntOrString => 0.into(),
        Kind::Boolean => false.into(),
        Kind::Quantity => "0".into(),
        Kind::Object if node.additional().is_none() => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

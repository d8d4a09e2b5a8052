//! What upstream's converter makes of an untyped object: the way that the results of strategic merge patches and of
//! server-side apply take into their types.
//!
//! It is not its JSON decoder: it assigns what Go can convert (an integer too large wraps round, a whole float becomes an
//! integer), stops at the first value that it cannot, and words that its own way, without the place. Types that decode
//! themselves are given the value as JSON.

use serde_json::{Map, Number, Value};

use super::{DecodeError, Decoder, Unknown, quantity, zero};
use crate::base64;
use crate::builtin::{DefinitionId, builtin as builtins};
use crate::node::{Kind, Node};

/// Converts an object of a built-in definition in place; answers the fields it dropped as unknown, sorted.
pub(crate) fn untyped(node: &'static Node, id: DefinitionId, value: &mut Value) -> Result<Vec<String>, DecodeError> {
    let mut converter = Converter { unknown: Vec::new(), path: String::new() };
    converter.typed(node, Some(id), value, None)?;
    converter.unknown.sort_unstable();
    Ok(converter.unknown)
}

struct Converter {
    unknown: Vec<String>,
    /// The path of the value at hand: `spec.containers[0]`.
    path: String,
}

type Step = Result<(), DecodeError>;

impl Converter {
    /// Converts a value that is not null; `go_type` is the field's Go type where the schema does not tell.
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
        match node.kind {
            Kind::Any | Kind::Raw => Ok(()),
            Kind::Quantity => quantity(value),
            Kind::Time | Kind::MicroTime => alone().time(node.kind, value),
            Kind::IntOrString => alone().int_or_string(value),
            Kind::SchemaOrArray | Kind::SchemaOrBool | Kind::SchemaOrStringArray => {
                alone().json_schema(node.kind, value)
            }
            Kind::Object => match (node.additional(), id, &mut *value) {
                (Some(values), _, Value::Object(map)) => self.map(values, map, go_type),
                (Some(_), _, other) => Err(refused(format!("cannot restore map from {}", go_kind(other)))),
                (None, Some(_), Value::Object(map)) => self.structure(node, map),
                (None, Some(_), other) => Err(refused(format!("cannot restore struct from: {}", go_kind(other)))),
                (None, None, _) => Ok(()),
            },
            Kind::Array => match (&node.items, &mut *value) {
                (Some(items), Value::Array(list)) => self.list(items, list, go_type),
                (_, Value::Array(_)) => Ok(()),
                (_, other) => Err(refused(format!("cannot restore slice from {}", go_kind(other)))),
            },
            Kind::Bytes => bytes(value),
            Kind::String | Kind::Boolean | Kind::Integer | Kind::Number => scalar(node, value, go_type),
        }
    }

    fn structure(&mut self, node: &'static Node, map: &mut Map<String, Value>) -> Step {
        let length = self.path.len();
        // Nearly always nothing goes.
        let mut goes = false;
        for (key, value) in map.iter_mut() {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(key);
            goes |= match node.property(key) {
                None => {
                    self.unknown.push(format!("unknown field \"{}\"", self.path));
                    true
                }
                Some(_) if value.is_null() => true,
                Some(property) => {
                    self.typed(&property.node, None, value, property.go_type)?;
                    value.is_null()
                }
            };
            self.path.truncate(length);
        }
        if goes {
            map.retain(|key, value| super::stays(node, key, value, Unknown::Drop));
        }
        Ok(())
    }

    fn map(&mut self, values: &'static Node, map: &mut Map<String, Value>, go_type: Option<&'static str>) -> Step {
        let element =
            go_type.filter(|t| t.starts_with("map[")).and_then(|t| t.split_once(']')).map(|(_, element)| element);
        for value in map.values_mut() {
            if value.is_null() {
                *value = zero(values);
            } else {
                self.typed(values, None, value, element)?;
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &'static Node, list: &mut [Value], go_type: Option<&'static str>) -> Step {
        let element = go_type.and_then(|t| t.strip_prefix("[]"));
        let length = self.path.len();
        for (at, item) in list.iter_mut().enumerate() {
            if item.is_null() {
                *item = zero(items);
                continue;
            }
            apimachinery::field::push_index(&mut self.path, at);
            self.typed(items, None, item, element)?;
            self.path.truncate(length);
        }
        Ok(())
    }
}

/// A type that decodes itself is told nothing of its place.
fn alone() -> Decoder {
    Decoder::new(Unknown::Drop, String::new())
}

fn refused(words: String) -> DecodeError {
    DecodeError::Untyped(words)
}

fn scalar(node: &Node, value: &mut Value, go_type: Option<&'static str>) -> Step {
    let kind = match node.kind {
        Kind::String => "string",
        Kind::Boolean => "bool",
        Kind::Number => "float64",
        _ if node.is_int32() => "int32",
        _ => "int64",
    };
    match (node.kind, &mut *value) {
        (Kind::String, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => Ok(()),
        (Kind::Number, Value::Number(number)) => {
            super::integral_number(number);
            Ok(())
        }
        (Kind::Integer, Value::Number(number)) => {
            let Some(integer) = to_int64(number) else {
                return Err(refused(format!("cannot convert float64 to {}", go_type.unwrap_or(kind))));
            };
            // Go's conversion keeps the lower half.
            #[allow(clippy::cast_possible_truncation)]
            let integer = if node.is_int32() { i64::from(integer as i32) } else { integer };
            *number = integer.into();
            Ok(())
        }
        // Go converts integers to strings, but upstream does not.
        (Kind::String, Value::Number(number)) if number.is_i64() => {
            Err(refused(format!("cannot convert int64 to {}", go_type.unwrap_or(kind))))
        }
        _ => Err(refused(format!("unrecognized type: {kind}"))),
    }
}

/// A number as Go makes an int64 of it; `None` for a fraction.
fn to_int64(number: &Number) -> Option<i64> {
    if let Some(integer) = number.as_i64() {
        return Some(integer);
    }
    let float = number.as_f64()?;
    if float.fract() != 0.0 {
        return None;
    }
    // Out of range the processor answers with the least integer.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[allow(clippy::cast_possible_truncation)]
    Some(if (-LIMIT..LIMIT).contains(&float) { float as i64 } else { i64::MIN })
}

fn bytes(value: &mut Value) -> Step {
    match value {
        Value::String(text) => match base64::canonical(text) {
            Ok(None) => Ok(()),
            Ok(Some(canonical)) => {
                *text = canonical;
                Ok(())
            }
            Err(at) => Err(refused(format!("error decoding from json: illegal base64 data at input byte {at}"))),
        },
        Value::Array(list) => {
            let mut bytes = Vec::with_capacity(list.len());
            for item in list {
                let byte = match item {
                    Value::Null => 0,
                    Value::Number(number) => {
                        let integer = to_int64(number);
                        integer.ok_or_else(|| refused("cannot convert float64 to uint8".to_owned()))?
                    }
                    _ => return Err(refused("unrecognized type: uint8".to_owned())),
                };
                bytes.push(byte.to_le_bytes()[0]);
            }
            *value = Value::String(base64::encode(&bytes));
            Ok(())
        }
        other => Err(refused(format!("cannot restore slice from {}", go_kind(other)))),
    }
}

/// The Go kind of an untyped value.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::GroupVersionKind;
    use serde_json::{Value, json};

    fn convert(group: &str, kind: &str, mut value: Value) -> Result<(Value, Vec<String>), String> {
        let schema = crate::builtin().kind(&GroupVersionKind::new(group, "v1", kind)).expect("a built-in kind");
        let unknown = schema.convert(&mut value).map_err(|error| error.to_string())?;
        Ok((value, unknown))
    }

    #[test]
    fn what_does_not_convert_is_refused_in_the_converters_words() {
        for (spec, want) in [
            (json!({"healthCheckNodePort": "1"}), "unrecognized type: int32"),
            (json!({"healthCheckNodePort": 1.5}), "cannot convert float64 to int32"),
            (json!({"healthCheckNodePort": true}), "unrecognized type: int32"),
            (json!({"type": 1}), "cannot convert int64 to v1.ServiceType"),
            (json!({"clusterIP": 1}), "cannot convert int64 to string"),
            (json!({"clusterIP": 1.5}), "unrecognized type: string"),
            (json!({"clusterIP": true}), "unrecognized type: string"),
            (json!({"clusterIP": []}), "unrecognized type: string"),
            (json!({"publishNotReadyAddresses": "true"}), "unrecognized type: bool"),
            (json!({"publishNotReadyAddresses": 1}), "unrecognized type: bool"),
            (json!({"ports": {"port": 1}}), "cannot restore slice from map"),
            (json!({"ports": "80"}), "cannot restore slice from string"),
            (json!({"ports": [1]}), "cannot restore struct from: int64"),
            (json!({"selector": "a=b"}), "cannot restore map from string"),
            (json!({"selector": [1.5]}), "cannot restore map from slice"),
            (json!({"selector": {"a": 1}}), "cannot convert int64 to string"),
            (json!({"sessionAffinityConfig": 1.5}), "cannot restore struct from: float64"),
            (
                json!({"ports": [{"port": 1, "targetPort": true}]}),
                "json: cannot unmarshal bool into Go value of type int32",
            ),
        ] {
            assert_eq!(convert("", "Service", json!({ "spec": spec })), Err(want.to_owned()), "{spec}");
        }
        for (data, want) in [
            (json!({"a": "%"}), "error decoding from json: illegal base64 data at input byte 0"),
            (json!({"a": 1}), "cannot restore slice from int64"),
            (json!({"a": ["x"]}), "unrecognized type: uint8"),
        ] {
            assert_eq!(convert("", "Secret", json!({ "data": data })), Err(want.to_owned()), "{data}");
        }
    }

    #[test]
    fn numbers_convert_as_gos_do() {
        for (number, want) in [
            (json!(80.0), 80),
            (json!(4_294_967_377_i64), 81),
            (json!(-1), -1),
            (json!(i64::MAX), -1),
            (json!(u64::MAX), 0),
            (json!(1e300), 0),
        ] {
            let converted = convert("", "Service", json!({"spec": {"healthCheckNodePort": number}})).unwrap();
            assert_eq!(converted.0["spec"]["healthCheckNodePort"], want, "{number}");
        }
        let converted = convert("", "Secret", json!({"data": {"a": [104, 361], "b": null}})).unwrap();
        assert_eq!(converted.0["data"], json!({"a": "aGk=", "b": ""}));
    }

    #[test]
    fn unknown_fields_are_dropped_and_named_in_order() {
        let (value, unknown) = convert(
            "",
            "Service",
            json!({"spec": {"ports": [{"port": 1}, {"portz": 2}], "a": 1}, "metadata": {"b": null}, "zz": {}}),
        )
        .unwrap();
        assert_eq!(value, json!({"spec": {"ports": [{"port": 1}, {}]}, "metadata": {}}));
        assert_eq!(
            unknown,
            [
                "unknown field \"metadata.b\"",
                "unknown field \"spec.a\"",
                "unknown field \"spec.ports[1].portz\"",
                "unknown field \"zz\""
            ]
        );
    }
}

//! Values from JSON and YAML text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::value::{Object, Value};

/// Nothing that is compared is nested deeper than this.
const DEPTH: usize = 500;

/// The value that a JSON text holds. Keys keep their order, numbers their text.
pub fn json(text: &str) -> Result<Value, serde_json::Error> {
    let raw: &RawValue = serde_json::from_str(text)?;
    value(raw.get(), DEPTH)
}

/// The value that a YAML text holds.
pub fn yaml(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

fn value(raw: &str, depth: usize) -> Result<Value, serde_json::Error> {
    let inner = || depth.checked_sub(1).ok_or_else(|| serde::de::Error::custom("nested too deep"));
    Ok(match raw.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(raw)?;
            let depth = inner()?;
            let members = members.into_iter().map(|(key, raw)| Ok((key, value(raw.get(), depth)?)));
            Value::Object(members.collect::<Result<Object, serde_json::Error>>()?)
        }
        Some(b'[') => {
            let depth = inner()?;
            let items: Vec<&RawValue> = serde_json::from_str(raw)?;
            Value::Array(items.into_iter().map(|raw| value(raw.get(), depth)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Value::String(serde_json::from_str(raw)?),
        Some(b't' | b'f') => Value::Bool(serde_json::from_str(raw)?),
        Some(b'n') => Value::Null,
        _ => Value::Number(raw.to_owned()),
    })
}

/// The members of a JSON object in order, their values not yet read.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// For formats other than JSON: numbers get the text that Rust prints.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
                Value::deserialize(deserializer)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
                Ok(Value::number(n))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
                Ok(Value::number(n))
            }

            fn visit_i128<E>(self, n: i128) -> Result<Value, E> {
                Ok(Value::number(n))
            }

            fn visit_u128<E>(self, n: u128) -> Result<Value, E> {
                Ok(Value::number(n))
            }

            fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Value, E> {
                // `{:?}` keeps the point of 1.0.
                if n.is_finite() { Ok(Value::Number(format!("{n:?}"))) } else { Err(E::custom("not a JSON number")) }
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::String(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut members = Vec::<(String, Value)>::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Value::Object(members.into_iter().collect()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::super::print::compact;
    use super::{json, yaml};

    #[test]
    fn an_answer_keeps_the_order_of_its_keys_and_the_text_of_its_numbers() {
        let text = r#"{"z": {"b": 1, "a": 1.50}, "a": [1e3, -0, 123456789012345678901234567890], "m": null}"#;
        assert_eq!(compact(&json(text).unwrap()), text);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{} {}", "nul", "[1,]", "{\"a\":1,}", "01", "\"\u{1}\"", "{a:1}"] {
            assert!(json(text).is_err(), "{text}");
        }
        assert!(json(&"[".repeat(100_000)).is_err());
        assert!(json(&("[".repeat(600) + &"]".repeat(600))).is_err());
    }

    #[test]
    fn a_scenario_in_yaml_is_read_like_the_same_in_json() {
        let text =
            "steps:\n- id: a\n  request: {path: /x, body: {n: 1, f: 1.0, s: \"1\", t: true, e: null}}\n- sleep: 0.5\n";
        let same = r#"{"steps": [{"id": "a", "request": {"path": "/x", "body":
            {"n": 1, "f": 1.0, "s": "1", "t": true, "e": null}}}, {"sleep": 0.5}]}"#;
        assert_eq!(yaml(text).unwrap(), json(same).unwrap());
        assert_eq!(compact(&yaml("z: 1\na: [x]\n").unwrap()), r#"{"z": 1, "a": ["x"]}"#);
    }
}

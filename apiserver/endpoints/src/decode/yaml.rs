//! YAML bodies: one document, YAML 1.1 as Go's library reads it (`yes` is a boolean, `010` is 8).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Decodes a body. Next to the value: `line 7: key "k" already set in map` for each key that is there twice, of which the
/// last one counts. An `Err` is `yaml: line 1: …`.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok((Value::Null, Vec::new()));
    }
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        strict_booleans: false,
        emit_comments: false,
    };
    let mut repeated = Vec::new();
    let decoded = serde_saphyr::with_deserializer_from_slice_with_options(bytes, options, |deserializer| {
        Seed(&mut repeated).deserialize(deserializer)
    });
    match decoded {
        Ok(value) => Ok((value, repeated)),
        Err(error) => {
            let text = error.without_snippet().to_string();
            let first = text.lines().next().unwrap_or_default();
            match error.location() {
                Some(at) => Err(format!("yaml: line {}: {first}", at.line())),
                None => Err(format!("yaml: {first}")),
            }
        }
    }
}

struct Seed<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(Seed(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let value = access.next_value_seed(Seed(self.0))?;
            let line = key.referenced.line();
            if map.contains_key(&key.value) {
                let quoted = apimachinery::quote::quoted(&key.value);
                self.0.push(format!("line {line}: key {quoted} already set in map"));
            }
            map.insert(key.value, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_is_read_as_go_reads_it() {
        let text = "a: yes\nb: y\nc: 010\nd: '1'\ne: 1.5\nf: ~\ng:\n- x\n- {k: v}\nh: |\n  one\n  two\ni: text\nj: 2026-01-02\n";
        let (value, repeated) = decode(text.as_bytes()).unwrap();
        assert_eq!(
            value,
            json!({"a": true, "b": true, "c": 8, "d": "1", "e": 1.5, "f": null, "g": ["x", {"k": "v"}],
                   "h": "one\ntwo\n", "i": "text", "j": "2026-01-02"})
        );
        assert!(repeated.is_empty(), "{repeated:?}");
    }

    #[test]
    fn repeated_keys_are_named_with_their_line() {
        let text = "apiVersion: v1\nmetadata:\n  name: first\n  name: second\ndata:\n  k: one\n  k: two\n";
        let (value, repeated) = decode(text.as_bytes()).unwrap();
        assert_eq!(value["metadata"]["name"], "second");
        assert_eq!(repeated, ["line 4: key \"name\" already set in map", "line 7: key \"k\" already set in map"]);
    }

    #[test]
    fn broken_yaml_says_where() {
        let error = decode(b"a: [b").unwrap_err();
        assert!(error.starts_with("yaml: line 1: "), "{error}");
    }
}

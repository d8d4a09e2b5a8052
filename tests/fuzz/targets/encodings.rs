//! The forms in which objects come.

use apimachinery::json::{self, Duplicates};
use apimachinery::quantity::Quantity;
use apimachinery::yaml as yaml_text;
use serde_json::{Map, Value};

/// JSON: what is read and printed is read as the same; serde_json agrees on everything that it reads itself.
pub fn json(data: &[u8]) {
    let decoded = json::decode(data, Duplicates::Last);
    let merged = json::decode(data, Duplicates::Merge);
    assert_eq!(decoded.is_ok(), merged.is_ok());
    let reference = serde_json::from_slice::<Value>(data);
    match decoded {
        Ok(decoded) => {
            let printed = decoded.value.to_string();
            let again = json::decode(printed.as_bytes(), Duplicates::Last).unwrap();
            assert_eq!(again.value, decoded.value, "{printed}");
            assert!(again.repeated.is_empty() && again.out_of_range.is_none());
            if decoded.repeated.is_empty() {
                assert_eq!(merged.unwrap().value, decoded.value);
            }
            if let Ok(reference) = reference {
                assert_eq!(as_go(reference), as_go(decoded.value));
            }
        }
        Err(error) => assert!(reference.is_err(), "{error}"),
    }
}

/// Numbers as Go reads them: none of 64 bits without a sign, and one zero.
fn as_go(value: Value) -> Value {
    match value {
        Value::Number(number) if number.as_i64().is_none() => {
            number.as_f64().map_or(Value::Null, |float| if float == 0.0 { 0.into() } else { float.into() })
        }
        Value::Array(items) => items.into_iter().map(as_go).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, as_go(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// YAML: what is read is JSON, and its JSON is YAML for the same.
pub fn yaml(data: &[u8]) {
    let Ok(decoded) = yaml_text::decode(data) else { return };
    let printed = decoded.value.to_string();
    let again = json::decode(printed.as_bytes(), Duplicates::Last).unwrap();
    assert_eq!(again.value, decoded.value, "{printed}");
}

/// Protobuf: what is read and written is read as the same.
pub fn protobuf(data: &[u8]) {
    let Ok(object) = protobuf_encoding::decode(data) else { return };
    let Ok(written) = protobuf_encoding::encode(&object) else { return };
    let again = protobuf_encoding::decode(&written).unwrap();
    assert_eq!(protobuf_encoding::encode(&again).unwrap(), written, "{object} {again}");
}

/// Quantities: the canonical form is read as the same quantity, and is its own canonical form.
pub fn quantity(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(quantity) = text.parse::<Quantity>() else { return };
    let printed = quantity.to_string();
    let again: Quantity = printed.parse().unwrap_or_else(|error| panic!("{error}: {text:?} {printed:?}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
    assert_eq!(quantity.cmp(&again), std::cmp::Ordering::Equal, "{text:?} {printed:?}");
    assert!(quantity.sub(&quantity).is_zero());
    let _ = (quantity.value(), quantity.milli_value(), quantity.as_f64());
}

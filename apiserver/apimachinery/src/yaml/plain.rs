//! JSON that says the same as YAML: what programs send where upstream reads YAML. To read it as JSON takes a fraction of the
//! time.

use serde_json::Value;

use super::Decoded;
use crate::json::{self, Duplicates};

/// No key is longer: YAML ends the search for what makes a text a key after 1024 characters.
const LONGEST_KEY: usize = 1000;
/// How deep values are nested; what is deeper is for YAML to refuse.
const DEPTH: usize = 100;

/// The value of a text that is JSON on one line, without anything that the two may read differently: escapes, characters that
/// are not printable ASCII, repeated keys, keys that merge, and numbers other than integers of 64 bits. `None` for any other.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    if !matches!(line.first(), Some(b'{' | b'[')) || !line.iter().all(is_plain) {
        return None;
    }
    let decoded = json::decode(line, Duplicates::Last).ok()?;
    let same = decoded.repeated.is_empty() && decoded.out_of_range.is_none() && reads_the_same(&decoded.value, DEPTH);
    same.then_some(Decoded { value: decoded.value, repeated: Vec::new() })
}

fn reads_the_same(value: &Value, depth: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.is_i64(),
        Value::Array(items) => depth > 0 && items.iter().all(|item| reads_the_same(item, depth - 1)),
        Value::Object(fields) => {
            depth > 0
                && fields
                    .iter()
                    .all(|(key, value)| key.len() <= LONGEST_KEY && key != "<<" && reads_the_same(value, depth - 1))
        }
    }
}

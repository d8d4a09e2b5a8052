//! Sets of fields as they are read from objects. What a manager owns of one object it mostly owns of the next of its kind, and
//! of the same object the next time: the latest sets are remembered, and what is read is compared with them.

use std::hash::{BuildHasher as _, Hasher};
use std::sync::LazyLock;

use apimachinery::json;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use serde_json::Value;
use structured_merge_diff::Set;

use crate::generations::{Generations, Weigh};

/// How many sets, and fields of sets, are remembered at least.
const REMEMBERED: usize = 512;
const REMEMBERED_FIELDS: usize = 8 * 1024;

static SETS: LazyLock<Sets> = LazyLock::new(|| Sets {
    hasher: RandomState::default(),
    latest: Mutex::new(Generations::new(REMEMBERED, REMEMBERED_FIELDS)),
});

struct Sets {
    hasher: RandomState,
    /// By the fingerprint of what is read.
    latest: Mutex<Generations<u64, Remembered>>,
}

struct Remembered {
    set: Set,
    /// The number of its fields.
    fields: usize,
    /// What was read, if that was text.
    text: Box<str>,
}

impl Weigh for Remembered {
    fn weight(&self) -> usize {
        self.fields
    }
}

/// Reads FieldsV1, in either [form](apimachinery::field_sets); answers, too, whether the set would be written so.
///
/// # Errors
/// As of [`Set::from_fields`].
pub(super) fn read(fields: &Value) -> serde_json::Result<(Set, bool)> {
    if let Value::String(text) = fields {
        return read_text(text);
    }
    let fingerprint = SETS.fingerprint(fields);
    let remembered = SETS.latest.lock().recall(&fingerprint).map(|remembered| remembered.set.clone());
    if let Some(set) = remembered.filter(|set| set.is_written_as(fields)) {
        return Ok((set, true));
    }
    let (set, canonical) = Set::from_fields(fields)?;
    if canonical {
        SETS.remember(fingerprint, &set, "");
    }
    Ok((set, canonical))
}

fn read_text(text: &str) -> serde_json::Result<(Set, bool)> {
    let fingerprint = SETS.hasher.hash_one(text);
    if let Some(remembered) = SETS.latest.lock().recall(&fingerprint).filter(|remembered| *remembered.text == *text) {
        return Ok((remembered.set.clone(), true));
    }
    let fields = json::parse(text.as_bytes()).map_err(serde::de::Error::custom)?;
    let (set, canonical) = Set::from_fields(&fields)?;
    if canonical {
        SETS.remember(fingerprint, &set, text);
    }
    Ok((set, canonical))
}

/// A set as an object of a custom resource, or of another kind, has it: [as text](apimachinery::field_sets) where that is surely
/// what would be written of the value.
pub(super) fn written(set: &Set, custom: bool) -> Value {
    // In custom resources keys are in the order of their texts, which is that of names, but not of all that lists are kept by.
    let sorts = !custom || set.is_of_names();
    let text = sorts.then(|| set.to_json().ok().and_then(|text| String::from_utf8(text).ok())).flatten();
    // What is escaped there may not be here.
    let is_plain =
        |text: &String| !text.contains("\\u") && !text.bytes().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2));
    text.filter(is_plain).map_or_else(|| set.to_value(), Value::String)
}

impl Sets {
    fn remember(&self, fingerprint: u64, set: &Set, text: &str) {
        let remembered = Remembered { set: set.clone(), fields: set.len(), text: text.into() };
        self.latest.lock().put(fingerprint, remembered);
    }

    /// The same for the same fields. Who is found by it is compared: it need not be different for others.
    fn fingerprint(&self, fields: &Value) -> u64 {
        fn add(fields: &Value, hasher: &mut impl Hasher) {
            let Value::Object(fields) = fields else { return };
            hasher.write_usize(fields.len());
            for (key, below) in fields {
                hasher.write(key.as_bytes());
                add(below, hasher);
            }
        }
        let mut hasher = self.hasher.build_hasher();
        add(fields, &mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_read_before_is_read_the_same() {
        for fields in [
            json!({}),
            json!({"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {"f:app": {}}}}),
            json!({"f:spec": {"f:ports": {"k:{\"port\":80}": {".": {}, "f:port": {}}, "k:{\"port\":9}": {"f:port": {}}}}}),
            json!({"f:finalizers": {".": {}, "v:\"a\"": {}, "v:\"b c\"": {}}, "f:list": {"i:0": {}, "i:10": {}, "i:9": {}}}),
            json!({"f:b": {}, "f:a": {"f:c": {".": {}}}}),
            json!({"f:a": null}),
            json!({"f:a": {"q:unknown": {}}}),
            json!({".": {}, "f:a": {}}),
        ] {
            let want = Set::from_fields(&fields).unwrap();
            for _ in 0..3 {
                assert_eq!(read(&fields).unwrap(), want, "{fields}");
                assert_eq!(read_text(&fields.to_string()).unwrap(), want, "{fields}");
            }
        }
        for fields in [json!({"f": {}}), json!([])] {
            let want = Set::from_fields(&fields).unwrap_err().to_string();
            for _ in 0..3 {
                assert_eq!(read(&fields).unwrap_err().to_string(), want, "{fields}");
                assert_eq!(read_text(&fields.to_string()).unwrap_err().to_string(), want, "{fields}");
            }
        }
    }

    #[test]
    fn a_set_is_written_alike_as_text_and_as_value() {
        let texts = [
            json!({"f:data": {".": {}, "f:b": {}, "f:a": {}, "f:a.b": {}, "f:é": {}}}),
            json!({"f:l": {"k:{\"port\":80}": {".": {}, "f:port": {}}, "k:{\"port\":9}": {"f:port": {}}, "v:\"b\"": {}, "v:\"a b\"": {}, "i:10": {}, "i:9": {}}}),
            json!({"f:a<b": {}, "f:c": {"f:a&b": {}}}),
            json!({"f:a\u{8}b\n\u{2028}": {}, "f:a\"b\\": {}}),
            json!({"f:a b": {}, "f:a!": {}, "f:a": {".": {}, "f:b": {}}}),
        ];
        for (fields, of_text) in texts.iter().zip([true, true, false, false, true]) {
            let (set, _) = Set::from_fields(fields).unwrap();
            assert_eq!(written(&set, false).is_string(), of_text, "{fields}");
            for (custom, kind) in [(false, "ConfigMap"), (true, "Widget")] {
                let object = |set: Value| {
                    let metadata = json!({"managedFields": [{"fieldsV1": set}]});
                    schema::types::to_vec(&json!({"apiVersion": "v1", "kind": kind, "metadata": metadata}))
                };
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                assert_eq!(text(object(written(&set, custom))), text(object(set.to_value())), "{fields}");
            }
        }
    }

    #[test]
    fn a_set_is_not_taken_for_another() {
        let sets = [
            json!({"f:a": {"f:b": {}}}),
            json!({"f:a": {}}),
            json!({"f:a": {".": {}, "f:b": {}}}),
            json!({"f:a": {}, "f:b": {}}),
        ];
        for (at, fields) in sets.iter().enumerate() {
            let (set, _) = read(fields).unwrap();
            for (other_at, other) in sets.iter().enumerate() {
                assert_eq!(set.is_written_as(other), at == other_at, "{fields} {other}");
                let (of_text, _) = read_text(&other.to_string()).unwrap();
                assert_eq!(set == of_text, at == other_at, "{fields} {other}");
            }
        }
    }
}

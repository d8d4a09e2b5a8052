//! The cells of built-in kinds.

use registry::Row;
use serde_json::Value;

use super::Clock;

/// Makes the cells of an object, in the order of the kind's columns.
pub(super) type Printer = fn(&Value, Clock) -> Vec<Value>;

/// The printer of a row's kind.
pub(super) fn of(row: &Row) -> Printer {
    let _ = row;
    |object, clock| {
        let name = object.pointer("/metadata/name").cloned().unwrap_or_default();
        let created = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
        vec![name, clock.age(created).into()]
    }
}

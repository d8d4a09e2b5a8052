//! `certificates.k8s.io`.

use serde_json::Value;

use super::{Clock, Object};
use crate::table::cells::human;

pub(super) fn request(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let has = |kind: &str| o.condition(kind).is_some();
    // A decision, if there is one, then what became of it.
    let mut condition = match (has("Approved"), has("Denied")) {
        (true, _) => "Approved",
        (_, true) => "Denied",
        _ => "Pending",
    }
    .to_owned();
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !o.text("/status/certificate").is_empty() {
        condition.push_str(",Issued");
    }
    let duration = match o.get("/spec/expirationSeconds").and_then(Value::as_i64) {
        Some(seconds) => human(seconds),
        None => "<none>".to_owned(),
    };
    vec![
        o.name(),
        o.age(clock),
        o.text_or("/spec/signerName", "<none>").into(),
        o.text("/spec/username").into(),
        duration.into(),
        condition.into(),
    ]
}

//! Events: `v1` and `events.k8s.io/v1` name the same fields differently.

use serde_json::{Map, Value};

/// `v1` name, `events.k8s.io/v1` name.
const RENAMED: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// Fields that `v1` writes even where they are empty, and `events.k8s.io/v1` leaves out.
const ALWAYS_IN_CORE: [&str; 2] = ["reportingComponent", "reportingInstance"];

pub(super) fn to_events(event: &mut Value) {
    if let Some(fields) = event.as_object_mut() {
        fields.retain(|field, value| value != "" || !ALWAYS_IN_CORE.contains(&field.as_str()));
    }
    rename(event, RENAMED.iter().copied());
    if let Some(series) = event.get_mut("series").and_then(Value::as_object_mut) {
        // Both know count and lastObservedTime; the rest went with the betas.
        series.retain(|field, _| field == "count" || field == "lastObservedTime");
    }
}

pub(super) fn to_core(event: &mut Value) {
    rename(event, RENAMED.iter().map(|&(core, events)| (events, core)));
    if let Some(fields) = event.as_object_mut() {
        for field in ALWAYS_IN_CORE {
            fields.entry(field).or_insert_with(|| "".into());
        }
    }
}

fn rename<'a>(event: &mut Value, names: impl Iterator<Item = (&'a str, &'a str)>) {
    let Some(fields) = event.as_object_mut() else { return };
    let mut moved = Map::new();
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            moved.insert(to.to_owned(), value);
        }
    }
    fields.extend(moved);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn an_event_survives_the_way_there_and_back() {
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m", "reason": "r",
            "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "c"}, "count": 2,
            "reportingComponent": "k", "reportingInstance": "i"});
        let mut other = event.clone();
        super::to_events(&mut other);
        assert_eq!((&other["note"], &other["regarding"]["name"]), (&json!("m"), &json!("p")));
        super::to_core(&mut other);
        assert_eq!(other, event);
    }

    #[test]
    fn who_reports_is_always_written_in_the_core_group_alone() {
        let mut event = json!({"kind": "Event", "reportingComponent": "", "reportingInstance": ""});
        super::to_events(&mut event);
        assert_eq!(event, json!({"kind": "Event"}));
        super::to_core(&mut event);
        assert_eq!(event, json!({"kind": "Event", "reportingComponent": "", "reportingInstance": ""}));
    }
}

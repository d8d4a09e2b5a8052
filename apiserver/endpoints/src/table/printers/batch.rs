//! `batch`.

use serde_json::Value;

use super::{Clock, Object, Printer};
use crate::table::cells::human;

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "jobs" => job,
        "cronjobs" => cron_job,
        _ => return None,
    })
}

fn job(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let succeeded = o.int("/status/succeeded");
    let completions = match o.get("/spec/completions").and_then(Value::as_i64) {
        Some(completions) => format!("{succeeded}/{completions}"),
        None => match o.int("/spec/parallelism") {
            parallelism @ 2.. => format!("{succeeded}/1 of {parallelism}"),
            _ => format!("{succeeded}/1"),
        },
    };
    let has = |kind: &str| o.condition(kind).is_some_and(|condition| condition.text("/status") == "True");
    let status = if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if o.has("/metadata/deletionTimestamp") {
        "Terminating"
    } else if has("Suspended") || o.flag("/spec/suspend") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let duration = match clock.seconds_since(o.text("/status/startTime")) {
        None => String::new(),
        Some(started) => human(started - clock.seconds_since(o.text("/status/completionTime")).unwrap_or_default()),
    };
    let [names, images] = o.containers("/spec/template/spec/containers");
    vec![
        o.name(),
        status.into(),
        completions.into(),
        duration.into(),
        o.age(clock),
        names,
        images,
        o.selector("/spec/selector").into(),
    ]
}

fn cron_job(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let suspend = match o.get("/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = if o.has("/status/lastScheduleTime") {
        o.since("/status/lastScheduleTime", clock)
    } else {
        "<none>".to_owned()
    };
    let [names, images] = o.containers("/spec/jobTemplate/spec/template/spec/containers");
    vec![
        o.name(),
        o.text("/spec/schedule").into(),
        o.text_or("/spec/timeZone", "<none>").into(),
        suspend.into(),
        o.list("/status/active").len().into(),
        last.into(),
        o.age(clock),
        names,
        images,
        o.selector("/spec/jobTemplate/spec/selector").into(),
    ]
}

//! `batch`.

use k8s_openapi::api::batch::v1::{CronJobSpec, CronJobStatus, JobSpec, JobStatus};
use serde_json::Value;

use super::{AGE, CONTAINERS, Clock, IMAGES, NAME, Object, Printer, field, words};
use crate::table::cells::human;

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "jobs" => &JOB,
        "cronjobs" => &CRON_JOB,
        _ => return None,
    })
}

static JOB: Printer = Printer::new(
    &[
        NAME,
        words("Status", "Status of the job."),
        field::<JobStatus>("Completions", "succeeded"),
        words("Duration", "Time required to complete the job."),
        AGE,
        CONTAINERS.wide(),
        IMAGES.wide(),
        field::<JobSpec>("Selector", "selector").wide(),
    ],
    job,
);

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
    } else if has("Suspended") {
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

static CRON_JOB: Printer = Printer::new(
    &[
        NAME,
        field::<CronJobSpec>("Schedule", "schedule"),
        field::<CronJobSpec>("Timezone", "timeZone"),
        field::<CronJobSpec>("Suspend", "suspend").of("boolean"),
        field::<CronJobStatus>("Active", "active").of("integer"),
        field::<CronJobStatus>("Last Schedule", "lastScheduleTime"),
        AGE,
        CONTAINERS.wide(),
        IMAGES.wide(),
        field::<JobSpec>("Selector", "selector").wide(),
    ],
    cron_job,
);

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
        o.set_or("/spec/timeZone", "<none>").into(),
        suspend.into(),
        o.list("/status/active").len().into(),
        last.into(),
        o.age(clock),
        names,
        images,
        o.selector("/spec/jobTemplate/spec/selector").into(),
    ]
}

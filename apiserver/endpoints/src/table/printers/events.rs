//! Events, of the core group and of `events.k8s.io`.

use k8s_openapi::api::core::v1::{Event, ObjectReference};
use serde_json::Value;

use super::{Clock, Column, NAME, Object, Printer, field};

const COLUMNS: &[Column] = &[
    field::<Event>("Last Seen", "lastTimestamp"),
    field::<Event>("Type", "type"),
    field::<Event>("Reason", "reason"),
    field::<Event>("Object", "involvedObject"),
    field::<ObjectReference>("Subobject", "fieldPath").wide(),
    field::<Event>("Source", "source").wide(),
    field::<Event>("Message", "message"),
    field::<Event>("First Seen", "firstTimestamp").wide(),
    field::<Event>("Count", "count").wide(),
    NAME.wide(),
];

pub(super) static EVENT: Printer = Printer::new(COLUMNS, event);
/// The same of `events.k8s.io/v1`, which names its fields otherwise.
pub(super) static EVENT_V1: Printer = Printer::new(COLUMNS, event_v1);

fn event(o: Object<'_>, clock: Clock) -> Vec<Value> {
    event_of(
        o,
        clock,
        "/involvedObject",
        "/message",
        ["/source/component", "/source/host"],
        "/firstTimestamp",
        "/lastTimestamp",
        "/count",
    )
}

fn event_v1(o: Object<'_>, clock: Clock) -> Vec<Value> {
    event_of(
        o,
        clock,
        "/regarding",
        "/note",
        ["/deprecatedSource/component", "/deprecatedSource/host"],
        "/deprecatedFirstTimestamp",
        "/deprecatedLastTimestamp",
        "/deprecatedCount",
    )
}

#[allow(clippy::too_many_arguments)]
fn event_of(
    o: Object<'_>,
    clock: Clock,
    about: &str,
    message: &str,
    source: [&str; 2],
    first: &str,
    last: &str,
    count: &str,
) -> Vec<Value> {
    let event_time = if o.has("/eventTime") { o.since("/eventTime", clock) } else { "<unknown>".to_owned() };
    let first_seen = if o.has(first) { o.since(first, clock) } else { event_time.clone() };
    let last_seen = match (o.has("/series/lastObservedTime"), o.has(last)) {
        (true, _) => o.since("/series/lastObservedTime", clock),
        (false, true) => o.since(last, clock),
        (false, false) => first_seen.clone(),
    };
    let times = match (o.int("/series/count"), o.int(count)) {
        (series @ 1.., _) => series,
        (_, 0) => 1,
        (_, count) => count,
    };
    let field = |name: &str| o.text(&format!("{about}{name}"));
    let target = match field("/name") {
        "" => field("/kind").to_lowercase(),
        name => format!("{}/{name}", field("/kind").to_lowercase()),
    };
    let mut component = o.text_or(source[0], o.text("/reportingComponent"));
    component = if component.is_empty() { o.text("/reportingController") } else { component };
    let instance = o.text_or(source[1], o.text("/reportingInstance"));
    let source = if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") };
    vec![
        last_seen.into(),
        o.text("/type").into(),
        o.text("/reason").into(),
        target.into(),
        field("/fieldPath").into(),
        source.into(),
        o.text(message).trim().into(),
        first_seen.into(),
        times.into(),
        o.name(),
    ]
}

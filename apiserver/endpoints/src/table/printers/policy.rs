//! `policy` and `scheduling.k8s.io`.

use serde_json::Value;

use super::{Clock, Object, Printer, int_or_string};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "poddisruptionbudgets" => pod_disruption_budget,
        "priorityclasses" => priority_class,
        _ => return None,
    })
}

fn pod_disruption_budget(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let shown = |pointer: &str| int_or_string(o.get(pointer)).unwrap_or_else(|| "N/A".to_owned());
    vec![
        o.name(),
        shown("/spec/minAvailable").into(),
        shown("/spec/maxUnavailable").into(),
        o.int("/status/disruptionsAllowed").into(),
        o.age(clock),
    ]
}

fn priority_class(o: Object<'_>, clock: Clock) -> Vec<Value> {
    vec![
        o.name(),
        o.int("/value").into(),
        o.flag("/globalDefault").into(),
        o.age(clock),
        o.text("/preemptionPolicy").into(),
    ]
}

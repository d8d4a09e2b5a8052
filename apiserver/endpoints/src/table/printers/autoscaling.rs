//! `autoscaling`.

use k8s_openapi::api::autoscaling::v1::{ScaleSpec, ScaleStatus};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::{AGE, Clock, Column, NAME, Object, Printer, field};

pub(super) fn printer(version: &str) -> &'static Printer {
    if version == "v1" { &AUTOSCALER_V1 } else { &AUTOSCALER }
}

/// The `scale` of a workload.
pub(super) static SCALE: Printer = Printer::new(
    &[
        field::<ObjectMeta>("Name", "name"),
        field::<ScaleSpec>("Desired", "replicas").of("integer"),
        field::<ScaleStatus>("Available", "replicas").of("integer"),
        AGE,
    ],
    |o, clock| vec![o.name(), o.int("/spec/replicas").into(), o.int("/status/replicas").into(), o.age(clock)],
);

const COLUMNS: &[Column] = &[
    NAME,
    field::<HorizontalPodAutoscalerSpec>("Reference", "scaleTargetRef"),
    field::<HorizontalPodAutoscalerSpec>("Targets", "metrics"),
    field::<HorizontalPodAutoscalerSpec>("MinPods", "minReplicas"),
    field::<HorizontalPodAutoscalerSpec>("MaxPods", "maxReplicas"),
    field::<HorizontalPodAutoscalerStatus>("Replicas", "currentReplicas"),
    AGE,
];

static AUTOSCALER_V1: Printer = Printer::new(COLUMNS, autoscaler_v1);
static AUTOSCALER: Printer = Printer::new(COLUMNS, autoscaler);

fn row(o: Object<'_>, clock: Clock, targets: String, replicas: i64) -> Vec<Value> {
    let min = match o.get("/spec/minReplicas").and_then(Value::as_i64) {
        Some(min) => min.to_string(),
        None => "<unset>".to_owned(),
    };
    let reference = format!("{}/{}", o.text("/spec/scaleTargetRef/kind"), o.text("/spec/scaleTargetRef/name"));
    vec![
        o.name(),
        reference.into(),
        targets.into(),
        min.into(),
        o.int("/spec/maxReplicas").into(),
        replicas.into(),
        o.age(clock),
    ]
}

fn autoscaler_v1(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let percent = |pointer: &str| match o.get(pointer).and_then(Value::as_i64) {
        Some(percent) => format!("{percent}%"),
        None => "<unknown>".to_owned(),
    };
    let targets = if o.has("/spec/targetCPUUtilizationPercentage") {
        let (current, target) =
            (percent("/status/currentCPUUtilizationPercentage"), percent("/spec/targetCPUUtilizationPercentage"));
        format!("cpu: {current}/{target}")
    } else {
        "<none>".to_owned()
    };
    row(o, clock, targets, o.int("/status/currentReplicas"))
}

fn autoscaler(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let current: Vec<Object<'_>> = o.list("/status/currentMetrics").collect();
    let specs = o.list("/spec/metrics");
    let all = specs.len();
    let shown: Vec<String> = specs.enumerate().map(|(at, spec)| metric(spec, current.get(at).copied())).collect();
    let targets = match all {
        0 => "<none>".to_owned(),
        // Two at most are shown.
        3.. => format!("{} + {} more...", shown[..2].join(", "), all - 2),
        _ => shown.join(", "),
    };
    row(o, clock, targets, o.int("/status/currentReplicas"))
}

/// One metric: what it is, and what is wanted of it.
fn metric(spec: Object<'_>, current: Option<Object<'_>>) -> String {
    let now = |pointer: &str| {
        let text = current.map(|current| current.text(pointer)).unwrap_or_default();
        if text.is_empty() { "<unknown>".to_owned() } else { text.to_owned() }
    };
    let average_or_value = |kind: &str| {
        let average = format!("/{kind}/target/averageValue");
        if spec.has(&average) {
            format!("{}/{} (avg)", now(&format!("/{kind}/current/averageValue")), spec.text(&average))
        } else {
            let value = now(&format!("/{kind}/current/value"));
            format!("{value}/{}", spec.text(&format!("/{kind}/target/value")))
        }
    };
    let resource = |kind: &str| {
        let name = spec.text(&format!("/{kind}/name"));
        let average = format!("/{kind}/target/averageValue");
        if spec.has(&average) {
            return format!("{name}: {}/{}", now(&format!("/{kind}/current/averageValue")), spec.text(&average));
        }
        let used = current.and_then(|c| c.get(&format!("/{kind}/current/averageUtilization"))).and_then(Value::as_i64);
        let used = used.map_or_else(|| "<unknown>".to_owned(), |used| format!("{used}%"));
        let target = spec.get(&format!("/{kind}/target/averageUtilization")).and_then(Value::as_i64);
        let target = target.map_or_else(|| "<auto>".to_owned(), |target| format!("{target}%"));
        format!("{name}: {used}/{target}")
    };
    match spec.text("/type") {
        "External" => average_or_value("external"),
        "Pods" => format!("{}/{}", now("/pods/current/averageValue"), spec.text("/pods/target/averageValue")),
        "Object" => average_or_value("object"),
        "Resource" => resource("resource"),
        "ContainerResource" => resource("containerResource"),
        _ => "<unknown type>".to_owned(),
    }
}

//! Horizontal pod autoscalers: `v1` knows one CPU target and keeps the rest in annotations, `v2` is what is stored.

use apimachinery::ObjectExt;
use serde_json::{Map, Value, json};

/// Annotations of `v1` that hold what it has no fields for.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

pub(super) fn to_v1(object: &mut Value) {
    let mut kept: Vec<(&str, Value)> = Vec::new();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        if let Some(Value::Array(metrics)) = spec.remove("metrics") {
            let mut others = Vec::new();
            for metric in metrics {
                match metric.pointer("/resource/target/averageUtilization") {
                    Some(target) if is_cpu(&metric) => {
                        spec.insert("targetCPUUtilizationPercentage".into(), target.clone());
                    }
                    _ => others.push(metric),
                }
            }
            if !others.is_empty() {
                kept.push((METRICS, Value::Array(others)));
            }
        }
        if let Some(behavior) = spec.remove("behavior") {
            kept.push((BEHAVIOR, behavior));
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        if let Some(Value::Array(metrics)) = status.remove("currentMetrics") {
            let mut others = Vec::new();
            for metric in metrics {
                match metric.pointer("/resource/current/averageUtilization") {
                    Some(current) if is_cpu(&metric) => {
                        status.insert("currentCPUUtilizationPercentage".into(), current.clone());
                    }
                    _ => others.push(metric),
                }
            }
            if !others.is_empty() {
                kept.push((CURRENT_METRICS, Value::Array(others)));
            }
        }
        if let Some(conditions) = status.remove("conditions") {
            kept.push((CONDITIONS, conditions));
        }
    }
    for (annotation, value) in kept {
        object.set_annotation(annotation, &value.to_string());
    }
}

pub(super) fn to_v2(object: &mut Value) {
    let metrics = take(object, METRICS);
    let behavior = take(object, BEHAVIOR);
    let current = take(object, CURRENT_METRICS);
    let conditions = take(object, CONDITIONS);
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let cpu = spec.remove("targetCPUUtilizationPercentage").map(|target| {
            json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}})
        });
        extend(spec, "metrics", metrics, cpu);
        if let Some(behavior) = behavior {
            spec.insert("behavior".into(), behavior);
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let cpu = status.remove("currentCPUUtilizationPercentage").map(|current| {
            json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}})
        });
        extend(status, "currentMetrics", current, cpu);
        if let Some(conditions) = conditions {
            status.insert("conditions".into(), conditions);
        }
    }
}

fn is_cpu(metric: &Value) -> bool {
    metric.pointer("/resource/name").and_then(Value::as_str) == Some("cpu")
}

/// The metrics of the annotation, then the one that has a field of its own.
fn extend(fields: &mut Map<String, Value>, name: &str, others: Option<Value>, cpu: Option<Value>) {
    let mut all = match others {
        Some(Value::Array(others)) => others,
        _ => Vec::new(),
    };
    all.extend(cpu);
    if !all.is_empty() {
        fields.insert(name.into(), Value::Array(all));
    }
}

fn take(object: &mut Value, annotation: &str) -> Option<Value> {
    let metadata = object.metadata_mut();
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let text = annotations.remove(annotation)?;
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    serde_json::from_str(text.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn the_cpu_target_is_a_field_and_the_rest_survives_in_annotations() {
        let v2 = json!({"apiVersion": "autoscaling/v2", "metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "metrics": [
            {"type": "Pods", "pods": {"metric": {"name": "m"}}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}});
        let mut object = v2.clone();
        super::to_v1(&mut object);
        assert_eq!(object["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}));
        super::to_v2(&mut object);
        assert_eq!(object, v2);
    }
}

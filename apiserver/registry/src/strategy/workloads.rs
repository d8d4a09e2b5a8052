//! Upstream's defaults of kinds that only lack values: workloads and the templates in them, policies, webhooks.

use apimachinery::ObjectExt;
use serde_json::{Map, Value, json};

use super::pod_template;

pub(super) fn deployment(object: &mut Value) {
    template(object, "/spec/template/spec");
    let Some(spec) = spec(object) else { return };
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "progressDeadlineSeconds", json!(600));
    rolling(spec, "strategy", json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
}

pub(super) fn stateful_set(object: &mut Value) {
    template(object, "/spec/template/spec");
    let Some(spec) = spec(object) else { return };
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "podManagementPolicy", json!("OrderedReady"));
    stateful_strategy(spec);
    let retention = spec.entry("persistentVolumeClaimRetentionPolicy").or_insert_with(|| json!({}));
    if let Some(retention) = retention.as_object_mut() {
        set(retention, "whenDeleted", json!("Retain"));
        set(retention, "whenScaled", json!("Retain"));
    }
    for claim in spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut).into_iter().flatten() {
        persistent_volume_claim(claim);
        if let Some(claim) = claim.as_object_mut() {
            claim.insert("apiVersion".into(), json!("v1"));
            claim.insert("kind".into(), json!("PersistentVolumeClaim"));
            if let Some(status) = claim.entry("status").or_insert_with(|| json!({})).as_object_mut() {
                set(status, "phase", json!("Pending"));
            }
        }
    }
}

/// Rolling where nothing is said. One that is said has no numbers but those that come with it.
fn stateful_strategy(spec: &mut Map<String, Value>) {
    let Some(strategy) = spec.entry("updateStrategy").or_insert_with(|| json!({})).as_object_mut() else { return };
    if strategy.get("type").is_none_or(|kind| kind.is_null() || kind == "") {
        strategy.insert("type".into(), json!("RollingUpdate"));
        strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
    }
    if strategy.get("type") == Some(&json!("RollingUpdate"))
        && let Some(rolling) = strategy.get_mut("rollingUpdate").and_then(Value::as_object_mut)
    {
        set(rolling, "partition", json!(0));
    }
}

pub(super) fn daemon_set(object: &mut Value) {
    template(object, "/spec/template/spec");
    let Some(spec) = spec(object) else { return };
    set(spec, "revisionHistoryLimit", json!(10));
    rolling(spec, "updateStrategy", json!({"maxSurge": 0, "maxUnavailable": 1}));
}

pub(super) fn replica_set(object: &mut Value) {
    template(object, "/spec/template/spec");
    if let Some(spec) = spec(object) {
        set(spec, "replicas", json!(1));
    }
}

pub(super) fn replication_controller(object: &mut Value) {
    labels_of_template(object);
    replica_set(object);
}

pub(super) fn job(object: &mut Value) {
    template(object, "/spec/template/spec");
    if let Some(spec) = spec(object) {
        job_spec(spec);
    }
    super::batch::job::label(object);
}

pub(super) fn cron_job(object: &mut Value) {
    template(object, "/spec/jobTemplate/spec/template/spec");
    let Some(spec) = spec(object) else { return };
    set(spec, "concurrencyPolicy", json!("Allow"));
    set(spec, "suspend", json!(false));
    set(spec, "successfulJobsHistoryLimit", json!(3));
    set(spec, "failedJobsHistoryLimit", json!(1));
}

fn job_spec(spec: &mut Map<String, Value>) {
    if spec.get("completions").is_none_or(Value::is_null) && spec.get("parallelism").is_none_or(Value::is_null) {
        set(spec, "completions", json!(1));
        set(spec, "parallelism", json!(1));
    }
    set(spec, "parallelism", json!(1));
    set(spec, "completionMode", json!("NonIndexed"));
    set(spec, "suspend", json!(false));
    set(spec, "manualSelector", json!(false));
    let rules = spec.get_mut("podFailurePolicy").and_then(|policy| policy.get_mut("rules"));
    for rule in rules.and_then(Value::as_array_mut).into_iter().flatten() {
        let patterns = rule.get_mut("onPodConditions").and_then(Value::as_array_mut).into_iter().flatten();
        for pattern in patterns.filter_map(Value::as_object_mut) {
            set(pattern, "status", json!("True"));
        }
    }
    let by_index = spec.contains_key("backoffLimitPerIndex");
    set(spec, "backoffLimit", json!(if by_index { i64::from(i32::MAX) } else { 6 }));
    set(
        spec,
        "podReplacementPolicy",
        json!(if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" }),
    );
}

pub(super) fn persistent_volume_claim(object: &mut Value) {
    if let Some(spec) = spec(object) {
        set(spec, "volumeMode", json!("Filesystem"));
    }
}

pub(super) fn persistent_volume(object: &mut Value) {
    if let Some(spec) = spec(object) {
        set(spec, "volumeMode", json!("Filesystem"));
        set(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
    }
}

pub(super) fn network_policy(object: &mut Value) {
    let Some(spec) = spec(object) else { return };
    for direction in ["ingress", "egress"] {
        for rule in spec.get_mut(direction).and_then(Value::as_array_mut).into_iter().flatten() {
            for port in rule.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(port) = port.as_object_mut() {
                    set(port, "protocol", json!("TCP"));
                }
            }
        }
    }
    let egress = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    set(spec, "policyTypes", if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
}

pub(super) fn webhook_configuration(object: &mut Value) {
    let mutating = object.kind() == "MutatingWebhookConfiguration";
    for hook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(hook) = hook.as_object_mut() else { continue };
        set(hook, "failurePolicy", json!("Fail"));
        set(hook, "matchPolicy", json!("Equivalent"));
        set(hook, "namespaceSelector", json!({}));
        set(hook, "objectSelector", json!({}));
        set(hook, "timeoutSeconds", json!(10));
        if mutating {
            set(hook, "reinvocationPolicy", json!("Never"));
        }
        if let Some(service) = hook.get_mut("clientConfig").and_then(|config| config.get_mut("service"))
            && let Some(service) = service.as_object_mut()
        {
            set(service, "port", json!(443));
        }
        for rule in hook.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(rule) = rule.as_object_mut() {
                set(rule, "scope", json!("*"));
            }
        }
    }
}

pub(super) fn endpoints(object: &mut Value) {
    for subset in object.get_mut("subsets").and_then(Value::as_array_mut).into_iter().flatten() {
        for port in subset.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(port) = port.as_object_mut() {
                set(port, "protocol", json!("TCP"));
            }
        }
    }
}

pub(super) fn endpoint_slice(object: &mut Value) {
    for port in object.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            set(port, "name", json!(""));
            set(port, "protocol", json!("TCP"));
        }
    }
}

pub(super) fn storage_class(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        set(fields, "reclaimPolicy", json!("Delete"));
        set(fields, "volumeBindingMode", json!("Immediate"));
    }
}

pub(super) fn priority_class(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        set(fields, "preemptionPolicy", json!("PreemptLowerPriority"));
    }
}

pub(super) fn role_binding(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if let Some(role) = object.get_mut("roleRef").and_then(Value::as_object_mut) {
        set(role, "apiGroup", json!(GROUP));
    }
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_user = matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group"));
        if let (true, Some(subject)) = (is_user, subject.as_object_mut()) {
            set(subject, "apiGroup", json!(GROUP));
        }
    }
}

pub(super) fn horizontal_pod_autoscaler(object: &mut Value) {
    let v1 = object.api_version() == "autoscaling/v1";
    let Some(spec) = spec(object) else { return };
    set(spec, "minReplicas", json!(1));
    if !v1 && spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec.insert("metrics".into(), json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    }
}

/// A replication controller's labels and selector are those of its template where there are none.
fn labels_of_template(object: &mut Value) {
    let Some(labels) = object.pointer("/spec/template/metadata/labels").filter(|labels| !labels.is_null()).cloned()
    else {
        return;
    };
    if object.labels().is_none_or(Map::is_empty) {
        object.metadata_mut().insert("labels".into(), labels.clone());
    }
    if let Some(spec) = spec(object) {
        set(spec, "selector", labels);
    }
}

fn template(object: &mut Value, pointer: &str) {
    if let Some(spec) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        pod_template::apply_defaults(spec);
    }
}

/// An update strategy: rolling unless it is said, and its numbers then.
fn rolling(spec: &mut Map<String, Value>, field: &str, numbers: Value) {
    let strategy = spec.entry(field).or_insert_with(|| json!({}));
    let Some(strategy) = strategy.as_object_mut() else { return };
    set(strategy, "type", json!("RollingUpdate"));
    if strategy.get("type") != Some(&json!("RollingUpdate")) {
        return;
    }
    let rolling = strategy.entry("rollingUpdate").or_insert(Value::Null);
    if rolling.is_null() {
        *rolling = json!({});
    }
    if let (Some(rolling), Value::Object(numbers)) = (rolling.as_object_mut(), numbers) {
        for (name, value) in numbers {
            set(rolling, &name, value);
        }
    }
}

fn spec(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("spec").and_then(Value::as_object_mut)
}

/// Sets a field that is absent, null or the empty text.
fn set(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let entry = fields.entry(name).or_insert(Value::Null);
    if entry.is_null() || entry == "" {
        *entry = value;
    }
}

pub(super) fn resource_claim(object: &mut Value) {
    device_requests(object, "/spec/devices/requests");
}

pub(super) fn resource_claim_template(object: &mut Value) {
    device_requests(object, "/spec/spec/devices/requests");
}

/// A request of devices wants one, of an exact count, if it does not say.
fn device_requests(object: &mut Value, pointer: &str) {
    let requests = object.pointer_mut(pointer).and_then(Value::as_array_mut);
    for request in requests.into_iter().flatten() {
        if let Some(exactly) = request.get_mut("exactly").and_then(Value::as_object_mut) {
            device_request(exactly);
        }
        let alternatives = request.get_mut("firstAvailable").and_then(Value::as_array_mut);
        alternatives.into_iter().flatten().filter_map(Value::as_object_mut).for_each(device_request);
    }
}

fn device_request(request: &mut serde_json::Map<String, Value>) {
    set(request, "allocationMode", json!("ExactCount"));
    if request.get("allocationMode").and_then(Value::as_str) == Some("ExactCount") {
        set(request, "count", json!(1));
    }
    let tolerations = request.get_mut("tolerations").and_then(Value::as_array_mut);
    for toleration in tolerations.into_iter().flatten().filter_map(Value::as_object_mut) {
        set(toleration, "operator", json!("Equal"));
    }
}

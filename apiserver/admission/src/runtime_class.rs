//! `RuntimeClass`: a Pod's runtime class brings its overhead, and where it may run.

use std::sync::Arc;

use apimachinery::StatusError;
use apimachinery::gvk::GroupVersionResource;
use apimachinery::quantity::Quantity;
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{Attributes, Context, Lister, Operation, Plugin};

/// The plugin.
pub struct RuntimeClass {
    lister: Arc<dyn Lister>,
    classes: GroupVersionResource,
}

impl RuntimeClass {
    /// Reads runtime classes through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self { lister, classes: GroupVersionResource::new("node.k8s.io", "v1", "runtimeclasses") }
    }

    /// The class that a Pod names, if it names one.
    async fn class(&self, attributes: &Attributes) -> Result<Option<Arc<Value>>, StatusError> {
        let name = attributes.object.as_ref().and_then(|pod| pod.pointer("/spec/runtimeClassName"));
        let Some(name) = name.and_then(Value::as_str) else { return Ok(None) };
        let found = match self.lister.get(&self.classes, "", name).await? {
            None => self.lister.get_fresh(&self.classes, "", name).await?,
            found => found,
        };
        match found {
            Some(class) => Ok(Some(class)),
            None => Err(attributes.forbidden(&format!("pod rejected: RuntimeClass \"{name}\" not found"))),
        }
    }
}

#[async_trait]
impl Plugin for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Create
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        if !attributes.is_of_pods() {
            return Ok(());
        }
        let Some(class) = self.class(attributes).await? else { return Ok(()) };
        let Some(spec) = attributes.spec_mut() else { return Ok(()) };
        add_overhead(spec, &class)
            .and_then(|()| add_scheduling(spec, &class))
            .map_err(|words| attributes.forbidden(&words))
    }

    async fn validate(&self, attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        if !attributes.is_of_pods() {
            return Ok(());
        }
        let class = self.class(attributes).await?;
        let defined =
            class.as_ref().and_then(|class| class.get("overhead")).is_some_and(|overhead| !overhead.is_null());
        let pod = attributes.object.as_ref();
        let has = pod.and_then(|pod| pod.pointer("/spec/overhead")).and_then(Value::as_object);
        if has.is_some_and(|overhead| !overhead.is_empty()) && !defined {
            let words = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
            return Err(attributes.forbidden(words));
        }
        Ok(())
    }
}

fn add_overhead(spec: &mut Map<String, Value>, class: &Value) -> Result<(), String> {
    let Some(fixed) = class.pointer("/overhead/podFixed").and_then(Value::as_object) else { return Ok(()) };
    match spec.get("overhead").and_then(Value::as_object).filter(|overhead| !overhead.is_empty()) {
        Some(own) if !same(own, fixed) => {
            Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned())
        }
        _ => {
            spec.insert("overhead".into(), Value::Object(fixed.clone()));
            Ok(())
        }
    }
}

/// Whether two lists of amounts are the same, however they are written.
fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let equal = |a: &Value, b: &Value| match (Quantity::from_value(a), Quantity::from_value(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    };
    a.len() == b.len() && a.iter().all(|(name, amount)| b.get(name).is_some_and(|other| equal(amount, other)))
}

fn add_scheduling(spec: &mut Map<String, Value>, class: &Value) -> Result<(), String> {
    let Some(scheduling) = class.get("scheduling").filter(|scheduling| scheduling.is_object()) else { return Ok(()) };
    let selector = scheduling.get("nodeSelector").and_then(Value::as_object);
    let mut merged = spec.get("nodeSelector").and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in selector.into_iter().flatten() {
        match merged.get(key) {
            Some(own) if own != value => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                return Err(format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                    text(value),
                    text(own)
                ));
            }
            Some(_) => {}
            None => drop(merged.insert(key.clone(), value.clone())),
        }
    }
    if !merged.is_empty() {
        spec.insert("nodeSelector".into(), Value::Object(merged));
    }
    let of = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let tolerations = merge(&[of(spec.get("tolerations")), of(scheduling.get("tolerations"))].concat());
    if !tolerations.is_empty() {
        spec.insert("tolerations".into(), tolerations.into());
    }
    Ok(())
}

/// The tolerations without those that others include.
fn merge(all: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for (index, toleration) in all.iter().enumerate() {
        let included_before = merged.iter().any(|other| includes(other, toleration));
        let included_later = all[index + 1..].iter().any(|other| other != toleration && includes(other, toleration));
        if !included_before && !included_later {
            merged.push(toleration.clone());
        }
    }
    merged
}

/// Whether `wide` tolerates all that `narrow` does.
fn includes(wide: &Value, narrow: &Value) -> bool {
    let text = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let seconds = |of: &Value| of.get("tolerationSeconds").and_then(Value::as_i64);
    let exists = text(wide, "operator") == "Exists";
    if wide == narrow {
        return true;
    }
    if text(wide, "key") != text(narrow, "key") && !(text(wide, "key").is_empty() && exists) {
        return false;
    }
    if text(wide, "effect") != text(narrow, "effect") && !text(wide, "effect").is_empty() {
        return false;
    }
    if text(wide, "effect") == "NoExecute"
        && let Some(limit) = seconds(wide)
        && seconds(narrow).is_none_or(|seconds| seconds > limit)
    {
        return false;
    }
    match text(wide, "operator").as_str() {
        "Exists" => true,
        "Equal" | "" => text(narrow, "operator") == "Equal" && text(narrow, "value") == text(wide, "value"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixed, attributes};
    use serde_json::json;

    async fn admit(spec: Value) -> Result<Value, String> {
        let class = json!({
            "metadata": {"name": "kata"},
            "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": {"nodeSelector": {"kata": "true"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
        });
        let plugin = RuntimeClass::new(Arc::new(Fixed::new([("runtimeclasses", class)])));
        let mut of = attributes(Operation::Create, "pods", "ns", "p");
        of.object = Some(json!({ "spec": spec }).into());
        let admitted = plugin.admit(&mut of, &Context::new()).await;
        let validated = if admitted.is_ok() { plugin.validate(&of, &Context::new()).await } else { admitted };
        validated.map_err(|error| error.message().to_owned())?;
        Ok(of.object.unwrap()["spec"].clone())
    }

    #[tokio::test]
    async fn the_class_is_merged_into_the_pod() {
        let spec = admit(json!({"runtimeClassName": "kata", "nodeSelector": {"mine": "1"}})).await.unwrap();
        assert_eq!(spec["overhead"], json!({"cpu": "250m"}));
        assert_eq!(spec["nodeSelector"], json!({"kata": "true", "mine": "1"}));
        assert_eq!(spec["tolerations"], json!([{"key": "kata", "operator": "Exists"}]));
        assert!(admit(json!({"runtimeClassName": "kata", "overhead": {"cpu": "0.25"}})).await.is_ok(), "the same");
    }

    #[tokio::test]
    async fn what_contradicts_the_class_is_refused() {
        for (spec, words) in [
            (json!({"runtimeClassName": "none"}), "pod rejected: RuntimeClass \"none\" not found"),
            (
                json!({"runtimeClassName": "kata", "nodeSelector": {"kata": "false"}}),
                "conflict: runtimeClass.scheduling.nodeSelector[kata] = true; pod.spec.nodeSelector[kata] = false",
            ),
            (
                json!({"runtimeClassName": "kata", "overhead": {"cpu": "1"}}),
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
            ),
            (
                json!({"overhead": {"cpu": "1"}}),
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            ),
        ] {
            assert_eq!(admit(spec).await, Err(format!("pods \"p\" is forbidden: {words}")));
        }
    }
}

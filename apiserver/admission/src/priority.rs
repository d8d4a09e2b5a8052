//! `Priority`: a pod's class becomes its number.

use std::sync::Arc;

use apimachinery::gvk::GroupVersionResource;
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use serde_json::Value;

use crate::{Attributes, Context, Lister, Operation, Plugin};

const PREEMPT_LOWER: &str = "PreemptLowerPriority";

/// The plugin.
pub struct Priority {
    lister: Arc<dyn Lister>,
    classes: GroupVersionResource,
}

/// What a class gives a pod.
struct Given {
    name: String,
    value: i64,
    preemption: String,
}

impl Priority {
    /// Reads priority classes through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        let classes = GroupVersionResource::new("scheduling.k8s.io", "v1", "priorityclasses");
        Self { lister, classes }
    }

    async fn class(&self, name: &str) -> Result<Option<Given>, StatusError> {
        let found = match self.lister.get(&self.classes, "", name).await? {
            None => self.lister.get_fresh(&self.classes, "", name).await?,
            found => found,
        };
        Ok(found.map(|class| given(&class)))
    }

    /// The class of pods that name none: the smallest of those that are the global default.
    async fn default_class(&self) -> Result<Given, StatusError> {
        let all = self.lister.list(&self.classes).await?;
        let defaults = all.iter().filter(|class| class.get("globalDefault").and_then(Value::as_bool).unwrap_or(false));
        let smallest = defaults.map(|class| given(class)).min_by_key(|class| class.value);
        Ok(smallest.unwrap_or_else(|| Given { name: String::new(), value: 0, preemption: PREEMPT_LOWER.into() }))
    }
}

fn given(class: &Value) -> Given {
    Given {
        name: class.name().to_owned(),
        value: class.get("value").and_then(Value::as_i64).unwrap_or(0),
        preemption: class.get("preemptionPolicy").and_then(Value::as_str).unwrap_or(PREEMPT_LOWER).to_owned(),
    }
}

#[async_trait]
impl Plugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn handles(&self, operation: Operation) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        if !attributes.is_of_pods() {
            return Ok(());
        }
        let spec = |pod: &Value, field: &str| pod.get("spec").and_then(|spec| spec.get(field)).cloned();
        if attributes.operation == Operation::Update {
            // A pod keeps what it was given when the client leaves it out.
            if let (Some(pod), Some(old)) =
                (attributes.object.as_mut().map(Arc::make_mut), attributes.old_object.as_deref())
                && let Some(new) = pod.get_mut("spec").and_then(Value::as_object_mut)
            {
                for field in ["priority", "preemptionPolicy"] {
                    if let (false, Some(value)) = (new.contains_key(field), spec(old, field)) {
                        new.insert(field.into(), value);
                    }
                }
            }
            return Ok(());
        }
        let Some(pod) = attributes.object.as_ref() else { return Ok(()) };
        let name = spec(pod, "priorityClassName").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        let class = if name.is_empty() {
            self.default_class().await?
        } else {
            let class = self.class(&name).await?;
            class.ok_or_else(|| attributes.forbidden(&format!("no PriorityClass with name {name} was found")))?
        };
        if spec(pod, "priority").is_some_and(|sent| !sent.is_null() && sent != class.value) {
            let sent = spec(pod, "priority").unwrap_or_default();
            return Err(attributes.forbidden(&format!(
                "the integer value of priority ({sent}) must not be provided in pod spec; priority admission controller computed {} \
                 from the given PriorityClass name",
                class.value
            )));
        }
        if spec(pod, "preemptionPolicy").is_some_and(|sent| !sent.is_null() && sent != class.preemption.as_str()) {
            let sent = spec(pod, "preemptionPolicy").unwrap_or_default();
            return Err(attributes.forbidden(&format!(
                "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller computed {} \
                 from the given PriorityClass name",
                sent.as_str().unwrap_or_default(),
                class.preemption
            )));
        }
        if let Some(fields) = attributes.spec_mut() {
            if !class.name.is_empty() {
                fields.insert("priorityClassName".into(), class.name.into());
            }
            fields.insert("priority".into(), class.value.into());
            fields.insert("preemptionPolicy".into(), class.preemption.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixed, attributes};
    use serde_json::json;

    async fn admit(spec: Value) -> Result<Value, StatusError> {
        let lister = Fixed::new([("priorityclasses", json!({"metadata": {"name": "high"}, "value": 9}))]);
        let mut of = attributes(Operation::Create, "pods", "ns", "p");
        of.object = Some(json!({ "spec": spec }).into());
        Priority::new(Arc::new(lister)).admit(&mut of, &Context::new()).await?;
        Ok(of.object.unwrap()["spec"].clone())
    }

    #[tokio::test]
    async fn a_class_is_a_number_and_none_is_zero() {
        assert_eq!(admit(json!({})).await.unwrap(), json!({"priority": 0, "preemptionPolicy": "PreemptLowerPriority"}));
        assert_eq!(admit(json!({"priorityClassName": "high"})).await.unwrap()["priority"], 9);
        let error = admit(json!({"priorityClassName": "none"})).await.unwrap_err();
        assert_eq!(error.message(), "pods \"p\" is forbidden: no PriorityClass with name none was found");
    }
}

//! `TaintNodesByCondition`: a new node takes no Pods until its conditions say that it is ready.

use apimachinery::StatusError;
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{Attributes, Context, Operation, Plugin};

/// The plugin.
#[derive(Debug, Default)]
pub struct TaintNodesByCondition;

#[async_trait]
impl Plugin for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Create
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        let resource = &attributes.resource;
        if !resource.group.is_empty() || resource.resource != "nodes" || !attributes.subresource.is_empty() {
            return Ok(());
        }
        let Some(node) = attributes.object_mut() else { return Ok(()) };
        let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        if !node["spec"].is_object() {
            node["spec"] = json!({});
        }
        let taints = &mut node["spec"]["taints"];
        match taints.as_array_mut() {
            Some(taints) => {
                let is_there = |found: &Value| found["key"] == taint["key"] && found["effect"] == taint["effect"];
                if !taints.iter().any(is_there) {
                    taints.push(taint);
                }
            }
            None => *taints = json!([taint]),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;

    #[tokio::test]
    async fn a_new_node_is_tainted_once() {
        for (node, count) in [
            (json!({}), 1),
            (json!({"spec": {"taints": [{"key": "dedicated", "effect": "NoSchedule"}]}}), 2),
            (json!({"spec": {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]}}), 1),
            (json!({"spec": {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]}}), 2),
        ] {
            let mut of = attributes(Operation::Create, "nodes", "", "n");
            of.object = Some(node.clone().into());
            TaintNodesByCondition.admit(&mut of, &Context::new()).await.unwrap();
            assert_eq!(of.object.unwrap()["spec"]["taints"].as_array().unwrap().len(), count, "{node}");
        }
    }
}

//! `DefaultTolerationSeconds`: a pod stays for a while on a node that is not ready or cannot be reached, unless it says
//! otherwise.

use apimachinery::StatusError;
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{Attributes, Context, Operation, Plugin};

/// The taints, and the seconds for which they are tolerated.
const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: i64 = 300;

/// The plugin.
#[derive(Debug, Default)]
pub struct DefaultTolerationSeconds;

#[async_trait]
impl Plugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn handles(&self, operation: Operation) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        if !attributes.is_of_pods() {
            return Ok(());
        }
        let Some(spec) = attributes.spec_mut() else { return Ok(()) };
        let tolerations = spec.get("tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |toleration: &Value, field: &str| toleration[field].as_str().unwrap_or_default().to_owned();
        let tolerates = |taint: &str| {
            tolerations.iter().any(|toleration| {
                matches!(text(toleration, "effect").as_str(), "" | "NoExecute")
                    && (text(toleration, "key") == taint || text(toleration, "key").is_empty())
            })
        };
        let added: Vec<Value> = TAINTS
            .iter()
            .filter(|taint| !tolerates(taint))
            .map(|taint| json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}))
            .collect();
        if !added.is_empty() {
            spec.insert("tolerations".into(), tolerations.into_iter().chain(added).collect());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;

    #[tokio::test]
    async fn what_a_pod_says_itself_stays() {
        let mut of = attributes(Operation::Create, "pods", "ns", "p");
        of.object = Some(
            json!({"spec": {"tolerations": [{"key": TAINTS[0], "operator": "Exists", "tolerationSeconds": 5}]}}).into(),
        );
        DefaultTolerationSeconds.admit(&mut of, &Context::new()).await.unwrap();
        let object = of.object.unwrap();
        let tolerations = object["spec"]["tolerations"].as_array().unwrap();
        assert_eq!(tolerations.len(), 2);
        assert_eq!(
            (&tolerations[0]["tolerationSeconds"], &tolerations[1]["tolerationSeconds"]),
            (&json!(5), &json!(300))
        );
    }
}

//! `SelfSubjectRulesReview`: what may who asks do in a namespace?

use apimachinery::{ObjectExt, StatusError};
use authorization::Authorizer;
use serde_json::{Value, json};

use crate::RequestContext;

pub(super) async fn answer(
    authorizer: &dyn Authorizer,
    ctx: &RequestContext,
    review: &Value,
) -> Result<Value, StatusError> {
    let namespace = review.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default();
    if namespace.is_empty() {
        return Err(StatusError::bad_request("no namespace on request"));
    }
    let rules = authorizer.rules(&ctx.user, namespace).await;
    let error = rules.evaluation_error();
    let resource = |rule: authorization::ResourceRule| {
        let mut shown = json!({"verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources});
        if !rule.resource_names.is_empty() {
            shown["resourceNames"] = rule.resource_names.into();
        }
        shown
    };
    let non_resource: Vec<Value> =
        rules.non_resource.into_iter().map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.urls})).collect();
    let mut answer = json!({
        "apiVersion": review.api_version(),
        "kind": review.kind(),
        "metadata": {},
        "spec": {},
        "status": {
            "resourceRules": rules.resource.into_iter().map(resource).collect::<Vec<_>>(),
            "nonResourceRules": non_resource,
            "incomplete": rules.incomplete,
        },
    });
    if let Some(error) = error {
        answer["status"]["evaluationError"] = error.into();
    }
    Ok(answer)
}

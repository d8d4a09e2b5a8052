//! `SubjectAccessReview`, `LocalSubjectAccessReview` and `SelfSubjectAccessReview`: may somebody do something?

use std::sync::Arc;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::user::UserInfo;
use apimachinery::{ObjectExt, StatusError};
use authorization::{Attributes, Authorizer, Decision};
use schema::types;
use serde_json::{Value, json};

use super::{refuse, selector, strings};
use crate::{RequestContext, Target};

const LOCAL: &str = "LocalSubjectAccessReview";
const SELF: &str = "SelfSubjectAccessReview";

pub(super) async fn answer(
    authorizer: &dyn Authorizer,
    ctx: &RequestContext,
    target: &Target,
    kind: &str,
    mut review: Value,
) -> Result<Value, StatusError> {
    refuse(target, validate(kind, &review))?;
    if kind == LOCAL && target.namespace.is_empty() {
        return Err(StatusError::bad_request("namespace is required on this type: "));
    }
    let spec = review.get("spec").cloned().unwrap_or_default();
    let user = if kind == SELF { ctx.user.clone() } else { Arc::new(subject(&spec)?) };
    let (asked, mut errors) = question(user, &spec);
    let decision = authorizer.authorize(&asked).await;
    let mut status = json!({"allowed": decision.is_allowed()});
    if matches!(decision, Decision::Deny(_) | Decision::Failed { denied: true, .. }) {
        status["denied"] = true.into();
    }
    if !decision.reason().is_empty() {
        status["reason"] = decision.reason().into();
    }
    if let Decision::Failed { error, .. } = decision {
        errors.insert(0, error);
    }
    if !errors.is_empty() {
        status["evaluationError"] = errors.join("; ").into();
    }
    review["status"] = status;
    Ok(review)
}

fn subject(spec: &Value) -> Result<UserInfo, StatusError> {
    let part = |name: &str| spec.get(name).cloned().unwrap_or_default();
    let user = json!({"username": part("user"), "uid": part("uid"), "groups": part("groups"), "extra": part("extra")});
    serde_json::from_value(user).map_err(|error| StatusError::bad_request(error.to_string()))
}

/// What is asked, and what of it cannot be read.
fn question(user: Arc<UserInfo>, spec: &Value) -> (Attributes, Vec<String>) {
    let text = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(of) = spec.get("resourceAttributes").filter(|of| of.is_object()) {
        let version = Some(text(of, "version")).filter(|version| !version.is_empty());
        let (fields, labels) = (selector::fields(of), selector::labels(of));
        let errors = [fields.evaluation_error("fieldSelector"), labels.evaluation_error("labelSelector")];
        let attributes = Attributes {
            resource_request: true,
            group: text(of, "group"),
            version: version.unwrap_or_else(|| "*".to_owned()),
            resource: text(of, "resource"),
            subresource: text(of, "subresource"),
            namespace: text(of, "namespace"),
            name: text(of, "name"),
            field_selector: fields.read,
            label_selector: labels.read,
            ..Attributes::new(user, text(of, "verb"))
        };
        return (attributes, errors.into_iter().flatten().collect());
    }
    let of = spec.get("nonResourceAttributes").unwrap_or(&Value::Null);
    (Attributes { path: text(of, "path"), ..Attributes::new(user, text(of, "verb")) }, Vec::new())
}

fn validate(kind: &str, review: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec");
    let spec = review.get("spec").unwrap_or(&Value::Null);
    let part = |name: &str| spec.get(name).filter(|part| part.is_object());
    let (resource, other) = (part("resourceAttributes"), part("nonResourceAttributes"));
    let non_resource = path.child("nonResourceAttributes");
    // Upstream shows its own fields, not those of the wire.
    let shown = |of: &Value| {
        let text = |field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default();
        json!({"Path": text("path"), "Verb": text("verb")})
    };
    match (resource, other) {
        (Some(_), Some(other)) => {
            let words = "cannot be specified in combination with resourceAttributes";
            errors.push(Error::invalid(&non_resource, shown(other), words));
        }
        (None, None) => {
            let words = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.push(Error::invalid(&path.child("resourceAttributes"), Value::Null, words));
        }
        _ => {}
    }
    if kind != SELF {
        let user = spec.get("user").and_then(Value::as_str).unwrap_or_default();
        if user.is_empty() && strings(spec.get("groups")).is_empty() {
            let words = "at least one of user or group must be specified";
            errors.push(Error::invalid(&path.child("user"), user, words));
        }
    }
    if let Some(resource) = resource {
        errors.extend(selector::validate(resource, &Path::new("spec.resourceAttributes")));
    }
    let metadata = review.metadata();
    let stated = |(key, value): (&String, &Value)| match key.as_str() {
        "managedFields" => false,
        "namespace" if kind == LOCAL => false,
        _ => match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            value => *value != 0,
        },
    };
    if metadata.is_some_and(|metadata| metadata.iter().any(stated)) {
        let words = if kind == LOCAL { "must be empty except for namespace" } else { "must be empty" };
        let shown = types::bad_value("meta.v1.ObjectMeta", review.get("metadata").unwrap_or(&Value::Null));
        errors.push(Error::invalid(&Path::new("metadata"), shown, words));
    }
    if kind == LOCAL {
        let named = resource.map(|of| of.get("namespace").and_then(Value::as_str).unwrap_or_default());
        if let Some(named) = named.filter(|named| *named != review.namespace()) {
            let path = Path::new("spec.resourceAttributes.namespace");
            errors.push(Error::invalid(&path, named, "must match metadata.namespace"));
        }
        if let Some(other) = other {
            errors.push(Error::invalid(&non_resource, shown(other), "disallowed on this kind of request"));
        }
    }
    errors
}

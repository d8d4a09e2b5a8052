//! `TokenReview`: whose is a bearer token?

use apimachinery::{ObjectExt, StatusError};
use serde_json::{Value, json};

use super::{TokenReviewer, strings};
use crate::{RequestContext, Target};

pub(super) async fn answer(
    tokens: &dyn TokenReviewer,
    ctx: &RequestContext,
    target: &Target,
    mut review: Value,
) -> Result<Value, StatusError> {
    if !target.namespace.is_empty() {
        return Err(StatusError::bad_request(format!("namespace is not allowed on this type: {}", target.namespace)));
    }
    let token = review.pointer("/spec/token").and_then(Value::as_str).unwrap_or_default().to_owned();
    if token.is_empty() {
        return Err(StatusError::bad_request(format!("token is required for {} in authentication", review.kind())));
    }
    let audiences = strings(review.pointer("/spec/audiences"));
    review["status"] = match tokens.review(&token, &audiences, &ctx.warnings).await {
        Ok(None) => json!({"user": {}}),
        Ok(Some(known)) => {
            let user = serde_json::to_value(known.user).map_err(StatusError::internal)?;
            json!({"authenticated": true, "user": user, "audiences": known.audiences})
        }
        Err(why) => json!({"user": {}, "error": why}),
    };
    Ok(review)
}

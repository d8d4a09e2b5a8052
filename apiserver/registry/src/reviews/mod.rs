//! Kinds that only answer: who somebody is, and what somebody may do. Nothing is kept. The answers come from the
//! authorizer and the authenticator that the server asks itself, through [`Reviewers`].

mod access;
mod rules;
mod selector;
mod token;

use std::sync::{Arc, Weak};

use apimachinery::field::ErrorList;
use apimachinery::gvk::GroupKind;
use apimachinery::user::UserInfo;
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use authentication::TokenUser;
use authorization::{Attributes, Authorizer, Decision, Rules};
use serde_json::{Value, json};

use crate::context::Warnings;
use crate::conversion::Pending;
use crate::fieldmanager::{self, Writer};
use crate::options::CreateOptions;
use crate::registry::Registry;
use crate::served::{Served, Written};
use crate::subresource::View;
use crate::verbs::create::manager;
use crate::{RequestContext, Target, acting, meta};

/// Knows whose a bearer token is.
#[async_trait]
pub trait TokenReviewer: Send + Sync + 'static {
    /// The user of a token that is to be good for one of `audiences` (none: the server's own); `None` if there is no saying.
    /// `warnings` takes what there is to say beside.
    ///
    /// # Errors
    /// Why the token is not good, in upstream's words.
    async fn review(&self, token: &str, audiences: &[String], warnings: &Warnings)
    -> Result<Option<TokenUser>, String>;
}

/// Whom reviews ask.
#[derive(Clone)]
pub struct Reviewers {
    /// What somebody may do.
    pub authorizer: Arc<dyn Authorizer>,
    /// Who somebody is.
    pub tokens: Arc<dyn TokenReviewer>,
}

/// Asks the authorizer that reviews ask at the time; until there is one, nobody may do anything.
pub(crate) struct CurrentAuthorizer(pub Weak<Registry>);

impl CurrentAuthorizer {
    fn current(&self) -> Option<Arc<dyn Authorizer>> {
        Some(self.0.upgrade()?.reviewers()?.authorizer.clone())
    }
}

#[async_trait]
impl Authorizer for CurrentAuthorizer {
    async fn authorize(&self, asked: &Attributes) -> Decision {
        match self.current() {
            Some(authorizer) => authorizer.authorize(asked).await,
            None => Decision::no_opinion(),
        }
    }

    async fn rules(&self, user: &UserInfo, namespace: &str) -> Rules {
        match self.current() {
            Some(authorizer) => authorizer.rules(user, namespace).await,
            None => Rules::default(),
        }
    }
}

/// Answers a review that was decoded; `None` if the target is no review.
pub(crate) async fn create(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    mut review: Value,
    options: &CreateOptions,
) -> Option<Result<Written, StatusError>> {
    let row = &target.row;
    let kind = match (row.gvr.group.as_str(), row.kind.as_str()) {
        ("authentication.k8s.io" | "authorization.k8s.io", kind) if !row.stored() => kind,
        _ => return None,
    };
    let answered = async {
        meta::settle_namespace(&mut review, row, &target.namespace)?;
        let (view, table, now) = (View::Whole, registry.table(), registry.now());
        let manager = manager(ctx, &options.field_manager);
        let pending = Pending::default();
        let writer = Writer {
            table: &table,
            row,
            subresource: "",
            view: &view,
            manager: &manager,
            now: &now,
            pending: &pending,
        };
        fieldmanager::update(&writer, None, &mut review);
        let review = acting::admit(registry, ctx, target, review, options).await?;
        let reviewers = || {
            let reviewers = registry.reviewers();
            reviewers.ok_or_else(|| StatusError::internal("nobody is there to review"))
        };
        match kind {
            "SelfSubjectReview" => Ok(myself(ctx, &review, &now)?),
            "TokenReview" => token::answer(&*reviewers()?.tokens, ctx, target, review).await,
            "SelfSubjectRulesReview" => rules::answer(&*reviewers()?.authorizer, ctx, &review).await,
            kind => access::answer(&*reviewers()?.authorizer, ctx, target, kind, review).await,
        }
    };
    let answered = answered.await;
    Some(answered.map(|review| Written { object: Served::from_value(Arc::new(review)), created: true }))
}

/// Who asks.
fn myself(ctx: &RequestContext, review: &Value, now: &str) -> Result<Value, StatusError> {
    let user = serde_json::to_value(&*ctx.user).map_err(StatusError::internal)?;
    Ok(json!({
        "apiVersion": review.api_version(),
        "kind": review.kind(),
        "metadata": {"creationTimestamp": now},
        "status": {"userInfo": user},
    }))
}

/// The refusal of a review. Upstream names no kind: its decoder has dropped it by then.
fn refuse(target: &Target, errors: ErrorList) -> Result<(), StatusError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(StatusError::invalid(&GroupKind::new(&target.row.gvr.group, ""), "", errors))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;

//! Nobody writes a role or binding that gives more than they have, unless they may `escalate` or `bind`; nobody creates
//! by PUT or apply who may not create.

use apimachinery::user::SYSTEM_MASTERS;
use apimachinery::{ObjectExt, StatusError};
use authorization::{Attributes, Decision, rbac};
use serde_json::Value;

use super::Write;
use crate::reviews::Reviewers;

impl Write<'_> {
    /// Refuses a PUT or apply that makes an object for who may not create it.
    pub(super) async fn check_may_create(&self) -> Result<(), StatusError> {
        let Some(reviewers) = self.registry.reviewers() else { return Ok(()) };
        let row = &self.target.row;
        let asked = Attributes {
            subresource: self.target.subresource.clone(),
            ..self.asked("create", &row.gvr.version, &row.gvr.resource, &self.target.name)
        };
        match reviewers.authorizer.authorize(&asked).await {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(reason) | Decision::NoOpinion(reason) => Err(asked.forbidden(&reason)),
            Decision::Failed { error, .. } => Err(StatusError::internal(error)),
        }
    }

    /// Refuses a draft of a role or binding that gives what the user does not have.
    pub(super) async fn check_escalation(&self, draft: &Value, old: Option<&Value>) -> Result<(), StatusError> {
        let row = &self.target.row;
        if row.gvr.group != rbac::GROUP || self.ctx.user.is_in_group(SYSTEM_MASTERS) {
            return Ok(());
        }
        let Some(reviewers) = self.registry.reviewers() else { return Ok(()) };
        if old.is_some_and(|old| only_for_garbage_collection(draft, old)) {
            return Ok(());
        }
        let kind = rbac::Kind::ALL.into_iter().find(|kind| kind.resource() == row.gvr.resource);
        match kind {
            Some(rbac::Kind::Role | rbac::Kind::ClusterRole) => self.check_role(&reviewers, draft, old).await,
            Some(rbac::Kind::RoleBinding | rbac::Kind::ClusterRoleBinding) => {
                self.check_binding(&reviewers, draft).await
            }
            None => Ok(()),
        }
    }

    async fn check_role(&self, reviewers: &Reviewers, role: &Value, old: Option<&Value>) -> Result<(), StatusError> {
        let asked = self.asked("escalate", "*", &self.target.row.gvr.resource, &self.target.name);
        if reviewers.authorizer.authorize(&asked).await.is_allowed() {
            return Ok(());
        }
        let rules = role.get("rules").filter(|rules| !rules.is_null()).cloned();
        let rules = rules.map(serde_json::from_value::<Vec<rbac::PolicyRule>>).transpose();
        self.check_granted(role.name(), &rules.map_err(StatusError::internal)?.unwrap_or_default())?;
        let aggregates = |role: &Value| {
            let selectors = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array);
            selectors.is_some_and(|selectors| !selectors.is_empty())
        };
        if (aggregates(role) || old.is_some_and(aggregates))
            && self.check_granted(role.name(), &rbac::full_authority()).is_err()
        {
            let resource = self.target.row.group_resource();
            return Err(StatusError::forbidden(&resource, role.name(), rbac::FULL_AUTHORITY_WORDS));
        }
        Ok(())
    }

    async fn check_binding(&self, reviewers: &Reviewers, binding: &Value) -> Result<(), StatusError> {
        let part = |name: &str| {
            binding.pointer(&format!("/roleRef/{name}")).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let role = rbac::RoleRef { kind: part("kind"), name: part("name") };
        let resource = match role.kind.as_str() {
            "ClusterRole" => Some(rbac::Kind::ClusterRole.resource()),
            "Role" => Some(rbac::Kind::Role.resource()),
            _ => None,
        };
        if let Some(resource) = resource {
            let asked = Attributes { group: part("apiGroup"), ..self.asked("bind", "*", resource, &role.name) };
            if reviewers.authorizer.authorize(&asked).await.is_allowed() {
                return Ok(());
            }
        }
        let Some(policy) = self.registry.policy() else { return Ok(()) };
        let rules = policy.read().rules_of(&role, &self.target.namespace).map(<[_]>::to_vec);
        let rules = rules.map_err(|error| match error {
            rbac::Unresolved::NotFound { name, .. } => StatusError::not_found(&self.target.row.group_resource(), &name),
            error @ rbac::Unresolved::UnsupportedKind(_) => StatusError::unstructured(error.to_string()),
        })?;
        self.check_granted(binding.name(), &rules)
    }

    fn check_granted(&self, name: &str, rules: &[rbac::PolicyRule]) -> Result<(), StatusError> {
        let Some(policy) = self.registry.policy() else { return Ok(()) };
        let resource = self.target.row.group_resource();
        let (user, namespace) = (&self.ctx.user, &self.target.namespace);
        match rbac::ungranted(&policy.read(), user, namespace, rules, &resource) {
            Some(words) => Err(StatusError::forbidden(&resource, name, words)),
            None => Ok(()),
        }
    }

    fn asked(&self, verb: &str, version: &str, resource: &str, name: &str) -> Attributes {
        Attributes {
            resource_request: true,
            group: self.target.row.gvr.group.clone(),
            version: version.to_owned(),
            resource: resource.to_owned(),
            namespace: self.target.namespace.clone(),
            name: name.to_owned(),
            ..Attributes::new(self.ctx.user.clone(), verb)
        }
    }
}

/// Whether nothing changes but owners and finalizers, which the garbage collector writes of objects it may not grant.
fn only_for_garbage_collection(draft: &Value, old: &Value) -> bool {
    let without = |object: &Value| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "selfLink", "managedFields"] {
            object.metadata_mut().remove(field);
        }
        object
    };
    without(draft) == without(old)
}

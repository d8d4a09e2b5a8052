//! Role-based access control: roles say what may be done, bindings who has a role.

mod escalation;
mod policy;
mod rule;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use apimachinery::aggregate;
use apimachinery::user::UserInfo;
use async_trait::async_trait;
use parking_lot::RwLock;

pub use escalation::{FULL_AUTHORITY_WORDS, full_authority, ungranted};
pub use policy::{Binding, GROUP, Granted, Kind, Policy, RoleRef, Subject, Unresolved};
pub use rule::{PolicyRule, compacted, uncovered};

use crate::authorizer::{Attributes, Authorizer, Decision, NonResourceRule, ResourceRule, Rules};

/// Answers from the roles and bindings there are. Who follows those writes to the same [`Policy`].
pub struct Rbac(pub Arc<RwLock<Policy>>);

impl Policy {
    /// Whether somebody may do something, by which binding; a refusal says which roles could not be found.
    pub fn authorize(&self, asked: &Attributes) -> Decision {
        let mut errors = Vec::new();
        let found = self.visit(&asked.user, &asked.namespace, |granted| {
            match granted.rules {
                Ok(rules) if rules.iter().any(|rule| rule.allows(asked)) => {
                    return ControlFlow::Break(granted.binding);
                }
                Ok(_) => {}
                Err(unresolved) => errors.push(unresolved.to_string()),
            }
            ControlFlow::Continue(())
        });
        match found {
            ControlFlow::Break(binding) => {
                Decision::Allow(format!("RBAC: allowed by {}", binding.describe(&asked.user)))
            }
            ControlFlow::Continue(()) if errors.is_empty() => Decision::no_opinion(),
            ControlFlow::Continue(()) => Decision::NoOpinion(format!("RBAC: {}", aggregate(&errors))),
        }
    }

    /// All rules that `user` has cluster-wide and in `namespace`, and the roles that could not be found.
    pub fn rules_for<'a>(&'a self, user: &UserInfo, namespace: &str) -> (Vec<&'a PolicyRule>, Vec<Unresolved>) {
        let (mut held, mut unresolved) = (Vec::new(), Vec::new());
        let _all: ControlFlow<()> = self.visit(user, namespace, |granted| {
            match granted.rules {
                Ok(rules) => held.extend(rules),
                Err(error) => unresolved.push(error),
            }
            ControlFlow::Continue(())
        });
        (held, unresolved)
    }
}

#[async_trait]
impl Authorizer for Rbac {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        self.0.read().authorize(attributes)
    }

    async fn rules(&self, user: &UserInfo, namespace: &str) -> Rules {
        let policy = self.0.read();
        let (held, unresolved) = policy.rules_for(user, namespace);
        let mut rules = Rules::default();
        for rule in held {
            if !rule.resources.is_empty() {
                rules.resource.push(ResourceRule {
                    verbs: rule.verbs.clone(),
                    api_groups: rule.api_groups.clone(),
                    resources: rule.resources.clone(),
                    resource_names: rule.resource_names.clone(),
                });
            }
            if !rule.non_resource_urls.is_empty() {
                let urls = rule.non_resource_urls.clone();
                rules.non_resource.push(NonResourceRule { verbs: rule.verbs.clone(), urls });
            }
        }
        if !unresolved.is_empty() {
            let words: Vec<String> = unresolved.iter().map(Unresolved::to_string).collect();
            rules.errors.push(aggregate(&words));
        }
        rules
    }
}

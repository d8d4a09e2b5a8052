//! ClusterRoles that gather others: the rules of all whose labels they select become theirs.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::controller_ref::{selector, selects};
use crate::informers::Informers;

/// The name that its writes go by (upstream's).
const FIELD_MANAGER: &str = "clusterrole-aggregation-controller";
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Roles worked on at once.
const CONCURRENT: usize = 5;

struct Controller {
    client: Client,
    roles: Store<ClusterRole>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("ClusterRoleAggregator"));
    let roles = informers.cluster_roles().store();
    informers.cluster_roles().on_change({
        let (queue, roles) = (queue.clone(), roles.clone());
        move |change| {
            if let Change::Applied { new, .. } = change
                && new.aggregation_rule.is_some()
            {
                queue.add(ObjectKey::of(&**new));
            }
            // Any role may be one that is gathered, now or before.
            let gathering = roles.list().into_iter().filter(|role| role.aggregation_rule.is_some());
            gathering.for_each(|role| queue.add(ObjectKey::of(&*role)));
        }
    });
    let controller = Arc::new(Controller { client: context.client.clone(), roles });
    async move {
        controller.roles.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.reconcile(key).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

impl Controller {
    async fn reconcile(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(role) = self.roles.get(&key) else { return Ok(Outcome::Done) };
        let Some(rules) = gathered(&role, &self.roles.list()) else { return Ok(Outcome::Done) };
        let applied = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": key.name},
            "rules": rules,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let roles = Api::<ClusterRole>::all(self.client.clone());
        roles.patch(&key.name, &parameters, &Patch::Apply(applied)).await.map(|_| Outcome::Done)
    }
}

/// The rules that a role gathers from others, each once, by the order of its selectors and then of names; `None` if it
/// has them, or gathers nothing. Pure.
fn gathered(role: &ClusterRole, all: &[Arc<ClusterRole>]) -> Option<Vec<PolicyRule>> {
    let selectors = role.aggregation_rule.as_ref()?.cluster_role_selectors.as_deref().unwrap_or_default();
    let mut rules: Vec<PolicyRule> = Vec::new();
    for stated in selectors {
        // One that makes no sense selects nothing; it could not have been written.
        let selector = selector(Some(stated))?;
        let mut selected: Vec<&Arc<ClusterRole>> = all
            .iter()
            .filter(|other| selects(&selector, Some(other.labels())) && other.name_any() != role.name_any())
            .collect();
        selected.sort_by_key(|other| other.name_any());
        for rule in selected.iter().flat_map(|other| other.rules.iter().flatten()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    (rules.as_slice() != role.rules.as_deref().unwrap_or_default()).then_some(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_role_gathers_the_rules_of_those_it_selects() {
        let rule = |verb: &str| json!({"apiGroups": [""], "resources": ["pods"], "verbs": [verb]});
        let role = |value: Value| Arc::new(serde_json::from_value::<ClusterRole>(value).unwrap());
        let part = |name: &str, label: &str, verbs: &[&str]| {
            let rules: Vec<Value> = verbs.iter().map(|verb| rule(verb)).collect();
            role(json!({"metadata": {"name": name, "labels": {label: "true"}}, "rules": rules}))
        };
        let selectors = json!([{"matchLabels": {"b": "true"}}, {"matchLabels": {"a": "true"}}]);
        let whole = |rules: Value| {
            role(json!({
                "metadata": {"name": "whole", "labels": {"a": "true"}},
                "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": rules,
            }))
        };
        let all = [
            part("z", "a", &["get"]),
            part("y", "a", &["list", "get"]),
            part("x", "b", &["watch"]),
            part("w", "c", &["delete"]),
            whole(json!([rule("own")])),
        ];
        let wanted = json!([rule("watch"), rule("list"), rule("get")]);
        let gathered_rules = gathered(&whole(json!([rule("own")])), &all).unwrap();
        assert_eq!(serde_json::to_value(gathered_rules).unwrap(), wanted);
        assert_eq!(gathered(&whole(wanted), &all), None, "it has them");
        assert_eq!(gathered(&all[0], &all), None, "it gathers nothing");
    }
}

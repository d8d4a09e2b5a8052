//! Amounts of resources, and what Pods ask for.

use std::collections::BTreeMap;

use crds::quantity;
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The resource that counts Pods.
pub const PODS: &str = "pods";

/// Amounts by resource name, in thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<String, i128>);

impl Amounts {
    /// Amounts from quantities; none counts as empty.
    pub fn of(quantities: Option<&BTreeMap<String, Quantity>>) -> Self {
        Self(quantities.into_iter().flatten().map(|(name, value)| (name.clone(), quantity::milli_of(value))).collect())
    }

    /// The same and one Pod's place on a node.
    pub fn with_a_pod(mut self) -> Self {
        self.0.insert(PODS.to_owned(), 1000);
        self
    }

    /// The amount of a resource; none is 0.
    pub fn get(&self, name: &str) -> i128 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Names and amounts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i128)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Adds `times` the `other` amounts; a negative `times` takes away.
    pub fn add(&mut self, other: &Self, times: i128) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(amount.saturating_mul(times));
        }
    }

    fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = (*sum).max(*amount);
        }
    }
}

fn requests(container: &Container) -> Amounts {
    let Some(resources) = &container.resources else { return Amounts::default() };
    // The API server sets a missing request to the limit.
    let mut amounts = Amounts::of(resources.limits.as_ref());
    amounts.0.extend(Amounts::of(resources.requests.as_ref()).0);
    amounts
}

/// What a Pod takes from its node: its containers and restartable init containers together, or what an init container
/// needs while it runs if that is more; and the overhead.
pub fn pod_requests(pod: &Pod) -> Amounts {
    let mut total = Amounts::default();
    let Some(spec) = &pod.spec else { return total.with_a_pod() };
    for container in &spec.containers {
        total.add(&requests(container), 1);
    }
    let mut sidecars = Amounts::default();
    let mut while_starting = Amounts::default();
    for container in spec.init_containers.iter().flatten() {
        let wants = requests(container);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars.add(&wants, 1);
            while_starting.raise_to(&sidecars);
        } else {
            let mut with_sidecars = sidecars.clone();
            with_sidecars.add(&wants, 1);
            while_starting.raise_to(&with_sidecars);
        }
    }
    total.add(&sidecars, 1);
    total.raise_to(&while_starting);
    total.add(&Amounts::of(spec.overhead.as_ref()), 1);
    total.with_a_pod()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_takes_what_its_containers_or_its_start_need() {
        let wants = |cpu: &str| json!({"requests": {"cpu": cpu}});
        for (name, spec, cpu) in [
            (
                "sum of containers",
                json!({"containers": [{"name": "a", "resources": wants("1")}, {"name": "b", "resources": wants("500m")}]}),
                1500,
            ),
            ("limit stands in", json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "2"}}}]}), 2000),
            (
                "init container",
                json!({"containers": [{"name": "a", "resources": wants("1")}], "initContainers": [{"name": "i", "resources": wants("3")}]}),
                3000,
            ),
            (
                "sidecar",
                json!({"containers": [{"name": "a", "resources": wants("1")}], "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": wants("1")}, {"name": "i", "resources": wants("500m")}]}),
                2000,
            ),
            ("overhead", json!({"containers": [{"name": "a"}], "overhead": {"cpu": "250m"}}), 250),
            ("nothing asked", json!({"containers": [{"name": "a"}]}), 0),
        ] {
            let pod: Pod = serde_json::from_value(json!({"spec": spec})).unwrap();
            let amounts = pod_requests(&pod);
            assert_eq!((amounts.get("cpu"), amounts.get(PODS)), (cpu, 1000), "{name}");
        }
    }
}

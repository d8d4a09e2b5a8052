//! A pod's class of quality of service.

use apimachinery::quantity::Quantity;
use serde_json::Value;

use crate::validation::pod::resources::{Amounts, amounts};
use crate::validation::read::{list, map, present};

/// Guaranteed where every container has limits of cpu and memory and all requests are the limits, BestEffort where none has
/// either. A pod that speaks for itself as a whole is judged by that alone.
pub(super) fn class(pod: &Value) -> &'static str {
    let spec = &pod["spec"];
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    let mut guaranteed = true;
    if let Some(resources) = present(spec, "resources") {
        collect(&mut requests, resources, "requests");
        let has_limits = map(resources, "limits").is_some_and(|limits| !limits.is_empty());
        let found = collect(&mut limits, resources, "limits");
        guaranteed = !has_limits || found == COMPUTE.len();
    } else {
        for container in ["containers", "initContainers"].iter().flat_map(|name| list(spec, name)) {
            let resources = &container["resources"];
            collect(&mut requests, resources, "requests");
            guaranteed &= collect(&mut limits, resources, "limits") == COMPUTE.len();
        }
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let equal = requests.iter().all(|(name, asked)| limits.get(name) == Some(asked));
    if guaranteed && equal && requests.len() == limits.len() { "Guaranteed" } else { "Burstable" }
}

const COMPUTE: [&str; 2] = ["cpu", "memory"];

/// Adds what counts of a list and returns how many resources that were.
fn collect(sum: &mut Amounts, resources: &Value, of: &str) -> usize {
    let counted = amounts(resources, of).filter(|(name, amount)| COMPUTE.contains(name) && amount.sign() > 0);
    let mut found = 0;
    for (name, amount) in counted {
        found += 1;
        let sum = sum.entry(name.to_owned());
        let add = |sum: &mut Quantity| *sum = sum.add(&amount);
        sum.and_modify(add).or_insert_with(|| amount.clone());
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_class_follows_from_all_containers_or_from_the_pod_as_a_whole() {
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}});
        let part = json!({"requests": {"cpu": "1"}});
        for (spec, expected) in [
            (json!({"containers": [{"resources": {}}]}), "BestEffort"),
            (json!({"containers": [{"resources": full}]}), "Guaranteed"),
            (json!({"containers": [{"resources": full}, {"resources": {}}]}), "Burstable"),
            (json!({"containers": [{"resources": full}], "initContainers": [{"resources": part}]}), "Burstable"),
            (json!({"containers": [{"resources": {}}], "resources": full}), "Guaranteed"),
            (json!({"containers": [{"resources": full}], "resources": part}), "Burstable"),
        ] {
            assert_eq!(class(&json!({ "spec": spec })), expected, "{spec}");
        }
    }
}

//! What a Pod asks for as a whole: the sum of its containers, or more where an init container needs more.

use std::collections::BTreeMap;

use apimachinery::quantity::Quantity;
use serde_json::Value;

/// Amounts by resource name.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// The amounts of a JSON object (`resources.requests`, `capacity`, `hard` …); what is no quantity is left out.
pub(crate) fn amounts(value: Option<&Value>) -> Amounts {
    let of = |(name, amount): (&String, &Value)| Some((name.clone(), Quantity::from_value(amount).ok()?));
    value.and_then(Value::as_object).into_iter().flatten().filter_map(of).collect()
}

/// Adds `more` to what is there.
pub(crate) fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = match to.get(name) {
            Some(there) => there.add(amount),
            None => amount.clone(),
        };
        to.insert(name.clone(), sum);
    }
}

fn raise(to: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if to.get(name).is_none_or(|there| there < amount) {
            to.insert(name.clone(), amount.clone());
        }
    }
}

/// The containers of a Pod's spec under `field` (`containers`, `initContainers`).
pub(crate) fn containers<'a>(pod: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = pod.get("spec").and_then(|spec| spec.get(field)).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// The Pod's `requests` or `limits`, without its overhead. Init containers run one after the other, but for those that
/// are restarted, which go on beside the rest.
pub(crate) fn of_pod(pod: &Value, field: &str) -> Amounts {
    let of = |container: &Value| amounts(container.get("resources").and_then(|resources| resources.get(field)));
    let mut sum = Amounts::new();
    for container in containers(pod, "containers") {
        add(&mut sum, &of(container));
    }
    let (mut beside, mut most) = (Amounts::new(), Amounts::new());
    for container in containers(pod, "initContainers") {
        let mut needs = of(container);
        if container.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            add(&mut sum, &needs);
            add(&mut beside, &needs);
            needs = beside.clone();
        } else {
            add(&mut needs, &beside);
        }
        raise(&mut most, &needs);
    }
    raise(&mut sum, &most);
    // What is stated of the Pod as a whole replaces the sums.
    if let Some(stated) = pod.pointer("/spec/resources").and_then(|resources| resources.get(field)) {
        sum.extend(amounts(Some(stated)));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn init_containers_count_where_they_need_more() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let sidecar = |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        for (name, spec, expected) in [
            ("a sum", json!({"containers": [container("1"), container("500m")]}), "1500m"),
            ("a larger one first", json!({"containers": [container("1")], "initContainers": [container("2")]}), "2"),
            (
                "one beside",
                json!({"containers": [container("1")], "initContainers": [sidecar("1"), container("2")]}),
                "3",
            ),
            (
                "stated as a whole",
                json!({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}}),
                "4",
            ),
        ] {
            assert_eq!(of_pod(&json!({ "spec": spec }), "requests")["cpu"].to_string(), expected, "{name}");
        }
    }
}

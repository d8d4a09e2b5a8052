//! What becomes of a default role or binding that is there already: what it lacks is added, what somebody added stays
//! (upstream's reconciliation). Pure.

use apimachinery::meta::ObjectExt as _;
use authorization::rbac::{PolicyRule, uncovered};
use serde_json::Value;

/// On objects that the server keeps; `false` leaves one to its administrator.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What is to be done with an object that exists.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing is missing, or it is not to be touched.
    Leave,
    /// It is to become this.
    Update(Value),
    /// It names another role, which no update can change.
    Recreate,
}

/// How `existing` becomes what `expected` says.
pub(super) fn reconcile(expected: &Value, existing: &Value) -> Result<Step, serde_json::Error> {
    if existing.annotation(AUTO_UPDATE) == Some("false") {
        return Ok(Step::Leave);
    }
    let mut wanted = existing.clone();
    for part in ["labels", "annotations"] {
        let stated = expected.pointer(&format!("/metadata/{part}")).and_then(Value::as_object);
        for (key, value) in stated.into_iter().flatten() {
            let of = wanted.metadata_mut().entry(part).or_insert_with(|| Value::Object(Default::default()));
            if let Some(of) = of.as_object_mut() {
                of.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
    if let Some(role) = expected.get("roleRef") {
        let named = existing.get("roleRef").unwrap_or(&Value::Null);
        if ["kind", "name"].iter().any(|part| role.get(part) != named.get(part)) {
            return Ok(Step::Recreate);
        }
        add_missing(&mut wanted, "subjects", list(expected, "/subjects"));
    } else if expected.get("aggregationRule").is_some() {
        // Its rules are the aggregation controller's.
        let selectors = list(expected, "/aggregationRule/clusterRoleSelectors");
        if wanted["aggregationRule"].is_null() {
            wanted["aggregationRule"] = expected["aggregationRule"].clone();
        }
        add_missing(&mut wanted["aggregationRule"], "clusterRoleSelectors", selectors);
    } else {
        let missing = uncovered(&rules(existing)?, &rules(expected)?);
        let missing: Vec<Value> = missing.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        add_missing(&mut wanted, "rules", &missing);
    }
    Ok(if wanted == *existing { Step::Leave } else { Step::Update(wanted) })
}

/// A role's rules.
pub(super) fn rules(role: &Value) -> Result<Vec<PolicyRule>, serde_json::Error> {
    match role.get("rules") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(rules) => serde_json::from_value(rules.clone()),
    }
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn add_missing(object: &mut Value, field: &str, stated: &[Value]) {
    let missing: Vec<Value> =
        stated.iter().filter(|one| !list(object, &format!("/{field}")).contains(one)).cloned().collect();
    if missing.is_empty() {
        return;
    }
    match object[field].as_array_mut() {
        Some(present) => present.extend(missing),
        None => object[field] = missing.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_added_and_what_was_added_stays() {
        let rule = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["pods"], "verbs": verbs});
        let role = |rules: Value| json!({"metadata": {"name": "r", "labels": {"l": "v"}}, "rules": rules});
        let binding = |role: &str, subjects: Value| json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects});
        let user = |name: &str| json!({"kind": "User", "name": name});
        let aggregated = |labels: &[&str], rules: Value| {
            let selectors: Vec<Value> = labels.iter().map(|label| json!({"matchLabels": {*label: "true"}})).collect();
            json!({"metadata": {"name": "a"}, "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": rules})
        };
        let protected = json!({"metadata": {"name": "r", "annotations": {AUTO_UPDATE: "false"}}, "rules": null});
        let cases = [
            ("the same", role(json!([rule(&["get"])])), role(json!([rule(&["get"])])), Step::Leave),
            ("more than enough", role(json!([rule(&["get"])])), role(json!([rule(&["*"])])), Step::Leave),
            (
                "a verb is missing",
                role(json!([rule(&["get", "list"])])),
                role(json!([rule(&["get", "patch"])])),
                Step::Update(role(json!([rule(&["get", "patch"]), rule(&["list"])]))),
            ),
            (
                "all is missing",
                role(json!([rule(&["get"])])),
                json!({"metadata": {"name": "r", "labels": {"l": "other", "m": "x"}}, "rules": null}),
                Step::Update(
                    json!({"metadata": {"name": "r", "labels": {"l": "other", "m": "x"}}, "rules": [rule(&["get"])]}),
                ),
            ),
            ("it is protected", role(json!([rule(&["get"])])), protected, Step::Leave),
            (
                "a subject is missing",
                binding("x", json!([user("a")])),
                binding("x", json!([user("b")])),
                Step::Update(binding("x", json!([user("b"), user("a")]))),
            ),
            ("another role", binding("x", json!([user("a")])), binding("y", json!([user("a")])), Step::Recreate),
            (
                "rules are aggregated",
                aggregated(&["a"], json!([rule(&["get"])])),
                aggregated(&["a"], Value::Null),
                Step::Leave,
            ),
            (
                "a selector is missing",
                aggregated(&["a"], Value::Null),
                aggregated(&["b"], Value::Null),
                Step::Update(aggregated(&["b", "a"], Value::Null)),
            ),
        ];
        for (name, expected, existing, step) in cases {
            assert_eq!(reconcile(&expected, &existing).unwrap(), step, "{name}");
        }
    }
}

//! What else is said of a definition: whether its API was approved, and what is not structural in its schemas. Upstream's
//! controllers of these conditions, as pure functions.

use apimachinery::field::{Aggregate, Error, ErrorList, Path};
use registry::crd::approval::{Approval, ApprovalState, is_protected};
use registry::crd::conditions::{self, Condition};
use schema::crd::{structural_errors, unsupported};
use serde_json::Value;

const NON_STRUCTURAL: &str = "NonStructuralSchema";

/// Says of a definition in a group of the community's whether its API was approved. Says whether anything changed.
pub fn set_approval(crd: &mut Value, now: &str) -> bool {
    if !crd["spec"]["group"].as_str().is_some_and(is_protected) {
        return false;
    }
    let Approval { state, message } = Approval::of(crd);
    let reason = match state {
        ApprovalState::Invalid => "InvalidAnnotation",
        ApprovalState::Missing => "MissingAnnotation",
        ApprovalState::Approved => "ApprovedAnnotation",
        ApprovalState::Bypassed => "UnapprovedAnnotation",
    };
    let holds = state == ApprovalState::Approved;
    Condition::new("KubernetesAPIApprovalPolicyConformant", holds, reason, &message).set(crd, now)
}

/// Says in the status of `crd` what in the schemas of the `whole` definition is not structural. Says whether anything changed.
pub fn set_non_structural(crd: &mut Value, whole: &Value, now: &str) -> bool {
    match non_structural(whole) {
        Some(condition) => condition.set(crd, now),
        None => conditions::remove(crd, NON_STRUCTURAL),
    }
}

fn non_structural(crd: &Value) -> Option<Condition> {
    let mut errors = ErrorList::new();
    let spec = Path::new("spec");
    if crd["spec"]["preserveUnknownFields"] == true {
        errors.push(Error::invalid(&spec.child("preserveUnknownFields"), true, "must be false"));
    }
    for (index, version) in crd["spec"]["versions"].as_array().into_iter().flatten().enumerate() {
        let Some(schema) = version["schema"].get("openAPIV3Schema").filter(|schema| schema.is_object()) else {
            continue;
        };
        if let Some(why) = unsupported(schema) {
            let name = version["name"].as_str().unwrap_or_default();
            let message = format!("failed to check validation schema for version {name}: {why}");
            return Some(Condition::unknown(NON_STRUCTURAL, "StructuralError", &message));
        }
        let path = spec.child("versions").index(index).child("schema").child("openAPIV3Schema");
        errors.extend(structural_errors(schema, &path));
    }
    (!errors.is_empty()).then(|| Condition::new(NON_STRUCTURAL, true, "Violations", &Aggregate(&errors).to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_protected_group_says_what_its_annotation_says() {
        for (group, annotation, reason) in [
            ("x.k8s.io", Some("https://github.com/kubernetes/kubernetes/pull/1"), Some("ApprovedAnnotation")),
            ("kubernetes.io", Some("unapproved, an experiment"), Some("UnapprovedAnnotation")),
            ("k8s.io", Some("no"), Some("InvalidAnnotation")),
            ("x.kubernetes.io", Some("/only/a/path"), Some("InvalidAnnotation")),
            ("x.k8s.io", None, Some("MissingAnnotation")),
            ("notk8s.io", None, None),
        ] {
            let mut crd = json!({"metadata": {}, "spec": {"group": group}});
            if let Some(annotation) = annotation {
                crd["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": annotation});
            }
            assert_eq!(set_approval(&mut crd, "t"), reason.is_some(), "{group} {annotation:?}");
            let found = conditions::condition(&crd, "KubernetesAPIApprovalPolicyConformant");
            assert_eq!(found.and_then(|condition| condition["reason"].as_str()), reason, "{group} {annotation:?}");
            assert!(!set_approval(&mut crd, "u"));
        }
    }

    #[test]
    fn schemas_that_are_not_structural_are_told_until_they_are() {
        let of = |schema: Value| json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
        let reason = |crd: &Value| conditions::condition(crd, NON_STRUCTURAL).map(|found| found["reason"].clone());
        let set = |crd: &mut Value| {
            let whole = crd.clone();
            set_non_structural(crd, &whole, "t")
        };
        let mut right = of(json!({"type": "object"}));
        assert!(!set(&mut right));
        let mut wrong = of(json!({"type": "object", "properties": {"a": {}}}));
        assert!(set(&mut wrong));
        assert_eq!(
            wrong["status"]["conditions"],
            json!([{"type": NON_STRUCTURAL, "status": "True", "reason": "Violations", "lastTransitionTime": "t",
                "message": "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields"}])
        );
        wrong["spec"] = right["spec"].clone();
        assert!(set(&mut wrong));
        assert_eq!(reason(&wrong), None);
        let mut unread = of(json!({"type": "object", "$ref": "x"}));
        set(&mut unread);
        assert_eq!(reason(&unread), Some(json!("StructuralError")));
        let mut old = json!({"spec": {"preserveUnknownFields": true}});
        assert!(set(&mut old));
    }
}

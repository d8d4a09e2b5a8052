//! Stateful sets.

use std::borrow::Cow;

use apimachinery::field::{Error, ErrorList, Path};
use schema::types;
use serde_json::{Value, json};

use super::{keeps_running, selected, selector};
use crate::strategy::check::{
    all_not_negative, amount, at_most_all, label_words, not_decremented, not_more, not_negative, number_or_percent,
    one_of,
};
use crate::strategy::read::{at, has, same, text};
use crate::strategy::{Scope, template};

/// What may change of one.
const CHANGEABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// What is wrong with a new stateful set.
pub(in crate::strategy) fn validate(set: &Value, scope: &Scope<'_>) -> ErrorList {
    let mut errors = spec(set, scope);
    let service = text(at(set, "spec"), "serviceName");
    if !service.is_empty() {
        errors.extend(label_words(service, &Path::new("spec").child("serviceName")));
    }
    errors
}

/// What is wrong with a change of a stateful set or of its status.
pub(in crate::strategy) fn validate_update(set: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" {
        return status(at(set, "status"), at(old, "status"));
    }
    let mut errors = spec(set, scope);
    let mut allowed = at(set, "spec").clone();
    if let Some(fields) = allowed.as_object_mut() {
        for field in CHANGEABLE {
            fields.insert(field.to_owned(), at(at(old, "spec"), field).clone());
        }
    }
    if !same(&allowed, at(old, "spec")) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                   'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                   'minReadySeconds' are forbidden";
        errors.push(Error::forbidden(&Path::new("spec"), why));
    }
    errors
}

fn spec(set: &Value, scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(set, "spec"), Path::new("spec"), ErrorList::new());
    let policy = text(spec, "podManagementPolicy");
    match policy {
        "" => errors.push(Error::required(&path.child("podManagementPolicy"), "")),
        "OrderedReady" | "Parallel" => {}
        _ => {
            let why = "must be 'OrderedReady' or 'Parallel'";
            errors.push(Error::invalid(&path.child("podManagementPolicy"), policy, why));
        }
    }
    strategy(at(spec, "updateStrategy"), &path.child("updateStrategy"), &mut errors);
    let retention = at(spec, "persistentVolumeClaimRetentionPolicy");
    if !retention.is_null() {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        for field in ["whenDeleted", "whenScaled"] {
            one_of(text(retention, field), &["Retain", "Delete"], &path.child(field), &mut errors);
        }
    }
    all_not_negative(spec, &["replicas", "minReadySeconds"], &path, &mut errors);
    not_negative(at(spec, "ordinals"), "start", &path.child("ordinals"), &mut errors);
    let (template, at_template) = (at(spec, "template"), path.child("template"));
    if let Some(selector) = selector(spec, "statefulset", &path, &mut errors) {
        if !selector.is_everything() {
            selected(&selector, template, &at_template, &mut errors);
        }
        let whole = with_claims(template, at(spec, "volumeClaimTemplates"));
        errors.extend(template::validate(&whole, "/spec/template", scope, &at_template));
    }
    keeps_running(template, "StatefulSet", &at_template, &mut errors);
    errors
}

/// The template as Pods are made of it: each claim is a volume of its name.
fn with_claims<'a>(template: &'a Value, claims: &Value) -> Cow<'a, Value> {
    let claims = claims.as_array().map(Vec::as_slice).unwrap_or_default();
    let volumes = at(at(template, "spec"), "volumes").as_array().map(Vec::as_slice).unwrap_or_default();
    let names = claims.iter().map(|claim| text(at(claim, "metadata"), "name"));
    let missing = names.filter(|name| !name.is_empty() && !volumes.iter().any(|volume| text(volume, "name") == *name));
    let added = missing.map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
    let all: Vec<Value> = volumes.iter().cloned().chain(added).collect();
    if all.len() == volumes.len() {
        return Cow::Borrowed(template);
    }
    let mut whole = template.clone();
    if let Some(spec) = whole.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("volumes".to_owned(), all.into());
    }
    Cow::Owned(whole)
}

fn strategy(strategy: &Value, path: &Path, errors: &mut ErrorList) {
    let (rolling, at_rolling) = (at(strategy, "rollingUpdate"), path.child("rollingUpdate"));
    match text(strategy, "type") {
        "" => errors.push(Error::required(path, "")),
        "OnDelete" => {
            if !rolling.is_null() {
                let value = types::bad_value("apps.RollingUpdateStatefulSetStrategy", rolling);
                errors.push(Error::invalid(&at_rolling, value, "only allowed for updateStrategy 'RollingUpdate'"));
            }
        }
        "RollingUpdate" => {
            not_negative(rolling, "partition", &at_rolling, errors);
            if has(rolling, "maxUnavailable") {
                let (unavailable, path) = (at(rolling, "maxUnavailable"), at_rolling.child("maxUnavailable"));
                number_or_percent(unavailable, &path, errors);
                if amount(unavailable) == 0 {
                    errors.push(Error::invalid(&path, unavailable.clone(), "cannot be 0"));
                }
                at_most_all(unavailable, &path, errors);
            }
        }
        _ => {
            let value = types::bad_value("apps.StatefulSetUpdateStrategy", strategy);
            errors.push(Error::invalid(path, value, "must be 'RollingUpdate' or 'OnDelete'"));
        }
    }
}

fn status(status: &Value, old: &Value) -> ErrorList {
    let (path, mut errors) = (Path::new("status"), ErrorList::new());
    let numbers = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "observedGeneration",
        "collisionCount",
    ];
    all_not_negative(status, &numbers, &path, &mut errors);
    for field in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
        not_more(status, field, "replicas", "cannot be greater than status.replicas", &path, &mut errors);
    }
    let words = "cannot be greater than status.readyReplicas";
    not_more(status, "availableReplicas", "readyReplicas", words, &path, &mut errors);
    not_decremented(status, old, "collisionCount", &path, &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_volume_of_its_name_unless_there_is_one() {
        let template = json!({"spec": {"volumes": [{"name": "own", "emptyDir": {}}]}});
        let claim = |name: &str| json!({"metadata": {"name": name}});
        let whole = with_claims(&template, &json!([claim("own"), claim("data")]));
        let data = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
        assert_eq!(whole["spec"]["volumes"], json!([{"name": "own", "emptyDir": {}}, data]));
        for claims in [Value::Null, json!([]), json!([claim("own")]), json!([{}])] {
            assert!(matches!(with_claims(&template, &claims), Cow::Borrowed(_)), "{claims}");
        }
    }
}

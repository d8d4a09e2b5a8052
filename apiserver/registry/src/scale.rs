//! The `scale` subresource: replicas of an object, seen as an `autoscaling/v1` Scale.

use apimachinery::field::{self, Path};
use apimachinery::gvk::GroupKind;
use apimachinery::selector::labels;
use apimachinery::{ObjectExt, StatusError};
use serde_json::{Map, Value, json};

use crate::table::Row;

/// Why upstream cannot read the scale that a custom resource is sent: it looks for the kind among those of custom resources.
pub fn unreadable() -> StatusError {
    StatusError::bad_request(
        "no kind is registered for the type v1.Scale in scheme \
         \"k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781\"",
    )
}

/// The scale of an object.
pub(crate) fn of(object: &Value, row: &Row) -> Result<Value, StatusError> {
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.metadata().and_then(|metadata| metadata.get(field)) {
            metadata.insert(field.into(), value.clone());
        }
    }
    let (wanted, there, selector) = match &row.scale {
        Some(paths) => (
            integer(object, &paths.spec_replicas),
            integer(object, &paths.status_replicas),
            paths
                .label_selector
                .as_ref()
                .and_then(|path| at(object, path))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        ),
        None => (integer(object, ".spec.replicas"), integer(object, ".status.replicas"), selector(object)),
    };
    if row.scale.is_some() && wanted.is_none() {
        let path = row.scale.as_ref().map_or("", |paths| &paths.spec_replicas);
        return Err(StatusError::internal(format!("the spec replicas field \"{path}\" does not exist")));
    }
    let mut spec = Map::new();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != 0) {
        spec.insert("replicas".into(), wanted.into());
    }
    let mut status = Map::from_iter([("replicas".to_owned(), json!(there.unwrap_or(0)))]);
    if !selector.is_empty() {
        status.insert("selector".into(), selector.into());
    }
    Ok(json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": status}))
}

/// Writes the replicas of a scale into an object.
///
/// # Errors
/// 422 if they are negative.
pub(crate) fn apply(scale: &Value, object: &mut Value, row: &Row) -> Result<(), StatusError> {
    let wanted = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
    if wanted < 0 {
        let (kind, error) = if row.is_custom() {
            let path = Path::new(row.scale.as_ref().map_or("", |paths| paths.spec_replicas.as_str()));
            (row.group_kind(), field::Error::invalid(&path, wanted, "should be a non-negative integer"))
        } else {
            let path = Path::new("spec").child("replicas");
            (
                GroupKind::new("autoscaling", "Scale"),
                field::Error::invalid(&path, wanted, "must be greater than or equal to 0"),
            )
        };
        return Err(StatusError::invalid(&kind, scale.name(), vec![error]));
    }
    let path = row.scale.as_ref().map_or(".spec.replicas", |paths| paths.spec_replicas.as_str());
    let mut place = object;
    for part in path.trim_start_matches('.').split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        let Some(fields) = place.as_object_mut() else { return Ok(()) };
        place = fields.entry(part).or_insert(Value::Null);
    }
    *place = wanted.into();
    Ok(())
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.trim_start_matches('.').split('.').try_fold(object, |value, part| value.get(part))
}

fn integer(object: &Value, path: &str) -> Option<i64> {
    at(object, path).and_then(Value::as_i64)
}

/// A built-in kind's selector as text; replication controllers have a plain map, the others a LabelSelector.
fn selector(object: &Value) -> String {
    let Some(selector) = object.pointer("/spec/selector") else { return String::new() };
    let full = if selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some() {
        selector.clone()
    } else {
        json!({ "matchLabels": selector })
    };
    labels::Selector::from_label_selector(&full).map(|selector| selector.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    #[test]
    fn a_deployment_s_scale_shows_its_replicas_and_takes_new_ones() {
        let table = Table::builtin();
        let row = table.row("apps", "v1", "deployments").unwrap();
        let mut object =
            json!({"metadata": {"name": "d", "labels": {"x": "y"}}, "spec": {"replicas": 2}, "status": {}});
        let scale = of(&object, row).unwrap();
        assert_eq!(scale["metadata"], json!({"name": "d"}));
        assert_eq!((&scale["spec"], &scale["status"]), (&json!({"replicas": 2}), &json!({"replicas": 0})));
        apply(&json!({"spec": {"replicas": 5}}), &mut object, row).unwrap();
        assert_eq!(object["spec"]["replicas"], 5);
        let error = apply(&json!({"metadata": {"name": "d"}, "spec": {"replicas": -1}}), &mut object, row).unwrap_err();
        assert_eq!(
            error.message(),
            "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
    }
}

//! The same stored object in the versions and groups it is served under.

mod events;
mod horizontal_pod_autoscaler;

use apimachinery::ObjectExt;
use apimachinery::gvk::GroupVersionKind;
use serde_json::Value;

use crate::table::Row;

/// Brings `object` from its own version to `to`. Where only the version's name differs (custom resources with the `None`
/// strategy, versions with equal types) nothing but `apiVersion` changes.
pub(crate) fn convert(object: &mut Value, to: &GroupVersionKind) {
    let from = object.api_version().to_owned();
    let target = to.api_version();
    if from == target {
        return;
    }
    match (to.kind.as_str(), from.as_str(), target.as_str()) {
        ("Event", "v1", "events.k8s.io/v1") => events::to_events(object),
        ("Event", "events.k8s.io/v1", "v1") => events::to_core(object),
        ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1") => horizontal_pod_autoscaler::to_v1(object),
        ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2") => horizontal_pod_autoscaler::to_v2(object),
        _ => {}
    }
    object.set_type_meta(&target, &to.kind);
}

/// Brings an object to a row's version. What a custom resource's version does not know is not shown in it.
pub(crate) fn to_row(object: &mut Value, row: &Row) {
    let changes = object.api_version() != row.api_version();
    convert(object, &row.gvk());
    if let (true, true, Some(schema)) = (changes, row.is_custom(), row.schema()) {
        schema.prune(object);
    }
}

/// Brings an object that was stored in another version than is stored today to today's.
pub(crate) fn to_stored(object: &mut Value, stored: &GroupVersionKind) {
    convert(object, stored);
}

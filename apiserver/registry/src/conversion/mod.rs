//! The same stored object in the versions and groups it is served under.

mod converted;
mod custom;
mod events;
mod horizontal_pod_autoscaler;
mod pending;
mod review;
mod serve;

use apimachinery::ObjectExt;
use apimachinery::gvk::GroupVersionKind;
use serde_json::Value;

pub use converted::Converted;
pub use custom::Webhook;
pub(crate) use pending::Pending;
pub(crate) use serve::{Stored, serve_without_call};

/// Brings an object of a built-in kind from its own version to `to`. Where only the version's name differs nothing but
/// `apiVersion` changes.
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

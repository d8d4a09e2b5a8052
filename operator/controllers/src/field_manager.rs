//! The name that writes of the workload controllers go by: upstream's, as managedFields are sorted by it.

use kube::api::{PatchParams, PostParams};

const NAME: &str = "kube-controller-manager";

/// How to create and replace.
pub fn post() -> PostParams {
    PostParams { field_manager: Some(NAME.to_owned()), ..PostParams::default() }
}

/// How to patch.
pub fn patch() -> PatchParams {
    PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() }
}

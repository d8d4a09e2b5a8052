//! `subresources`: where `/scale` finds its numbers.

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::json_path;
use crate::strategy::read::{at, has, text};

/// Whether the versions with these subresources have a `/status`.
pub(super) fn has_status(subresources: &Value) -> bool {
    has(subresources, "status")
}

/// What is wrong with the subresources of a definition or of one of its versions.
pub(super) fn validate(subresources: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let scale = at(subresources, "scale");
    if scale.is_null() {
        return errors;
    }
    for (field, below, why) in [
        ("specReplicasPath", &[".spec."][..], "should be a json path under .spec"),
        ("statusReplicasPath", &[".status."], "should be a json path under .status"),
        ("labelSelectorPath", &[".spec.", ".status."], "should be a json path under either .spec or .status"),
    ] {
        let path = path.child("scale").child(field);
        match (text(scale, field), field) {
            ("", "labelSelectorPath") => {}
            ("", _) => errors.push(Error::required(&path, "")),
            (given, _) => match json_path(given, &path) {
                Some(error) => errors.push(error),
                None if below.iter().any(|below| given.starts_with(below)) => {}
                None => errors.push(Error::invalid(&path, given, why)),
            },
        }
    }
    errors
}

//! Containers that are added through `/ephemeralcontainers`.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::quoted;
use schema::types;
use serde_json::Value;

use crate::strategy::Scope;
use crate::validation::pod::scheduling::MIRROR;
use crate::validation::pod::{self, Options, annotations};
use crate::validation::read::{annotation, list, text};

/// They are added, never changed or removed.
pub(super) fn validate(object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let options = Options::of_pod(scope, Some(old));
    let mut errors = ErrorList::new();
    pod::validate(object, scope.row, &options, &mut errors);
    let at = Path::new("metadata").child("annotations");
    annotations::validate_update(&object["metadata"], &old["metadata"], &object["spec"], &at, &options, &mut errors);
    if annotation(&old["metadata"], MIRROR).is_some() {
        return vec![Error::forbidden(&Path::new("[]"), "static pods do not support ephemeral containers")];
    }
    validate_kept(&object["spec"], &old["spec"], &mut errors);
    errors
}

fn validate_kept(spec: &Value, old: &Value, errors: &mut ErrorList) {
    let at = Path::new("spec").child("ephemeralContainers");
    let new = list(spec, "ephemeralContainers");
    for before in list(old, "ephemeralContainers") {
        let name = text(before, "name");
        let words = match new.iter().rev().find(|container| text(container, "name") == name) {
            None => format!("existing ephemeral containers {} may not be removed\n", quoted(name)),
            Some(container) if container != before => {
                let changed = types::diff("core.EphemeralContainer", before, container);
                format!("existing ephemeral containers {} may not be changed\n{changed}", quoted(name))
            }
            Some(_) => continue,
        };
        errors.push(Error::forbidden(&at, words));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ephemeral_containers_are_only_added() {
        let old = json!({"ephemeralContainers": [{"name": "dbg", "image": "b"}]});
        for (list, expected) in [
            (json!([{"name": "dbg", "image": "b"}, {"name": "more"}]), ""),
            (
                json!([]),
                "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"dbg\" may not be removed",
            ),
            (
                json!([{"name": "dbg", "image": "c"}]),
                "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"dbg\" may not be changed",
            ),
        ] {
            let mut errors = ErrorList::new();
            validate_kept(&json!({ "ephemeralContainers": list }), &old, &mut errors);
            let found = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            assert_eq!(found.lines().next().unwrap_or_default(), expected, "{list}");
        }
    }
}

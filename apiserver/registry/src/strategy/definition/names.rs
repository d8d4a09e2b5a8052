//! The names of a definition's resource: `spec.names` and `status.acceptedNames`.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::is_dns1035_label;
use serde_json::Value;

use crate::strategy::read::{text, texts};

/// The names without which a definition cannot be: `spec.names` must have them, the accepted ones need not.
pub(super) fn validate_required(names: &Value, path: &Path) -> ErrorList {
    let missing = ["plural", "singular", "kind", "listKind"].into_iter().filter(|name| text(names, name).is_empty());
    missing.map(|name| Error::required(&path.child(name), "")).collect()
}

/// What is wrong with the names that there are.
pub(super) fn validate(names: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for name in ["plural", "singular"] {
        let given = text(names, name);
        if !given.is_empty() {
            errors.extend(label(given, &path.child(name)));
        }
    }
    for name in ["kind", "listKind"] {
        let given = text(names, name);
        let wrong = is_dns1035_label(&given.to_lowercase());
        if !given.is_empty() && !wrong.is_empty() {
            let why = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
            errors.push(Error::invalid(&path.child(name), given, why));
        }
    }
    errors.extend(labels(names, "shortNames", path));
    let list_kind = text(names, "listKind");
    if !list_kind.is_empty() && list_kind == text(names, "kind") {
        errors.push(Error::invalid(&path.child("listKind"), list_kind, "kind and listKind may not be the same"));
    }
    errors.extend(labels(names, "categories", path));
    errors
}

fn labels(names: &Value, field: &str, path: &Path) -> ErrorList {
    let path = path.child(field);
    texts(names, field).enumerate().filter_map(|(index, given)| label(given, &path.index(index))).collect()
}

fn label(given: &str, path: &Path) -> Option<Error> {
    let wrong = is_dns1035_label(given);
    (!wrong.is_empty()).then(|| Error::invalid(path, given, wrong.join(",")))
}

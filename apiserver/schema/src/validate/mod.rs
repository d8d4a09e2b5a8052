//! Validation of custom resources: every keyword of their schemas, in upstream's words and order.
//!
//! One pass each, as upstream does it: the OpenAPI keywords ([`mod@keywords`]), the metadata of embedded objects
//! ([`embedded()`]), the uniqueness of list items ([`lists()`]). Rules in CEL come after these; what they need to know of
//! the errors before is in [`rules_not_checked`].

mod embedded;
mod keywords;
mod lists;
mod number;

use apimachinery::field::{BadValue, Error, ErrorKind, ErrorList, Path};
use serde_json::Value;

use crate::node::Node;

/// The metadata of embedded objects.
pub(crate) fn embedded(root: &Node, value: &Value, path: &Path) -> ErrorList {
    embedded::validate(root, value, path)
}

/// Lists that are sets or maps. One that was wrong before may stay so.
pub(crate) fn lists(root: &Node, value: &Value, old: Option<&Value>, path: &Path) -> ErrorList {
    let errors = lists::validate(root, value, path);
    if errors.is_empty() || old.is_some_and(|old| !lists::validate(root, old, path).is_empty()) {
        return ErrorList::new();
    }
    errors
}

/// The OpenAPI keywords alone.
pub(crate) fn keywords(root: &Node, value: &Value, old: Option<&Value>, path: &Path) -> ErrorList {
    keywords::validate(root, value, old, path)
}

/// The apiVersion, kind and metadata of embedded objects alone; with `resource` the value is such an object.
pub(crate) fn embedded_resources(root: &Node, value: &Value, resource: bool, path: &Path) -> ErrorList {
    embedded::validate_within(root, value, resource, path)
}

/// Upstream does not evaluate rules over an object with certain errors, and says so.
pub(crate) fn rules_not_checked(errors: &[Error]) -> Option<Error> {
    let blocking = |error: &Error| {
        matches!(
            error.kind,
            ErrorKind::NotSupported
                | ErrorKind::Required
                | ErrorKind::TooLong
                | ErrorKind::TooMany
                | ErrorKind::TypeInvalid
        )
    };
    errors.iter().any(blocking).then(|| {
        Error::invalid(
            &Path::default(),
            BadValue::Value(Value::Null),
            "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        )
    })
}

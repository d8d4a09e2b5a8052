//! Controller revisions: what a workload was, word for word.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::FIELD_IMMUTABLE;
use serde_json::Value;

use crate::strategy::Scope;
use crate::strategy::check::not_negative;
use crate::strategy::read::at;

/// What is wrong with a new revision.
pub(in crate::strategy) fn validate(revision: &Value, _scope: &Scope<'_>) -> ErrorList {
    let mut errors = ErrorList::new();
    match at(revision, "data") {
        Value::Null => errors.push(Error::required(&Path::new("data"), "data is mandatory")),
        Value::Object(_) => {}
        _ => errors.push(Error::required(&Path::new("data"), "data must be a valid JSON object")),
    }
    not_negative(revision, "revision", &Path::default(), &mut errors);
    errors
}

/// What is wrong with a change of a revision, as far as it goes beyond a new one.
pub(in crate::strategy) fn validate_update(revision: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
    // Upstream compares the text, in which the order and the spaces of the first writer are kept; here both are gone.
    if at(revision, "data") == at(old, "data") {
        return ErrorList::new();
    }
    vec![Error::invalid(&Path::new("data"), at(revision, "data").clone(), FIELD_IMMUTABLE)]
}

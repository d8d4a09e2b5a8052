//! Paths in volumes and mounts.

use apimachinery::field::{Error, ErrorList, Path};

/// A path must not climb.
pub(crate) fn validate_no_backsteps(target: &str, at: &Path, errors: &mut ErrorList) {
    if climbs(target) {
        errors.push(Error::invalid(at, target, "must not contain '..'"));
    }
}

/// Whether a path has an element `..`.
pub(super) fn climbs(target: &str) -> bool {
    target.split('/').any(|part| part == "..")
}

/// A path must be relative and must not climb.
pub(super) fn validate_descending(target: &str, at: &Path, errors: &mut ErrorList) {
    if target.starts_with('/') {
        errors.push(Error::invalid(at, target, "must be a relative path"));
    }
    validate_no_backsteps(target, at, errors);
}

/// As [`validate_descending`], and nothing that starts with `..`, which volumes keep for themselves.
pub(super) fn validate_unreserved(target: &str, at: &Path, errors: &mut ErrorList) {
    validate_descending(target, at, errors);
    if target.starts_with("..") && !target.starts_with("../") {
        errors.push(Error::invalid(at, target, "must not start with '..'"));
    }
}

/// The permission bits of a file.
pub(super) fn validate_mode(mode: Option<i64>, at: &Path, errors: &mut ErrorList) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(Error::invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
    }
}

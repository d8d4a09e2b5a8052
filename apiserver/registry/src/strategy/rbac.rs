//! Roles and bindings: what they must say, and that a binding keeps its role.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, is_valid_path_segment_name};
use schema::types;
use serde_json::Value;

use super::Scope;
use super::check::{one_of, words};
use super::read::{at, list, same, text};

const GROUP: &str = authorization::rbac::GROUP;

/// What is wrong with a role.
pub(super) fn validate_role(role: &Value, scope: &Scope<'_>) -> ErrorList {
    let mut errors = ErrorList::new();
    for (index, rule) in list(role, "rules").iter().enumerate() {
        validate_rule(rule, scope.row.namespaced, &Path::new("rules").index(index), &mut errors);
    }
    let selectors = Path::new("aggregationRule").child("clusterRoleSelectors");
    if at(role, "aggregationRule").is_object() {
        let stated = list(at(role, "aggregationRule"), "clusterRoleSelectors");
        if stated.is_empty() {
            errors.push(Error::required(
                &selectors,
                "at least one clusterRoleSelector required if aggregationRule is non-nil",
            ));
        }
        for (index, selector) in stated.iter().enumerate() {
            let path = selectors.index(index);
            errors.extend(validation::validate_label_selector(selector, false, &path));
        }
    }
    errors
}

/// What is wrong with a change of a role. Upstream checks it as a new one a second time.
pub(super) fn validate_role_update(role: &Value, _old: &Value, scope: &Scope<'_>) -> ErrorList {
    validate_role(role, scope)
}

fn validate_rule(rule: &Value, namespaced: bool, path: &Path, errors: &mut ErrorList) {
    let empty = |field: &str| list(rule, field).is_empty();
    if empty("verbs") {
        errors.push(Error::required(&path.child("verbs"), "verbs must contain at least one value"));
    }
    if !empty("nonResourceURLs") {
        let (urls, path) = (at(rule, "nonResourceURLs"), path.child("nonResourceURLs"));
        if namespaced {
            errors.push(Error::invalid(&path, urls.clone(), "namespaced rules cannot apply to non-resource URLs"));
        }
        if !empty("apiGroups") || !empty("resources") || !empty("resourceNames") {
            let words = "rules cannot apply to both regular resources and non-resource URLs";
            errors.push(Error::invalid(&path, urls.clone(), words));
        }
        return;
    }
    if empty("apiGroups") {
        errors.push(Error::required(&path.child("apiGroups"), "resource rules must supply at least one api group"));
    }
    if empty("resources") {
        errors.push(Error::required(&path.child("resources"), "resource rules must supply at least one resource"));
    }
}

/// What is wrong with a binding.
pub(super) fn validate_binding(binding: &Value, scope: &Scope<'_>) -> ErrorList {
    let (mut errors, role, path) = (ErrorList::new(), at(binding, "roleRef"), Path::new("roleRef"));
    one_of(text(role, "apiGroup"), &[GROUP], &path.child("apiGroup"), &mut errors);
    let kinds: &[&str] = if scope.row.namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    one_of(text(role, "kind"), kinds, &path.child("kind"), &mut errors);
    match text(role, "name") {
        "" => errors.push(Error::required(&path.child("name"), "")),
        name => errors.extend(words(is_valid_path_segment_name(name), name, &path.child("name"))),
    }
    for (index, subject) in list(binding, "subjects").iter().enumerate() {
        validate_subject(subject, scope.row.namespaced, &Path::new("subjects").index(index), &mut errors);
    }
    errors
}

/// What is wrong with a change of a binding: its role stays. Upstream checks it as a new one a second time.
pub(super) fn validate_binding_update(binding: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let mut errors = validate_binding(binding, scope);
    let (role, before) = (at(binding, "roleRef"), at(old, "roleRef"));
    if !same(role, before) {
        let shown = types::bad_value("rbac.RoleRef", role);
        errors.push(Error::invalid(&Path::new("roleRef"), shown, "cannot change roleRef"));
    }
    errors
}

fn validate_subject(subject: &Value, namespaced: bool, path: &Path, errors: &mut ErrorList) {
    let (name, group) = (text(subject, "name"), text(subject, "apiGroup"));
    if name.is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    match text(subject, "kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                errors.extend(words(validation::name_is_dns_subdomain(name, false), name, &path.child("name")));
            }
            if !group.is_empty() {
                errors.push(Error::not_supported(&path.child("apiGroup"), group, &[""]));
            }
            if !namespaced && text(subject, "namespace").is_empty() {
                errors.push(Error::required(&path.child("namespace"), ""));
            }
        }
        "User" | "Group" => one_of(group, &[GROUP], &path.child("apiGroup"), errors),
        kind => one_of(kind, &["ServiceAccount", "User", "Group"], &path.child("kind"), errors),
    }
}

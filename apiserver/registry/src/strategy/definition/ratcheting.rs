//! What a changed definition is checked for: what was wrong before may mostly stay so.

use std::collections::HashSet;

use apimachinery::field::{ErrorList, Path};
use schema::crd::{self, Checks};
use serde_json::Value;

use super::selectable_fields::MOST;
use super::{conversion, is_established, spec::Spec};
use crate::strategy::read::{at, list, same, text};
use crate::strategy::webhook_client;

/// How strictly a definition is checked.
#[derive(Debug)]
pub(super) struct Ratchet {
    /// Webhooks must ask for a version of reviews that is known.
    pub known_reviews: bool,
    /// Scope and kind stay.
    pub immutable_names: bool,
    /// Every version has a schema.
    pub schemas: bool,
    /// Authorities must be such.
    pub ca_bundles: bool,
    /// What schemas are checked for; whether there is a status and what rules cost is a matter of the version.
    pub checks: Checks,
    /// The versions whose schemas are as they were: what was accepted before stays so after an upgrade.
    unchanged: HashSet<String>,
    /// The versions (`""`: all) whose fields to select by are as many as they were, though too many.
    many_fields: HashSet<String>,
}

impl Ratchet {
    /// For a new definition.
    pub(super) fn new() -> Self {
        Self {
            known_reviews: true,
            immutable_names: false,
            schemas: true,
            // Until it is established.
            ca_bundles: false,
            checks: Checks::ALL,
            unchanged: HashSet::new(),
            many_fields: HashSet::new(),
        }
    }

    /// For `new`, of which `old` was before.
    pub(super) fn of_change(new: &Spec<'_>, old: &Spec<'_>, old_definition: &Value) -> Self {
        let has = |question: fn(&Value) -> bool| old.schemas().any(question);
        let established = is_established(old_definition);
        Self {
            known_reviews: conversion::has_known_review(&old.conversion()),
            immutable_names: established,
            schemas: old.all_have_schemas(),
            ca_bundles: established && !has_bad_bundle(&old.conversion()),
            checks: Checks {
                structural: !has(|schema| !crd::is_structural(schema)),
                pruned_defaults: !has(crd::has_unpruned_defaults),
                types: !has(crd::has_unknown_types),
                atomic_sets: !has(crd::has_granular_sets),
                strict_items: !has(crd::has_loose_items),
                ..Checks::ALL
            },
            unchanged: unchanged_schemas(new, old),
            many_fields: as_many_fields(new, old),
        }
    }

    /// What the schema of a version is checked for.
    pub(super) fn checks_of(&self, version: &str, status: bool) -> Checks {
        Checks { status, rule_costs: !self.unchanged.contains(version), ..self.checks }
    }

    /// Whether a version may have more fields to select by than others.
    pub(super) fn allows_many_fields(&self, version: &str) -> bool {
        self.many_fields.contains(version)
    }
}

fn has_bad_bundle(conversion: &Value) -> bool {
    webhook_client::ca_bundle_problem(text(at(conversion, "webhookClientConfig"), "caBundle")).is_some()
}

fn unchanged_schemas(new: &Spec<'_>, old: &Spec<'_>) -> HashSet<String> {
    let names = new.versions().iter().map(|version| text(version, "name"));
    let unchanged = names.filter(|name| match (new.schema_of(name), old.schema_of(name)) {
        (Some(new), Some(old)) => same(new, old),
        _ => false,
    });
    unchanged.map(str::to_owned).collect()
}

fn as_many_fields(new: &Spec<'_>, old: &Spec<'_>) -> HashSet<String> {
    let still_many = |new: &Value, old: &Value| {
        list(old, "selectableFields").len() > MOST && same(at(new, "selectableFields"), at(old, "selectableFields"))
    };
    let named = |name: &str| old.versions().iter().rfind(|version| text(version, "name") == name);
    let versions = new
        .versions()
        .iter()
        .filter(|version| named(text(version, "name")).is_some_and(|old| still_many(version, old)));
    let mut many: HashSet<String> = versions.map(|version| text(version, "name").to_owned()).collect();
    if still_many(new.whole(), old.whole()) {
        many.insert(String::new());
    }
    many
}

/// What may not change: the group and the plural, which name the definition, and when it is established what instances are
/// stored under.
pub(super) fn immutable(new: &Spec<'_>, old: &Spec<'_>, ratchet: &Ratchet, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let (names, of_names) = (path.child("names"), |spec: &Spec<'_>| at(spec.whole(), "names").clone());
    let (new_names, old_names) = (of_names(new), of_names(old));
    let mut keep = |new: &Value, old: &Value, field: &str, path: &Path| {
        let (new, old) = (text(new, field), text(old, field));
        errors.extend(apimachinery::validation::validate_immutable_field(
            &Value::from(new),
            &Value::from(old),
            &path.child(field),
        ));
    };
    if ratchet.immutable_names {
        keep(new.whole(), old.whole(), "scope", path);
        keep(&new_names, &old_names, "kind", &names);
    }
    keep(new.whole(), old.whole(), "group", path);
    keep(&new_names, &old_names, "plural", &names);
    errors
}

//! A definition's spec in upstream's internal form: what all versions have alike stands in the spec itself.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{is_dns1035_label, is_dns1123_subdomain};
use schema::{crd, types};
use serde_json::{Map, Value};

use super::ratcheting::Ratchet;
use super::{columns, conversion, names, selectable_fields, subresources, versions};
use crate::strategy::check;
use crate::strategy::read::{at, flag, has, list, text};

/// The spec, as it is checked.
#[derive(Debug)]
pub(super) struct Spec<'a> {
    /// As it was sent.
    sent: &'a Value,
    /// In the internal form.
    internal: Value,
}

impl<'a> Spec<'a> {
    pub(super) fn of(definition: &'a Value) -> Self {
        let sent = at(definition, "spec");
        let none = Map::new();
        let fields = types::converted("apiextensions.CustomResourceDefinitionSpec", sent.as_object().unwrap_or(&none));
        Self { sent, internal: Value::Object(fields.into_owned()) }
    }

    /// All of it.
    pub(super) fn whole(&self) -> &Value {
        &self.internal
    }

    /// Its versions, without what they have alike.
    pub(super) fn versions(&self) -> &[Value] {
        list(&self.internal, "versions")
    }

    /// Its conversion, with the webhook's fields in it; null if there is none.
    pub(super) fn conversion(&self) -> Value {
        let fields = at(self.sent, "conversion").as_object();
        let converted = |fields| types::converted("apiextensions.CustomResourceConversion", fields).into_owned();
        fields.map_or(Value::Null, |fields| Value::Object(converted(fields)))
    }

    /// The schemas that there are.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &Value> {
        let versions = self.versions().iter().map(|version| schema_in(version, "schema"));
        std::iter::once(schema_in(&self.internal, "validation")).chain(versions).flatten()
    }

    /// Whether every version has a schema.
    pub(super) fn all_have_schemas(&self) -> bool {
        schema_in(&self.internal, "validation").is_some()
            || self.versions().iter().all(|version| schema_in(version, "schema").is_some())
    }

    /// The validation of a version, null if it has none; `None` if there is no such version. What all have alike is any's.
    pub(super) fn schema_of(&self, version: &str) -> Option<&Value> {
        if !self.versions().iter().any(|version| has(version, "schema")) {
            return Some(at(&self.internal, "validation"));
        }
        self.versions().iter().find(|of| text(of, "name") == version).map(|of| at(of, "schema"))
    }

    /// The subresources of a version.
    pub(super) fn subresources_of(&self, version: &Value) -> &Value {
        if self.versions().iter().any(|version| has(version, "subresources")) {
            let named = self.versions().iter().find(|of| text(of, "name") == text(version, "name"));
            return named.map_or(&Value::Null, |of| at(of, "subresources"));
        }
        at(&self.internal, "subresources")
    }

    fn preserves_unknown(&self) -> bool {
        flag(&self.internal, "preserveUnknownFields")
    }
}

/// The `openAPIV3Schema` of a version (`schema`) or of all (`validation`).
pub(super) fn schema_in<'a>(of: &'a Value, field: &str) -> Option<&'a Value> {
    Some(at(at(of, field), "openAPIV3Schema")).filter(|schema| !schema.is_null())
}

/// What is wrong with a spec, in upstream's order.
pub(super) fn validate(spec: &Spec<'_>, ratchet: &Ratchet, path: &Path) -> ErrorList {
    let whole = spec.whole();
    let mut errors = group(text(whole, "group"), &path.child("group"));
    check::required_one_of(text(whole, "scope"), &["Cluster", "Namespaced"], &path.child("scope"), &mut errors);
    let preserves = spec.preserves_unknown();
    errors.extend(missing_schemas(spec, ratchet, path));
    let has_defaults = spec.schemas().any(crd::has_defaults);
    if has_defaults && preserves {
        let why = "must be false in order to use defaults in the schema";
        errors.push(Error::invalid(&path.child("preserveUnknownFields"), true, why));
    }
    // Pruning, defaults and extensions need structural schemas, whatever was there before.
    let structural = ratchet.checks.structural || !preserves || has_defaults || spec.schemas().any(crd::has_extensions);

    errors.extend(versions::validate(spec, ratchet, structural, path));

    let names_path = path.child("names");
    errors.extend(names::validate_required(at(whole, "names"), &names_path));
    errors.extend(names::validate(at(whole, "names"), &names_path));
    let any_status = std::iter::once(whole).chain(spec.versions());
    let any_status = any_status.into_iter().any(|of| subresources::has_status(at(of, "subresources")));
    if let Some(schema) = schema_in(whole, "validation") {
        let checks = crd::Checks { structural, ..ratchet.checks_of(text(whole, "version"), any_status) };
        errors.extend(crd::validate(schema, &path.child("validation").child("openAPIV3Schema"), &checks));
    }
    errors.extend(subresources::validate(at(whole, "subresources"), &path.child("subresources")));
    errors.extend(columns::validate(whole, path));
    errors.extend(of_all(whole, ratchet, path));
    errors.extend(conversion::validate(&spec.conversion(), preserves, ratchet, &path.child("conversion")));
    errors
}

fn of_all(whole: &Value, ratchet: &Ratchet, path: &Path) -> ErrorList {
    let fields_path = path.child("selectableFields");
    let fields = list(whole, "selectableFields");
    match at(whole, "validation") {
        _ if fields.is_empty() => ErrorList::new(),
        Value::Null => vec![Error::invalid(&fields_path, "", "may only be set when validations.schema is included")],
        validation => {
            let schema = at(validation, "openAPIV3Schema");
            selectable_fields::validate(fields, schema, ratchet.allows_many_fields(""), &fields_path, path)
        }
    }
}

fn group(group: &str, path: &Path) -> ErrorList {
    if group.is_empty() {
        return vec![Error::required(path, "")];
    }
    let wrong = is_dns1123_subdomain(group);
    if !wrong.is_empty() {
        return vec![Error::invalid(path, group, wrong.join(","))];
    }
    if !group.contains('.') {
        return vec![Error::invalid(path, group, "should be a domain with at least one dot")];
    }
    ErrorList::new()
}

/// The versions without a schema: there may be some where there were before, as long as nothing of them is dropped.
fn missing_schemas(spec: &Spec<'_>, ratchet: &Ratchet, path: &Path) -> ErrorList {
    if schema_in(spec.whole(), "validation").is_some() || (!ratchet.schemas && spec.preserves_unknown()) {
        return ErrorList::new();
    }
    let why = if ratchet.schemas { "" } else { "because otherwise all fields are pruned" };
    let counts = |version: &Value| ratchet.schemas || flag(version, "served");
    let missing = spec.versions().iter().enumerate();
    let missing = missing.filter(|(_, version)| counts(version) && schema_in(version, "schema").is_none());
    let path = path.child("versions");
    missing
        .map(|(index, _)| Error::required(&path.index(index).child("schema").child("openAPIV3Schema"), why))
        .collect()
}

/// What is wrong with the names and flags of the versions together.
pub(super) fn validate_together(spec: &Spec<'_>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let versions_path = path.child("versions");
    let shown = || types::bad_value("[]apiextensions.CustomResourceDefinitionVersion", at(spec.whole(), "versions"));
    let mut names = HashSet::new();
    if !spec.versions().iter().all(|version| names.insert(text(version, "name"))) {
        errors.push(Error::invalid(&versions_path, shown(), "must contain unique version names"));
    }
    if spec.versions().iter().filter(|version| flag(version, "storage")).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(Error::invalid(&versions_path, shown(), why));
    }
    // As upstream, which has the first version's name apart, too.
    let first = text(spec.whole(), "version");
    let wrong = is_dns1035_label(first);
    if !first.is_empty() && !wrong.is_empty() {
        errors.push(Error::invalid(&path.child("version"), first, wrong.join(",")));
    }
    errors
}

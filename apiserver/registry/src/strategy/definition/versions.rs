//! The versions of a definition.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote;
use apimachinery::validation::is_dns1035_label;
use schema::crd::{self, Checks};
use serde_json::Value;

use super::ratcheting::Ratchet;
use super::spec::{self, Spec, schema_in};
use super::{columns, selectable_fields, subresources};
use crate::strategy::read::{at, flag, list, text};

/// The longest warning, in bytes.
const LONGEST_WARNING: usize = 256;

/// What is wrong with each version and with all together. `structural`: their schemas must be.
pub(super) fn validate(spec: &Spec<'_>, ratchet: &Ratchet, structural: bool, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (index, version) in spec.versions().iter().enumerate() {
        let path = path.child("versions").index(index);
        let name = text(version, "name");
        let wrong = is_dns1035_label(name);
        if !wrong.is_empty() {
            errors.push(Error::invalid(&path.child("name"), name, wrong.join(",")));
        }
        let status = subresources::has_status(spec.subresources_of(version));
        let checks = Checks { structural, ..ratchet.checks_of(name, status) };
        errors.extend(one(version, &checks, ratchet.allows_many_fields(name), &path));
    }
    errors.extend(spec::validate_together(spec, path));
    errors
}

fn one(version: &Value, checks: &Checks, many_fields: bool, path: &Path) -> ErrorList {
    let mut errors = deprecation(version, &path.child("deprecationWarning"));
    let schema = schema_in(version, "schema");
    if let Some(schema) = schema {
        errors.extend(crd::validate(schema, &path.child("schema").child("openAPIV3Schema"), checks));
    }
    errors.extend(subresources::validate(at(version, "subresources"), &path.child("subresources")));
    errors.extend(columns::validate(version, path));
    let fields = list(version, "selectableFields");
    let fields_path = path.child("selectableFields");
    match schema {
        _ if fields.is_empty() => {}
        None => {
            // So upstream words it.
            let why = "may only be set when `version.schema.openAPIV3Schema` is not included";
            errors.push(Error::invalid(&fields_path, "", why));
        }
        Some(schema) => errors.extend(selectable_fields::validate(fields, schema, many_fields, &fields_path, path)),
    }
    errors
}

fn deprecation(version: &Value, path: &Path) -> ErrorList {
    let Some(warning) = at(version, "deprecationWarning").as_str() else { return ErrorList::new() };
    let wrong = |why: &str| Error::invalid(path, warning, why);
    if !flag(version, "deprecated") {
        return vec![wrong("can only be set for deprecated versions")];
    }
    let mut errors = ErrorList::new();
    if warning.len() > LONGEST_WARNING {
        errors.push(wrong("must be <= 256 characters long"));
    }
    if warning.is_empty() {
        errors.push(wrong("must not be an empty string"));
    }
    if let Some((index, _)) = warning.char_indices().find(|(_, char)| !quote::is_print(*char)) {
        let why = "must only contain printable UTF-8 characters; non-printable character found at index";
        errors.push(wrong(&format!("{why} {index}")));
    }
    errors
}

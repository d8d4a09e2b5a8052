//! The selectors that a question about resources may be narrowed by.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::{fields, labels};
use apimachinery::validation;
use serde_json::Value;

use super::strings;

/// What is wrong with `fieldSelector` and `labelSelector` of `resourceAttributes`. An operator that is not known is no
/// mistake: a newer client may know it.
pub(super) fn validate(resource: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (name, of_labels) in [("fieldSelector", false), ("labelSelector", true)] {
        let Some(selector) = resource.get(name).filter(|selector| selector.is_object()) else { continue };
        let path = path.child(name);
        let raw = selector.get("rawSelector").and_then(Value::as_str).unwrap_or_default();
        let requirements = selector.get("requirements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if !raw.is_empty() && !requirements.is_empty() {
            let words = "may not specified at the same time as requirements";
            errors.push(Error::invalid(&path.child("rawSelector"), raw, words));
        }
        if raw.is_empty() && requirements.is_empty() {
            let words = format!("when {path} is specified, requirements or rawSelector is required");
            errors.push(Error::required(&path.child("requirements"), words));
        }
        for (index, requirement) in requirements.iter().enumerate() {
            requirement_errors(requirement, of_labels, &path.child("requirements").index(index), &mut errors);
        }
    }
    errors
}

/// What a selector of `resourceAttributes` says. Terms narrow, so those that cannot be read may be left out: more is asked
/// for then, never less.
pub(super) struct Terms<R> {
    /// What can be read.
    pub read: Vec<R>,
    /// Whether something cannot.
    pub incomplete: bool,
}

impl<R> Terms<R> {
    fn of(
        resource: &Value,
        selector: &str,
        parse: impl Fn(&str) -> Option<Vec<R>>,
        term: impl Fn(&Value) -> Option<R>,
    ) -> Self {
        let selector = resource.get(selector).unwrap_or(&Value::Null);
        let raw = selector.get("rawSelector").and_then(Value::as_str).filter(|raw| !raw.is_empty());
        let stated = selector.get("requirements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if stated.is_empty() {
            let parsed = raw.map(parse);
            return Self { incomplete: matches!(parsed, Some(None)), read: parsed.flatten().unwrap_or_default() };
        }
        let read: Vec<R> = stated.iter().filter_map(term).collect();
        Self { incomplete: read.len() < stated.len(), read }
    }

    /// What the asker is told of a selector that was not read as a whole.
    pub fn evaluation_error(&self, selector: &str) -> Option<String> {
        let partially = if self.read.is_empty() { "" } else { "partially " };
        let words = || format!("spec.resourceAttributes.{selector} {partially}ignored due to parse error");
        self.incomplete.then(words)
    }
}

/// The terms of `fieldSelector`; those with one value can be read.
pub(super) fn fields(resource: &Value) -> Terms<fields::Requirement> {
    let parse = |raw: &str| fields::Selector::parse(raw).ok().map(|selector| selector.requirements().to_vec());
    Terms::of(resource, "fieldSelector", parse, |term| {
        let operator = match text(term, "operator") {
            "In" => fields::Operator::Equals,
            "NotIn" => fields::Operator::NotEquals,
            _ => return None,
        };
        match strings(term.get("values")).as_slice() {
            [value] => {
                Some(fields::Requirement { field: text(term, "key").to_owned(), operator, value: value.clone() })
            }
            _ => None,
        }
    })
}

/// The terms of `labelSelector`.
pub(super) fn labels(resource: &Value) -> Terms<labels::Requirement> {
    let parse = |raw: &str| labels::Selector::parse(raw).ok().map(|selector| selector.requirements().to_vec());
    Terms::of(resource, "labelSelector", parse, |term| {
        let operator = match text(term, "operator") {
            "In" => labels::Operator::In,
            "NotIn" => labels::Operator::NotIn,
            "Exists" => labels::Operator::Exists,
            "DoesNotExist" => labels::Operator::DoesNotExist,
            _ => return None,
        };
        let path = Path::new("requirements");
        labels::Requirement::new(text(term, "key"), operator, strings(term.get("values")), &path).ok()
    })
}

fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn requirement_errors(requirement: &Value, of_labels: bool, path: &Path, errors: &mut ErrorList) {
    let values = strings(requirement.get("values"));
    let key = text(requirement, "key");
    if !of_labels && key.is_empty() {
        errors.push(Error::required(&path.child("key"), "must be specified"));
    }
    match text(requirement, "operator") {
        "In" | "NotIn" if values.is_empty() => {
            let words = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&path.child("values"), words));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&path.child("values"), words));
        }
        _ => {}
    }
    if of_labels {
        errors.extend(validation::validate_label_name(key, &path.child("key")));
        for (index, value) in values.iter().enumerate() {
            for words in validation::is_valid_label_value(value) {
                errors.push(Error::invalid(&path.child("values").index(index), value.as_str(), words));
            }
        }
    }
}

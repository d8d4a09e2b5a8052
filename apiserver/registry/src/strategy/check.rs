//! Checks that rules of many kinds are made of, in upstream's words.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, FIELD_IMMUTABLE, NOT_NEGATIVE};
use serde_json::Value;

use super::read::{at, entries, list, number, number_or_zero, same, texts};

/// A list's texts, collected.
pub(super) fn lists<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    texts(value, field).collect()
}

/// The value is one of those known, which are given in upstream's order.
pub(super) fn one_of(value: &str, known: &[&str], path: &Path, errors: &mut ErrorList) {
    if !known.contains(&value) {
        errors.push(Error::not_supported(path, value, known));
    }
}

/// There is a value, and it is one of those known.
pub(super) fn required_one_of(value: &str, known: &[&str], path: &Path, errors: &mut ErrorList) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    } else {
        one_of(value, known, path, errors);
    }
}

/// What a rule of formats says of a text.
pub(super) fn words(messages: impl IntoIterator<Item = impl Into<String>>, text: &str, path: &Path) -> ErrorList {
    messages.into_iter().map(|why| Error::invalid(path, text, why)).collect()
}

/// A DNS subdomain.
pub(super) fn subdomain_words(text: &str, path: &Path) -> ErrorList {
    words(validation::is_dns1123_subdomain(text), text, path)
}

/// A DNS label.
pub(super) fn label_words(text: &str, path: &Path) -> ErrorList {
    words(validation::is_dns1123_label(text), text, path)
}

/// A name with an optional DNS prefix.
pub(super) fn qualified_name(text: &str, path: &Path) -> ErrorList {
    words(validation::is_qualified_name(text), text, path)
}

/// A port by number or by name.
pub(super) fn port_number_or_name(port: &Value, path: &Path) -> ErrorList {
    match port {
        Value::String(name) => words(validation::is_valid_port_name(name), name, path),
        port => port_number(port.as_i64().unwrap_or(0), path),
    }
}

/// A port's number.
pub(super) fn port_number(port: i64, path: &Path) -> ErrorList {
    validation::is_valid_port_number(port).into_iter().map(|why| Error::invalid(path, port, why)).collect()
}

/// A number of at least 0; absent is 0.
pub(super) fn not_negative(object: &Value, field: &str, path: &Path, errors: &mut ErrorList) {
    let number = number_or_zero(object, field);
    if number < 0 {
        errors.push(Error::invalid(&path.child(field), number, NOT_NEGATIVE));
    }
}

/// A field that may not change.
pub(super) fn immutable(object: &Value, old: &Value, field: &str, path: &Path, errors: &mut ErrorList) {
    if !same(at(object, field), at(old, field)) {
        errors.push(Error::invalid(&path.child(field), at(object, field).clone(), FIELD_IMMUTABLE));
    }
}

/// Numbers of at least 0.
pub(super) fn all_not_negative(object: &Value, fields: &[&str], path: &Path, errors: &mut ErrorList) {
    fields.iter().for_each(|field| not_negative(object, field, path, errors));
}

/// What is wrong where one number is more than another; `words` say of what.
pub(super) fn not_more(object: &Value, field: &str, than: &str, words: &str, path: &Path, errors: &mut ErrorList) {
    let value = number_or_zero(object, field);
    if value > number_or_zero(object, than) {
        errors.push(Error::invalid(&path.child(field), value, words));
    }
}

/// A counter that only goes up.
pub(super) fn not_decremented(object: &Value, old: &Value, field: &str, path: &Path, errors: &mut ErrorList) {
    let Some(before) = number(old, field) else { return };
    let value = number(object, field);
    if value.is_none_or(|value| value < before) {
        errors.push(Error::invalid(&path.child(field), value.unwrap_or(0), "cannot be decremented"));
    }
}

/// A number of at least 0, or a percentage of at least 0.
pub(super) fn number_or_percent(value: &Value, path: &Path, errors: &mut ErrorList) {
    match value {
        Value::String(text) => {
            errors.extend(words(validation::is_valid_percent(text), text, path));
        }
        value => {
            let number = value.as_i64().unwrap_or(0);
            if number < 0 {
                errors.push(Error::invalid(path, number, NOT_NEGATIVE));
            }
        }
    }
}

/// A percentage of at most 100.
pub(super) fn at_most_all(value: &Value, path: &Path, errors: &mut ErrorList) {
    if value.as_str().and_then(percent).is_some_and(|percent| percent > 100) {
        errors.push(Error::invalid(path, value.clone(), "must not be greater than 100%"));
    }
}

/// The number of a number or a percentage.
pub(super) fn amount(value: &Value) -> i64 {
    match value {
        Value::String(text) => percent(text).or_else(|| text.parse().ok()).unwrap_or(0),
        value => value.as_i64().unwrap_or(0),
    }
}

fn percent(text: &str) -> Option<i64> {
    if !validation::is_valid_percent(text).is_empty() {
        return None;
    }
    text.strip_suffix('%')?.parse().ok()
}

/// Whether a label selector selects nothing in particular.
pub(super) fn selects_all(selector: &Value) -> bool {
    entries(selector, "matchLabels").next().is_none() && list(selector, "matchExpressions").is_empty()
}

/// A domain with a path below it.
pub(super) fn domain_prefixed_path(text: &str, path: &Path) -> ErrorList {
    if text.is_empty() {
        return vec![Error::required(path, "")];
    }
    let (host, rest) = text.split_once('/').unwrap_or((text, ""));
    if host.is_empty() || rest.is_empty() {
        return vec![Error::invalid(path, text, "must be a domain-prefixed path (such as \"acme.io/foo\")")];
    }
    let mut errors: ErrorList =
        validation::is_dns1123_subdomain(host).into_iter().map(|why| Error::invalid(path, host, why)).collect();
    let is_path = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte));
    if !is_path {
        const PATH: &str = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
        errors.push(Error::invalid(path, rest, validation::regex_message("Invalid path", PATH, &[])));
    }
    errors
}

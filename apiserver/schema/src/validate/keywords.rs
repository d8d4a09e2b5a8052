//! The OpenAPI keywords, in the order and words of upstream's kube-openapi validator.

use std::borrow::Cow;
use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path, push_index};
use serde_json::{Map, Value};

use crate::correlation::Correlated;
use crate::formats;
use crate::node::{Additional, Constraints, Kind, Node};
use crate::validate::number;

/// One failed check. `message` is what upstream tells it apart by: a message is reported once a value.
pub(super) struct Failure {
    pub message: String,
    pub error: Error,
}

/// The outcome of a node's checks. Of several alternatives the one with the most passed checks is reported.
#[derive(Default)]
pub(super) struct Outcome {
    pub failures: Vec<Failure>,
    pub passed: usize,
}

impl Outcome {
    pub fn absorb(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.passed += other.passed;
    }

    fn is_valid(&self) -> bool {
        self.failures.is_empty()
    }
}

pub(super) fn validate(root: &Node, value: &Value, old: Option<&Value>, path: &Path) -> ErrorList {
    let mut walk = Walk { base: path, name: String::new() };
    walk.ratcheted(root, value, old.map(|old| Correlated::of(root, value, old)))
        .failures
        .into_iter()
        .map(|failure| failure.error)
        .collect()
}

pub(super) struct Walk<'a> {
    base: &'a Path,
    /// The value's path below `base`, as messages show it: `spec.items[0]`.
    pub name: String,
}

impl Walk<'_> {
    /// Validates a value; errors of one that is as it was are let pass.
    fn ratcheted(&mut self, node: &Node, value: &Value, old: Option<Correlated<'_>>) -> Outcome {
        let mut outcome = self.value(node, value, old);
        if !outcome.is_valid() && old.is_some_and(Correlated::is_unchanged) {
            outcome.failures.clear();
        }
        outcome
    }

    fn value(&mut self, node: &Node, value: &Value, old: Option<Correlated<'_>>) -> Outcome {
        let constraints = node.constraints.as_deref();
        let mut outcome = self.type_of(node, value);
        if value.is_null() {
            outcome.failures.extend(constraints.and_then(|c| self.one_of_the_allowed(c, value)));
            return outcome;
        }
        // Upstream counts a pass for each check made, whatever its outcome.
        if has_type(node) || self.format(node).is_some() {
            outcome.passed += 1;
        }
        outcome.passed += 4;
        if let Some(constraints) = constraints
            && !(constraints.any_of.is_empty()
                && constraints.one_of.is_empty()
                && constraints.all_of.is_empty()
                && constraints.not.is_none())
        {
            self.alternatives(constraints, value, old, &mut outcome);
        }
        match value {
            Value::String(text) => {
                outcome.passed += 1;
                outcome.failures.extend(constraints.and_then(|c| self.string(c, text)));
                if let Some(format) = self.format(node)
                    && formats::check(format, text) == Some(false)
                {
                    outcome.failures.push(self.wrong_type(format, text));
                }
            }
            Value::Number(given) => {
                outcome.passed += 2;
                number::validate(self, node, given, &mut outcome);
            }
            Value::Array(list) => {
                outcome.passed += 2;
                self.list(node, list, old, &mut outcome);
            }
            _ => {}
        }
        outcome.failures.extend(constraints.and_then(|c| self.one_of_the_allowed(c, value)));
        if let Value::Object(object) = value {
            outcome.passed += 1;
            self.object(node, object, old, &mut outcome);
        }
        outcome
    }

    fn type_of(&self, node: &Node, value: &Value) -> Outcome {
        let mut outcome = Outcome::default();
        let types = types(node);
        let format = self.format(node);
        let (found, found_format) = match value {
            Value::Null => {
                if !types.is_empty() && !node.nullable {
                    outcome.failures.push(self.wrong_type(&types.join(","), "null"));
                } else {
                    outcome.passed += 1;
                }
                return outcome;
            }
            Value::Bool(_) => ("boolean", ""),
            Value::String(_) => ("string", ""),
            Value::Array(_) => ("array", ""),
            Value::Object(_) => ("object", ""),
            Value::Number(n) if n.is_i64() => ("integer", "int64"),
            Value::Number(_) => ("number", "float64"),
        };
        if types.is_empty() && format.is_none() {
            return outcome;
        }
        let numeric = types.contains(&"number") || types.contains(&"integer");
        let fits = types.contains(&found)
            || (found == "integer" && types.contains(&"number"))
            || (found == "number" && types.contains(&"integer") && value.as_f64().is_some_and(number::is_json_integer));
        let text_or_list = value.is_string() || value.is_array();
        if let Some(format) = format {
            if !text_or_list && !fits && found_format != format {
                outcome.failures.push(self.wrong_type(format, found_format));
                return outcome;
            }
            if !numeric && text_or_list {
                outcome.passed += 1;
                return outcome;
            }
        }
        if fits {
            outcome.passed += 1;
        } else {
            outcome.failures.push(self.wrong_type(&types.join(","), found));
        }
        outcome
    }

    /// The node's format, if it is one that is checked on values of its type.
    pub fn format<'n>(&self, node: &'n Node) -> Option<&'n str> {
        let single = match types(node) {
            [single] => Some(*single),
            _ => None,
        };
        node.format.as_deref().filter(|format| formats::is_supported(format, single))
    }

    fn alternatives(
        &mut self,
        constraints: &Constraints,
        value: &Value,
        old: Option<Correlated<'_>>,
        outcome: &mut Outcome,
    ) {
        let mut own = Outcome::default();
        if !constraints.any_of.is_empty() {
            let mut best: Option<Outcome> = None;
            let mut valid = None;
            for node in &constraints.any_of {
                let result = self.value(node, value, old);
                if result.is_valid() {
                    valid = Some(result);
                    break;
                }
                if best.as_ref().is_none_or(|b| result.passed > b.passed) {
                    best = Some(result);
                }
            }
            if valid.is_none() {
                own.failures.push(self.plain(format!("{:?} must validate at least one schema (anyOf)", self.name)));
            }
            if let Some(result) = valid.or(best) {
                own.absorb(result);
            }
        }
        if !constraints.one_of.is_empty() {
            let mut best: Option<Outcome> = None;
            let mut first: Option<Outcome> = None;
            let mut valid = 0;
            for node in &constraints.one_of {
                let result = self.value(node, value, old);
                if result.is_valid() {
                    valid += 1;
                    best = None;
                    first.get_or_insert(result);
                } else if valid == 0 && best.as_ref().is_none_or(|b| result.passed > b.passed) {
                    best = Some(result);
                }
            }
            if valid == 1 {
                own.absorb(first.unwrap_or_default());
            } else {
                let found = match valid {
                    0 => "Found none valid".to_owned(),
                    n => format!("Found {n} valid alternatives"),
                };
                let message = format!("{:?} must validate one and only one schema (oneOf). {found}", self.name);
                own.failures.push(self.plain(message));
                own.absorb(best.unwrap_or_default());
            }
        }
        let mut valid = 0;
        for node in &constraints.all_of {
            let result = self.value(node, value, old);
            valid += usize::from(result.is_valid());
            own.absorb(result);
        }
        if valid != constraints.all_of.len() {
            let none = if valid == 0 { ". None validated" } else { "" };
            own.failures.push(self.plain(format!("{:?} must validate all the schemas (allOf){none}", self.name)));
        }
        if let Some(node) = &constraints.not
            && self.value(node, value, old).is_valid()
        {
            own.failures.push(self.plain(format!("{:?} must not validate the schema (not)", self.name)));
        }
        outcome.absorb(own);
        // Alternatives say the same of the same value: once is enough.
        let mut seen = HashSet::new();
        outcome.failures.retain(|failure| seen.insert(failure.message.clone()));
    }

    fn string(&self, constraints: &Constraints, text: &str) -> Option<Failure> {
        let length = || i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(max) = constraints.max_length
            && length() > max
        {
            let message = format!("{} in body should be at most {max} chars long", self.name);
            return Some(self.failure(message, |path, _| Error::too_long(path, count(max))));
        }
        if let Some(min) = constraints.min_length
            && length() < min
        {
            return Some(self.invalid(text, format!("{} in body should be at least {min} chars long", self.name)));
        }
        let pattern = constraints.pattern.as_ref()?;
        let wanted = match pattern.regex() {
            Ok(regex) if regex.is_match(text) => return None,
            Ok(_) => pattern.text.to_string(),
            Err(why) => format!("{}, but pattern is invalid: {why}", pattern.text),
        };
        Some(self.invalid(text, format!("{} in body should match '{wanted}'", self.name)))
    }

    fn list(&mut self, node: &Node, list: &[Value], old: Option<Correlated<'_>>, outcome: &mut Outcome) {
        if let Some(items) = &node.items {
            let mut before = old.map(Correlated::items);
            for (at, item) in list.iter().enumerate() {
                let length = self.name.len();
                push_index(&mut self.name, at);
                let result = self.ratcheted(items, item, before.as_mut().and_then(|before| before.get(item)));
                outcome.absorb(result);
                self.name.truncate(length);
            }
        }
        let Some(constraints) = node.constraints.as_deref() else { return };
        let size = i64::try_from(list.len()).unwrap_or(i64::MAX);
        if let Some(min) = constraints.min_items.filter(|min| size < *min) {
            outcome
                .failures
                .push(self.invalid(size, format!("{} in body should have at least {min} items", self.name)));
        }
        if let Some(max) = constraints.max_items.filter(|max| size > *max) {
            let message = format!("{} in body should have at most {max} items", self.name);
            let failure = self.failure(message, |path, _| Error::too_many(path, Some(list.len()), count(max)));
            outcome.failures.push(failure);
        }
        if constraints.unique_items && list.iter().enumerate().any(|(at, item)| list[..at].contains(item)) {
            outcome.failures.push(self.invalid("", format!("{} in body shouldn't contain duplicates", self.name)));
        }
    }

    fn object(&mut self, node: &Node, object: &Map<String, Value>, old: Option<Correlated<'_>>, outcome: &mut Outcome) {
        let size = i64::try_from(object.len()).unwrap_or(i64::MAX);
        let constraints = node.constraints.as_deref();
        if let Some(min) = constraints.and_then(|c| c.min_properties).filter(|min| size < *min) {
            let message = format!("{} in body should have at least {min} properties", self.name);
            outcome.failures.push(self.invalid(size, message));
        }
        if let Some(max) = constraints.and_then(|c| c.max_properties).filter(|max| size > *max) {
            let message = format!("{} in body should have at most {max} properties", self.name);
            let failure = self.failure(message, |path, _| Error::too_many(path, Some(object.len()), count(max)));
            outcome.failures.push(failure);
        }
        let before = |key: &str| old.and_then(|old| old.field(key));
        match &node.additional {
            Additional::Forbidden => {
                for key in object.keys().filter(|key| node.property(key).is_none()) {
                    let message = format!("{}.{key} in body is a forbidden property", self.name);
                    outcome.failures.push(self.invalid(key.as_str(), message));
                }
            }
            Additional::Of(values) => {
                for (key, value) in object.iter().filter(|(key, _)| node.property(key).is_none()) {
                    let length = self.name.len();
                    self.name.push('.');
                    self.name.push_str(key);
                    let result = self.ratcheted(values, value, before(key));
                    outcome.absorb(result);
                    self.name.truncate(length);
                }
            }
            Additional::None | Additional::Any => {}
        }
        for property in node.properties.iter() {
            let Some(value) = object.get(&*property.name) else { continue };
            let length = self.name.len();
            // The root's apiVersion and kind are those of the request, not of what is stored.
            let ratchets = length > 0 || !matches!(&*property.name, "apiVersion" | "kind");
            if length > 0 {
                self.name.push('.');
            }
            self.name.push_str(&property.name);
            let result = self.ratcheted(&property.node, value, before(&property.name).filter(|_| ratchets));
            outcome.absorb(result);
            self.name.truncate(length);
        }
        for name in node.required.iter().filter(|name| !object.contains_key(&***name)) {
            let message = format!("{}.{name} in body is required", self.name);
            let path = self.path_of(&format!("{}.{name}", self.name));
            outcome.failures.push(Failure { message, error: Error::required(&path, "") });
        }
    }

    fn one_of_the_allowed(&self, constraints: &Constraints, value: &Value) -> Option<Failure> {
        if constraints.allowed.is_empty() || constraints.allowed.iter().any(|allowed| is_same(value, allowed)) {
            return None;
        }
        let shown: Vec<Cow<'_, str>> = constraints
            .allowed
            .iter()
            .map(|allowed| match allowed {
                Value::String(text) => Cow::Borrowed(text.as_str()),
                other => Cow::Owned(other.to_string()),
            })
            .collect();
        let message = format!("{} in body should be one of [{}]", self.name, shown.join(" "));
        Some(self.failure(message, |path, _| Error::not_supported(path, value.clone(), &shown)))
    }

    fn wrong_type(&self, wanted: &str, found: &str) -> Failure {
        let message = format!("{} in body must be of type {wanted}: {}", self.name, apimachinery::quote::quoted(found));
        self.failure(message, |path, message| Error::type_invalid(path, found, message))
    }

    pub fn invalid(&self, value: impl Into<Value>, message: String) -> Failure {
        self.failure(message, |path, message| Error::invalid(path, value.into(), message))
    }

    /// A failure that upstream reports without a field.
    pub fn plain(&self, message: String) -> Failure {
        let error = Error::invalid(self.base, Value::String(String::new()), message.clone());
        Failure { message, error }
    }

    fn failure(&self, message: String, error: impl FnOnce(&Path, &str) -> Error) -> Failure {
        let error = error(&self.path_of(&self.name), &message);
        Failure { message, error }
    }

    fn path_of(&self, name: &str) -> Path {
        match name.strip_prefix('.').unwrap_or(name) {
            "" => self.base.clone(),
            name => self.base.child(name),
        }
    }
}

/// The types a node allows: none means any.
pub(super) fn types(node: &Node) -> &'static [&'static str] {
    match node.kind {
        Kind::Object => &["object"],
        Kind::Array => &["array"],
        Kind::String => &["string"],
        Kind::Integer => &["integer"],
        Kind::Number => &["number"],
        Kind::Boolean => &["boolean"],
        Kind::IntOrString => &["integer", "string"],
        _ => &[],
    }
}

fn has_type(node: &Node) -> bool {
    !types(node).is_empty()
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// Whether a value is an allowed one; numbers are the same by value, null is never allowed by a list.
fn is_same(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        (Value::Null, _) => false,
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

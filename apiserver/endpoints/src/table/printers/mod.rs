//! The cells of built-in kinds, one file a group, in the order of the kinds' columns.

mod admissionregistration;
mod apps;
mod autoscaling;
mod batch;
mod certificates;
mod core;
mod networking;
pub(super) mod pod;
mod policy;
mod rbac;
mod storage;

use registry::Row;
use serde_json::{Map, Value};

use super::Clock;

/// Makes the cells of an object.
pub(super) type Printer = fn(Object<'_>, Clock) -> Vec<Value>;

/// The printer of a row's kind.
pub(super) fn of(row: &Row) -> Printer {
    if row.columns.is_empty() {
        return created;
    }
    // Columns may be stated for kinds that have no printer of their own: name and time of creation.
    match (row.gvr.group.as_str(), row.gvr.resource.as_str()) {
        ("", resource) => core::printer(resource),
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io" | "flowcontrol.apiserver.k8s.io", resource) => {
            admissionregistration::printer(resource)
        }
        ("apps", resource) => apps::printer(resource),
        ("autoscaling", "horizontalpodautoscalers") => Some(autoscaling::printer(&row.gvr.version)),
        ("batch", resource) => batch::printer(resource),
        ("certificates.k8s.io", "certificatesigningrequests") => Some(certificates::request as Printer),
        ("events.k8s.io", "events") => Some(core::event_v1 as Printer),
        ("coordination.k8s.io" | "discovery.k8s.io" | "networking.k8s.io" | "node.k8s.io", resource) => {
            networking::printer(resource)
        }
        ("policy" | "scheduling.k8s.io", resource) => policy::printer(resource),
        ("rbac.authorization.k8s.io", resource) => rbac::printer(resource),
        ("storage.k8s.io" | "resource.k8s.io", resource) => storage::printer(resource),
        _ => None,
    }
    .unwrap_or(if row.columns.iter().any(|column| column.name == "Age") { aged } else { created })
}

/// Name and age.
fn aged(object: Object<'_>, clock: Clock) -> Vec<Value> {
    vec![object.name(), object.age(clock)]
}

/// Name and time of creation.
fn created(object: Object<'_>, _: Clock) -> Vec<Value> {
    vec![object.name(), object.text("/metadata/creationTimestamp").into()]
}

/// An object, or a part of one, read by JSON pointers; what is not there reads as zero.
#[derive(Clone, Copy)]
pub(super) struct Object<'a>(pub(super) &'a Value);

impl<'a> Object<'a> {
    fn get(self, pointer: &str) -> Option<&'a Value> {
        self.0.pointer(pointer).filter(|value| !value.is_null())
    }

    fn has(self, pointer: &str) -> bool {
        self.get(pointer).is_some()
    }

    fn text(self, pointer: &str) -> &'a str {
        self.get(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The text, or `otherwise` if it is empty.
    fn text_or(self, pointer: &str, otherwise: &'a str) -> &'a str {
        match self.text(pointer) {
            "" => otherwise,
            text => text,
        }
    }

    fn int(self, pointer: &str) -> i64 {
        self.get(pointer).and_then(Value::as_i64).unwrap_or_default()
    }

    fn flag(self, pointer: &str) -> bool {
        self.get(pointer).and_then(Value::as_bool).unwrap_or_default()
    }

    fn list(self, pointer: &str) -> impl DoubleEndedIterator<Item = Object<'a>> + ExactSizeIterator {
        self.get(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter().map(Object)
    }

    fn texts(self, pointer: &str) -> Vec<&'a str> {
        self.list(pointer).filter_map(|item| item.0.as_str()).collect()
    }

    fn map(self, pointer: &str) -> Option<&'a Map<String, Value>> {
        self.get(pointer).and_then(Value::as_object)
    }

    fn name(self) -> Value {
        self.text("/metadata/name").into()
    }

    fn age(self, clock: Clock) -> Value {
        self.since("/metadata/creationTimestamp", clock).into()
    }

    fn since(self, pointer: &str, clock: Clock) -> String {
        clock.age(self.get(pointer).and_then(Value::as_str))
    }

    /// The condition of this type, if its status is `True`, `False` or `Unknown`.
    fn condition(self, kind: &str) -> Option<Object<'a>> {
        self.list("/status/conditions").find(|condition| condition.text("/type") == kind)
    }

    /// Names and images of the containers at a pointer.
    fn containers(self, pointer: &str) -> [Value; 2] {
        let join = |field: &str| self.list(pointer).map(|c| c.text(field)).collect::<Vec<_>>().join(",");
        [join("/name").into(), join("/image").into()]
    }

    /// A map of labels as `a=b,c=d`; `<none>` if it is empty.
    fn labels(self, pointer: &str) -> String {
        let pairs: Vec<String> = self
            .map(pointer)
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
    }

    /// A label selector as people write it; `<none>` if it is empty.
    fn selector(self, pointer: &str) -> String {
        let Some(selector) = self.get(pointer).map(Object) else { return "<none>".to_owned() };
        let mut terms: Vec<(String, String)> = Vec::new();
        for (key, value) in selector.map("/matchLabels").into_iter().flatten() {
            terms.push((key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())));
        }
        for expression in selector.list("/matchExpressions") {
            let key = expression.text("/key");
            let mut values = expression.texts("/values");
            values.sort_unstable();
            let values = values.join(",");
            let term = match expression.text("/operator") {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "Exists" => key.to_owned(),
                "DoesNotExist" => format!("!{key}"),
                _ => return "<error>".to_owned(),
            };
            terms.push((key.to_owned(), term));
        }
        terms.sort_by(|a, b| a.0.cmp(&b.0));
        let terms: Vec<String> = terms.into_iter().map(|(_, term)| term).collect();
        if terms.is_empty() { "<none>".to_owned() } else { terms.join(",") }
    }
}

/// A text, or `<none>` if it is empty.
fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

/// A number or text of an int-or-string field.
fn int_or_string(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Joins the first three; how many more there are is said behind them.
fn first_three(mut texts: Vec<String>, all: usize) -> String {
    texts.truncate(3);
    let shown = texts.join(",");
    if all > 3 { format!("{shown} + {} more...", all - 3) } else { shown }
}

/// Addresses of a load balancer, sorted, each once.
fn load_balancer(object: Object<'_>) -> String {
    let mut addresses: Vec<&str> = object
        .list("/status/loadBalancer/ingress")
        .map(|ingress| ingress.text_or("/ip", ingress.text("/hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.join(",")
}

#[cfg(test)]
mod tests;

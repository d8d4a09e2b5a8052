//! The cells of built-in kinds, one file a group, in the order of the kinds' columns.

mod admissionregistration;
mod apps;
mod autoscaling;
mod batch;
mod certificates;
mod core;
mod events;
mod networking;
pub(super) mod pod;
mod policy;
mod rbac;
mod storage;
mod volumes;

use apimachinery::gvk::GroupVersionResource;
use apimachinery::quantity::Quantity;
use apimachinery::selector::labels;
use serde_json::{Map, Value};

use super::Clock;
use super::column::{AGE, CREATED_AT, Column, NAME, Printer, field, words};

/// The printer of a kind; `None` if upstream has none, which shows [`CREATED`].
pub(super) fn of(gvr: &GroupVersionResource) -> Option<&'static Printer> {
    let resource = gvr.resource.as_str();
    match gvr.group.as_str() {
        "" => core::printer(resource),
        "admissionregistration.k8s.io" | "apiregistration.k8s.io" | "flowcontrol.apiserver.k8s.io" => {
            admissionregistration::printer(resource)
        }
        "apps" => apps::printer(resource),
        "autoscaling" if resource == "horizontalpodautoscalers" => Some(autoscaling::printer(&gvr.version)),
        "batch" => batch::printer(resource),
        "certificates.k8s.io" if resource == "certificatesigningrequests" => Some(&certificates::REQUEST),
        "events.k8s.io" if resource == "events" => Some(&events::EVENT_V1),
        "coordination.k8s.io" | "discovery.k8s.io" | "networking.k8s.io" | "node.k8s.io" => {
            networking::printer(resource)
        }
        "policy" | "scheduling.k8s.io" => policy::printer(resource),
        "rbac.authorization.k8s.io" => rbac::printer(resource),
        "storage.k8s.io" | "resource.k8s.io" => storage::printer(resource),
        _ => None,
    }
}

/// The printer of a built-in kind's `scale`.
pub(super) fn scale() -> &'static Printer {
    &autoscaling::SCALE
}

/// Name and time of creation: kinds without a printer.
pub(super) static CREATED: Printer =
    Printer::new(&[NAME, CREATED_AT], |o, _| vec![o.name(), o.text("/metadata/creationTimestamp").into()]);

/// Name and age.
static AGED: Printer = Printer::new(&[NAME, AGE], |o, clock| vec![o.name(), o.age(clock)]);

const CONTAINERS: Column = words("Containers", "Names of each container in the template.");
const IMAGES: Column = words("Images", "Images referenced by each container in the template.");

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

    /// The text, or `otherwise` if there is none.
    fn set_or(self, pointer: &str, otherwise: &'a str) -> &'a str {
        self.get(pointer).and_then(Value::as_str).unwrap_or(otherwise)
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

    /// Wanted, present and ready replicas of a workload, and what it is made of.
    fn replicas(self, clock: Clock, selector: String) -> Vec<Value> {
        let [names, images] = self.containers("/spec/template/spec/containers");
        vec![
            self.name(),
            self.int("/spec/replicas").into(),
            self.int("/status/replicas").into(),
            self.int("/status/readyReplicas").into(),
            self.age(clock),
            names,
            images,
            selector.into(),
        ]
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

    /// A label selector as its requirements, in order of their keys: empty if it has none.
    fn requirements(self, pointer: &str) -> String {
        let Some(selector) = self.get(pointer) else { return String::new() };
        labels::Selector::from_label_selector(selector).map_or_else(|_| "<invalid>".to_owned(), |of| of.to_string())
    }

    /// A label selector as people write it; `<none>` if it is empty.
    fn selector(self, pointer: &str) -> String {
        match self.get(pointer).map_or_else(|| Ok(labels::Selector::default()), labels::Selector::from_label_selector) {
            Ok(selector) => or_none(&selector.to_string()).to_owned(),
            Err(_) => "<error>".to_owned(),
        }
    }
}

/// A quantity in its canonical form; what is not there is 0.
fn quantity(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or("0");
    text.parse::<Quantity>().map_or_else(|_| text.to_owned(), |quantity| quantity.to_string())
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

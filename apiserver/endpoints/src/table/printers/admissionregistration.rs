//! `admissionregistration.k8s.io`, `apiregistration.k8s.io` and `flowcontrol.apiserver.k8s.io`.

use serde_json::Value;

use super::{Clock, Object, Printer};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
            |o, clock| vec![o.name(), o.list("/webhooks").len().into(), o.age(clock)]
        }
        "validatingadmissionpolicies" => |o, clock| policy(o, clock, "/spec/validations"),
        "mutatingadmissionpolicies" => |o, clock| policy(o, clock, "/spec/mutations"),
        "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings" => policy_binding,
        "apiservices" => api_service,
        "flowschemas" => flow_schema,
        "prioritylevelconfigurations" => priority_level,
        _ => return None,
    })
}

fn policy(o: Object<'_>, clock: Clock, parts: &str) -> Vec<Value> {
    let kind = match o.get("/spec/paramKind").map(Object) {
        Some(kind) => format!("{}/{}", kind.text("/apiVersion"), kind.text("/kind")),
        None => "<unset>".to_owned(),
    };
    vec![o.name(), o.list(parts).len().into(), kind.into(), o.age(clock)]
}

fn policy_binding(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let reference = match o.get("/spec/paramRef").map(Object) {
        Some(reference) => {
            let name = reference.text_or("/name", "*");
            match reference.text("/namespace") {
                "" => format!("*/{name}"),
                namespace => format!("{namespace}/{name}"),
            }
        }
        None => "<unset>".to_owned(),
    };
    vec![o.name(), o.text("/spec/policyName").into(), reference.into(), o.age(clock)]
}

fn api_service(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let service = match o.get("/spec/service").map(Object) {
        Some(service) => format!("{}/{}", service.text("/namespace"), service.text("/name")),
        None => "Local".to_owned(),
    };
    let available = match o.condition("Available") {
        Some(condition) if condition.text("/status") == "True" => "True".to_owned(),
        Some(condition) => format!("{} ({})", condition.text("/status"), condition.text("/reason")),
        None => "Unknown".to_owned(),
    };
    vec![o.name(), service.into(), available.into(), o.age(clock)]
}

fn flow_schema(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let dangling = o.condition("Dangling").map_or("?", |condition| condition.text("/status"));
    vec![
        o.name(),
        o.text_or("/spec/priorityLevelConfiguration/name", "<none>").into(),
        o.int("/spec/matchingPrecedence").into(),
        o.text_or("/spec/distinguisherMethod/type", "<none>").into(),
        o.age(clock),
        dangling.into(),
    ]
}

fn priority_level(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let number = |pointer: &str| match o.get(pointer) {
        Some(number) => number.clone(),
        None => "<none>".into(),
    };
    let queuing = "/spec/limited/limitResponse/queuing";
    let shares = if o.text("/spec/type") == "Exempt" {
        number("/spec/exempt/nominalConcurrencyShares")
    } else {
        number("/spec/limited/nominalConcurrencyShares")
    };
    vec![
        o.name(),
        o.text("/spec/type").into(),
        shares,
        number(&format!("{queuing}/queues")),
        number(&format!("{queuing}/handSize")),
        number(&format!("{queuing}/queueLengthLimit")),
        o.age(clock),
    ]
}

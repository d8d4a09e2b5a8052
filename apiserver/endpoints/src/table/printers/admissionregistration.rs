//! `admissionregistration.k8s.io`, `apiregistration.k8s.io` and `flowcontrol.apiserver.k8s.io`.

use k8s_openapi::api::flowcontrol::v1::{
    FlowSchemaSpec, LimitedPriorityLevelConfiguration, PriorityLevelConfigurationReference,
    PriorityLevelConfigurationSpec, QueuingConfiguration,
};
use serde_json::Value;

use super::{AGE, Clock, Column, NAME, Object, Printer, field, words};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => &WEBHOOKS,
        "validatingadmissionpolicies" => &VALIDATING_POLICY,
        "mutatingadmissionpolicies" => &MUTATING_POLICY,
        "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings" => &POLICY_BINDING,
        "apiservices" => &API_SERVICE,
        "flowschemas" => &FLOW_SCHEMA,
        "prioritylevelconfigurations" => &PRIORITY_LEVEL,
        _ => return None,
    })
}

static WEBHOOKS: Printer = Printer::new(
    &[
        NAME,
        words("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration").of("integer"),
        AGE,
    ],
    |o, clock| vec![o.name(), o.list("/webhooks").len().into(), o.age(clock)],
);

const PARAM_KIND: Column =
    words("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy");

static VALIDATING_POLICY: Printer = Printer::new(
    &[
        NAME,
        words("Validations", "Validations indicates the number of validation rules defined in this configuration")
            .of("integer"),
        PARAM_KIND,
        AGE,
    ],
    |o, clock| policy(o, clock, "/spec/validations"),
);

static MUTATING_POLICY: Printer = Printer::new(
    &[
        NAME,
        words("Mutations", "Mutation indicates the number of mutations rules defined in this configuration")
            .of("integer"),
        PARAM_KIND,
        AGE,
    ],
    |o, clock| policy(o, clock, "/spec/mutations"),
);

static POLICY_BINDING: Printer = Printer::new(
    &[
        NAME,
        words("PolicyName", "PolicyName indicates the policy definition which the policy binding binded to"),
        words("ParamRef", "ParamRef indicates the param resource which sets the configration param"),
        AGE,
    ],
    policy_binding,
);

fn policy(o: Object<'_>, clock: Clock, parts: &str) -> Vec<Value> {
    let kind = match o.get("/spec/paramKind").map(Object) {
        Some(kind) => format!("{}/{}", kind.text("/apiVersion"), kind.text("/kind")),
        None => "<unset>".to_owned(),
    };
    vec![o.name(), o.list(parts).len().into(), kind.into(), o.age(clock)]
}

fn policy_binding(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let reference = match o.get("/spec/paramRef").map(Object) {
        Some(reference) => match (reference.text("/namespace"), reference.text("/name")) {
            (_, "") => reference.get("/selector").map_or_else(|| "<unset>".to_owned(), |of| go_selector(Object(of))),
            ("", name) => format!("*/{name}"),
            (namespace, name) => format!("{namespace}/{name}"),
        },
        None => "<unset>".to_owned(),
    };
    vec![o.name(), o.text("/spec/policyName").into(), reference.into(), o.age(clock)]
}

/// A label selector as Go prints its type.
fn go_selector(selector: Object<'_>) -> String {
    let labels = selector.map("/matchLabels").into_iter().flatten();
    let labels: String = labels.map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default())).collect();
    let expressions: String = selector
        .list("/matchExpressions")
        .map(|of| {
            let values = of.texts("/values").join(" ");
            let (key, operator) = (of.text("/key"), of.text("/operator"));
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

static API_SERVICE: Printer = Printer::new(
    &[
        NAME,
        words("Service", "The reference to the service that hosts this API endpoint."),
        words("Available", "Whether this service is available."),
        AGE,
    ],
    api_service,
);

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

static FLOW_SCHEMA: Printer = Printer::new(
    &[
        NAME,
        field::<PriorityLevelConfigurationReference>("PriorityLevel", "name"),
        field::<FlowSchemaSpec>("MatchingPrecedence", "matchingPrecedence"),
        field::<FlowSchemaSpec>("DistinguisherMethod", "distinguisherMethod"),
        AGE,
        words("MissingPL", "references a broken or non-existent PriorityLevelConfiguration"),
    ],
    flow_schema,
)
.sorted_by(|o| (o.int("/spec/matchingPrecedence"), o.text("/metadata/name").to_owned()));

fn flow_schema(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let dangling = o.condition("Dangling").map_or("?", |condition| condition.text("/status"));
    vec![
        o.name(),
        o.text("/spec/priorityLevelConfiguration/name").into(),
        o.int("/spec/matchingPrecedence").into(),
        o.set_or("/spec/distinguisherMethod/type", "<none>").into(),
        o.age(clock),
        dangling.into(),
    ]
}

static PRIORITY_LEVEL: Printer = Printer::new(
    &[
        NAME,
        field::<PriorityLevelConfigurationSpec>("Type", "type"),
        field::<LimitedPriorityLevelConfiguration>("NominalConcurrencyShares", "nominalConcurrencyShares"),
        field::<QueuingConfiguration>("Queues", "queues"),
        field::<QueuingConfiguration>("HandSize", "handSize"),
        field::<QueuingConfiguration>("QueueLengthLimit", "queueLengthLimit"),
        AGE,
    ],
    priority_level,
);

fn priority_level(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let number = |pointer: &str| match o.get(pointer) {
        Some(number) => number.clone(),
        None => "<none>".into(),
    };
    let queuing = "/spec/limited/limitResponse/queuing";
    vec![
        o.name(),
        o.text("/spec/type").into(),
        number("/spec/limited/nominalConcurrencyShares"),
        number(&format!("{queuing}/queues")),
        number(&format!("{queuing}/handSize")),
        number(&format!("{queuing}/queueLengthLimit")),
        o.age(clock),
    ]
}

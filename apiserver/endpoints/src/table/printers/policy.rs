//! `policy` and `scheduling.k8s.io`.

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{AGE, NAME, Printer, field, int_or_string, words};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "poddisruptionbudgets" => &POD_DISRUPTION_BUDGET,
        "priorityclasses" => &PRIORITY_CLASS,
        _ => return None,
    })
}

static POD_DISRUPTION_BUDGET: Printer = Printer::new(
    &[
        NAME,
        words("Min Available", "The minimum number of pods that must be available."),
        words("Max Unavailable", "The maximum number of pods that may be unavailable."),
        words("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time.").of("integer"),
        AGE,
    ],
    |o, clock| {
        let shown = |pointer: &str| int_or_string(o.get(pointer)).unwrap_or_else(|| "N/A".to_owned());
        vec![
            o.name(),
            shown("/spec/minAvailable").into(),
            shown("/spec/maxUnavailable").into(),
            o.int("/status/disruptionsAllowed").into(),
            o.age(clock),
        ]
    },
);

static PRIORITY_CLASS: Printer = Printer::new(
    &[
        NAME,
        field::<PriorityClass>("Value", "value").of("integer"),
        field::<PriorityClass>("Global-Default", "globalDefault").of("boolean"),
        AGE,
        field::<PriorityClass>("PreemptionPolicy", "preemptionPolicy"),
    ],
    |o, clock| {
        vec![
            o.name(),
            o.int("/value").into(),
            o.flag("/globalDefault").into(),
            o.age(clock),
            o.text("/preemptionPolicy").into(),
        ]
    },
);

//! `certificates.k8s.io`.

use k8s_openapi::api::certificates::v1::CertificateSigningRequestSpec;
use serde_json::Value;

use super::{AGE, Clock, NAME, Object, Printer, field, or_none, words};
use crate::table::cells::human;

// Upstream shows the documentation of `v1beta1`; under Requestor that of another field.
pub(super) static REQUEST: Printer = Printer::new(
    &[
        NAME,
        AGE,
        words(
            "SignerName",
            "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If empty, it \
             will be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    \
             \"kubernetes.io/kube-apiserver-client-kubelet\".\n 2. If it's a kubelet serving certificate, it is \
             assigned\n    \"kubernetes.io/kubelet-serving\".\n 3. Otherwise, it is assigned \
             \"kubernetes.io/legacy-unknown\".\nDistribution of trust for signers happens out of band. You can select on \
             this field using `spec.signerName`.",
        ),
        words("Requestor", "Base64-encoded PKCS#10 CSR data"),
        field::<CertificateSigningRequestSpec>("RequestedDuration", "expirationSeconds"),
        words("Condition", "Conditions applied to the request, such as approval or denial."),
    ],
    request,
);

fn request(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let has = |kind: &str| o.condition(kind).is_some();
    // A decision, if there is one, then what became of it.
    let mut condition = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (_, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !o.text("/status/certificate").is_empty() {
        condition.push_str(",Issued");
    }
    let duration = match o.get("/spec/expirationSeconds").and_then(Value::as_i64) {
        Some(seconds) => human(seconds),
        None => "<none>".to_owned(),
    };
    vec![
        o.name(),
        o.age(clock),
        or_none(o.text("/spec/signerName")).into(),
        o.text("/spec/username").into(),
        duration.into(),
        condition.into(),
    ]
}

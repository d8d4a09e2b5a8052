//! One call of one webhook: the review there and back, and what it means.

use apimachinery::StatusError;
use apimachinery::status::Status;
use serde_json::Value;

use super::client::Client;
use super::matching::Invocation;
use super::review;
use crate::{Attributes, Context};

/// Why a call does not let the request pass.
pub(super) enum Failure {
    /// The webhook (or a rule about webhooks) says no.
    Refused(StatusError),
    /// It could not be asked, or its answer makes no sense: its failure policy decides. The text is upstream's.
    Call(String),
}

/// What an allowing webhook says.
pub(super) struct Reviewed {
    /// A JSON patch that is to be applied.
    pub patch: Option<Vec<u8>>,
}

/// Asks a webhook.
pub(super) async fn review(
    client: &Client,
    invocation: &Invocation<'_>,
    attributes: &Attributes,
    object: Option<&Value>,
    old_object: Option<&Value>,
    mutating: bool,
    context: &Context,
) -> Result<Reviewed, Failure> {
    let hook = invocation.hook;
    let failed = |what: &str| Failure::Call(format!("failed calling webhook \"{}\": {what}", hook.name));
    if attributes.dry_run && !hook.is_safe_to_try() {
        let words = format!("admission webhook \"{}\" does not support dry run", hook.name);
        return Err(Failure::Refused(StatusError::bad_request(words)));
    }
    let Some(version) = review::version(&hook.admission_review_versions) else {
        return Err(failed(
            "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)",
        ));
    };
    let uid = new_uid();
    let body = review::encode(version, &uid, invocation, attributes, object, old_object)
        .map_err(|error| failed(&format!("could not create admission objects: {error}")))?;
    let answer = client
        .post(&hook.client_config, hook.timeout(), body)
        .await
        .map_err(|error| failed(&format!("failed to call webhook: {error}")))?;
    let verdict = review::decode(&answer, version, &uid, mutating)
        .map_err(|error| failed(&format!("received invalid webhook response: {error}")))?;
    for (key, value) in verdict.audit_annotations {
        context.annotate(format!("{}/{key}", hook.name), value);
    }
    for warning in verdict.warnings {
        context.warn(warning);
    }
    if !verdict.allowed {
        return Err(Failure::Refused(refusal(&hook.name, verdict.status)));
    }
    Ok(Reviewed { patch: verdict.patch })
}

/// A webhook's Status as the client sees it.
fn refusal(name: &str, status: Option<Status>) -> StatusError {
    let mut status = status.unwrap_or_default();
    let denied = format!("admission webhook \"{name}\" denied the request");
    status.code = status.code.max(400);
    if status.status != "Failure" {
        status.status = "Failure".into();
    }
    let reason = status.reason.as_str();
    status.message = match (status.message.as_str(), reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    StatusError(Box::new(status))
}

/// A random uid in the usual form (version 4).
fn new_uid() -> String {
    let mut bytes = [0u8; 16];
    // A uid that cannot be random is still one that the answer can repeat.
    if rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).is_err() {
        tracing::warn!("no random bytes for a review's uid");
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].map(hex).join("-")
}

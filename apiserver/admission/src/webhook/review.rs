//! `AdmissionReview`: what is sent and what comes back.

use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use apimachinery::status::Status;
use apimachinery::user::UserInfo;
use base64::Engine;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::matching::Invocation;
use crate::Attributes;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    kind: &'static str,
    api_version: String,
    request: Request<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: &'a str,
    kind: &'a GroupVersionKind,
    resource: &'a GroupVersionResource,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub_resource: &'a str,
    request_kind: &'a GroupVersionKind,
    request_resource: &'a GroupVersionResource,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_sub_resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    operation: &'static str,
    user_info: &'a UserInfo,
    object: Option<&'a Value>,
    old_object: Option<&'a Value>,
    dry_run: bool,
    options: &'a Value,
}

/// The version of the review that the webhook takes and we speak.
pub(super) fn version(accepted: &[String]) -> Option<&'static str> {
    accepted.iter().find_map(|version| match version.as_str() {
        "v1" => Some("v1"),
        "v1beta1" => Some("v1beta1"),
        _ => None,
    })
}

/// The request's body.
pub(super) fn encode(
    version: &str,
    uid: &str,
    invocation: &Invocation<'_>,
    attributes: &Attributes,
    object: Option<&Value>,
    old_object: Option<&Value>,
) -> serde_json::Result<Bytes> {
    let review = Review {
        kind: "AdmissionReview",
        api_version: format!("admission.k8s.io/{version}"),
        request: Request {
            uid,
            kind: &invocation.kind,
            resource: &invocation.resource,
            sub_resource: &attributes.subresource,
            request_kind: &attributes.kind,
            request_resource: &attributes.resource,
            request_sub_resource: &attributes.subresource,
            name: &attributes.name,
            namespace: &attributes.namespace,
            operation: attributes.operation.as_str(),
            user_info: &attributes.user,
            object,
            old_object,
            dry_run: attributes.dry_run,
            options: &attributes.options,
        },
    };
    serde_json::to_vec(&review).map(Bytes::from)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Answer {
    kind: String,
    api_version: String,
    response: Option<Response>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    uid: String,
    allowed: bool,
    status: Option<Value>,
    patch: Option<String>,
    patch_type: Option<String>,
    audit_annotations: Option<BTreeMap<String, String>>,
    warnings: Option<Vec<String>>,
}

/// A checked answer.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub allowed: bool,
    pub status: Option<Status>,
    /// A JSON patch.
    pub patch: Option<Vec<u8>>,
    pub audit_annotations: BTreeMap<String, String>,
    pub warnings: Vec<String>,
}

/// Reads and checks an answer; the errors are upstream's.
pub(super) fn decode(body: &[u8], version: &str, uid: &str, mutating: bool) -> Result<Verdict, String> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| format!("the response cannot be decoded: {error}"))?;
    let response = answer.response.ok_or("webhook response was absent")?;
    let quoted = apimachinery::quote::quoted;
    let strict = version == "v1";
    if strict {
        if response.uid != uid {
            return Err(format!("expected response.uid={}, got {}", quoted(uid), quoted(&response.uid)));
        }
        if (answer.api_version.as_str(), answer.kind.as_str()) != ("admission.k8s.io/v1", "AdmissionReview") {
            return Err(format!(
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {}, Kind={}",
                if answer.api_version.contains('/') { answer.api_version } else { format!("/{}", answer.api_version) },
                answer.kind
            ));
        }
    }
    let patch = response.patch.filter(|patch| !patch.is_empty());
    if mutating && strict {
        match (&patch, &response.patch_type) {
            (Some(_), None) => return Err("webhook returned response.patch but not response.patchType".into()),
            (None, Some(_)) => return Err("webhook returned response.patchType but not response.patch".into()),
            (Some(_), Some(kind)) if kind.is_empty() => {
                return Err("webhook returned invalid response.patchType of \"\"".into());
            }
            (Some(_), Some(kind)) if kind != "JSONPatch" => {
                return Err(format!("unsupported patch type {}", quoted(kind)));
            }
            _ => {}
        }
    }
    if !mutating && strict {
        if patch.is_some() {
            return Err("validating webhook may not return response.patch".into());
        }
        if response.patch_type.is_some() {
            return Err("validating webhook may not return response.patchType".into());
        }
    }
    let decode = |patch: String| base64::engine::general_purpose::STANDARD.decode(patch);
    let patch = patch.filter(|_| mutating).map(decode).transpose();
    Ok(Verdict {
        allowed: response.allowed,
        status: response.status.and_then(|status| serde_json::from_value(status).ok()),
        patch: patch.map_err(|error| format!("response.patch is not base64: {error}"))?,
        audit_annotations: response.audit_annotations.unwrap_or_default(),
        warnings: response.warnings.unwrap_or_default(),
    })
}

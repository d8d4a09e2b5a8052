//! `AdmissionReview` requests and their answers. Pure.

use crds::app::AppSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::validate::{Cause, Findings, Neighbours, validate};

/// The recommended label that Apps get, and hand on to their Pods.
const NAME_LABEL: &str = "app.kubernetes.io/name";

/// `admission.k8s.io/v1` AdmissionReview, as it is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// The request; none in what is no request.
    pub request: Option<Request>,
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Identifies the request, and its answer.
    pub uid: String,
    /// The object's name; empty when the server is to generate it.
    #[serde(default)]
    pub name: String,
    /// The object's namespace.
    #[serde(default)]
    pub namespace: String,
    /// The object as it is to be stored; null upon deletion.
    #[serde(default)]
    pub object: Value,
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The request's uid.
    pub uid: String,
    /// Whether it is admitted.
    pub allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
    /// A JSON patch to the object.
    #[serde(skip)]
    pub patch: Vec<Value>,
    /// Shown to the user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Response {
    fn allow(request: &Request) -> Self {
        Self { uid: request.uid.clone(), allowed: true, status: None, patch: Vec::new(), warnings: Vec::new() }
    }

    fn refuse(request: &Request, code: u16, reason: &str, message: String, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": "FieldValueInvalid", "field": cause.field, "message": cause.message}))
            .collect();
        let mut status =
            json!({"metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
        if !causes.is_empty() {
            status["details"] = json!({"name": request.name, "group": crds::GROUP, "kind": "App", "causes": causes});
        }
        Self { allowed: false, status: Some(status), ..Self::allow(request) }
    }

    /// The AdmissionReview that carries the answer.
    pub fn into_review(self) -> Value {
        use base64::Engine;
        let patch = (!self.patch.is_empty()).then(|| Value::Array(self.patch.clone()).to_string());
        let mut response = json!(self);
        if let Some(patch) = patch {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = json!(base64::engine::general_purpose::STANDARD.encode(patch));
        }
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

/// Fills in and normalises an App: the recommended name label, quantities as strings, an image without whitespace
/// around it. What cannot be read is left to validation.
pub fn mutate(request: &Request) -> Response {
    let mut response = Response::allow(request);
    let object = &request.object;
    if !object.is_object() {
        return response;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or(&request.name);
    let label = json!(name);
    if !name.is_empty() {
        match object["metadata"]["labels"].as_object() {
            None => {
                let labels = json!({NAME_LABEL: label});
                response.patch.push(json!({"op": "add", "path": "/metadata/labels", "value": labels}));
            }
            Some(labels) if !labels.contains_key(NAME_LABEL) => {
                let path = format!("/metadata/labels/{}", NAME_LABEL.replace('/', "~1"));
                response.patch.push(json!({"op": "add", "path": path, "value": label}));
            }
            Some(_) => (),
        }
    }
    if let Some(image) = object["spec"]["image"].as_str()
        && image.trim() != image
    {
        response.patch.push(json!({"op": "replace", "path": "/spec/image", "value": image.trim()}));
    }
    for resource in ["cpu", "memory"] {
        if let Some(number) = object["spec"]["resources"][resource].as_number() {
            let path = format!("/spec/resources/{resource}");
            response.patch.push(json!({"op": "replace", "path": path, "value": number.to_string()}));
        }
    }
    response
}

/// Admits an App, or says everything that is wrong with it.
pub fn review(request: &Request, neighbours: &dyn Neighbours) -> Response {
    if request.object.is_null() || !request.object["metadata"]["deletionTimestamp"].is_null() {
        return Response::allow(request); // what goes need not be right any more
    }
    let spec: AppSpec = match serde_json::from_value(request.object["spec"].clone()) {
        Ok(spec) => spec,
        Err(error) => return Response::refuse(request, 400, "BadRequest", format!("spec: {error}"), &[]),
    };
    let Findings { causes, warnings } = &validate(&request.name, &spec, neighbours);
    let mut response = if causes.is_empty() {
        Response::allow(request)
    } else {
        let findings = Findings { causes: causes.clone(), warnings: Vec::new() };
        let message = format!("App.{} {:?} is invalid: {}", crds::GROUP, request.name, findings.message());
        Response::refuse(request, 422, "Invalid", message, causes)
    };
    response.warnings.clone_from(warnings);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn request(object: Value) -> Request {
        serde_json::from_value(json!({"uid": "u", "name": "web", "namespace": "default", "object": object})).unwrap()
    }

    fn reviewed(object: Value) -> Response {
        review(&request(object), &HashMap::<&str, Vec<&str>>::new())
    }

    #[test]
    fn what_is_left_out_is_filled_in_and_what_is_right_is_left_alone() {
        for (object, expected) in [
            (
                json!({"metadata": {"name": "web"}, "spec": {"image": " nginx:1 ", "resources": {"cpu": 2}}}),
                json!([
                    {"op": "add", "path": "/metadata/labels", "value": {"app.kubernetes.io/name": "web"}},
                    {"op": "replace", "path": "/spec/image", "value": "nginx:1"},
                    {"op": "replace", "path": "/spec/resources/cpu", "value": "2"},
                ]),
            ),
            (
                json!({"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"image": "nginx:1"}}),
                json!([{"op": "add", "path": "/metadata/labels/app.kubernetes.io~1name", "value": "web"}]),
            ),
            (
                json!({"metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "mine"}}, "spec": {"image": "nginx:1", "resources": {"cpu": "2"}}}),
                json!([]),
            ),
            (Value::Null, json!([])),
            (
                json!({"spec": "what"}),
                json!([{"op": "add", "path": "/metadata/labels", "value": {"app.kubernetes.io/name": "web"}}]),
            ),
        ] {
            let response = mutate(&request(object.clone()));
            assert!(response.allowed);
            assert_eq!(Value::Array(response.patch), expected, "{object}");
        }
    }

    #[test]
    fn a_refusal_says_everything_that_is_wrong() {
        let response = reviewed(json!({"metadata": {}, "spec": {"image": "Nginx", "replicas": -1}}));
        assert!(!response.allowed);
        let status = response.status.unwrap();
        assert_eq!((status["code"].as_u64(), status["reason"].as_str()), (Some(422), Some("Invalid")));
        assert_eq!(status["details"]["causes"].as_array().unwrap().len(), 2, "{status}");
    }

    #[test]
    fn what_is_no_app_is_refused_and_what_goes_is_let_go() {
        assert_eq!(reviewed(json!({"metadata": {}, "spec": {"image": 5}})).status.unwrap()["code"], 400);
        assert_eq!(reviewed(json!({"metadata": {}})).status.unwrap()["code"], 400);
        assert!(
            reviewed(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"image": "X"}}))
                .allowed
        );
        assert!(reviewed(Value::Null).allowed);
    }

    #[test]
    fn the_answer_is_an_admission_review() {
        let review = mutate(&request(json!({"metadata": {"name": "web"}, "spec": {"image": "nginx:1"}}))).into_review();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
        assert_eq!((&review["response"]["uid"], &review["response"]["patchType"]), (&json!("u"), &json!("JSONPatch")));
        let plain = reviewed(json!({"metadata": {}, "spec": {"image": "nginx:1"}})).into_review();
        assert_eq!(plain["response"], json!({"uid": "u", "allowed": true}));
    }
}

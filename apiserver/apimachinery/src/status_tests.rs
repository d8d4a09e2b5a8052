use serde_json::{Value, json};

use super::*;
use crate::field::{Error, Path};

fn wire(error: &StatusError) -> Value {
    serde_json::to_value(error.status()).unwrap()
}

#[test]
fn statuses_are_those_of_upstream() {
    let pods = &GroupResource::new("", "pods");
    let deployments = &GroupResource::new("apps", "deployments");
    let none = &GroupResource::default();
    let cases = [
        (
            StatusError::not_found(deployments, "a"),
            json!({"code": 404, "reason": "NotFound", "message": "deployments.apps \"a\" not found",
                   "details": {"group": "apps", "kind": "deployments", "name": "a"}}),
        ),
        (
            StatusError::unknown_resource(),
            json!({"code": 404, "reason": "NotFound", "message": "the server could not find the requested resource",
                   "details": {}}),
        ),
        (
            StatusError::generate_name_conflict(pods, "fixed", 1),
            json!({"code": 409, "reason": "AlreadyExists",
                   "message": "pods \"fixed\" already exists, the server was not able to generate a unique name for the object",
                   "details": {"kind": "pods", "name": "fixed", "retryAfterSeconds": 1}}),
        ),
        (
            StatusError::conflict(deployments, "a", OPTIMISTIC_LOCK),
            json!({"code": 409, "reason": "Conflict",
                   "message": "Operation cannot be fulfilled on deployments.apps \"a\": the object has been modified; please apply your changes to the latest version and try again",
                   "details": {"group": "apps", "kind": "deployments", "name": "a"}}),
        ),
        (
            StatusError::forbidden(none, "", "User \"u\" cannot get path \"/x\""),
            json!({"code": 403, "reason": "Forbidden", "message": "forbidden: User \"u\" cannot get path \"/x\"", "details": {}}),
        ),
        (
            StatusError::forbidden(pods, "", "why"),
            json!({"code": 403, "reason": "Forbidden", "message": "pods is forbidden: why", "details": {"kind": "pods"}}),
        ),
        (
            StatusError::forbidden(pods, "a", "why"),
            json!({"code": 403, "reason": "Forbidden", "message": "pods \"a\" is forbidden: why",
                   "details": {"kind": "pods", "name": "a"}}),
        ),
        (StatusError::unauthorized(""), json!({"code": 401, "reason": "Unauthorized", "message": "not authorized"})),
        (
            StatusError::method_not_supported(deployments, "create"),
            json!({"code": 405, "reason": "MethodNotAllowed",
                   "message": "create is not supported on resources of kind \"deployments.apps\"",
                   "details": {"group": "apps", "kind": "deployments"}}),
        ),
        (
            StatusError::too_large_resource_version(9, 5, 1),
            json!({"code": 504, "reason": "Timeout", "message": "Timeout: Too large resource version: 9, current: 5",
                   "details": {"retryAfterSeconds": 1, "causes": [
                       {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}}),
        ),
        (
            StatusError::server_timeout(pods, "list", 2),
            json!({"code": 500, "reason": "ServerTimeout",
                   "message": "The list operation against pods could not be completed at this time, please try again.",
                   "details": {"kind": "pods", "name": "list", "retryAfterSeconds": 2}}),
        ),
        (
            StatusError::internal("boom"),
            json!({"code": 500, "reason": "InternalError", "message": "Internal error occurred: boom",
                   "details": {"causes": [{"message": "boom"}]}}),
        ),
        (StatusError::unstructured("boom"), json!({"code": 500, "message": "boom"})),
        (
            StatusError::request_entity_too_large("limit is 3145728"),
            json!({"code": 413, "reason": "RequestEntityTooLarge", "message": "Request entity too large: limit is 3145728"}),
        ),
    ];
    for (error, mut want) in cases {
        want["kind"] = "Status".into();
        want["apiVersion"] = "v1".into();
        want["metadata"] = json!({});
        want["status"] = "Failure".into();
        assert_eq!(wire(&error), want);
    }
}

#[test]
fn invalid_lists_every_error_and_its_cause() {
    let at = &Path::new("metadata").child("name");
    let kind = &GroupKind::new("apps", "Deployment");
    let one = StatusError::invalid(kind, "x", vec![Error::required(at, "why")]);
    assert_eq!(one.to_string(), r#"Deployment.apps "x" is invalid: metadata.name: Required value: why"#);
    assert_eq!(
        wire(&one)["details"],
        json!({"group": "apps", "kind": "Deployment", "name": "x", "causes": [
            {"reason": "FieldValueRequired", "message": "Required value: why", "field": "metadata.name"}]})
    );
    let error = Error::invalid(at, "X", "why");
    let three = StatusError::invalid(kind, "x", vec![Error::required(at, ""), error.clone(), error]);
    assert_eq!(
        three.to_string(),
        r#"Deployment.apps "x" is invalid: [metadata.name: Required value, metadata.name: Invalid value: "X": why]"#
    );
    assert_eq!(wire(&three)["details"]["causes"].as_array().map(Vec::len), Some(3));
    assert_eq!(StatusError::invalid(&GroupKind::default(), "", vec![]).to_string(), r#" "" is invalid"#);
}

#[test]
fn a_status_is_read_back_as_it_was_written() {
    let error = StatusError::too_large_resource_version(9, 5, 1);
    let text = serde_json::to_string(error.status()).unwrap();
    assert!(
        text.starts_with(r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), *error.0);
    let odd: Status = serde_json::from_str(r#"{"reason":"Teapot","code":418}"#).unwrap();
    assert_eq!(odd.reason, Reason::Other("Teapot".into()));
    let nulls = r#"{"status":null,"message":null,"reason":null,"code":-1,"details":{"name":null,"causes":null}}"#;
    let read: Status = serde_json::from_str(nulls).unwrap();
    assert_eq!(read, Status { details: Some(StatusDetails::default()), ..Status::default() });
}

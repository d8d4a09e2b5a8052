//! The condition `Available` of an APIService.

use std::sync::Arc;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use apimachinery::time::format_time;
use registry::{Registry, RequestContext, Target, UpdateOptions};
use serde_json::{Value, json};

use crate::identity;

const AVAILABLE: &str = "Available";

/// What the condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Available {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    pub reason: &'static str,
    pub message: String,
}

impl Available {
    /// Another server answers.
    pub fn passed() -> Self {
        Self { status: "True", reason: "Passed", message: "all checks passed".into() }
    }

    /// This server answers.
    pub fn local() -> Self {
        Self { status: "True", reason: "Local", message: "Local APIServices are always available".into() }
    }

    /// It cannot be reached, or does not answer.
    pub fn not(reason: &'static str, message: String) -> Self {
        Self { status: "False", reason, message }
    }

    /// Whether the APIService says so already.
    pub fn is_said(&self, service: &Value) -> bool {
        of(service).is_some_and(|said| {
            let text = |field: &str| said.get(field).and_then(Value::as_str).unwrap_or_default();
            text("status") == self.status && text("reason") == self.reason && text("message") == self.message
        })
    }

    /// Sets it; the time of the last change moves with the status alone.
    fn set(&self, service: &mut Value, now: &str) {
        let mut said = json!({"type": AVAILABLE, "status": self.status, "lastTransitionTime": now,
            "reason": self.reason, "message": self.message});
        if let Some(before) = of(service).filter(|before| before["status"] == self.status) {
            said["lastTransitionTime"] = before["lastTransitionTime"].clone();
        }
        if !service["status"].is_object() {
            service["status"] = json!({});
        }
        if !service["status"]["conditions"].is_array() {
            service["status"]["conditions"] = json!([]);
        }
        let Some(conditions) = service["status"]["conditions"].as_array_mut() else { return };
        match conditions.iter_mut().find(|condition| condition["type"] == AVAILABLE) {
            Some(condition) => *condition = said,
            None => conditions.push(said),
        }
    }
}

fn of(service: &Value) -> Option<&Value> {
    let conditions = service.pointer("/status/conditions").and_then(Value::as_array);
    conditions?.iter().find(|condition| condition["type"] == AVAILABLE)
}

/// Whether an APIService says that it answers.
pub(super) fn is_available(service: &Value) -> bool {
    of(service).is_some_and(|condition| condition["status"] == "True")
}

/// Writes the condition unless it is there. A conflict is an error: a newer state is on its way to whoever calls.
pub(super) async fn write(registry: &Arc<Registry>, service: &Value, said: &Available) -> Result<(), StatusError> {
    if said.is_said(service) {
        return Ok(());
    }
    let table = registry.table();
    let row = table.row("apiregistration.k8s.io", "v1", "apiservices").ok_or_else(StatusError::unknown_resource)?;
    let mut changed = service.clone();
    said.set(&mut changed, &format_time(jiff::Timestamp::now()));
    tracing::info!(
        name = service.name(),
        status = said.status,
        reason = said.reason,
        "APIService changes availability"
    );
    let target = Target::new(row.clone(), "", service.name()).subresource("status");
    let ctx = RequestContext::new(identity::loopback(), "kube-apiserver");
    match registry.update(&ctx, &target, changed.into(), &UpdateOptions::default()).await {
        Ok(_) => Ok(()),
        Err(error) if *error.reason() == Reason::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_condition_moves_with_its_status_alone() {
        let mut service = json!({"status": {"conditions": [{"type": "Other", "status": "True"}]}});
        let away = Available::not("ServiceNotFound", "service/a in \"b\" is not present".into());
        assert!(!away.is_said(&service) && !is_available(&service));
        away.set(&mut service, "t1");
        Available::not("EndpointsNotFound", "none".into()).set(&mut service, "t2");
        let condition = &service["status"]["conditions"][1];
        let want = json!({"type": "Available", "status": "False", "lastTransitionTime": "t1",
            "reason": "EndpointsNotFound", "message": "none"});
        assert_eq!(*condition, want);
        Available::passed().set(&mut service, "t3");
        assert_eq!(service["status"]["conditions"][1]["lastTransitionTime"], "t3");
        assert!(is_available(&service) && Available::passed().is_said(&service));
    }
}

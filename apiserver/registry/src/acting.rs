//! Creates that make no object of their own: bindings, evictions, and kinds that only answer.

use std::sync::Arc;

use admission::{Attributes, Operation};
use apimachinery::field::{self, Path};
use apimachinery::gvk::{GroupResource, GroupVersionKind};
use apimachinery::selector::labels;
use apimachinery::status::{Status, StatusCause};
use apimachinery::{ObjectExt, StatusError};
use serde_json::{Value, json};

use crate::options::{CreateOptions, DeleteOptions, Preconditions, PropagationPolicy};
use crate::pipeline::{Change, Draft, OptionsObject, Write};
use crate::registry::Registry;
use crate::reviews;
use crate::served::{Served, Written};
use crate::subresource::View;
use crate::{GetOptions, ListOptions, RequestContext, Target, token_request};

/// Does what a POST to a subresource, or of a kind that is not kept, asks.
pub(crate) async fn create(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    object: Value,
    options: &CreateOptions,
) -> Result<Written, StatusError> {
    let row = &target.row;
    match (row.gvr.group.as_str(), row.gvr.resource.as_str(), target.subresource.as_str()) {
        ("", "pods", "binding") => bind(registry, ctx, target, object, options).await,
        ("", "bindings", "") => {
            // The old way: a binding beside the pod, of the pod's name.
            let pods = registry.table().row("", "v1", "pods").cloned().ok_or_else(StatusError::unknown_resource)?;
            let pod = Target::new(pods, &target.namespace, object.name()).subresource("binding");
            bind(registry, ctx, &pod, object, options).await
        }
        ("", "pods", "eviction") => evict(registry, ctx, target, object, options).await,
        ("", "serviceaccounts", "token") => token_request::create(registry, ctx, target, object, options).await,
        _ => match reviews::create(registry, ctx, target, object, options).await {
            Some(answered) => answered,
            None => Err(StatusError::method_not_supported(&row.group_resource(), "create")),
        },
    }
}

/// Asks the admission chain about an object that is not kept; gives it back as the chain changed it.
pub(crate) async fn admit(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    object: Value,
    options: &CreateOptions,
) -> Result<Value, StatusError> {
    let chain = registry.admission();
    let mut attributes = attributes(ctx, target, object, options);
    chain.admit(&mut attributes, &ctx.warnings).await?;
    chain.validate(&attributes, &ctx.warnings).await?;
    Ok(attributes.object.map(Arc::unwrap_or_clone).unwrap_or_default())
}

/// The creation of an object that is not kept, as admission sees it.
pub(crate) fn attributes(ctx: &RequestContext, target: &Target, object: Value, options: &CreateOptions) -> Attributes {
    let kind = target.row.subresource(&target.subresource).map(|sub| sub.kind.clone());
    Attributes {
        operation: Operation::Create,
        kind: kind.unwrap_or_else(|| target.row.gvk()),
        resource: target.row.gvr.clone(),
        subresource: target.subresource.clone(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        object: Some(Arc::new(object)),
        old_object: None,
        options: OptionsObject { dry_run: options.dry_run, ..OptionsObject::default() }.of(Operation::Create, false),
        dry_run: options.dry_run,
        user: ctx.user.clone(),
    }
}

fn success() -> Result<Written, StatusError> {
    let status = Status { code: 201, ..Status::success(None) };
    let status = serde_json::to_value(status).map_err(StatusError::internal)?;
    Ok(Written { object: Served::from_value(Arc::new(status)), created: true })
}

/// A pod gets its node.
struct Bind {
    binding: Value,
    now: String,
}

impl Change for Bind {
    fn draft(&self, current: Option<&Arc<Value>>, _stands: bool) -> Result<Draft, StatusError> {
        let mut pod = current.map(|current| Value::clone(current)).unwrap_or_default();
        let refuse =
            |words: String| Err(StatusError::conflict(&GroupResource::new("", "pods/binding"), pod.name(), words));
        if pod.deletion_timestamp().is_some() {
            return refuse(format!("pod {} is being deleted, cannot be assigned to a host", pod.name()));
        }
        let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
        if !node.is_empty() {
            return refuse(format!("pod {} is already assigned to node \"{node}\"", pod.name()));
        }
        let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array);
        if gates.is_some_and(|gates| !gates.is_empty()) {
            return refuse(format!("pod {} has non-empty .spec.schedulingGates", pod.name()));
        }
        pod["spec"]["nodeName"] = self.binding.pointer("/target/name").cloned().unwrap_or_default();
        for (key, value) in self.binding.annotations().into_iter().flatten() {
            pod.set_annotation(key, value.as_str().unwrap_or_default());
        }
        for (key, value) in self.binding.labels().into_iter().flatten() {
            pod.set_label(key, value.as_str().unwrap_or_default());
        }
        set_scheduled(&mut pod, &self.now);
        Ok(pod.into())
    }

    fn preconditions(&self) -> Preconditions {
        let uid = self.binding.uid();
        Preconditions { uid: (!uid.is_empty()).then(|| uid.to_owned()), resource_version: None }
    }

    fn owners_are_settled(&self) -> bool {
        true
    }
}

fn set_scheduled(pod: &mut Value, now: &str) {
    let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
    let Some(status) = pod.as_object_mut().map(|fields| fields.entry("status").or_insert_with(|| json!({}))) else {
        return;
    };
    if let Some(status) = status.as_object_mut() {
        // Where the pod was to go is settled.
        status.remove("nominatedNodeName");
    }
    if !status.get("conditions").is_some_and(Value::is_array) {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    match conditions.iter_mut().find(|condition| condition["type"] == "PodScheduled") {
        Some(there) if there["status"] == "True" => {}
        Some(there) => *there = condition,
        None => conditions.push(condition),
    }
}

async fn bind(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    binding: Value,
    options: &CreateOptions,
) -> Result<Written, StatusError> {
    let text = |pointer: &str| binding.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let path = Path::new("target");
    let mut errors = field::ErrorList::new();
    if !matches!(text("/target/kind"), "" | "Node") {
        errors.push(field::Error::not_supported(&path.child("kind"), text("/target/kind"), &["Node", "<empty>"]));
    }
    if text("/target/name").is_empty() {
        errors.push(field::Error::required(&path.child("name"), ""));
    }
    if !errors.is_empty() {
        let kind = GroupVersionKind::new("", "v1", "Binding").group_kind();
        return Err(StatusError::invalid(&kind, binding.name(), errors));
    }
    let binding = admit(registry, ctx, target, binding, options).await?;
    let write = Write {
        registry,
        ctx,
        target,
        store: registry.store_of(target)?,
        view: View::Whole,
        dry_run: options.dry_run,
        manager: String::new(),
        admits: false,
        pending: Default::default(),
        options: OptionsObject::default(),
    };
    write.run(&Bind { binding, now: registry.now() }).await?;
    success()
}

/// One more disruption under a budget.
struct Disrupt {
    pod: String,
    now: String,
}

impl Change for Disrupt {
    fn draft(&self, current: Option<&Arc<Value>>, _stands: bool) -> Result<Draft, StatusError> {
        let mut budget = current.map(|current| Value::clone(current)).unwrap_or_default();
        let number = |field: &str| budget.pointer(&format!("/status/{field}")).and_then(Value::as_i64).unwrap_or(0);
        if number("observedGeneration") < budget.generation() {
            return Err(StatusError::too_many_requests(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                10,
            )
            .with_cause(StatusCause::new(
                "DisruptionBudget",
                format!("The disruption budget {} is still being processed by the server.", budget.name()),
                "",
            )));
        }
        let allowed = number("disruptionsAllowed");
        if allowed <= 0 {
            let words = format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                budget.name(),
                number("desiredHealthy"),
                number("currentHealthy")
            );
            return Err(StatusError::too_many_requests(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                0,
            )
            .with_cause(StatusCause::new("DisruptionBudget", words, "")));
        }
        budget["status"]["disruptionsAllowed"] = (allowed - 1).into();
        if !budget["status"]["disruptedPods"].is_object() {
            budget["status"]["disruptedPods"] = json!({});
        }
        budget["status"]["disruptedPods"][&self.pod] = self.now.as_str().into();
        Ok(budget.into())
    }

    fn owners_are_settled(&self) -> bool {
        true
    }
}

async fn evict(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    eviction: Value,
    options: &CreateOptions,
) -> Result<Written, StatusError> {
    if !eviction.name().is_empty() && eviction.name() != target.name {
        return Err(StatusError::bad_request("name in URL does not match name in Eviction object"));
    }
    let eviction = admit(registry, ctx, target, eviction, options).await?;
    let whole = Target { subresource: String::new(), ..target.clone() };
    let pod = registry.get(ctx, &whole, &GetOptions::default()).await?.value()?;
    let sent = eviction.get("deleteOptions").unwrap_or(&Value::Null);
    let text = |pointer: &str| sent.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let delete = DeleteOptions {
        grace_period_seconds: sent.get("gracePeriodSeconds").and_then(Value::as_i64),
        preconditions: Preconditions {
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
        },
        propagation_policy: match text("/propagationPolicy").as_deref() {
            Some("Foreground") => Some(PropagationPolicy::Foreground),
            Some("Background") => Some(PropagationPolicy::Background),
            Some("Orphan") => Some(PropagationPolicy::Orphan),
            _ => None,
        },
        orphan_dependents: None,
        dry_run: options.dry_run || sent.get("dryRun").is_some_and(|value| !value.is_null()),
    };
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
    // Pods that are done, not yet started, or going anyway disturb nobody.
    if !matches!(phase, "Succeeded" | "Failed" | "Pending") && pod.deletion_timestamp().is_none() {
        disrupt(registry, ctx, &pod, delete.dry_run).await?;
    }
    registry.delete_object(ctx, &whole, &delete).await?;
    success()
}

async fn disrupt(registry: &Registry, ctx: &RequestContext, pod: &Value, dry_run: bool) -> Result<(), StatusError> {
    let row = registry
        .table()
        .row("policy", "v1", "poddisruptionbudgets")
        .cloned()
        .ok_or_else(StatusError::unknown_resource)?;
    let all = Target::new(row.clone(), pod.namespace(), "");
    let mut matching = Vec::new();
    for budget in registry.list(ctx, &all, &ListOptions::default()).await?.items {
        let budget = budget.value()?;
        let selector = budget.pointer("/spec/selector").unwrap_or(&Value::Null);
        if labels::Selector::from_label_selector(selector).is_ok_and(|selector| selector.matches(|key| pod.label(key)))
        {
            matching.push(budget.name().to_owned());
        }
    }
    match matching.as_slice() {
        [] => Ok(()),
        [name] => {
            let target = Target::new(row, pod.namespace(), name).subresource("status");
            let write = Write {
                registry,
                ctx,
                target: &target,
                store: registry.store_of(&target)?,
                view: View::Whole,
                dry_run,
                manager: String::new(),
                admits: false,
                pending: Default::default(),
                options: OptionsObject::default(),
            };
            write.run(&Disrupt { pod: pod.name().to_owned(), now: registry.now() }).await.map(drop)
        }
        _ => Err(StatusError::internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
    }
}

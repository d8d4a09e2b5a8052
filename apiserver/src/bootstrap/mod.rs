//! The objects upstream creates at its first start: namespaces, RBAC's default roles and bindings, priority classes,
//! flow schemas, priority levels and the local APIServices; and what the operators may do.

mod policy;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use apimachinery::time;
use authorization::rbac;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use registry::{CreateOptions, DeleteOptions, ListOptions, Registry, RequestContext, Row, Target, UpdateOptions};
use serde_json::Value;

use crate::identity;
use policy::Step;

/// Lists of objects by the collection's path, as recorded from upstream.
const OBJECTS: &str = include_str!("../../data/bootstrap.json");
/// Roles and bindings of the operators, in the same form.
const OPERATORS: &str = include_str!("../../data/operators.json");

/// Lists of objects by the collection's path.
type Collections = BTreeMap<String, Vec<Value>>;

fn collections() -> Result<Collections, StatusError> {
    let read = |text| serde_json::from_str::<Collections>(text);
    let broken = |e| StatusError::internal(format!("the objects to bootstrap cannot be read: {e}"));
    let mut all = read(OBJECTS).map_err(broken)?;
    for (path, objects) in read(OPERATORS).map_err(broken)? {
        all.entry(path).or_default().extend(objects);
    }
    Ok(all)
}

/// The rules of a default cluster role.
pub(crate) fn rules_of_cluster_role(name: &str) -> Result<Vec<rbac::PolicyRule>, StatusError> {
    let all = collections()?;
    let roles = all.iter().find(|(path, _)| path.ends_with("/clusterroles")).map(|(_, roles)| roles);
    let role = roles.into_iter().flatten().find(|role| role.name() == name);
    let role = role.ok_or_else(|| StatusError::internal(format!("there is no default cluster role {name}")))?;
    policy::rules(role).map_err(StatusError::internal)
}

/// Writes in flight at once; the embedded store commits them in one batch.
const CONCURRENCY: usize = 64;

/// Creates what is missing. Of what is there, roles and bindings get what they lack; the rest is left as it is.
pub async fn create_missing(registry: &Arc<Registry>) -> Result<(), StatusError> {
    let collections = collections()?;
    let ctx = RequestContext::new(identity::loopback(), FIELD_MANAGER);
    let table = registry.table();
    // Namespaces first: others live in them.
    let (namespaces, others): (Vec<_>, Vec<_>) =
        collections.into_iter().partition(|(path, _)| path == "/api/v1/namespaces");
    for step in [namespaces, others] {
        let mut missing = Vec::new();
        for (path, objects) in step {
            let (group, version, resource) = split(&path);
            let row = table
                .row(group, version, resource)
                .ok_or_else(|| StatusError::internal(format!("{path} is to be bootstrapped but not served")))?;
            let present = present(registry, &ctx, row).await?;
            for object in objects {
                match present.get(&key(&object)) {
                    None => missing.push((row.clone(), object)),
                    Some(existing) if group == rbac::GROUP => {
                        if reconcile(registry, &ctx, row, &object, existing).await? {
                            missing.push((row.clone(), object));
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        stream::iter(missing)
            .map(|(row, object)| create(registry, &ctx, row, object))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

/// The APIServices of the built-in groups, with what places them in discovery.
pub fn api_services() -> Result<Vec<Value>, StatusError> {
    Ok(collections()?.remove("/apis/apiregistration.k8s.io/v1/apiservices").unwrap_or_default())
}

/// The manager of the fields of bootstrapped objects.
pub(crate) const FIELD_MANAGER: &str = "kube-apiserver";

/// Creates an object and writes the conditions it comes with; another server on the same store may have been faster.
pub(crate) async fn create(
    registry: &Arc<Registry>,
    ctx: &RequestContext,
    row: Arc<Row>,
    mut object: Value,
) -> Result<(), StatusError> {
    let (gvk, namespace, name) = (row.gvk(), object.namespace().to_owned(), object.name().to_owned());
    let fields = object.as_object_mut().ok_or_else(|| StatusError::internal(format!("{name} is not an object")))?;
    fields.insert("apiVersion".into(), row.api_version().into());
    fields.insert("kind".into(), gvk.kind.into());
    let mut status = fields.remove("status").filter(|status| status.get("conditions").is_some());
    let collection = Target::new(row.clone(), namespace.clone(), String::new());
    match registry.create(ctx, &collection, object.into(), &CreateOptions::default()).await {
        Ok(created) => {
            let (Some(status), Some(_)) = (status.as_mut(), row.subresource("status")) else { return Ok(()) };
            stamp(status);
            let mut object = Value::clone(&*created.object.value()?);
            object["status"] = status.take();
            let target = Target::new(row, namespace, name).subresource("status");
            registry.update(ctx, &target, object.into(), &UpdateOptions::default()).await.map(drop)
        }
        // Another server on the same store was faster.
        Err(error) if *error.reason() == Reason::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Conditions begin now, not when they were recorded.
fn stamp(status: &mut Value) {
    let now = time::format_time(jiff::Timestamp::now());
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = now.clone().into();
    }
}

/// Adds to a role or binding what it lacks; whether it is to be created anew. Whoever else writes it at the same time
/// adds the same, or is an administrator, whose word counts until the next start.
async fn reconcile(
    registry: &Arc<Registry>,
    ctx: &RequestContext,
    row: &Arc<Row>,
    expected: &Value,
    existing: &Value,
) -> Result<bool, StatusError> {
    let target = Target::new(row.clone(), existing.namespace(), existing.name());
    let step = policy::reconcile(expected, existing).map_err(StatusError::internal)?;
    let (written, again) = match step {
        Step::Leave => return Ok(false),
        Step::Update(mut object) => {
            tracing::info!(kind = row.kind, name = object.name(), "a default of RBAC lacked something and was updated");
            object["apiVersion"] = row.api_version().into();
            object["kind"] = row.kind.as_str().into();
            let updated = registry.update(ctx, &target, object.into(), &UpdateOptions::default()).await;
            (updated.map(drop), false)
        }
        Step::Recreate => {
            tracing::info!(kind = row.kind, name = existing.name(), "a default of RBAC named another role");
            (registry.delete(ctx, &target, &DeleteOptions::default()).await.map(drop), true)
        }
    };
    match written {
        Err(error) if matches!(error.reason(), Reason::Conflict | Reason::NotFound) => Ok(again),
        written => written.map(|()| again),
    }
}

async fn present(
    registry: &Arc<Registry>,
    ctx: &RequestContext,
    row: &Arc<Row>,
) -> Result<HashMap<(String, String), Arc<Value>>, StatusError> {
    let all = Target::new(row.clone(), String::new(), String::new());
    let listed = registry.list(ctx, &all, &ListOptions::default()).await?;
    listed.items.iter().map(|item| item.value().map(|object| (key(&object), object))).collect()
}

fn key(object: &Value) -> (String, String) {
    (object.namespace().to_owned(), object.name().to_owned())
}

/// Group, version and resource of a collection's path (`/api/v1/namespaces`, `/apis/apps/v1/deployments`).
fn split(path: &str) -> (&str, &str, &str) {
    let mut parts = path.rsplitn(4, '/');
    let (resource, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let group = parts.next().filter(|group| *group != "api").unwrap_or_default();
    (group, version, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bootstrapped_collection_is_a_path_and_every_object_has_a_name() {
        let collections = collections().unwrap();
        assert!(!collections.is_empty());
        for (path, objects) in collections {
            assert!(!split(&path).2.is_empty() && !split(&path).1.is_empty(), "{path}");
            assert!(objects.iter().all(|object| !object.name().is_empty()), "{path}");
            let names: std::collections::HashSet<_> = objects.iter().map(key).collect();
            assert_eq!(names.len(), objects.len(), "{path}: no name twice");
        }
        assert_eq!(split("/api/v1/namespaces"), ("", "v1", "namespaces"));
        assert_eq!(split("/apis/apps/v1/deployments"), ("apps", "v1", "deployments"));
    }
}

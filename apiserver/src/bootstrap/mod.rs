//! The objects upstream creates at its first start: namespaces, RBAC's default roles and bindings, priority classes,
//! flow schemas, priority levels and the local APIServices; and what the operators may do. They are kept in the form in which
//! they are stored (`stored`), so that a first start has nothing to work out.

mod policy;
mod stored;

use std::collections::HashMap;
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
use stored::Stored;

/// The rules of a default cluster role.
pub(crate) fn rules_of_cluster_role(name: &str) -> Result<Vec<rbac::PolicyRule>, StatusError> {
    let roles = stored::collection("/apis/rbac.authorization.k8s.io/v1/clusterroles")?;
    let role = roles.iter().find(|role| role.name == name);
    let role = role.ok_or_else(|| StatusError::internal(format!("there is no default cluster role {name}")))?;
    policy::rules(&role.object()?).map_err(StatusError::internal)
}

/// Writes in flight at once; the embedded store commits them in one batch.
const CONCURRENCY: usize = 256;

/// Creates what is missing. Of what is there, roles and bindings get what they lack; the rest is left as it is.
pub async fn create_missing(registry: &Arc<Registry>) -> Result<(), StatusError> {
    let ctx = RequestContext::new(identity::loopback(), FIELD_MANAGER);
    let table = registry.table();
    let empty = registry.is_empty().await?;
    let mut missing = Vec::new();
    for (path, objects) in stored::collections()? {
        let (group, version, resource) = split(path);
        let row = table
            .row(group, version, resource)
            .ok_or_else(|| StatusError::internal(format!("{path} is to be bootstrapped but not served")))?;
        let present = if empty { HashMap::new() } else { present(registry, &ctx, row).await? };
        for object in objects {
            let create = match present.get(&(object.namespace.clone(), object.name.clone())) {
                None => true,
                Some(existing) if group == rbac::GROUP => {
                    reconcile(registry, &ctx, row, &object.object()?, existing).await?
                }
                Some(_) => false,
            };
            if create {
                let target = Target::new(row.clone(), object.namespace.as_str(), object.name.as_str());
                missing.push((target, object.bytes()));
            }
        }
    }
    // Another server on the same store may be faster with any of them.
    stream::iter(missing)
        .map(|(target, object)| async move { registry.restore(&target, object).await.map(drop) })
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
}

/// The APIServices of the built-in groups, with what places them in discovery.
pub fn api_services() -> Result<Vec<Value>, StatusError> {
    let services = stored::collection("/apis/apiregistration.k8s.io/v1/apiservices")?;
    services.iter().map(Stored::desired).collect()
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
    fn a_collections_path_is_its_group_version_and_resource() {
        assert_eq!(split("/api/v1/namespaces"), ("", "v1", "namespaces"));
        assert_eq!(split("/apis/apps/v1/deployments"), ("apps", "v1", "deployments"));
    }
}

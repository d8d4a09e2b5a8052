//! The objects upstream creates at its first start: namespaces, RBAC's default roles and bindings, priority classes,
//! flow schemas, priority levels and the local APIServices.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use registry::{CreateOptions, ListOptions, Registry, RequestContext, Row, Target, UpdateOptions};
use serde_json::Value;

use crate::identity;

/// Lists of objects by the collection's path, as recorded from upstream.
const OBJECTS: &str = include_str!("../data/bootstrap.json");

/// Writes in flight at once; the embedded store commits them in one batch.
const CONCURRENCY: usize = 64;

/// Creates what is missing. What is there is left as it is.
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
            let present = names(registry, &ctx, row).await?;
            let absent = objects.into_iter().filter(|object| !present.contains(&key(object)));
            missing.extend(absent.map(|object| (row.clone(), object)));
        }
        stream::iter(missing)
            .map(|(row, object)| create(registry, &ctx, row, object))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

fn collections() -> Result<BTreeMap<String, Vec<Value>>, StatusError> {
    serde_json::from_str(OBJECTS)
        .map_err(|e| StatusError::internal(format!("the objects to bootstrap cannot be read: {e}")))
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
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = now.clone().into();
    }
}

async fn names(
    registry: &Arc<Registry>,
    ctx: &RequestContext,
    row: &Arc<Row>,
) -> Result<HashSet<(String, String)>, StatusError> {
    let all = Target::new(row.clone(), String::new(), String::new());
    let listed = registry.list(ctx, &all, &ListOptions::default()).await?;
    listed.items.iter().map(|item| Ok(key(&*item.value()?))).collect()
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
        let collections: BTreeMap<String, Vec<Value>> = serde_json::from_str(OBJECTS).unwrap();
        assert!(!collections.is_empty());
        for (path, objects) in collections {
            assert!(!split(&path).2.is_empty() && !split(&path).1.is_empty(), "{path}");
            assert!(objects.iter().all(|object| !object.name().is_empty()), "{path}");
        }
        assert_eq!(split("/api/v1/namespaces"), ("", "v1", "namespaces"));
        assert_eq!(split("/apis/apps/v1/deployments"), ("apps", "v1", "deployments"));
    }
}

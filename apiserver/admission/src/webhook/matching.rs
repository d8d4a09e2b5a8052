//! Whether a webhook wants to see a request, and as what.

use std::sync::Arc;

use apimachinery::gvk::{GroupResource, GroupVersionKind, GroupVersionResource};
use apimachinery::{ObjectExt, StatusError};
use serde_json::Value;

use super::hook::{Hook, Rule, Selection};
use crate::{Attributes, Lister, Operation};

/// A call to be made.
pub(super) struct Invocation<'h> {
    pub hook: &'h Hook,
    /// The resource and kind as the rule that matched knows them.
    pub resource: GroupVersionResource,
    pub kind: GroupVersionKind,
}

/// The call that `hook` wants for the request, if any.
pub(super) async fn invocation<'h>(
    lister: &dyn Lister,
    hook: &'h Hook,
    attributes: &Attributes,
) -> Result<Option<Invocation<'h>>, StatusError> {
    let Some((resource, kind)) = by_rules(lister, hook, attributes) else { return Ok(None) };
    if !in_namespace(lister, hook, attributes).await? || !has_labels(hook, attributes)? {
        return Ok(None);
    }
    Ok(Some(Invocation { hook, resource, kind }))
}

fn by_rules(
    lister: &dyn Lister,
    hook: &Hook,
    attributes: &Attributes,
) -> Option<(GroupVersionResource, GroupVersionKind)> {
    if hook.rules.iter().any(|rule| rule.matches(attributes, &attributes.resource)) {
        return Some((attributes.resource.clone(), attributes.kind.clone()));
    }
    if !hook.matches_equivalents() {
        return None;
    }
    let equivalents = lister.equivalents(&attributes.resource, &attributes.subresource);
    let of_rule = |rule: &Rule| equivalents.iter().find(|equivalent| rule.matches(attributes, &equivalent.resource));
    let found = hook.rules.iter().find_map(of_rule)?;
    Some((found.resource.clone(), found.kind.clone()))
}

impl Rule {
    fn matches(&self, attributes: &Attributes, resource: &GroupVersionResource) -> bool {
        let of_namespace = resource.group.is_empty() && resource.resource == "namespaces";
        let cluster_scoped = of_namespace || attributes.namespace.is_empty();
        let in_scope = match self.scope.as_deref() {
            None | Some("*") => true,
            Some("Namespaced") => !cluster_scoped,
            Some("Cluster") => cluster_scoped,
            Some(_) => false,
        };
        in_scope
            && names(&self.operations, attributes.operation.as_str())
            && names(&self.api_groups, &resource.group)
            && names(&self.api_versions, &resource.version)
            && self.resources.iter().any(|wanted| {
                let (name, subresource) = wanted.split_once('/').unwrap_or((wanted, ""));
                (name == "*" || name == resource.resource)
                    && (subresource == "*" || subresource == attributes.subresource)
            })
    }
}

fn names(items: &[String], wanted: &str) -> bool {
    items.iter().any(|item| item == "*" || item == wanted)
}

async fn in_namespace(lister: &dyn Lister, hook: &Hook, attributes: &Attributes) -> Result<bool, StatusError> {
    let selector = match &hook.namespaces {
        Selection::Everything => return Ok(true),
        Selection::Bad(error) => return Err(StatusError::unstructured(error.clone())),
        Selection::Some(selector) => selector,
    };
    let of_namespace = attributes.resource.group.is_empty() && attributes.resource.resource == "namespaces";
    let namespace: Arc<Value> = if of_namespace && attributes.operation != Operation::Connect {
        // A namespace answers for itself; one that goes as it was.
        match (&attributes.object, &attributes.old_object) {
            (Some(object), _) => return Ok(selector.matches(|key| object.label(key))),
            (None, Some(old)) => old.clone(),
            (None, None) => return Ok(false),
        }
    } else if attributes.namespace.is_empty() {
        return Ok(true);
    } else {
        namespace(lister, &attributes.namespace).await?
    };
    Ok(selector.matches(|key| namespace.label(key)))
}

async fn namespace(lister: &dyn Lister, name: &str) -> Result<Arc<Value>, StatusError> {
    let resource = GroupVersionResource::new("", "v1", "namespaces");
    if let Some(namespace) = lister.get(&resource, "", name).await? {
        return Ok(namespace);
    }
    let fresh = lister.get_fresh(&resource, "", name).await?;
    fresh.ok_or_else(|| StatusError::not_found(&GroupResource::new("", "namespaces"), name))
}

/// Whether the new object or the old one has the labels.
fn has_labels(hook: &Hook, attributes: &Attributes) -> Result<bool, StatusError> {
    let selector = match &hook.objects {
        Selection::Everything => return Ok(true),
        Selection::Bad(error) => return Err(StatusError::unstructured(error.clone())),
        Selection::Some(selector) => selector,
    };
    let objects = attributes.object.iter().chain(&attributes.old_object);
    Ok(objects.into_iter().any(|object| selector.matches(|key| object.label(key))))
}

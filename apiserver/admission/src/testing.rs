//! What the plugins' tests share.

use std::sync::Arc;

use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use apimachinery::{ObjectExt, StatusError, UserInfo};
use async_trait::async_trait;
use serde_json::Value;

use crate::{Attributes, Lister, Operation};

/// A lister of objects that do not change.
pub(crate) struct Fixed(Vec<(String, Arc<Value>)>);

impl Fixed {
    pub fn new<'a>(objects: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self(objects.into_iter().map(|(resource, object)| (resource.to_owned(), Arc::new(object))).collect())
    }
}

#[async_trait]
impl Lister for Fixed {
    async fn get(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        let found = self
            .0
            .iter()
            .find(|(of, object)| *of == resource.resource && object.namespace() == namespace && object.name() == name);
        Ok(found.map(|(_, object)| object.clone()))
    }

    async fn list(&self, resource: &GroupVersionResource) -> Result<Arc<[Arc<Value>]>, StatusError> {
        let of = self.0.iter().filter(|(of, _)| *of == resource.resource);
        Ok(of.map(|(_, object)| object.clone()).collect())
    }
}

/// The attributes of a request for a core resource.
pub(crate) fn attributes(operation: Operation, resource: &str, namespace: &str, name: &str) -> Attributes {
    Attributes {
        operation,
        kind: GroupVersionKind::new("", "v1", "Secret"),
        resource: GroupVersionResource::new("", "v1", resource),
        subresource: String::new(),
        namespace: namespace.into(),
        name: name.into(),
        object: None,
        old_object: None,
        options: Value::Null,
        dry_run: false,
        user: Arc::new(UserInfo::new("u", ["system:masters"])),
    }
}

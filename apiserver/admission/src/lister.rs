//! How plugins read: from memory, through whatever the registry keeps there.

use std::sync::Arc;

use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use apimachinery::status::StatusError;
use async_trait::async_trait;
use serde_json::Value;

use crate::outbound::service::{self, Address, Routing};

/// Another version or group under which the same stored object is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivalent {
    /// The other resource.
    pub resource: GroupVersionResource,
    /// Its kind (of the subresource asked about).
    pub kind: GroupVersionKind,
}

/// Reads of what the server stores.
#[async_trait]
pub trait Lister: Send + Sync {
    /// One object in the version asked for, `None` if there is none. `namespace` is empty for cluster-scoped objects.
    /// May be a little behind the store.
    async fn get(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError>;

    /// As [`Lister::get`], but no older than the moment of the call. The default reads the same way.
    async fn get_fresh(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        self.get(resource, namespace, name).await
    }

    /// All objects of a resource, in key order. The same slice is handed out again while nothing has changed.
    async fn list(&self, resource: &GroupVersionResource) -> Result<Arc<[Arc<Value>]>, StatusError>;

    /// An address at which a port of a service is reached, for calls of webhooks. The error's words are upstream's.
    async fn locate(&self, namespace: &str, name: &str, port: u16) -> Result<Address, String> {
        service::look_up(self, Routing::default(), namespace, name, port).await
    }

    /// The other versions and groups that serve the same objects (`matchPolicy: Equivalent`), without `resource` itself.
    fn equivalents(&self, _resource: &GroupVersionResource, _subresource: &str) -> Vec<Equivalent> {
        Vec::new()
    }

    /// `object` in the version of `kind`, one of those that [`Lister::equivalents`] told.
    async fn convert(&self, object: &Value, kind: &GroupVersionKind) -> Result<Value, StatusError> {
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            let group_version =
                if kind.group.is_empty() { kind.version.clone() } else { format!("{}/{}", kind.group, kind.version) };
            fields.insert("apiVersion".into(), group_version.into());
        }
        Ok(object)
    }
}

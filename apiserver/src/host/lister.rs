//! What admission reads of the host: namespaces and webhook configurations.

use std::sync::Arc;
use std::time::Duration;

use admission::outbound::service::Address;
use admission::{Equivalent, Lister};
use apimachinery::StatusError;
use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use async_trait::async_trait;
use kube::Client;
use kube::runtime::watcher;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::followed::{self, Followed};

/// How long a request waits for the first answer about a resource.
const SYNC: Duration = Duration::from_secs(10);

/// The host's resources that are read here.
const FOLLOWED: [(&str, &str); 3] = [
    ("", "namespaces"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
];

/// Reads copies of the host's objects; about this server's own kinds it asks `own`.
pub(crate) struct HostLister {
    client: Client,
    own: Arc<dyn Lister>,
    followed: Vec<(GroupVersionResource, Arc<Followed>)>,
}

impl HostLister {
    /// Begins to follow what is read; the copies end with `stop`.
    pub fn start(client: Client, own: Arc<dyn Lister>, stop: &CancellationToken) -> Self {
        let follow = |(group, resource)| {
            let resource = GroupVersionResource::new(group, "v1", resource);
            let api = super::api(&client, &resource, "");
            (resource, Followed::start(api, watcher::Config::default(), stop.clone()))
        };
        let followed = FOLLOWED.into_iter().map(follow).collect();
        Self { client, own, followed }
    }

    /// The copy of a resource, once it is whole.
    async fn copy(&self, resource: &GroupVersionResource) -> Result<&Followed, StatusError> {
        let (_, followed) =
            self.followed.iter().find(|(of, _)| of == resource).ok_or_else(StatusError::unknown_resource)?;
        let synced = tokio::time::timeout(SYNC, followed.synced()).await;
        let words = || StatusError::service_unavailable(format!("{} of the host are not known yet", resource.resource));
        synced.map_err(|_| words())?;
        Ok(followed)
    }
}

#[async_trait]
impl Lister for HostLister {
    async fn get(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        Ok(self.copy(resource).await?.get(namespace, name))
    }

    async fn get_fresh(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        let found = super::api(&self.client, resource, namespace).get_opt(name).await;
        let found = found.map_err(|error| StatusError::internal(super::chain(&error)))?;
        Ok(found.as_ref().and_then(followed::value))
    }

    async fn list(&self, resource: &GroupVersionResource) -> Result<Arc<[Arc<Value>]>, StatusError> {
        Ok(self.copy(resource).await?.list())
    }

    /// As upstream's aggregated servers: by the cluster's DNS, which knows all services.
    async fn locate(&self, namespace: &str, name: &str, port: u16) -> Result<Address, String> {
        Ok((format!("{name}.{namespace}.svc"), port))
    }

    fn equivalents(&self, resource: &GroupVersionResource, subresource: &str) -> Vec<Equivalent> {
        self.own.equivalents(resource, subresource)
    }

    async fn convert(&self, object: &Value, kind: &GroupVersionKind) -> Result<Value, StatusError> {
        self.own.convert(object, kind).await
    }
}

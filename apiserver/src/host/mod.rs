//! The server in front of this one, where this one is aggregated: it keeps the namespaces, the webhook configurations and the
//! clients' rights, and is asked for them.

mod followed;
mod lister;
mod reviews;

use std::path::Path;

use apimachinery::gvk::GroupVersionResource;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::error::Error;

pub(crate) use followed::Followed;
pub(crate) use lister::HostLister;
pub(crate) use reviews::{Kind, Reviews};

/// A client of the host: as a kubeconfig says, or as the service account of the Pod that this server runs in.
///
/// # Errors
/// There is neither, or what it says cannot be used. Nothing is sent yet.
pub(crate) async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Error> {
    let unusable = |error: &dyn std::error::Error| Error::Host(chain(error));
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| unusable(&error))?
        }
        None => Config::incluster().map_err(|error| unusable(&error))?,
    };
    Client::try_from(config).map_err(|error| unusable(&error))
}

/// A resource of the host, in one namespace or (empty) in all.
pub(crate) fn api(client: &Client, resource: &GroupVersionResource, namespace: &str) -> Api<DynamicObject> {
    let of = ApiResource {
        group: resource.group.clone(),
        version: resource.version.clone(),
        api_version: resource.group_version().to_string(),
        // Objects say their kind themselves; paths are made of the plural.
        kind: String::new(),
        plural: resource.resource.clone(),
    };
    match namespace {
        "" => Api::all_with(client.clone(), &of),
        namespace => Api::namespaced_with(client.clone(), namespace, &of),
    }
}

/// An error and what it stems from, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}

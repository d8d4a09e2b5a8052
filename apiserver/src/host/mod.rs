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
    // A parser's sentence is followed by what it read, which may hold secrets.
    let unusable =
        |error: &dyn std::error::Error| Error::Host(chain(error).lines().next().unwrap_or_default().to_owned());
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| unusable(&error))?
        }
        None => Config::incluster()
            .map_err(|error| Error::Host(format!("there is no --kubeconfig, and this is no Pod: {}", chain(&error))))?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_used_is_told_of_in_one_line_without_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        for text in
            ["users: [{name: u, user: {token: t0p-s3cret}}\n", "users: {token: t0p-s3cret}\n", "current-context: c\n"]
        {
            std::fs::write(&path, text).unwrap();
            let error = connect(Some(&path)).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with("the host: "), "{text}: {error}");
            assert!(!error.contains("s3cret") && !error.contains('\n'), "{text}: {error}");
        }
    }
}

//! Pods and templates of pods. A file a concept; [`spec::validate`] calls them in upstream's order.

pub(crate) mod affinity;
pub(crate) mod annotations;
mod containers;
pub(crate) mod environment;
mod ephemeral;
mod handlers;
mod mounts;
mod network;
mod options;
mod os;
mod paths;
mod ports;
pub(crate) mod profiles;
mod projected;
pub(crate) mod resources;
mod restart;
pub(crate) mod scheduling;
pub(crate) mod security;
mod spec;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod topology;
pub(crate) mod volumes;
pub(crate) mod warnings;
mod windows;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::read::{list, map, text};
use crate::meta;
use crate::table::Row;

pub(crate) use containers::is_sidecar;
pub(crate) use options::Options;

/// What is wrong with a pod, new or changed: its metadata and its spec.
pub(crate) fn validate(pod: &Value, row: &Row, options: &Options, errors: &mut ErrorList) {
    let (metadata, spec, at) = (&pod["metadata"], &pod["spec"], Path::new("spec"));
    errors.extend(meta::validate_create(pod, row, row.strategy.name_rule(row)));
    annotations::validate(metadata, spec, &Path::new("metadata").child("annotations"), options, errors);
    spec::validate(spec, Some(metadata), &at, options, errors);
    if text(spec, "serviceAccountName").is_empty() {
        for (i, volume) in list(spec, "volumes").iter().enumerate() {
            let Some(projected) = volume.get("projected") else { continue };
            for (j, source) in list(projected, "sources").iter().enumerate() {
                if map(source, "serviceAccountToken").is_some() {
                    let at = at.child("volumes").index(i).child("projected").child("sources").index(j);
                    let words = "must not be specified when serviceAccountName is not set";
                    errors.push(Error::forbidden(&at.child("serviceAccountToken"), words));
                }
            }
        }
    }
    for name in ["containers", "initContainers"] {
        for (i, container) in list(spec, name).iter().enumerate() {
            containers::validate_of_pod(container, &at.child(name).index(i), errors);
        }
    }
}

/// The lists of containers in a spec, in upstream's order.
pub(crate) const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The containers of a spec, of every kind.
pub(crate) fn every_container(spec: &Value) -> impl Iterator<Item = &Value> {
    CONTAINER_LISTS.iter().flat_map(|name| list(spec, name))
}

/// The containers of a spec with their paths.
pub(crate) fn every_container_at<'a>(spec: &'a Value, at: &'a Path) -> impl Iterator<Item = (Path, &'a Value)> {
    CONTAINER_LISTS.iter().flat_map(move |name| {
        let containers = list(spec, name).iter().enumerate();
        containers.map(move |(i, container)| (at.child(name).index(i), container))
    })
}

/// Appends what a rule of names says of a value.
fn invalid_for(messages: Vec<String>, at: &Path, value: &str, errors: &mut ErrorList) {
    errors.extend(messages.into_iter().map(|words| Error::invalid(at, value, words)));
}

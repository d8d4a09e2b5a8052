//! Kinds of the core group that add rules of their own.

mod configuration;
mod limit_range;
mod namespace;
mod pod;
pub(crate) mod service;
mod template;

use super::Strategy;

/// The strategy of a resource that has one of its own.
pub(super) fn strategy(group: &str, resource: &str) -> Option<&'static dyn Strategy> {
    Some(match (group, resource) {
        ("", "namespaces") => &namespace::Namespace,
        ("", "pods") => &pod::Pod,
        ("", "podtemplates") => &template::PodTemplate,
        ("", "limitranges") => &limit_range::LimitRange,
        ("", "secrets") => &configuration::Secret,
        ("", "configmaps") => &configuration::ConfigMap,
        ("", "services") => &service::Service,
        ("" | "events.k8s.io", "events") => &configuration::Event,
        _ => return None,
    })
}

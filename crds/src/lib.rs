//! The kinds of the group `coxswain.dev`: one file a kind, their CustomResourceDefinitions derived from the types.
//!
//! `manifests/crds/` holds the generated YAML; a test fails when it is stale.

pub mod app;
pub mod condition;
pub mod quantity;
pub mod taint;
pub mod yaml;

pub use app::{App, AppSpec, AppStatus};

/// The API group of every kind here.
pub const GROUP: &str = "coxswain.dev";

/// Every CustomResourceDefinition of the group, in the order of their names.
pub fn definitions() -> Vec<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition>
{
    vec![app::definition()]
}

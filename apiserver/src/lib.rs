//! The API server: options become a configuration, a configuration a running server.
//!
//! [`options`] is the only place that reads flags and environment. [`run()`] opens the store, makes what is missing
//! (certificates, the first objects), publishes the custom resources and serves until it is told to stop.

pub mod aggregated;
mod aggregator;
mod authorization;
pub mod bootstrap;
mod client_trust;
mod cluster;
pub mod command;
pub mod config;
mod crd;
mod definitions;
pub mod error;
mod files;
mod host;
pub mod identity;
mod informer;
mod kubeconfig;
mod kubernetes_service;
mod lru_expire_cache;
pub mod options;
pub mod pki;
mod run;
mod runtime_config;
mod service_accounts;
mod serving;
mod store;
mod surroundings;
mod webhook;

pub use config::Config;
pub use endpoints::version;
pub use error::Error;
pub use options::Options;
pub use run::{Ready, bind, run};

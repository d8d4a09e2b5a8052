//! What every operator runs on: a client, Lease election, informers and a work queue, a health and metrics port,
//! logging and shutdown.

pub mod client;
pub mod error;
pub mod flags;
pub mod health;
pub mod leader_election;
pub mod logging;
pub mod process;

pub use client::ClientOptions;
pub use error::Error;
pub use health::HealthOptions;
pub use leader_election::LeaderElectionOptions;
pub use logging::LogOptions;

/// Called once, when an operator has started: its ports answer and its caches are filled, or, where it waits for
/// leadership, it stands by.
pub type OnReady = Box<dyn FnOnce() + Send + 'static>;

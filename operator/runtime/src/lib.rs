//! What every operator runs on: a client, Lease election, informers and work queues, events, a health and metrics
//! port, logging and shutdown.

pub mod client;
pub mod error;
pub mod events;
pub mod flags;
pub mod health;
pub mod informer;
pub mod leader_election;
pub mod metrics;
pub mod operator;
pub mod process;
pub mod work_queue;

pub use client::ClientOptions;
pub use error::Error;
pub use health::HealthOptions;
pub use informer::{Change, Informer, ObjectKey, Store};
pub use leader_election::LeaderElectionOptions;
pub use metrics::Metrics;
pub use operator::{Context, Ready, run_elected};
pub use work_queue::{Outcome, WorkQueue};

/// Called once, when an operator has started: its ports answer, and it acts or, where another copy leads, stands by.
pub type OnReady = Box<dyn FnOnce() + Send + 'static>;

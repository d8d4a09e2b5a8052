//! Recording what a Kubernetes API server answers to a list of requests, and comparing another server with that.
//!
//! A [`Scenario`] is the list; with the answers of one server it is a recording. [`run()`] sends it and gives the
//! answers in a form in which those of two servers can be compared ([`normalise`]). `tests/upstream/README.md` has the
//! format; the program `parity` is this for any cluster that a kubeconfig names.

pub mod diff;
pub mod gaps;
pub mod normalise;
pub mod print;
pub mod read;
pub mod record;
pub mod replay;
pub mod run;
pub mod scenario;
pub mod server;
pub mod value;
pub mod variables;
pub mod watch;

pub use gaps::Gaps;
pub use replay::{Outcome, replay};
pub use run::run;
pub use scenario::Scenario;
pub use server::Server;
pub use value::Value;

/// Why a scenario has no answers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The scenario asks for something that cannot be done.
    #[error("the scenario is wrong: {0}")]
    Scenario(String),
    /// The server cannot be reached, or broke off.
    #[error("{0}")]
    Transport(String),
}

//! HTTP over the registry: from a connection to a verb and back to bytes. The only crate where an error becomes an
//! HTTP answer.
//!
//! A request passes the filters of [`server`] in their order (request info, authentication, audit, flow control,
//! impersonation, authorization), reaches one of the `handlers` (one file a verb) or one of the documents (discovery,
//! OpenAPI, health, metrics, version), and its result is encoded as the client's `Accept` asks.

pub mod authentication;
pub mod authorization;
pub mod body;
pub mod health;
pub mod metrics;
pub mod request_info;
pub mod serve;
pub mod server;
pub mod tls;
pub mod version;

pub use body::{Body, RequestBody};
pub use serve::serve;
pub use server::{Config, Connection, Server};

//! HTTP over the registry: from a connection to a verb and back to bytes. The only crate where an error becomes an
//! HTTP answer.
//!
//! A request passes the filters of [`server`] in their order (request info, authentication, audit, flow control,
//! impersonation, authorization), reaches one of the `handlers` (one file a verb) or one of the documents (discovery,
//! OpenAPI, health, metrics, version), and its result is encoded as the client's `Accept` asks.

pub mod aggregation;
pub mod authentication;
pub mod authorization;
pub mod body;
mod decode;
mod discovery;
mod filters;
mod handlers;
pub mod health;
mod indent;
mod joined;
pub mod metrics;
mod negotiation;
mod openapi;
mod openid;
mod options;
mod protobuf;
pub mod query;
mod raw;
pub mod request_info;
mod response;
mod routes;
pub mod serve;
pub mod server;
pub mod serving_certificate;
mod streaming;
mod table;
mod text;
pub mod tls;
pub mod version;
mod yaml;

pub use body::{Body, RequestBody};
pub use filters::audit;
pub use serve::serve;
pub use server::{Config, Connection, Server};
pub use text::{Piece, Text};

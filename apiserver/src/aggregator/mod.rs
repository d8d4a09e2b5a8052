//! The aggregator: makes of APIServices what requests are routed by, and keeps what they say true.
//!
//! - [`registration`] has an APIService made for each group and version that is served here;
//! - [`controller`] follows them all and publishes them to `endpoints`;
//! - [`availability`] asks the servers of others whether they answer, and writes the condition `Available`;
//! - [`discovery`] asks them what they serve.

mod availability;
mod backends;
mod certificate;
mod condition;
mod controller;
mod discovery;
mod registration;

pub use certificate::ProxyCertificate;
pub use controller::Aggregator;

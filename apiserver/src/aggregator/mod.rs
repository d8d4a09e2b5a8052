//! The aggregator: makes of APIServices what requests are routed by, and keeps what they say true.
//!
//! - [`registration`] has an APIService made for each group and version that is served here;
//! - [`controller`] follows them all and publishes them to `endpoints`;
//! - [`availability`] asks the servers of others whether they answer, and writes the condition `Available`;
//! - [`inquiry`] asks them what they serve ([`discovery`]) and how they describe it ([`descriptions`]).

mod availability;
mod backends;
mod certificate;
mod condition;
mod controller;
mod descriptions;
mod discovery;
mod inquiry;
mod registration;

pub use certificate::ProxyCertificate;
pub use controller::Aggregator;

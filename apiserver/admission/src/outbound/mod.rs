//! What this server connects to as a client: where a service is, whom it believes there, and what of a failed connection is
//! told to clients, in the words of Go's.

pub mod service;
pub mod trust;
pub mod words;

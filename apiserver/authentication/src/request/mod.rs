//! Where a request says who it is from: the headers with a bearer token, and those in which a front proxy names a user.

pub mod bearer;
mod headers;

pub use headers::{Headers, standard};

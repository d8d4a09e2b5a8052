//! What a request passes before its handler, one file a filter. Their order is in [`crate::server`].

pub mod audit;
pub(crate) mod flow_control;
pub(crate) mod impersonation;
pub(crate) mod timeout;

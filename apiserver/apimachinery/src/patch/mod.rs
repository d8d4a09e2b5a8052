//! Patches: JSON (RFC 6902), JSON merge (RFC 7386) and strategic merge.

mod error;
pub mod json;
pub mod merge;
pub mod strategic;

pub use error::PatchError;

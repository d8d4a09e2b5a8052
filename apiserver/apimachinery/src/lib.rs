//! The vocabulary every part of the API server speaks, kept pure: no async, HTTP, storage or clock.
//!
//! Objects are [`serde_json::Value`]s. Errors carry upstream's words, because clients read them.

mod aggregate;
pub mod continue_token;
pub mod diff;
pub mod field;
pub mod field_sets;
pub mod gvk;
pub mod json;
pub mod jsonpath;
pub mod meta;
pub mod nullable;
pub mod patch;
pub mod quantity;
pub mod quote;
pub mod selector;
pub mod status;
pub mod time;
pub mod url;
pub mod user;
pub mod validation;
pub mod yaml;

pub use aggregate::aggregate;
pub use field::{Error as FieldError, ErrorList};
pub use gvk::{GroupKind, GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource};
pub use meta::ObjectExt;
pub use status::{Status, StatusError};
pub use user::UserInfo;

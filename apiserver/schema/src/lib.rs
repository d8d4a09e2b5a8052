//! Structural schemas of the built-in kinds and of custom resources, one [`Schema`] type for both. Pure: JSON in,
//! JSON and errors out.
//!
//! The built-in kinds come as data (`data/schemas.json`: OpenAPI v3 of upstream, `data/fields.json`: what OpenAPI does
//! not say of the Go fields), see [`builtin`]; a custom resource's schema is made by [`Schema::from_crd`].
//!
//! An object on its way in goes through [`Schema::check_types`] (the decoder's type errors, canonical quantities and
//! times, nulls), [`Schema::prune`] (unknown fields), [`Schema::apply_defaults`] and [`Schema::validate`]; a built-in
//! one also through [`Schema::drop_empties`], which leaves out what Go's `omitempty` does.

mod builtin;
mod crd;
mod decode;
mod defaults;
mod empties;
mod formats;
mod lookup;
mod merge;
mod node;
pub mod openapi;
mod parse;
mod pattern;
mod prune;
mod scalar;
mod schema;
mod validate;

pub use builtin::{Builtins, builtin};
pub use decode::DecodeError;
pub use lookup::StrategicLookup;
pub use merge::MergeType;
pub use schema::{Schema, strict_decoding_error};

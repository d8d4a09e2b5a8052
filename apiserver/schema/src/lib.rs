//! Structural schemas of the built-in kinds and of custom resources, one [`Schema`] type for both. Pure: JSON in,
//! JSON and errors out.
//!
//! The built-in kinds come as data (`data/schemas.json`: OpenAPI v3 of upstream, `data/fields.json`: what OpenAPI does
//! not say of the Go fields), see [`builtin()`]; a custom resource's schema is made by [`Schema::of_crd`], and
//! [`crd::validate`] says what is wrong with one.
//!
//! An object on its way in goes through [`Schema::decode`] (the decoder's type errors, canonical quantities and times,
//! nulls, unknown fields; [`Schema::check_types`] and [`Schema::prune`] do it in two steps), for built-in kinds
//! [`Schema::drop_empties`] (what Go's `omitempty` leaves out), then [`Schema::apply_defaults`], and for custom resources
//! [`Schema::validate`] and [`Schema::validate_rules`]. A kind's own defaulting, written for Go's zero values, comes
//! between the first two and the defaults, or takes zeros for values not given.
//!
//! [`types`] says in which order their fields are served, and how errors show them (`data/types.txt`, `data/internal.txt`).
//!
//! [`Schema::merge_type`] is the view that server-side apply works with, [`Schema::strategic`] that of strategic merge
//! patches, and [`openapi`] what is published of custom resources.

mod base64;
mod builtin;
mod correlation;
pub mod crd;
mod decode;
mod defaults;
mod empties;
mod formats;
mod lookup;
mod map_list;
mod merge;
mod node;
pub mod openapi;
mod parse;
mod pattern;
mod prune;
mod rules;
mod schema;
mod starts;
pub mod types;
mod validate;

pub use builtin::{Builtins, builtin};
pub use decode::DecodeError;
pub use lookup::StrategicLookup;
pub use merge::MergeType;
pub use rules::Outcome as RulesOutcome;
pub use schema::{Schema, strict_decoding_error};

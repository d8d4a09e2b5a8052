//! The verbs, one a file. Writes differ in how they make the draft; the pipeline does the rest.

pub(crate) mod create;
mod delete;
mod delete_collection;
mod get;
mod list;
mod patch;
mod patch_document;
mod patch_origin;
mod selection;
mod update;
mod watch;

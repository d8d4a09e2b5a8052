//! What names, labels, annotations and metadata may be, in upstream's words.

mod format;
mod object_meta;

pub use format::*;
pub use object_meta::*;

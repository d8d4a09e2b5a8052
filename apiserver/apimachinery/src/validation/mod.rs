//! What names, labels, annotations and metadata may be, in upstream's words.

mod format;
mod label_selector;
mod object_meta;

pub use format::*;
pub use label_selector::*;
pub use object_meta::*;

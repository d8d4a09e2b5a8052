//! What names, labels, annotations and metadata may be, in upstream's words.

mod format;
mod ip;
mod label_selector;
mod object_meta;

pub use format::*;
pub use ip::*;
pub use label_selector::*;
pub use object_meta::*;

//! What objects of built-in kinds must hold beyond their schema. Each rule is a function over JSON values that appends what
//! it finds, so that a client hears of everything at once, in upstream's order and words.

pub(crate) mod claim;
pub(crate) mod pod;
pub(crate) mod read;

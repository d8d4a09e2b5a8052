//! The resourceVersion of a stored JSON object. It is never stored; it is put into the bytes when they are read.

use bytes::Bytes;

use crate::{Result, Revision};

/// `object` with `metadata.resourceVersion` set to `revision`.
pub fn with_resource_version(object: &[u8], revision: Revision) -> Result<Bytes> {
    let _ = (object, revision);
    todo!()
}

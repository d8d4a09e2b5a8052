//! The protobuf encoding of the built-in kinds (`application/vnd.kubernetes.protobuf`), to and from the JSON form the
//! server works with.
//!
//! An encoded object is an [envelope]: four magic bytes, then the message `runtime.Unknown`, which names the object's
//! apiVersion and kind and carries the kind's own message. Which fields a message has, and how Go's JSON encoding treats each,
//! is read from the field table in `data/`; custom resources have no message and thus no protobuf form.

mod error;

use serde_json::Value;

pub use error::{DecodeError, EncodeError};

/// The media type of one encoded object or list.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// The media type of a stream of length-delimited watch events.
pub const WATCH_MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// Whether objects of this kind have a protobuf form.
pub fn supports(api_version: &str, kind: &str) -> bool {
    let _ = (api_version, kind);
    todo!()
}

/// Whether the bytes begin as an encoded object does.
pub fn recognizes(bytes: &[u8]) -> bool {
    bytes.starts_with(b"k8s\0")
}

/// The object in an envelope, as Go's JSON encoding would show it.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let _ = bytes;
    todo!()
}

/// As [`decode`]; an envelope that names no apiVersion or no kind takes the given one.
pub fn decode_with_default(bytes: &[u8], api_version: &str, kind: &str) -> Result<Value, DecodeError> {
    let _ = (bytes, api_version, kind);
    todo!()
}

/// The envelope of an object or list, told by its `apiVersion` and `kind`.
pub fn encode(object: &Value) -> Result<Vec<u8>, EncodeError> {
    let _ = object;
    todo!()
}

/// One frame of a watch stream: a 4-byte big-endian length, then the bare message `WatchEvent`, whose object is an envelope.
pub fn encode_watch_event(event_type: &str, object: &Value) -> Result<Vec<u8>, EncodeError> {
    Ok(frame_watch_event(event_type, &encode(object)?))
}

/// As [`encode_watch_event`], of an object already in its envelope, which several watchers may share.
pub fn frame_watch_event(event_type: &str, envelope: &[u8]) -> Vec<u8> {
    let _ = (event_type, envelope);
    todo!()
}

/// A list's envelope, made from one item after the other, so that the whole list need not exist as a `Value`.
pub struct ListEncoder {}

impl ListEncoder {
    /// Starts a list of the given apiVersion and list kind (`PodList`).
    pub fn new(api_version: &str, list_kind: &str) -> Result<ListEncoder, EncodeError> {
        let _ = (api_version, list_kind);
        todo!()
    }

    /// Adds one item.
    pub fn push(&mut self, item: &Value) -> Result<(), EncodeError> {
        let _ = item;
        todo!()
    }

    /// Ends the list with its `metadata`.
    pub fn finish(self, metadata: &Value) -> Result<Vec<u8>, EncodeError> {
        let _ = metadata;
        todo!()
    }
}

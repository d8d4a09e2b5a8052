//! The protobuf encoding of the built-in kinds (`application/vnd.kubernetes.protobuf`), to and from the JSON form the
//! server works with.
//!
//! An encoded object is an envelope: four magic bytes, then the message `runtime.Unknown`, which names the object's
//! apiVersion and kind and carries the kind's own message. Which fields a message has, and how Go's JSON encoding treats each,
//! is read from the table of types in [`schema::types`]; custom resources have no message and thus no protobuf form.

mod decode;
mod encode;
mod envelope;
mod error;
mod list;
mod timestamp;
mod wire;

use serde_json::Value;

use decode::Decoder;
use encode::Encoder;
use envelope::{Envelope, MAGIC};
use schema::types::table;
use wire::Writer;

pub use error::{DecodeError, EncodeError};
pub use list::ListEncoder;

/// The media type of one encoded object or list.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// The media type of a stream of length-delimited watch events.
pub const WATCH_MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// Whether objects of this kind have a protobuf form, as custom resources have none.
pub fn supports(api_version: &str, kind: &str) -> bool {
    table().kind(api_version, kind).is_some()
}

/// Whether the bytes begin as an encoded object does.
pub fn recognizes(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The apiVersion and kind an envelope names, each empty where it names none. The object itself is not read.
pub fn type_of(bytes: &[u8]) -> Result<(&str, &str), DecodeError> {
    Envelope::open(bytes).map(|envelope| (envelope.api_version, envelope.kind))
}

/// The object in an envelope, as Go's JSON encoding would show it.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    decode_with_default(bytes, "", "")
}

/// As [`decode()`]; an envelope that names no apiVersion or no kind takes the given one.
pub fn decode_with_default(bytes: &[u8], api_version: &str, kind: &str) -> Result<Value, DecodeError> {
    Decoder::new(table()).envelope(bytes, (api_version, kind), 1)
}

/// The envelope of an object or list, told by its `apiVersion` and `kind`.
pub fn encode(object: &Value) -> Result<Vec<u8>, EncodeError> {
    let text = |name| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let envelope = Envelope { api_version: text("apiVersion"), kind: text("kind"), raw: &[] };
    let unknown = || unknown_kind(envelope.api_version, envelope.kind);
    let message = table().kind(envelope.api_version, envelope.kind).ok_or_else(unknown)?;
    let mut encoder = Encoder::new(table(), Writer::with_capacity(1024));
    encoder.writer.bytes(Envelope::TAIL);
    let mark = encoder.writer.len();
    encoder.message(message, object.as_object(), 1)?;
    let raw_length = encoder.writer.len() - mark;
    envelope.write_head(&mut encoder.writer, raw_length);
    Ok(encoder.writer.finish())
}

/// One frame of a watch stream: a 4-byte big-endian length, then the bare message `WatchEvent`, whose object is an envelope.
pub fn encode_watch_event(event_type: &str, object: &Value) -> Result<Vec<u8>, EncodeError> {
    Ok(frame_watch_event(event_type, &encode(object)?))
}

/// As [`encode_watch_event`], of an object already in its envelope, which several watchers may share.
pub fn frame_watch_event(event_type: &str, envelope: &[u8]) -> Vec<u8> {
    // Two messages around the envelope, each with a header of at most six bytes, the type's own, and the length.
    let mut writer = Writer::with_capacity(envelope.len() + event_type.len() + 32);
    writer.bytes_field(1, envelope);
    writer.header(2, 0);
    writer.bytes_field(1, event_type.as_bytes());
    let length = u32::try_from(writer.len()).unwrap_or(u32::MAX);
    writer.bytes(&length.to_be_bytes());
    writer.finish()
}

fn unknown_kind(api_version: &str, kind: &str) -> EncodeError {
    EncodeError::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() }
}

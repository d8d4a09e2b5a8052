//! The envelope: magic bytes and the message `runtime.Unknown` around every encoded object.

use crate::error::DecodeError;
use crate::wire::{Reader, Wire, Writer};

pub(crate) const MAGIC: &[u8] = b"k8s\0";

/// What an envelope holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Envelope<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    /// The kind's own message.
    pub raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Envelope<'a>, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(DecodeError::NotProtobuf)?;
        if body.is_empty() {
            return Err(DecodeError::EmptyBody);
        }
        let mut envelope = Envelope::default();
        let mut reader = Reader::new("Unknown", body);
        while let Some((number, wire)) = reader.field()? {
            match number {
                1 => envelope.type_meta(content("typeMeta", wire)?)?,
                2 => envelope.raw = content("raw", wire)?,
                // Nothing is done with the content's encoding and media type, as upstream does nothing with them.
                3 => drop(content("contentEncoding", wire)?),
                4 => drop(content("contentType", wire)?),
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn type_meta(&mut self, bytes: &'a [u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new("TypeMeta", bytes);
        while let Some((number, wire)) = reader.field()? {
            match number {
                1 => self.api_version = text("apiVersion", content("apiVersion", wire)?)?,
                2 => self.kind = text("kind", content("kind", wire)?)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes what stands before the kind's message, which is `raw_length` bytes long.
    pub fn write_head(&self, writer: &mut Writer, raw_length: usize) {
        writer.varint(raw_length as u64);
        writer.tag(2, 2);
        let mark = writer.len();
        writer.bytes_field(2, self.kind.as_bytes());
        writer.bytes_field(1, self.api_version.as_bytes());
        writer.header(1, mark);
        writer.bytes(MAGIC);
    }

    /// What stands behind the kind's message: no content encoding, no content type.
    pub const TAIL: &'static [u8] = &[0x1a, 0, 0x22, 0];
}

/// The bytes of a length-delimited field.
pub(crate) fn content<'a>(field: &'static str, wire: Wire<'a>) -> Result<&'a [u8], DecodeError> {
    match wire {
        Wire::Bytes(bytes) => Ok(bytes),
        other => Err(DecodeError::WrongWireType { field, wire_type: other.wire_type() }),
    }
}

/// The text of a string field.
pub(crate) fn text<'a>(field: &'static str, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|error| DecodeError::Invalid { field, detail: error.to_string() })
}
